machine.succeed("runtime-module enable web")
machine.wait_for_open_port(8088)
machine.shutdown()

machine.start()
machine.wait_for_open_port(8088)
machine.succeed("runtime-module status web")

machine.succeed("runtime-module disable web")
machine.shutdown()
machine.start()
machine.wait_for_unit("runtime-modules-boot.service")
machine.wait_until_succeeds("systemctl show runtime-modules-boot -P SubState | grep exited")
machine.fail("systemctl cat web.service")
