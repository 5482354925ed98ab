# Modules for settling.py, generated from tables. Most tables make one service for each service type and restart policy.
# The modules differ in the command that fails, and in the time at which it fails.
{ lib }:
let
  shell = text: "/bin/sh -c '${text}'";
  forever = "/bin/sleep infinity";

  # A working service of each type.
  kinds = {
    simple.ExecStart = forever;
    exec.ExecStart = forever;
    idle.ExecStart = forever;
    notify = {
      NotifyAccess = "all";
      ExecStart = shell "/bin/systemd-notify --ready; exec sleep infinity";
    };
    dbus = bus.never;
    forking.ExecStart = shell "sleep infinity &";
    oneshot.ExecStart = "/bin/true";
  };
  # A bus name can have only one owner, so each restart policy has its own name.
  bus =
    let
      owner = name: program: {
        BusName = "org.freedesktop.${name}";
        ExecStart = "/lib/systemd/systemd-${program}";
      };
    in
    {
      never = owner "locale1" "localed";
      always = owner "timedate1" "timedated";
      limited = owner "hostname1" "hostnamed";
    };
  kind = type: kinds.${type} // { Type = type; };

  # Restart policies: unlimited, limited and none. A oneshot service cannot have `Restart=always`.
  always = type: if type == "oneshot" then "on-failure" else "always";
  restarts = {
    never = _: { };
    always = type: {
      serviceConfig = {
        Restart = always type;
        RestartSec = "1";
      };
      unitConfig.StartLimitIntervalSec = 0;
    };
    limited = type: {
      serviceConfig = {
        Restart = always type;
        RestartSec = "20ms";
      };
      unitConfig.StartLimitBurst = 2;
    };
  };

  service = config: extra: {
    wantedBy = [ "multi-user.target" ];
    unitConfig = extra.unitConfig or { };
    serviceConfig = config // (extra.serviceConfig or { });
  };

  module = description: services: {
    inherit description;
    module = {
      systemd.services = services;
    };
  };

  # A service for each type in the list and each restart policy: `NAME-TYPE-POLICY`. `configure` takes the type, and
  # returns the rest of the configuration of the service.
  eachWith =
    name: types: configure:
    builtins.listToAttrs (
      lib.concatMap (
        type:
        map (policy: {
          name = "${name}-${type}-${policy}";
          value = service (kind type // lib.optionalAttrs (type == "dbus") bus.${policy} // configure type) (
            restarts.${policy} type
          );
        }) (builtins.attrNames restarts)
      ) types
    );
  each =
    name: types: config:
    eachWith name types (_: config);

  all = builtins.attrNames kinds;
  # An idle service waits for other jobs, so it fails later than the others.
  late = builtins.filter (type: type != "idle") all;
  atOnce = [
    "simple"
    "exec"
    "idle"
  ];
  reporting = [
    "notify"
    "dbus"
    "forking"
    "oneshot"
  ];
  says = word: shell "echo the ${word} is broken >&2; exit 3";
  saysLate = word: shell "sleep 2; echo the ${word} is broken >&2; exit 3";

  # Services whose main process exits, so that ExecStop runs without a request to stop.
  ending =
    types: stop:
    each "ending" types {
      ExecStart = "/bin/true";
      ExecStop = stop;
    };
  # Services that run until they are stopped.
  lasting =
    name: config:
    eachWith name all (
      type: config // lib.optionalAttrs (type == "oneshot") { RemainAfterExit = true; }
    );
  # Sets a variable in the environment of all services of `lasting`.
  changing =
    name: value: builtins.mapAttrs (_: _: { environment.CHANGED = value; }) (each name all { });
  # systemd runs ExecReload with the new environment.
  reload = shell "case $CHANGED in at-once) ;; late) sleep 2 ;; *) exit 0 ;; esac; echo the reload is broken >&2; exit 3";
