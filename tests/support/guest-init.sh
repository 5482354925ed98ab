#!/bin/busybox sh
# The init of the test guests' initrd: loads virtio, mounts the store, and starts the system's init.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo "initrd: loading modules"
for module in $(cat /modules/order); do
  insmod "/modules/$module.ko"
done
for word in $(cat /proc/cmdline); do
  case $word in
    init=*) init=${word#init=} ;;
    test.prompt) printf 'guest login: ' ;;
    test.hang) while true; do sleep 60; done ;;
  esac
done
# The store is the folder of the system: /…/store/HASH-NAME/init.
store=$(dirname "$(dirname "$init")")
mkdir /new
mount -t tmpfs -o mode=0755 root /new
mkdir -p /new/bin /new/dev /new/proc /new/run /new/sys
mount --move /proc /new/proc
mount --move /sys /new/sys
# The folder of the store can be in /dev/shm.
mount --move /dev /new/dev
mkdir -p "/new$store" /new/dev/pts
mount -t virtiofs -o ro store "/new$store" || exit 1
echo "Mounted $store"
cp -a /bin/. /new/bin/
[ ! -d /runtime-guest ] || cp -a /runtime-guest /new/run/
exec switch_root /new "$init"
