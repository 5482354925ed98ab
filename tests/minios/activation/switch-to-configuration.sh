#!@busybox@/bin/sh
# Activates the system that contains this script, with the actions, output lines and exit codes of the NixOS program of
# the same name, as far as minios needs them.
#
#   0    done
#   1    wrong usage, or a pre-switch check refused
#   2    the activation script failed
#   4    units failed
#   11   another switch is running
#   100  this system needs another init than the running one; nothing was changed
#
# RUNTIME_MODULE_ROOT selects a scratch root instead of the machine. There, and on a machine without systemd, a unit is
# a file below run/minios/units with the content `active` or `failed`. Services of the type oneshot do run.
out=@out@
checks=@checks@
root=${RUNTIME_MODULE_ROOT-}
caller_path=$PATH
export PATH=@busybox@/bin

action=${1-}
case $# in 1) ;; *) action= ;; esac
case $action in
  check | switch | boot | test | dry-activate) ;;
  *)
    cat >&2 <<USAGE
Usage: $0 [check|switch|boot|test|dry-activate]

check:        run the pre-switch checks and stop
switch:       make this system the running one, and that of the next boot
boot:         make this system that of the next boot
test:         make this system the running one
dry-activate: say what a switch would do
USAGE
    exit 1
    ;;
esac
case $root in
  "" | /*) ;;
  *)
    echo "RUNTIME_MODULE_ROOT is not an absolute path: $root" >&2
    exit 1
    ;;
esac
root=${root%/}
export RUNTIME_MODULE_ROOT="$root"
export NIXOS_ACTION="$action"

say() { echo "$*" >&2; }

# Prints the path of a program that is installed on the machine.
machine_program() {
  for folder in $(echo "$caller_path" | tr ':' ' ') /run/current-system/sw/bin /usr/bin /bin; do
    if [ -x "$folder/$1" ]; then
      echo "$folder/$1"
      return
    fi
  done
}

# --- units: managed by systemd if it is running, else recorded in files ---

systemctl=
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl=$(machine_program systemctl)
fi
records=$root/run/minios

state_of() {
  if [ -n "$systemctl" ]; then
    "$systemctl" is-active "$1" 2>/dev/null
  else
    cat "$records/units/$1" 2>/dev/null || echo inactive
  fi
}
is_up() {
  case $(state_of "$1") in active | activating | reloading) return 0 ;; *) return 1 ;; esac
}

# Prints the values of a key in the section Service of a unit file, one per line.
values() { sed -n "/^\[Service\]/,/^\[/s/^$2=//p" "$1"; }
flag() { [ "$(values "$1" "$2" | tail -n 1)" = "$3" ]; }

# Runs the commands of a oneshot service with its environment, each for at most ten seconds.
run_oneshot() {
  (
    # A service must not inherit the lock.
    exec 9>&-
    while read -r assignment; do
      [ -z "$assignment" ] || export "$(echo "$assignment" | sed 's/%%/%/g; s/\\"/"/g')"
    done <<ENVIRONMENT
$(sed -n 's/^Environment="\(.*\)"$/\1/p' "$1")
ENVIRONMENT
    while read -r command; do
      [ -n "$command" ] || continue
      case $command in
        -*) timeout 10 sh -c "exec ${command#-}" </dev/null || true ;;
        *) timeout 10 sh -c "exec $command" </dev/null || exit 1 ;;
      esac
    done <<COMMANDS
$(values "$1" ExecStart)
COMMANDS
  )
}

start_recorded() {
  mkdir -p "$records/units" "$records/log"
  file=$out/etc/systemd/system/$1
  state=active
  if flag "$file" Type oneshot; then
    run_oneshot "$file" > "$records/log/$1" 2>&1 || state=failed
  fi
  echo "$state" > "$records/units/$1"
}

stop_units() {
  if [ -n "$systemctl" ]; then
    "$systemctl" stop -- "$@"
  else
    for unit; do rm -f "$records/units/$unit"; done
  fi
}
# Starts units. Ignores failures, because the states of the units show them later.
start_units() {
  if [ -n "$systemctl" ]; then
    "$systemctl" start -- "$@" || true
  else
    for unit; do start_recorded "$unit"; done
  fi
}
restart_units() {
  if [ -n "$systemctl" ]; then
    "$systemctl" restart -- "$@" || true
  else
    for unit; do start_recorded "$unit"; done
  fi
}
reload_units() {
  if [ -n "$systemctl" ]; then
    "$systemctl" reload -- "$@" || true
  else
    for unit; do is_up "$unit" || start_recorded "$unit"; done
  fi
}

# Makes the user managers of logged-in users load new units, and starts their activation unit.
reload_users() {
  loginctl=$(machine_program loginctl)
  su=$(machine_program su)
  [ -n "$loginctl" ] && [ -n "$su" ] || return 0
  "$loginctl" list-users --no-legend 2>/dev/null | while read -r uid name _; do
    say "reloading user units for $name..."
    "$su" -s /bin/sh -l "$name" -c "export XDG_RUNTIME_DIR=/run/user/$uid
      $systemctl --user daemon-reexec
      $systemctl --user start nixos-activation.service" 9>&- </dev/null >&2 || true
  done
}

# --- take the lock, and check that a switch is allowed ---

mkdir -p "$root/run/nixos" || exit 1
exec 9>>"$root/run/nixos/switch-to-configuration.lock" || exit 1
# Debian's busybox has no flock, but util-linux has one, and Debian always installs util-linux.
flock=@busybox@/bin/flock
[ -x "$flock" ] || flock=$(machine_program flock)
if [ -z "$flock" ]; then
  say "warning: flock is not installed, so two switches can run at the same time"
elif ! "$flock" -n 9; then
  say "Could not acquire lock"
  exit 11
fi

if [ "${NIXOS_NO_CHECK-}" != 1 ] && ! "$checks" "$out" "$action" 9>&-; then
  say "Pre-switch checks failed"
  exit 1
fi
[ "$action" != check ] || exit 0

case $action in
  switch | boot) say "updating the boot loader: minios has none" ;;
esac
[ "$action" != boot ] || exit 0

old=$(readlink -f "$root/run/current-system")
[ -n "$old" ] && [ -e "$old/etc" ] || old=
if [ -n "$old" ] && ! cmp -s "$old/init-interface-version" "$out/init-interface-version"; then
  wanted_init=$(cat "$out/init-interface-version")
  running_init=$(cat "$old/init-interface-version")
  say "Warning: the init of this system differs from the running one ($wanted_init instead of $running_init)."
  say "The new configuration takes effect with the next boot."
  exit 100
fi

# --- compare the units ---

old_units=$old/etc/systemd/system
new_units=$out/etc/systemd/system

units_in() {
  [ -d "$1" ] || return 0
  for file in "$1"/*; do
    [ ! -f "$file" ] || echo "${file##*/}"
  done
}
wanted() {
  for link in "$new_units"/*.wants/"$1"; do
    [ ! -e "$link" ] || return 0
  done
  return 1
}

stop= start= restart= reload= skip=
if [ -n "$old" ]; then
  for unit in $(units_in "$old_units"); do
    is_up "$unit" || continue
    new=$new_units/$unit
    if [ ! -e "$new" ]; then
      stop="$stop $unit"
    elif cmp -s "$old_units/$unit" "$new"; then
      :
    elif flag "$new" X-ReloadIfChanged true; then
      reload="$reload $unit"
    elif flag "$new" X-RestartIfChanged false; then
      skip="$skip $unit"
    elif flag "$new" X-StopIfChanged false; then
      restart="$restart $unit"
    else
      stop="$stop $unit"
      start="$start $unit"
    fi
  done
fi

# Prints an action and its units in the words of NixOS: "ACTION the following units: a, b".
list() {
  title=$1
  shift
  [ $# = 0 ] || say "$title $(echo "$*" | sed 's/ /, /g')"
}

# Prints the units that are wanted but not up, without those that are about to be started.
find_new() {
  for unit in $(units_in "$new_units"); do
    case " $start $restart $reload $skip " in *" $unit "*) continue ;; esac
    if wanted "$unit" && ! is_up "$unit"; then echo "$unit"; fi
  done
}

# Word splitting is intended: names of units contain no blanks.
if [ "$action" = dry-activate ]; then
  list "would stop the following units:" $stop
  list "would NOT restart the following changed units:" $skip
  say "would activate the configuration..."
  list "would reload the following units:" $reload
  list "would restart the following units:" $restart
  list "would start the following units:" $start $(find_new)
  exit 0
fi

# --- switch ---

status=0
list "stopping the following units:" $stop
[ -z "$stop" ] || stop_units $stop
list "NOT restarting the following changed units:" $skip

say "activating the configuration..."
"$out/activate" 9>&- >&2 || status=2

# Forget earlier failures, so that these units can be started again.
if [ -n "$systemctl" ]; then
  "$systemctl" reset-failed || true
  "$systemctl" daemon-reload || status=4
  reload_users
else
  for record in "$records"/units/*; do
    [ "$(cat "$record" 2>/dev/null)" != failed ] || rm -f "$record"
  done
fi
list "reloading the following units:" $reload
[ -z "$reload" ] || reload_units $reload
list "restarting the following units:" $restart
[ -z "$restart" ] || restart_units $restart
list "starting the following units:" $start
[ -z "$start" ] || start_units $start
new=$(find_new)
[ -z "$new" ] || start_units $new

up= failed=
for unit in $new; do
  [ "$(state_of "$unit")" = failed ] || up="$up $unit"
done
for unit in $reload $restart $start $new; do
  [ "$(state_of "$unit")" != failed ] || failed="$failed $unit"
done
list "the following new units were started:" $up
if [ -n "$failed" ]; then
  list "warning: the following units failed:" $failed
  if [ -n "$systemctl" ]; then
    "$systemctl" status --no-pager --full -- $failed >&2
  else
    for unit in $failed; do tail -n 10 "$records/log/$unit" >&2; done
  fi
  status=4
fi
exit $status
