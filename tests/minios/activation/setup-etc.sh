# Links the files of a system into $root/etc. Part of the script `activate`, which sets $root and $etc.
#
# All links go through $root/etc/static, which marks them as ours.
echo "setting up /etc..."
static=$root/etc/static
copies=$root/etc/.minios-copies
ln -sfn "$etc" "$static"

# Removes copies that the new system lacks, and links without an entry in it. A leftover link could lead to a folder in
# the store, and later entries would then be written into that folder.
find "$root/etc" -type l | while read -r link; do
  entry=$(readlink "$link")
  case $entry in
    "$static"/*) [ -L "$etc/${entry#"$static"/}" ] || rm -f "$link" ;;
  esac
done
if [ -e "$copies" ]; then
  while read -r name; do
    [ -e "$etc/$name.mode" ] || rm -f "$root/etc/$name"
  done < "$copies"
fi
: > "$copies"

# Each entry links to a file or folder in the store. The folders above the entries are ordinary folders.
find "$etc" -mindepth 1 -type l | sed "s|^$etc/||" | while read -r name; do
  file=$root/etc/$name
  mkdir -p "$(dirname "$file")"
  if [ -d "$file" ] && [ ! -L "$file" ]; then
    echo "warning: $file is a folder, so it is not replaced" >&2
  elif [ -e "$etc/$name.mode" ]; then
    cp -f "$etc/$name" "$file.tmp"
    chmod "$(cat "$etc/$name.mode")" "$file.tmp"
    # An ordinary user cannot change owners, even in their own root.
    [ "$(id -u)" != 0 ] || chown "$(cat "$etc/$name.uid"):$(cat "$etc/$name.gid")" "$file.tmp"
    mv -f "$file.tmp" "$file"
    echo "$name" >> "$copies"
  elif [ "$(readlink "$file")" != "$static/$name" ]; then
    ln -sfn "$static/$name" "$file"
  fi
done
