"""The command `kqq`: each module adds its subcommands to the group `main`."""

from kqq.cli import account, backup, client, config, doctor, operator, protocol, serve
from kqq.cli.group import main

__all__ = [
    "account",
    "backup",
    "client",
    "config",
    "doctor",
    "main",
    "operator",
    "protocol",
    "serve",
]
