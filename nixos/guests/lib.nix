# Pure functions of the guest modules. They need no packages, so tests can call them without nixpkgs. The argument
# `lib` is that of nixpkgs or of tests/minios.
{ lib }:
rec {
  # The oldest nixpkgs whose options the modules use.
  oldestRelease = "24.05";

  # The duplicate values of a list: each one once, in the order of the list.
  duplicates =
    values:
    lib.foldl' (
      found: value:
      if lib.length (lib.filter (other: other == value) values) > 1 && !lib.elem value found then
        found ++ [ value ]
      else
        found
    ) [ ] values;

  # The virtiofs tags of the backend `imageless`, with their mount points.
  guestTags = {
    store = "/nix/store";
    modules = "/lib/modules";
  };

  # The device has 36 bytes for the tag (struct virtio_fs_config).
  tagLimit = 36;

  # The reason why a string cannot be a virtiofs tag, or null. A comma or a quote would end the tag on QEMU's command
  # line.
  tagProblem =
    tag:
    if tag == "" then
      "the tag is empty"
    else if builtins.stringLength tag > tagLimit then
      "the tag has ${toString (builtins.stringLength tag)} bytes, but virtiofs allows only ${toString tagLimit}"
    else if builtins.match "[A-Za-z0-9._/-]+" tag == null then
      "the tag contains a character other than letters, digits, `.`, `_`, `/` and `-`"
    else
      null;

  # Assertions about `shares`, a set of mount points, each with a tag. `reserved` is a set of tags in use, with their
  # mount points.
  shareAssertions =
    reserved: shares:
    let
      mountPoints = lib.attrNames shares;
      tags = map (mountPoint: shares.${mountPoint}.tag) mountPoints;
      users = tag: lib.filter (mountPoint: shares.${mountPoint}.tag == tag) mountPoints;
    in
    map (
      mountPoint:
      let
        inherit (shares.${mountPoint}) tag;
        problem = tagProblem tag;
      in
      {
        assertion = problem == null;
        message =
          "cannot use ${builtins.toJSON tag} as guests.shares.${builtins.toJSON mountPoint}.tag: ${toString problem}. "
          + "Choose a tag of at most ${toString tagLimit} letters and digits, and pass the same tag to virtiofsd on "
          + "the host.";
      }
    ) mountPoints
    ++ map (tag: {
      assertion = false;
      message =
        "cannot mount two shares with the tag ${builtins.toJSON tag}: guests.shares uses it for "
        + "${lib.concatStringsSep " and " (users tag)}. Give each share a tag of its own.";
    }) (duplicates tags)
    ++ map (tag: {
      assertion = !reserved ? ${tag};
      message =
        "cannot use the tag ${builtins.toJSON tag} for guests.shares.${builtins.toJSON (lib.head (users tag))}: "
        + "the backend mounts it at ${reserved.${tag} or ""}. Choose another tag.";
    }) (lib.unique tags);

  # Whether a device keeps its name when another disk is added or the order of detection changes.
  isStableDevice = device: builtins.match "/dev/disk/by-[a-z-]+/.+|/dev/mapper/.+" device != null;

  # Assertions about `storage`, a set of mount points, each with `device`, `mkfsArgs` and `autoFormat`. `others` is a
  # set of other mount points, each with its device. `needsStable` requires device names that do not change.
  storageAssertions =
    {
      storage,
      others,
      needsStable,
    }:
    let
      mountPoints = lib.attrNames storage;
      at = mountPoint: "guests.storage.${builtins.toJSON mountPoint}";
      devices = map (mountPoint: storage.${mountPoint}.device) mountPoints;
      isFormatted = entry: entry.mkfsArgs != null || entry.autoFormat;
      users = device: lib.filter (mountPoint: storage.${mountPoint}.device == device) mountPoints;
      otherUsers = device: lib.filter (mountPoint: others.${mountPoint} == device) (lib.attrNames others);
    in
    lib.concatMap (
      mountPoint:
      let
        entry = storage.${mountPoint};
      in
      [
        {
          assertion = builtins.match "/dev/.+" entry.device != null;
          message =
            "cannot use ${builtins.toJSON entry.device} as ${at mountPoint}.device: the path is not below /dev. Name a "
            + "block device, for example \"/dev/disk/by-id/virtio-data\".";
        }
        {
          assertion = entry.mkfsArgs == null || !entry.autoFormat;
          message =
            "cannot format ${entry.device} in two ways: ${at mountPoint} sets both mkfsArgs and autoFormat. Remove one "
            + "of them.";
        }
        {
          assertion = otherUsers entry.device == [ ];
          message =
            "cannot use ${entry.device} for ${at mountPoint}: fileSystems mounts it at "
            + "${lib.concatStringsSep " and " (otherUsers entry.device)}. Name another device.";
        }
        {
          assertion = !needsStable || !isFormatted entry || isStableDevice entry.device;
          message =
            "cannot format ${entry.device} for ${at mountPoint}: on a real machine this name can belong to another disk "
            + "after the next boot. Name the device by its id: `ls -l /dev/disk/by-id` shows it.";
        }
      ]
    ) mountPoints
    ++ map (device: {
      assertion = false;
      message =
        "cannot mount ${device} twice: guests.storage uses it for ${lib.concatStringsSep " and " (users device)}. Give "
        + "each mount point a device of its own.";
    }) (duplicates devices);

  # The assertion about the backends that a machine imports. `baremetal` imports `imageless` itself.
  backendAssertion =
    backends:
    let
      names =
        lib.filter (name: lib.elem name backends && (name != "imageless" || !lib.elem "baremetal" backends))
          [
            "imageless"
            "libvirt"
            "baremetal"
          ];
    in
    {
      assertion = effectiveBackend backends != null || backends == [ ];
      message =
        "cannot use ${
          lib.concatMapStringsSep " and " (name: "backends.${name}") names
        } together: a machine has one "
        + "backend. Remove all but one of them from `modules` or `imports`.";
    };

  # The one backend of a machine, or null if there is none or if two contradict each other. `baremetal` is `imageless`
  # on real hardware, so these two may occur together.
  effectiveBackend =
    backends:
    let
      names = lib.unique backends;
    in
    if names == [ ] then
      null
    else if lib.all (name: name == "imageless" || name == "baremetal") names then
      if lib.elem "baremetal" names then "baremetal" else "imageless"
    else if lib.length names == 1 then
      lib.head names
    else
      null;

  # Assertions of the backend `baremetal`: each names a value that only a guest has. `facts` is a set of plain values.
  baremetalAssertions =
    facts:
    let
      virtiofs = lib.filter (name: facts.fileSystems.${name}.fsType == "virtiofs") (
        lib.attrNames facts.fileSystems
      );
      root = facts.fileSystems."/" or null;
    in
    [
      {
        assertion = root == null || root.fsType != "tmpfs" || root.device != "tmpfs";
        message =
          "cannot use fileSystems.\"/\" on a real machine: the file system is still the guest's tmpfs. Set "
          + "fileSystems.\"/\".device and fileSystems.\"/\".fsType to this machine's root file system. For a root in memory, "
          + "set fileSystems.\"/\" = { device = \"none\"; fsType = \"tmpfs\"; }.";
      }
      {
        assertion = facts.kernel;
        message =
          "cannot start a real machine without a kernel: boot.kernel.enable still has the guest's value, false. Remove "
          + "the definition, or set boot.kernel.enable = true.";
      }
      {
        assertion = facts.loaders != [ ];
        message =
          "cannot start a real machine without a boot loader: boot.loader.grub.enable still has the guest's value, "
          + "false, and no other boot loader is enabled. Set boot.loader.systemd-boot.enable = true, or "
          + "boot.loader.grub.enable = true and boot.loader.grub.device.";
      }
      {
        assertion = facts.initrdModules != [ ];
        message =
          "cannot find the disks of a real machine: boot.initrd.availableKernelModules still has the guest's value, "
          + "an empty list. Add the modules that `nixos-generate-config --show-hardware-config` prints.";
      }
    ]
    ++ map (name: {
      assertion = false;
      message =
        "cannot mount fileSystems.${builtins.toJSON name} on a real machine: the file system is a virtiofs share "
        + "(${
          facts.fileSystems.${name}.device
        }) of a guest. Remove it from guests.shares or fileSystems, or set "
        + "another device and fsType.";
    }) virtiofs
    ++ map (parameter: {
      assertion = !lib.elem parameter facts.kernelParams;
      message =
        "cannot use ${parameter} in boot.kernelParams on a real machine: the console exists only in a guest. Remove "
        + "the parameter.";
    }) [ "console=hvc0" ];

  # The reason why a folder cannot be the output folder of a run, or null. `%i` stands for the id of the run.
  outputDirProblem =
    folder:
    if builtins.match "/.*" folder == null then
      "the path is not absolute"
    else if builtins.match ".*/%i(/.*)?" folder == null then
      "the path has no part `%i`, so two runs would share a folder"
    else if builtins.match "/%i(/.*)?" folder != null then
      "the part `%i` is directly below `/`"
    else if builtins.match "(.*/)?\\.\\.?(/.*)?" folder != null then
      "the path contains `.` or `..`"
    else if
      builtins.match "[A-Za-z0-9._/%-]+" folder == null || lib.length (lib.splitString "%" folder) != 2
    then
      "the path contains a character other than letters, digits, `.`, `_`, `-`, `/` and one `%i`"
    else
      null;

  # The part of an output folder that all runs share.
  outputBase = folder: lib.head (lib.splitString "/%i" folder);
}
