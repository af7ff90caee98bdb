"""The command `kqq`, as it is typed."""

import json

from click.testing import CliRunner, Result

from kqq.cli import main


def kqq(*arguments: str, typed: str | bytes | None = None, **env: str) -> Result:
    """Run `kqq` with these arguments."""
    return CliRunner().invoke(main, arguments, input=typed, env={"KQQ_PASSWORD": None, **env})


def objects(result: Result) -> list[dict[str, object]]:
    """Return the JSON objects of standard output, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def as_anna(address: str, command: str, *arguments: str, typed: str | None = None) -> Result:
    """Run a client command as Anna."""
    options = ("--server", address, "--uin", "10001")
    return kqq(command, *options, *arguments, typed=typed, KQQ_PASSWORD="secret")
