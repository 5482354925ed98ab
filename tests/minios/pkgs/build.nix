# Build helpers: a derivation around a shell script, and the usual shorthands.
{
  lib,
  system,
  config,
}:
let
  bootstrap = import ./bootstrap.nix;

  # Checks whether the configuration allows a package. A package without a licence counts as free, and one without known
  # issues counts as secure. A refusal has the form of nixpkgs' message: the package, the reason, and remedies, which
  # runtime-module replaces with hints.
  checkMeta =
    { name, meta }:
    value:
    let
      pname = meta.pname or name;
      issues = meta.knownVulnerabilities or [ ];
      refuse =
        why: rest:
        throw ''
          Package ‘${name}’ in ${meta.position or "«unknown-file»"} ${why}, refusing to evaluate.

          ${rest}
          a) An environment variable allows it for a single run of nix-build.
          b) Set nixpkgs.config in the configuration of this system.
        '';
      free =
        meta.license.free or true
        || config.allowUnfree or false
        || (config.allowUnfreePredicate or (_: false)) { inherit meta name pname; };
    in
    if meta.broken or false && !config.allowBroken or false then
      refuse "is marked as broken" ""
    else if !free then
      refuse "has an unfree license (‘${meta.license.shortName or "unfree"}’)" ""
    else if issues != [ ] && !builtins.elem name config.permittedInsecurePackages or [ ] then
      refuse "is marked as insecure" "Known issues:\n${
        lib.concatMapStrings (issue: " - ${issue}\n") issues
      }"
    else
      value;

  # The shell comes first, because it builds everything else.
  busybox =
    (derivation {
      name = "busybox";
      inherit system;
      builder = bootstrap;
      args = [
        "sh"
        "-euc"
        ''
          "$builder" mkdir -p "$out/bin"
          "$builder" cp "$builder" "$out/bin/busybox"
          cd "$out/bin"
          for applet in $("$builder" --list); do
            [ "$applet" = busybox ] || "$builder" ln -s busybox "$applet"
          done
        ''
      ];
    })
    // {
      meta.description = "The shell and the tools of minios";
    };
in
rec {
  inherit busybox;

  # The script is passed as a file, because a large text does not fit into an argument.
  runCommand =
    name: attributes: script:
    let
      meta = attributes.meta or { };
      check = checkMeta { inherit name meta; };
      package = derivation (
        {
          inherit name system script;
          builder = "${busybox}/bin/sh";
          args = [
            "-euc"
            ". \"$scriptPath\""
          ];
          PATH = "${busybox}/bin";
          passAsFile = [ "script" ] ++ attributes.passAsFile or [ ];
        }
        // removeAttrs attributes [
          "meta"
          "passAsFile"
          "passthru"
        ]
      );
    in
    package
    // attributes.passthru or { }
    // {
      inherit meta;
      # The name of a refused package can be read; only using the package needs permission.
      drvPath = check package.drvPath;
      outPath = check package.outPath;
    };

  writeText =
    name: text:
    runCommand name {
      inherit text;
      passAsFile = [ "text" ];
    } ''cp "$textPath" "$out"'';

  # A file in a separate folder, for files whose name matters.
  writeTextDir =
    path: text:
    runCommand (baseNameOf path)
      {
        inherit text path;
        passAsFile = [ "text" ];
      }
      ''
        mkdir -p "$out/$(dirname "$path")"
        cp "$textPath" "$out/$path"
      '';

  writeScript =
    name: text:
    runCommand name
      {
        inherit text;
        passAsFile = [ "text" ];
      }
      ''
        cp "$textPath" "$out"
        chmod +x "$out"
      '';
  writeShellScript = name: text: writeScript name "#!${busybox}/bin/sh\n${text}";

  writeShellScriptBin =
    name: text:
    runCommand name
      {
        text = "#!${busybox}/bin/sh\n${text}";
        passAsFile = [ "text" ];
      }
      ''
        mkdir -p "$out/bin"
        cp "$textPath" "$out/bin/${name}"
        chmod +x "$out/bin/${name}"
      '';

  # Joins these folders of several packages into one package; of files with the same name, the first wins.
  buildEnv =
    {
      name,
      paths,
      pathsToLink,
    }:
    runCommand name { } ''
      mkdir -p "$out"
      for folder in ${lib.escapeShellArgs pathsToLink}; do
        for package in ${lib.concatMapStringsSep " " toString paths}; do
          [ -d "$package/$folder" ] || continue
          mkdir -p "$out/$folder"
          for file in "$package/$folder"/*; do
            [ -e "$out/$folder/$(basename "$file")" ] || ln -s "$file" "$out/$folder/"
          done
        done
      done
    '';
}
