"""Addresses as people write them: `tcp://HOST:PORT` to connect to, `kqq://HOST:PORT` to open."""

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from kqq.errors import ConfigError

_ADDRESS = re.compile(
    r"(?P<scheme>\w+)://(?:\[(?P<ip6>[^\]]+)\]|(?P<host>[^:/\[\]]+)):(?P<port>\d{1,5})/?", re.ASCII
)
_HIGHEST_PORT = 65535
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host and a port, written `SCHEME://HOST:PORT`; each kind of address derives from it.

    `SCHEME` is the usual scheme of the kind, `OTHER_SCHEMES` are more that it may have.
    """

    SCHEME: ClassVar[str]
    OTHER_SCHEMES: ClassVar[tuple[str, ...]] = ()
    LOWEST_PORT: ClassVar[int] = 1

    host: str
    port: int
    scheme: str = ""
    """One of those of the kind; left out, it is the usual one."""

    def __post_init__(self) -> None:
        """Fill in the usual scheme."""
        if not self.scheme:
            object.__setattr__(self, "scheme", self.SCHEME)

    @classmethod
    def parse(cls, text: str, scheme: str = "") -> Self:
        """Return the address that `text` is. Raises ConfigError, with an example, if it is none.

        People may leave the scheme out where `scheme` says which one they mean then.
        """
        if scheme and "://" not in text:
            text = f"{scheme}://{text}"
        found = _ADDRESS.fullmatch(text)
        schemes = (cls.SCHEME, *cls.OTHER_SCHEMES)
        if (
            found is None
            or found["scheme"] not in schemes
            or not cls.LOWEST_PORT <= int(found["port"]) <= _HIGHEST_PORT
        ):
            free = "" if cls.LOWEST_PORT else " (port 0 picks a free one)"
            *first, last = (f"{scheme}://HOST:PORT" for scheme in schemes)
            ways = f"{', '.join(first)} or {last}" if first else last
            raise ConfigError(
                f"{text!r} is not an address; write {ways}, "
                f"for example {cls.SCHEME}://127.0.0.1:14000{free}"
            )
        host = found["ip6"] or found["host"]
        if not (_is_ip6(host) if found["ip6"] else _is_name(host)):
            what = "IPv6 address" if found["ip6"] else "host name"
            raise ConfigError(f"{text!r} is not an address: {host!r} is no {what}")
        return cls(host, int(found["port"]), found["scheme"])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Door(HostPort):
    """Where a proxy or a mock listens, for lines and for POSTs alike; port 0 picks a free one."""

    __slots__ = ()
    SCHEME = "kqq"
    OTHER_SCHEMES = ("tcp", "http")
    LOWEST_PORT = 0


def _is_name(host: str) -> bool:
    """Whether the system could look `host` up, and nothing in it misleads who reads it."""
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return host.isprintable() and _NAME.fullmatch(name) is not None


def _is_ip6(host: str) -> bool:
    """Whether `host` is an address, with a zone such as `%eth0` or without."""
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return host.isprintable()
