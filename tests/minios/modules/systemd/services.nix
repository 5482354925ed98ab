# Services as options, converted to units.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  names =
    description:
    mkOption {
      type = types.listOf types.str;
      default = [ ];
      inherit description;
    };
  switch =
    default: description:
    mkOption {
      type = types.bool;
      inherit default description;
    };

  # A value in a unit file. A list of values becomes one line per element.
  value = types.oneOf [
    types.bool
    types.int
    types.str
    types.path
    types.package
  ];
  section = mkOption {
    type = types.attrsOf (types.either value (types.listOf value));
    default = { };
    description = "The content of this section of the unit file.";
  };
  lines = lib.mapAttrsToList (
    key: values:
    lib.concatMapStrings (
      one: "${key}=${if builtins.isBool one then lib.boolToString one else toString one}\n"
    ) (lib.toList values)
  );

  list =
    key: values: lib.optionalString (values != [ ]) "${key}=${lib.concatStringsSep " " values}\n";
  flag =
    key: value: default:
    lib.optionalString (value != default) "X-${key}=${lib.boolToString value}\n";

  # Percent signs and quotes are special in unit files.
  escape = lib.replaceStrings [ "%" "\"" ] [ "%%" "\\\"" ];

  render =
    service:
    let
      path = lib.concatMapStringsSep ":" (package: "${package}/bin") ([ pkgs.busybox ] ++ service.path);
      environment = {
        PATH = path;
      }
      // service.environment;
    in
    lib.concatStrings (
      [
        "[Unit]\n"
        (lib.optionalString (service.description != "") "Description=${service.description}\n")
        (list "After" service.after)
        (list "Before" service.before)
        (list "Requires" service.requires)
        (list "Wants" service.wants)
      ]
      ++ lines service.unitConfig
      ++ [
        (lib.optionalString (service.restartTriggers != [ ])
          "X-Restart-Triggers=${lib.concatMapStringsSep " " toString service.restartTriggers}\n"
        )
        "\n[Service]\n"
      ]
      ++ lib.mapAttrsToList (
        name: text: "Environment=\"${name}=${escape (toString text)}\"\n"
      ) environment
      ++ [
        (flag "ReloadIfChanged" service.reloadIfChanged false)
        (flag "RestartIfChanged" service.restartIfChanged true)
        (flag "StopIfChanged" service.stopIfChanged true)
      ]
      ++ lines service.serviceConfig
    );
in
{
  options.systemd.services = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, config, ... }:
        {
          options = {
            enable = switch true "Whether to create the service.";
            description = mkOption {
              type = types.strMatching "[^\n]*";
              default = "";
              description = "The description of the service.";
            };
            after = names "Units that start before this one.";
            before = names "Units that start after this one.";
            requires = names "Units that this one needs to run.";
            wants = names "Units that start together with this one.";
            wantedBy = names "Units that want this one.";
            path = mkOption {
              type = types.listOf types.package;
              default = [ ];
              description = "Packages whose programs are in the service's PATH.";
            };
            environment = mkOption {
              type = types.attrsOf (
                types.oneOf [
                  types.str
                  types.int
                  types.path
                ]
              );
              default = { };
              description = "The environment variables of the service.";
            };
            script = mkOption {
              type = types.lines;
              default = "";
              description = "The shell script of the service, instead of `serviceConfig.ExecStart`.";
            };
            restartTriggers = mkOption {
              type = types.listOf types.unspecified;
              default = [ ];
              description = "Values whose change restarts the service even if nothing else in its unit changes.";
            };
            restartIfChanged = switch true "Whether a switch restarts the service when its unit has changed.";
            reloadIfChanged = switch false "Whether a switch only reloads the service when its unit has changed.";
            stopIfChanged = switch true "Whether a restart stops the old unit before activation instead of after it.";
            unitConfig = section;
            serviceConfig = section;
          };
          config.serviceConfig.ExecStart = lib.mkIf (
            config.script != ""
          ) "${pkgs.writeShellScript "unit-script-${name}-start" "set -e\n${config.script}"}";
        }
      )
    );
    default = { };
    description = "Services, by name.";
  };

  config.systemd.units = lib.mapAttrs' (
    name: service:
    lib.nameValuePair "${name}.service" {
      inherit (service) enable wantedBy;
      text = render service;
    }
  ) config.systemd.services;
}
