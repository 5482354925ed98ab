"""The behaviours of a booted NixOS. Each function is a test, and returns the reason if it cannot run."""

from . import boots, checks, crashes, failures, overriding, services, sources, users

ALL = [*services.ALL, *overriding.ALL, *failures.ALL, *checks.ALL, *users.ALL, *sources.ALL, *crashes.ALL, *boots.ALL]
