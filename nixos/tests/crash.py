machine.succeed("systemd-run --unit=toggle runtime-module enable slow")
machine.wait_until_succeeds("systemctl show slow.service -P ActiveState | grep activating")
machine.succeed("pkill -KILL runtime-module")

status, output = machine.execute("runtime-module status 2>&1")
assert "recover" in output, output
machine.succeed("runtime-module recover")
assert system() == base, "recover did not restore the base"
machine.succeed("runtime-module enable web")
machine.wait_for_open_port(8088)
