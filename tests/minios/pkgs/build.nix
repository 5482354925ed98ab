# How things are built: a derivation around a shell script, and the usual shorthands for it.
{
  lib,
  system,
  config,
}:
let
  bootstrap = import ./bootstrap.nix;

  # Whether the configuration lets a package be used; one without a licence is free, one without known issues is safe.
  # What is refused is refused in words of nixpkgs' shape: who, why, and what other programs than ours can do about it.
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
          b) What this system says about its packages is nixpkgs.config.
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

  # The shell comes first; all that follows is built by it.
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

  # The script is handed over in a file: a text of some size does not fit into an argument.
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
      # The name may be asked for; whoever wants to have the package must be allowed to.
      drvPath = check package.drvPath;
      outPath = check package.outPath;
    };

  writeText =
    name: text:
    runCommand name {
      inherit text;
      passAsFile = [ "text" ];
    } ''cp "$textPath" "$out"'';

  # A file in a folder of its own, where its name matters.
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

  # The folders named, of several packages as one; of two files of one name the first counts.
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
