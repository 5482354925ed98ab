# Runs `make` ($real_make). In a kernel's source tree, adds compiler options that replace the names of the folders in
# debug information and messages. The options are environment variables, so they add to those of the kernel's Makefile.
source_folder=$PWD output_folder='' expects_folder=no
for argument in "$@"; do
  if [[ $expects_folder == yes ]]; then
    source_folder=$(cd "$source_folder" && cd "$argument" && pwd) || exit
    expects_folder=no
    continue
  fi
  case $argument in
    -C | --directory) expects_folder=yes ;;
    -C*) source_folder=$(cd "$source_folder" && cd "${argument#-C}" && pwd) || exit ;;
    --directory=*) source_folder=$(cd "$source_folder" && cd "${argument#*=}" && pwd) || exit ;;
    O=*) output_folder=${argument#O=} ;;
  esac
done

# A recursive make has the options already.
if [[ -z ${MAKELEVEL-} && -f $source_folder/Kbuild && -f $source_folder/scripts/Kbuild.include ]]; then
  map="-ffile-prefix-map=$source_folder/= -ffile-prefix-map=$source_folder=."
  rust_map="--remap-path-prefix=$source_folder/="
  if [[ -n $output_folder ]]; then
    # The folder may not exist yet. A relative one is below the folder that make works in.
    [[ $output_folder == /* ]] || output_folder=$source_folder/$output_folder
    map+=" -ffile-prefix-map=$output_folder/= -ffile-prefix-map=$output_folder=."
  fi
  export KCFLAGS="${KCFLAGS-} $map" KAFLAGS="${KAFLAGS-} $map" KRUSTFLAGS="${KRUSTFLAGS-} $rust_map"
fi
exec "$real_make" "$@"
