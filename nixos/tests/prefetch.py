machine.require_unit_state("runtime-modules-prefetch.timer", "active")
machine.succeed("systemctl start runtime-modules-prefetch.service")
assert system() == base, "prefetch changed the system"
assert "web" in machine.succeed("HOME=/root runtime-module cache list"), "prefetch cached no result"

toggled = machine.succeed("HOME=/root runtime-module enable web --json")
assert '"hit":true' in toggled.replace(" ", ""), "enable was not a cache hit"
machine.wait_for_open_port(8088)
