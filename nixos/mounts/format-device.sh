# Formats an empty block device. ./storage.nix sources this file; tests/guests/check runs it on loop devices.

# format_device DEVICE FSTYPE [ARGUMENT...]
format_device() {
  local device=$1 type=$2 real found status=0 line
  shift 2
  refuse() {
    printf 'cannot format %s: %s. %s\n' "$device" "$1" "$2" >&2
    return 1
  }

  if ! real=$(realpath "$device") || [[ ! -b $real ]]; then
    refuse "the path is not a block device" "Correct the device in guests.storage."
    return
  fi
  if [[ -n $(lsblk --noheadings --raw --output MOUNTPOINT "$real") ]]; then
    refuse "the device or a partition of it is mounted" "Unmount it, or name another device in guests.storage."
    return
  fi

  # blkid's exit code is 0 if it recognised data, 2 if it recognised none, and 8 if the data is ambiguous.
  found=$(blkid --probe --output export "$real") || status=$?
  case $status in
    0) ;;
    2)
      "mkfs.$type" "$@" "$real"
      return
      ;;
    *)
      refuse "blkid reports ambiguous data (exit code $status)" "Erase it with \`wipefs --all $real\`."
      return
      ;;
  esac

  while IFS= read -r line; do
    case $line in
      PTTYPE=*)
        refuse "the device has a partition table" "Name one of its partitions, or erase it with \`wipefs --all $real\`."
        return
        ;;
      TYPE="$type")
        echo "$device already has a file system of the type $type"
        return
        ;;
    esac
  done <<<"$found"
  refuse "the device contains other data (${found//$'\n'/, })" "Name another device, or erase it with \`wipefs --all $real\`."
}
