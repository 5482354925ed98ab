machine.require_unit_state("runtime-modules-prefetch.timer", "active")
machine.succeed("systemctl start runtime-modules-prefetch.service")
assert system() == base, "nothing is turned on"
assert "web" in machine.succeed("HOME=/root runtime-module cache list"), "it was evaluated"

toggled = machine.succeed("HOME=/root runtime-module enable web --json")
assert '"hit":true' in toggled.replace(" ", ""), "it is not evaluated again"
machine.wait_for_open_port(8088)
