machine.fail("runtime-module status web")
machine.succeed("runtime-module enable web")
machine.wait_for_open_port(8088)
machine.succeed("runtime-module status web")
assert system() != base, "enable did not change the system"

machine.succeed("runtime-module disable web")
machine.wait_for_closed_port(8088)
machine.fail("systemctl cat web.service")
assert system() == base, "disable did not restore the base"
