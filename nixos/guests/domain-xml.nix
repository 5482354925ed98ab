# The libvirt domain of a guest as XML: a pure function of plain values. `lib` is that of nixpkgs or of tests/minios.
{ lib }:
let
  escape =
    builtins.replaceStrings
      [
        "&"
        "<"
        ">"
        "\""
        "'"
      ]
      [
        "&amp;"
        "&lt;"
        "&gt;"
        "&quot;"
        "&apos;"
      ];
  attributes =
    values: lib.concatMapStrings (name: " ${name}=\"${escape values.${name}}\"") (lib.attrNames values);
  indent = map (line: "  ${line}");

  # An element as a list of lines. The content is a string, or a list of elements.
  element =
    name: values: content:
    if content == [ ] then
      [ "<${name}${attributes values}/>" ]
    else if builtins.isString content then
      [ "<${name}${attributes values}>${escape content}</${name}>" ]
    else
      [ "<${name}${attributes values}>" ] ++ indent (lib.concatLists content) ++ [ "</${name}>" ];

  # vda to vdz, and then vdaa to vdzz.
  letters = lib.stringToCharacters "abcdefghijklmnopqrstuvwxyz";
  diskName =
    index:
    "vd"
    + lib.optionalString (index >= 26) (lib.elemAt letters (index / 26 - 1))
    + lib.elemAt letters (index - index / 26 * 26);

  disk =
    index: one:
    element "disk"
      {
        type = if lib.hasPrefix "/dev/" one.source then "block" else "file";
        device = "disk";
      }
      (
        [
          (element "driver" {
            name = "qemu";
            type = one.format;
          } [ ])
          (element "source" {
            ${if lib.hasPrefix "/dev/" one.source then "dev" else "file"} = one.source;
          } [ ])
          (element "target" {
            dev = diskName index;
            bus = "virtio";
          } [ ])
        ]
        ++ lib.optional (one.serial != null) (element "serial" { } one.serial)
      );

  share =
    tag: source:
    element "filesystem"
      {
        type = "mount";
        accessmode = "passthrough";
      }
      [
        (element "driver" { type = "virtiofs"; } [ ])
        (element "source" { dir = source; } [ ])
        (element "target" { dir = tag; } [ ])
      ];
in
{
  inherit diskName;

  # The XML of a domain. `memory` is in MiB, and `firmware` is "bios" or "uefi". `disks` is a list that begins with the
  # system's disk, `shares` maps tags to folders on the host, and `network` is the name of a libvirt network.
  domainXml =
    {
      name,
      architecture,
      cpus,
      memory,
      firmware,
      disks,
      shares,
      network,
    }:
    lib.concatMapStrings (line: line + "\n") (
      element "domain" { type = "kvm"; } (
        [
          (element "name" { } name)
          (element "memory" { unit = "MiB"; } (toString memory))
          (element "vcpu" { } (toString cpus))
        ]
        # virtiofsd reads and writes the guest's memory.
        ++ lib.optional (shares != { }) (
          element "memoryBacking" { } [
            (element "source" { type = "memfd"; } [ ])
            (element "access" { mode = "shared"; } [ ])
          ]
        )
        ++ [
          (element "os" (lib.optionalAttrs (firmware == "uefi") { firmware = "efi"; }) [
            (element "type" {
              arch = architecture;
              machine = if architecture == "aarch64" then "virt" else "q35";
            } "hvm")
            (element "boot" { dev = "hd"; } [ ])
          ])
          (element "features" { } [ (element "acpi" { } [ ]) ])
          (element "cpu" { mode = "host-passthrough"; } [ ])
          (element "on_crash" { } "preserve")
          (element "devices" { } (
            lib.imap1 (number: disk (number - 1)) disks
            ++ lib.mapAttrsToList share shares
            ++ [
              (element "interface" { type = "network"; } [
                (element "source" { inherit network; } [ ])
                (element "model" { type = "virtio"; } [ ])
              ])
              (element "serial" { type = "pty"; } [ ])
              (element "console" { type = "pty"; } [ (element "target" { type = "virtio"; } [ ]) ])
              (element "rng" { model = "virtio"; } [ (element "backend" { model = "random"; } "/dev/urandom") ])
              (element "channel" { type = "unix"; } [
                (element "target" {
                  type = "virtio";
                  name = "org.qemu.guest_agent.0";
                } [ ])
              ])
            ]
          ))
        ]
      )
    );

  # Assertions about the values. `mounted` is the list of virtiofs tags that the guest mounts.
  domainAssertions =
    {
      shares,
      mounted,
      disks,
    }:
    map (tag: {
      assertion = lib.elem tag mounted;
      message =
        "cannot use the tag ${builtins.toJSON tag} of guests.libvirt.shares: the guest mounts no share with this tag"
        + (
          if mounted == [ ] then
            ""
          else
            ", only ${lib.concatMapStringsSep ", " builtins.toJSON (lib.unique mounted)}"
        )
        + ". Add the tag to guests.shares, or correct it.";
    }) (lib.attrNames shares)
    ++ map (tag: {
      # If guests.libvirt.shares is empty, do not check: the user may start the guest with a domain and shares of their
      # own.
      assertion = shares == { } || shares ? ${tag};
      message =
        "cannot start the guest: guests.shares mounts the tag ${builtins.toJSON tag}, but the domain does not have it. "
        + "Add guests.libvirt.shares.${tag} with a folder on the host.";
    }) (lib.unique mounted)
    ++ map (one: {
      assertion = one.serial == null || builtins.match "[A-Za-z0-9._+-]{1,20}" one.serial != null;
      message =
        "cannot use the serial ${builtins.toJSON one.serial} for the disk ${one.source} of guests.libvirt.disks: a virtio "
        + "serial has at most 20 letters, digits, `.`, `_`, `+` and `-`. Choose another serial.";
    }) disks;
}
