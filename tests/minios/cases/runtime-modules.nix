# services.runtimeModules: merging and the baked document. The results are the same with minios' library and with
# that of nixpkgs.
{ lib }:
let
  inherit (lib) mkOption types;

  here = toString ./.;
  shorten = file: if file == null then null else lib.removePrefix "${here}/" file;

  # Declares only the options of a system that the module uses.
  stub = {
    options = {
      assertions = mkOption {
        type = types.listOf types.unspecified;
        default = [ ];
      };
      environment.etc = mkOption {
        type = types.attrsOf (types.submodule { options.text = mkOption { type = types.str; }; });
        default = { };
      };
      environment.systemPackages = mkOption { default = [ ]; };
      networking.hostName = mkOption { default = "stub"; };
      system.activationScripts = mkOption { default = { }; };
      systemd.services = mkOption { default = { }; };
      warnings = mkOption {
        type = types.listOf types.str;
        default = [ ];
      };
    };
  };
  problems = import ./schema.nix { inherit lib; } ../../../nixos/runtime-modules/config.schema.json;
  # A fake package with only the attributes that the module reads.
  program = {
    type = "derivation";
    outPath = fakeSource "runtime-module";
  };
  installed =
    settings:
    let
      config = eval [
        {
          services.runtimeModules = settings // {
            package = program;
          };
        }
      ];
    in
    {
      packages = map toString config.environment.systemPackages;
      inherit (config.system) activationScripts;
      inherit (config.systemd) services;
    };
  warned =
    values: settings: (eval (files values ++ [ { services.runtimeModules = settings; } ])).warnings;
  eval =
    modules:
    (lib.evalModules {
      modules = [
        ../../../nixos/runtime-modules
        stub
        {
          services.runtimeModules.enable = true;
          _module.args.pkgs.stdenv.hostPlatform.system = "x86_64-linux";
        }
      ]
      ++ modules;
    }).config;
  # Definitions of `modules`, each in a separate file: a.nix, b.nix and so on.
  files =
    values:
    lib.imap1 (n: modules: {
      _file = "${builtins.substring (n - 1) 1 "abcdef"}.nix";
      services.runtimeModules = { inherit modules; };
    }) values;
  registry = values: (eval (files values)).services.runtimeModules.registry;
  names = values: map (entry: entry.name) (registry values);
  described =
    values:
    map (
      entry:
      entry
      // {
        module = builtins.typeOf entry.module;
        file = shorten entry.file;
      }
    ) (registry values);
  baked =
    values: settings:
    builtins.fromJSON
      (eval (files values ++ [ { services.runtimeModules = settings; } ]))
      .environment.etc."runtime-modules/config.json".text;
  failed =
    values: settings:
    map (a: a.message) (
      lib.filter (a: !a.assertion)
        (eval (files values ++ [ { services.runtimeModules = settings; } ])).assertions
    );

  one = ./parts/adds-one.nix;
  two = ./parts/adds-two.nix;

  fakeSource = name: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-${name}";
  # The `self` of a fake flake. Reading an unrelated output fails.
  self =
    let
      outPath = fakeSource "source";
      sourceInfo = {
        inherit outPath;
        narHash = "sha256-+a/b+c/d=";
        lastModified = 1700000000;
        rev = "0123456789abcdef0123456789abcdef01234567";
        revCount = 12;
      };
    in
    sourceInfo
    // {
      inherit sourceInfo;
      outPath = "${outPath}/machines/a b";
      inputs = { };
      runtimeModules = { };
      packages = throw "an unrelated output";
      _type = "flake";
    };
