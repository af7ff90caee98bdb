"""The command `kqq`: each module adds its subcommands to the group `main`."""

from kqq.cli import account, client, config, operator, protocol, serve
from kqq.cli.group import main

__all__ = ["account", "client", "config", "main", "operator", "protocol", "serve"]
