machine.succeed("runtime-module enable web")
machine.wait_for_open_port(8088)

# Switch as nixos-rebuild does.
machine.succeed(f"{base}/bin/switch-to-configuration test")
machine.wait_for_closed_port(8088)
status, output = machine.execute("runtime-module status web 2>&1")
assert status == 10, f"exit code {status}: {output}"

machine.succeed("runtime-module apply")
machine.wait_for_open_port(8088)
