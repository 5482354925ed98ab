#include "settings.hh"

using namespace nix_ffi;

extern "C" nix_ffi_flake_settings * nix_ffi_flake_settings_new(nix_c_context * context) noexcept
{
    return guarded(context, static_cast<nix_ffi_flake_settings *>(nullptr), [] {
        auto flakes = std::make_unique<nix_ffi_flake_settings>();
        nix::loadConfFile(flakes->settings);
        return flakes.release();
    });
}

extern "C" void nix_ffi_flake_settings_register(
    nix_c_context * context, nix_ffi_flake_settings * flakes, nix_eval_state_builder * builder) noexcept
{
    guarded(context, [&] { register_flakes(flakes->settings, builder->settings); });
}

extern "C" bool nix_ffi_setting_set(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    const char * name,
    const char * value) noexcept
{
    return guarded(context, false, [&] {
        // Some settings, such as `tarball-ttl`, exist in several of these objects. Set each of them.
        bool known = builder && builder->settings.set(name, value);
        known = (builder && builder->fetchSettings.set(name, value)) || known;
        known = (flakes && flakes->settings.set(name, value)) || known;
        return nix::globalConfig.set(name, value) || known;
    });
}

extern "C" void nix_ffi_read_only() noexcept
{
    nix::settings.readOnlyMode = true;
}

extern "C" void nix_ffi_settings_list(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    nix_ffi_str_callback callback,
    void * user) noexcept
{
    guarded(context, [&] {
        auto tell = [&](nix::AbstractConfig & config) {
            std::map<std::string, nix::AbstractConfig::SettingInfo> all;
            config.getSettings(all);
            for (auto & [name, setting] : all) {
                callback(user, view(name));
                callback(user, view(setting.value));
            }
        };
        tell(nix::globalConfig);
        tell(builder->settings);
        tell(builder->fetchSettings);
        tell(flakes->settings);
    });
}

extern "C" void
nix_ffi_setting_get(nix_c_context * context, const char * name, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        std::map<std::string, nix::AbstractConfig::SettingInfo> all;
        nix::globalConfig.getSettings(all);
        if (auto i = all.find(name); i != all.end())
            callback(user, view(i->second.value));
    });
}