in
{
  # --- sets and lists ---
  set = described [
    {
      b = {
        module = one;
        description = "B";
      };
      a.path = two;
    }
  ];
  set-of-paths = described [ { a = one; } ];
  path-as-text = described [ { a.module = toString one; } ];
  imports = described [
    {
      a.imports = [
        one
        two
      ];
    }
  ];
  imports-of-one-path = described [ { a.imports = [ one ]; } ];
  folder = described [ { a.module = ./parts/folder; } ];
  folder-as-text = described [ { a.path = toString ./parts/folder; } ];
  function = described [ { a.module = { ... }: { }; } ];
  inline = described [
    {
      a.module = {
        x = 1;
      };
    }
  ];
  list = described [
    [
      {
        name = "b";
        path = one;
        desc = "B";
        skipValidation = true;
      }
      {
        name = "a";
        imports = [ two ];
      }
    ]
  ];
  list-keeps-its-order = names [
    [
      {
        name = "z";
        path = one;
      }
      {
        name = "a";
        path = one;
      }
      {
        name = "m";
        path = one;
      }
    ]
  ];
  set-is-by-name = names [
    {
      z = one;
      a = one;
      m = one;
    }
  ];
  lists-come-before-sets = names [
    { a = one; }
    [
      {
        name = "z";
        path = one;
      }
    ]
  ];
  several-lists = names [
    [
      {
        name = "z";
        path = one;
      }
    ]
    [
      {
        name = "a";
        path = one;
      }
    ]
  ];
  several-sets = names [
    { b = one; }
    { a = one; }
  ];
  nothing = names [ ];
  empty = names [
    { }
    [ ]
  ];
  odd-names = names [
    {
      "a.b_c-d+e" = one;
      _x = one;
      "0" = one;
    }
  ];
  longest-name = map builtins.stringLength (names [
    { ${lib.concatStrings (lib.genList (_: "n") 64)} = one; }
  ]);

  # --- several definitions of one entry ---
  description-from-another-file = described [
    { a.module = one; }
    { a.description = "said elsewhere"; }
  ];
  forced-description = described [
    {
      a = {
        module = one;
        description = "weak";
      };
    }
    { a.description = lib.mkForce "strong"; }
  ];
  default-description = described [
    {
      a = {
        module = one;
        description = lib.mkDefault "weak";
      };
    }
    { a.description = "strong"; }
  ];
  forced-module = described [
    { a.module = one; }
    { a.module = lib.mkForce two; }
  ];
  entry-under-condition = names [
    {
      a = lib.mkIf false { module = one; };
      b = lib.mkIf true { module = one; };
    }
  ];
  list-entry-under-condition = names [
    [
      (lib.mkIf false {
        name = "a";
        path = one;
      })
      (lib.mkIf true {
        name = "b";
        path = one;
      })
    ]
  ];
  merged-entry = described [
    {
      a = lib.mkMerge [
        { module = one; }
        { description = "D"; }
      ];
    }
  ];
  forced-whole = names [
    { a = one; }
    (lib.mkForce { b = one; })
  ];
  ordered-lists = names [
    (lib.mkAfter [
      {
        name = "z";
        path = one;
      }
    ])
    [
      {
        name = "a";
        path = one;
      }
    ]
  ];
  modules-are-not-evaluated = names [
    {
      a.module = throw "evaluated";
      b.module = import ./parts/syntax-error.nix;
    }
  ];
  file-that-is-not-there = described [
    {
      a.module = ./parts/no-such-file.nix;
      b.module = ./parts/no-such-folder;
    }
  ];
  disabled-still-has-registry =
    map (entry: entry.name)
      (eval (files [ { a = one; } ] ++ [ { services.runtimeModules.enable = lib.mkForce false; } ]))
      .services.runtimeModules.registry;
  disabled-bakes-nothing =
    (eval (files [ { a = one; } ] ++ [ { services.runtimeModules.enable = lib.mkForce false; } ]))
    .environment.etc;

  # --- refused definitions ---
  no-source = names [ { a.description = "nothing"; } ];
  module-and-path = names [
    {
      a = {
        module = one;
        path = two;
      };
    }
  ];
  path-and-imports = names [
    [
      {
        name = "a";
        path = one;
        imports = [ two ];
      }
    ]
  ];
  module-twice = names [
    { a.module = one; }
    { a.module = two; }
  ];
  module-and-path-in-two-files = names [
    { a.module = one; }
    { a.path = two; }
  ];
  description-twice = names [
    {
      a = {
        module = one;
        description = "x";
      };
    }
    { a.description = "y"; }
  ];
  both-descriptions = names [
    {
      a = {
        module = one;
        description = "x";
        desc = "y";
      };
    }
  ];
  unknown-attribute = names [
    {
      a = {
        module = one;
        descripton = "x";
      };
    }
  ];
  name-with-space = names [ { "my module" = one; } ];
  name-with-slash = names [ { "a/b" = one; } ];
  name-with-newline = names [ { "a\nb" = one; } ];
  name-with-control = names [ { ${builtins.fromJSON ''"a\u0007b"''} = one; } ];
  name-with-umlaut = names [ { "ä" = one; } ];
  name-with-at = names [ { "a@b" = one; } ];
  name-empty = names [ { "" = one; } ];
  name-long = names [ { ${lib.concatStrings (lib.genList (_: "n") 65)} = one; } ];
  name-dash = names [ { "-a" = one; } ];
  name-dot = names [ { ".a" = one; } ];
  name-in-list = names [
    [
      {
        name = "a b";
        path = one;
      }
    ]
  ];
  twice-in-list = names [
    [
      {
        name = "a";
        path = one;
      }
      {
        name = "b";
        path = one;
      }
      {
        name = "a";
        path = two;
      }
    ]
  ];
  twice-in-two-lists = names [
    [
      {
        name = "a";
        path = one;
      }
    ]
    [
      {
        name = "a";
        path = two;
      }
    ]
  ];
  twice-in-list-and-set = names [
    [
      {
        name = "a";
        path = one;
      }
    ]
    { a.module = two; }
  ];
  list-entry-without-name = names [ [ { path = one; } ] ];
  list-entry-no-set = names [ [ one ] ];
  entry-no-set = names [ { a = [ one ]; } ];
  path-relative = names [ { a.path = "x.nix"; } ];
  imports-no-list = names [ { a.imports = one; } ];
  description-no-text = names [
    {
      a = {
        module = one;
        description = 1;
      };
    }
  ];
  validation-no-boolean = names [
    {
      a = {
        module = one;
        skipValidation = "yes";
      };
    }
  ];
  several-problems = names [
    {
      "a b" = one;
      c = { };
    }
    [ { name = "d"; } ]
  ];
  neither-set-nor-list = names [ "a" ];
  source-under-condition = map (entry: entry.module) (registry [
    { a.module = lib.mkIf false one; }
  ]);
  registry-is-read-only =
    (eval [ { services.runtimeModules.registry = [ ]; } ]).services.runtimeModules.registry;
  flake-is-no-flake = failed [ ] { flake = "git+file:///etc/nixos"; };

  host-not-in-the-flake = failed [ ] {
    host = "laptop";
    flake = self // {
      nixosConfigurations = {
        a = throw "evaluated";
        b = throw "evaluated";
      };
    };
  };
  host-in-the-flake = failed [ ] {
    host = "a";
    flake = self // {
      nixosConfigurations.a = throw "evaluated";
    };
  };
  url-is-relative = map (flakeUrl: lib.length (failed [ ] { inherit flakeUrl; })) [
    "."
    "./machines"
    "../machines"
    "?dir=x"
    "#x"
    "path:machines"
    "path:./machines"
    "git+file:machines"
    ""
  ];
  url-is-relative-message = failed [ ] { flakeUrl = "./machines"; };
  url-is-whole = map (flakeUrl: lib.length (failed [ ] { inherit flakeUrl; })) [
    "/etc/nixos"
    "path:/etc/nixos"
    "git+file:///etc/nixos"
    "git+file:/etc/nixos"
    "github:someone/machines"
    "machines"
    "git+ssh://git@example.org/machines?ref=main"
    "https://example.org/machines.tar.gz"
  ];
  flake-unset = warned [ ] { };
  flake-unset-with-url = warned [ ] { flakeUrl = "git+file:///etc/nixos"; };
  flake-set = warned [ ] { flake = self; };
  file-set = warned [ ] { file = "/etc/nixos/configuration.nix"; };
  file-and-flake = failed [ ] {
    file = "/etc/nixos/configuration.nix";
    flake = self;
  };
  file-relative = (baked [ ] { file = "./configuration.nix"; }).file;
  confirm-odd = (baked [ ] { confirm = "soon"; }).confirm;
  settle-odd = (baked [ ] { settle = "3x"; }).settle;
  elevation-odd = (baked [ ] { elevation = "su"; }).elevation;
  mismatch-odd = (baked [ ] { overrides.onMismatch = "keep"; }).onMismatch;
  failed-units-odd = (baked [ ] { onFailedUnits = "ignore"; }).onFailedUnits;

  # --- the program's part of a system ---
  without-a-program =
    let
      config = eval [ ];
    in
    {
      inherit (config.environment) systemPackages;
      inherit (config.system) activationScripts;
      inherit (config.systemd) services;
    };
  with-a-program = installed { };
  restoring = (installed { restoreAtBoot = true; }).services;

  # --- built-in modules ---
  builtin-off = names [ { a = one; } ];
  builtin-on = map (entry: { inherit (entry) name description; }) (
    (eval (files [ { a = one; } ] ++ [ { services.runtimeModules.builtinModules.enable = true; } ]))
    .services.runtimeModules.registry
  );
  builtin-named-again = map (entry: entry.name) (
    (eval (
      files [ { "rt.gimp" = one; } ] ++ [ { services.runtimeModules.builtinModules.enable = true; } ]
    )).services.runtimeModules.registry
  );
  builtin-replaced =
    let
      found =
        (eval (
          files [ { "rt.gimp".module = lib.mkForce one; } ]
          ++ [ { services.runtimeModules.builtinModules.enable = true; } ]
        )).services.runtimeModules.registry;
      gimp = lib.head (lib.filter (entry: entry.name == "rt.gimp") found);
    in
    {
      inherit (gimp) description;
      file = shorten gimp.file;
    };
  # The files whose first line is not their description in the list.
  builtin-descriptions = lib.filter (name: name != null) (
    lib.mapAttrsToList (
      name: description:
      let
        text = builtins.readFile (../../../nixos/runtime-modules/builtin + "/${name}.nix");
      in
      if lib.hasPrefix "# ${description}\n" text then null else name
    ) (import ../../../nixos/runtime-modules/builtin/list.nix)
  );

  # --- config.json ---
  schema-of-nothing = problems (baked [ ] { });
  schema-of-everything = problems (
    baked
      [
        {
          a = {
            module = one;
            description = "A";
          };
        }
        { b.module = { }; }
      ]
      {
        flake = self;
        flakeUrl = "git+file:///etc/nixos";
        restoreAtBoot = true;
        onFailedUnits = "keep";
        confirm = "90s";
        settle = "500ms";
        elevation = "doas";
      }
  );
  schema-of-a-flake-alone = problems (
    baked [ ] {
      flake = {
        outPath = fakeSource "x";
        dirtyRev = "0123456-dirty";
        dirtyShortRev = "0123-dirty";
      };
    }
  );
  schema-notices = problems {
    schema = 2;
    host = null;
    confirm = "soon";
    settle = "3x";
    elevation = "su";
    more = true;
    flake.source = 1;
    modules = [
      { name = "a"; }
      "b"
    ];
  };
  baked-settings = lib.filterAttrs (name: _: name != "flake" && name != "modules") (
    baked [ ] {
      restoreAtBoot = true;
      onFailedUnits = "keep";
      confirm = "5m";
      settle = "0";
      elevation = "run0";
    }
  );
  baked-without-flake =
    baked [
      {
        a = {
          module = one;
          description = "A";
        };
      }
    ] { flakeUrl = "git+file:///etc/nixos"; }
    // {
      modules = null;
    };
  baked-modules-without-flake =
    (baked [
      {
        a = {
          module = one;
          description = "A";
        };
        b.module = { };
      }
    ] { }).modules;
  schema-of-a-file = problems (
    baked [ ] {
      file = "/etc/nixos";
      fileAttribute = [
        "nodes"
        "a.b"
      ];
    }
  );
  baked-file =
    (baked [ ] {
      file = "/etc/nixos";
      fileAttribute = [ "box" ];
    }).file;
  baked-host = (baked [ ] { host = "other"; }).host;
  baked-flake = (baked [ ] { flake = self; }).flake;
  baked-flake-alone =
    (baked [ ] {
      flake = {
        outPath = fakeSource "x?y=z";
        dirtyRev = "0123456-dirty";
        dirtyShortRev = "0123-dirty";
      };
    }).flake;
  baked-inputs =
    let
      source = name: inputs: {
        outPath = fakeSource name;
        sourceInfo.outPath = fakeSource name;
        inherit inputs;
      };
      # b has the flake itself as an input, the flake and b share c, d is a folder in c's source, and e has no source.
      flake = self // {
        inputs = { inherit b c e; };
      };
      b = source "b" {
        inherit c;
        root = flake;
      };
      c = source "c" { inherit d; };
      d =
        source "c" {
          inherit b;
          plain.outPath = fakeSource "a-plain";
        }
        // {
          outPath = "${fakeSource "c"}/sub";
        };
      e.inputs = { };
    in
    (baked [ ] { inherit flake; }).flake.inputs;
  baked-files =
    (baked [
      {
        inside.module = "${fakeSource "source"}/modules/x.nix";
        outside.module = one;
        sibling.module = "${fakeSource "source-2"}/x.nix";
      }
      # A module without a file.
      {
        inline.module = { };
      }
    ] { flake = self; }).modules;
  baked-declared-in-source =
    (builtins.fromJSON
      (eval [
        {
          _file = "${fakeSource "source"}/hosts/a.nix";
          services.runtimeModules.flake = self;
          services.runtimeModules.modules.a = one;
        }
      ]).environment.etc."runtime-modules/config.json".text
    ).modules;
  baked-outputs =
    (baked [ { z.module = { }; } ] {
      flake = self // {
        runtimeModules = {
          b = "${fakeSource "source"}/machines/b.nix";
          a = {
            module = "${fakeSource "source"}/machines/a.nix";
            description = "A of the flake";
          };
          c = { ... }: { };
          d = {
            options = { };
          };
        };
      };
    }).modules;
  output-and-option = failed [ { a.module = one; } ] {
    flake = self // {
      runtimeModules.a = one;
    };
  };
  output-name = failed [ ] {
    flake = self // {
      runtimeModules."a b" = one;
    };
  };
  outputs-are-not-evaluated = failed [ ] {
    flake = self // {
      runtimeModules.a = throw "evaluated";
    };
  };
  flake-without-outputs = (baked [ ] { flake = removeAttrs self [ "runtimeModules" ]; }).modules;
}
