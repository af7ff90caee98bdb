"""The command `kqq`: each module adds its subcommands to the group `main`."""

from kqq.cli import (
    account,
    backup,
    client,
    completing,
    config,
    discover,
    doctor,
    history,
    me,
    operator,
    people,
    protocol,
    serve,
)
from kqq.cli.group import main

__all__ = [
    "account",
    "backup",
    "client",
    "completing",
    "config",
    "discover",
    "doctor",
    "history",
    "main",
    "me",
    "operator",
    "people",
    "protocol",
    "serve",
]
