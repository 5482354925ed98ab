# The guests of a controller. `runtime-guest apply` starts, changes and removes them.
{ config, lib, ... }:
let
  cfg = config.guests;
  inherit (lib) mkOption types;
  pure = import ./lib.nix { inherit lib; };

  machine = types.submodule {
    options = {
      system = mkOption {
        type = types.str;
        example = lib.literalExpression "inputs.self.nixosConfigurations.vm1.config.system.build.toplevel.outPath";
        description = ''
          The path of the guest's system, which imports `backends.imageless`. A path in the store becomes part of this
          machine's system, so that the garbage collector keeps it.
        '';
      };
      kernel = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/home/alice/linux/arch/x86/boot/bzImage";
        description = "The guest's kernel. If this option is null, the system must contain a kernel.";
      };
      modules = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/home/alice/linux/modules/lib/modules";
        description = "The folder that the guest mounts at `/lib/modules`.";
      };
      shares = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          src = "/home/alice/src";
        };
        description = "The folders of this machine that the guest can mount. The names are virtiofs tags.";
      };
      memory = mkOption {
        type = types.ints.positive;
        default = 2048;
        example = 4096;
        description = "The guest's memory in MiB.";
      };
      cpus = mkOption {
        type = types.ints.positive;
        default = 2;
        example = 4;
        description = "The number of the guest's processors.";
      };
      sshPort = mkOption {
        type = types.nullOr types.ints.positive;
        default = null;
        example = 2201;
        description = "The port on 127.0.0.1 that leads to the sshd of the guest. If null, any free port is used.";
      };
      kernelParams = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "nokaslr" ];
        description = "Additional parameters for the guest's kernel.";
      };
    };
  };

  names = lib.attrNames cfg.machines;
  ports = lib.filter (port: port != null) (map (name: cfg.machines.${name}.sshPort) names);
in
{
  options.guests.machines = mkOption {
    type = types.attrsOf machine;
    default = { };
    description = ''
      The guests of this machine. `runtime-guest apply` shows which guests it would start, restart or remove, and does
      so after a confirmation. A switch of this machine does not start or stop guests.
    '';
  };

  config = lib.mkIf cfg.controller.enable {
    assertions =
      map (name: {
        assertion = builtins.match "[A-Za-z0-9][A-Za-z0-9._-]{0,39}" name != null;
        message =
          "cannot use ${builtins.toJSON name} in guests.machines as the name of a guest: a name has at most 40 letters, "
          + "digits, `.`, `_` and `-`, and begins with a letter or digit. Choose another name.";
      }) names
      ++ map (port: {
        assertion = false;
        message =
          "cannot use the port ${toString port} for two guests in guests.machines. Give each guest its own sshPort, or "
          + "omit it.";
      }) (pure.duplicates ports);

    environment.etc."runtime-guest/machines.json".text = builtins.toJSON {
      schema = 1;
      inherit (cfg) machines;
    };
  };
}
