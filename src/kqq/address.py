"""Addresses as people write them: `tcp://HOST:PORT` to connect to, `kqq://HOST:PORT` to open."""

import re

from kqq.errors import ConfigError

_ADDRESS = re.compile(
    r"(?P<scheme>\w+)://(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:/\[\]]+)):(?P<port>\d{1,5})/?", re.ASCII
)
_HIGHEST_PORT = 65535


def parse_address(text: str, scheme: str, *, lowest_port: int = 1) -> tuple[str, int]:
    """Return host and port. Raises ConfigError, with an example, if `text` is no such address."""
    found = _ADDRESS.fullmatch(text)
    if (
        found is None
        or found["scheme"] != scheme
        or not lowest_port <= int(found["port"]) <= _HIGHEST_PORT
    ):
        free = "" if lowest_port else " (port 0 picks a free one)"
        raise ConfigError(
            f"{text!r} is not an address; write {scheme}://HOST:PORT, "
            f"for example {scheme}://127.0.0.1:14000{free}"
        )
    host = found["ip6"] or found["host"]
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ConfigError(f"{text!r} is not an address: {host!r} is no host name") from error
    return host, int(found["port"])


def format_address(scheme: str, host: str, port: int) -> str:
    """Return the address as text, with brackets around IPv6."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}"
