# Creates the output folder of a run. ./run.nix calls this script as root, outside the sandbox of the unit.
# prepare-run ID BASE FOLDER [OWNER]: FOLDER is below BASE and contains ID.
id=$1 base=$2 folder=$3 owner=${4-root}
fail() {
  printf 'cannot start the run %s: %s. %s\n' "$id" "$1" "$2" >&2
  exit 1
}

pattern='^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'
[[ $id =~ $pattern ]] ||
  fail "the id is not valid" "Use at most 64 letters, digits, \`.\`, \`_\` and \`-\`, with a letter or digit first."

mkdir --parents "$base"
# A link could lead out of the folder that the unit may write to.
path=$base
IFS=/ read -r -a names <<<"${folder#"$base"/}"
for name in "${names[@]}"; do
  path+=/$name
  if [[ -L $path ]]; then fail "$path is a symbolic link" "Remove it."; fi
  if [[ -e $path && ! -d $path ]]; then fail "$path is not a folder" "Remove it."; fi
  [[ -d $path ]] || mkdir "$path"
done
chown "$owner" "$folder"
