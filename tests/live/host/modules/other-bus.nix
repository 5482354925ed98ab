# The D-Bus daemon that is not the default of NixOS 26.11
{ services.dbus.implementation = "dbus"; }
