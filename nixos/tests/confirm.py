machine.succeed("runtime-module enable web --confirm 20s")
machine.wait_for_open_port(8088)
# Without a confirmation, the change is rolled back after 20 seconds.
machine.wait_for_closed_port(8088, timeout=120)
assert system() == base, "the change was not rolled back"

machine.succeed("runtime-module enable web --confirm 20s && runtime-module confirm")
machine.sleep(30)
machine.succeed("runtime-module status web")