in
{
  fails-before = module "Services whose ExecStartPre fails" (
    each "before" all { ExecStartPre = says "preparation"; }
  );
  fails-in = module "Services whose ExecStart fails" (each "in" all { ExecStart = says "start"; });
  fails-after = module "Services whose ExecStartPost fails" (
    each "after" all { ExecStartPost = says "end"; }
  );
  fails-before-late = module "Services whose ExecStartPre fails after two seconds" (
    each "before" late { ExecStartPre = saysLate "preparation"; }
  );
  fails-in-late = module "Services that fail after two seconds, before they report their start" (
    each "in" reporting { ExecStart = saysLate "start"; }
  );
  fails-after-late = module "Services whose ExecStartPost fails after two seconds" (
    each "after" late { ExecStartPost = saysLate "end"; }
  );
  fails-ending = module "Services that end immediately, and whose ExecStop fails" (
    ending (atOnce ++ [ "oneshot" ]) (says "stop")
  );
  fails-ending-late =
    module "Services that end immediately, and whose ExecStop fails after two seconds"
      (ending [ "simple" "exec" "oneshot" ] (saysLate "stop"));
  stops-badly = module "Services whose ExecStop fails when they are stopped" (
    lasting "stopped" { ExecStop = says "stop"; }
  );
  stops-badly-late = module "Services whose ExecStop fails after two seconds when they are stopped" (
    lasting "stopped" { ExecStop = saysLate "stop"; }
  );
  changes-stopped = module "Restarts the services of stops-badly" (changing "stopped" "yes");
  reloadable = module "Services that a change only reloads" (
    builtins.mapAttrs (_: one: one // { reloadIfChanged = true; }) (
      lasting "reloadable" { ExecReload = reload; }
    )
  );
  fails-reloading = module "Breaks the reload of the services of reloadable" (
    changing "reloadable" "at-once"
  );
  fails-reloading-late = module "Breaks the reload of the services of reloadable after two seconds" (
    changing "reloadable" "late"
  );

  # All services exit at the same time, so that one watch finds all of them.
  fails-late =
    let
      wait = shell "until [ -e /run/settling-end ]; do sleep 0.05; done; echo it is over >&2; exit 4";
    in
    module "Services that fail after two seconds" (
      each "late" atOnce { ExecStart = wait; }
      // {
        late-clock = service {
          Type = "oneshot";
          ExecStart = shell "(sleep 2; touch /run/settling-end) &";
          KillMode = "none";
        } { };
      }
    );
  fails-much-later = module "A service that fails after twenty seconds" {
    much-later = service {
      Type = "simple";
      ExecStart = shell "sleep 20; exit 4";
    } { };
  };
  fails-by-signal = module "A service that a signal ends" {
    by-signal = service {
      Type = "simple";
      ExecStart = shell "kill -SEGV $$$$";
    } { };
  };

  reports = module "Services that report their start" (
    builtins.listToAttrs (
      map (type: {
        name = "reports-${type}";
        value = service (kind type) { };
      }) reporting
    )
  );
  slow-but-well = module "Services that are slow or unusual, but healthy" {
    well-prepared = service (kind "simple" // { ExecStartPre = "/bin/sleep 1"; }) { };
    well-notified = service (
      kind "notify" // { ExecStart = shell "sleep 1; /bin/systemd-notify --ready; exec sleep infinity"; }
    ) { };
    well-named = service (
      kind "dbus" // { ExecStart = shell "sleep 1; exec ${bus.never.ExecStart}"; }
    ) { };
    well-forked = service (kind "forking" // { ExecStart = shell "sleep 1; sleep infinity &"; }) { };
    well-done = service (
      kind "oneshot"
      // {
        ExecStart = "/bin/sleep 1";
        RemainAfterExit = true;
      }
    ) { };
    well-finished = service (kind "exec" // { ExecStartPost = "/bin/sleep 1"; }) { };
    well-ended = service {
      Type = "simple";
      ExecStart = "/bin/true";
    } { };
    well-again = service {
      Type = "simple";
      ExecStart = "/bin/sleep 0.3";
      Restart = "always";
      RestartSec = "300ms";
    } { unitConfig.StartLimitIntervalSec = 0; };
    well-skipped = service (kind "simple" // { ExecCondition = "/bin/false"; }) { };
    well-ignored = service (kind "exec" // { ExecStartPre = "-/bin/false"; }) { };
  };

  bad-socket = {
    description = "A socket that cannot be bound";
    module.systemd.units = {
      "unbound.socket" = {
        wantedBy = [ "sockets.target" ];
        text = "[Socket]\nListenStream=192.0.2.1:8080\n";
      };
      "unbound.service".text = "[Service]\nExecStart=${forever}\n";
    };
  };
  bad-timer = {
    description = "A timer whose service fails";
    module.systemd.units = {
      "ticking.timer" = {
        wantedBy = [ "timers.target" ];
        text = "[Timer]\nOnActiveSec=500ms\nAccuracySec=1ms\n";
      };
      "ticking.service".text = "[Service]\nType=oneshot\nExecStart=${says "clock"}\n";
    };
  };
  bad-instance = {
    description = "An instance of a template that fails, pulled in by another unit";
    module =
      { pkgs, ... }:
      {
        environment.etc."systemd/system/stamp@.service".source = pkgs.writeText "stamp-template" (
          "[Service]\nRestart=always\nExecStartPre=${says "stamp"}\nExecStart=${forever}\n"
        );
        systemd.services.puller = service {
          Type = "oneshot";
          ExecStart = "/bin/true";
        } { unitConfig.Wants = "stamp@one.service"; };
      };
  };
  bad-user-unit = {
    description = "A user unit that fails a moment after its start";
    module.environment.etc = {
      "systemd/user/nixos-activation.service".text = lib.mkForce ''
        [Unit]
        Wants=spark.service

        [Service]
        Type=oneshot
        ExecStart=/bin/true
      '';
      "systemd/user/spark.service".text = ''
        [Service]
        ExecStart=${shell "sleep 1; echo the spark is out >&2; exit 5"}
      '';
    };
  };
  bad-reload = {
    description = "A service that cannot be reloaded";
    module.systemd.services.reloaded.environment.BREAK = "yes";
  };
  never-starts = {
    description = "A service whose start does not end, started by an activation script";
    module = {
      systemd.units."never.service".text =
        "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=${forever}\n";
      system.activationScripts.never = {
        deps = [ "etc" ];
        text = "/bin/systemctl daemon-reload; /bin/systemctl start --no-block never.service";
      };
    };
  };
}
