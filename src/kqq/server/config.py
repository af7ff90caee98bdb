"""The settings of a server: one dataclass, a docstring per setting.

The sample file, the reference and the checks are made from it (`kqq.server.settings`): what a
setting is for is its docstring, what it may be is its type and `setting(...)`, and a comment with
dashes begins a group.
"""

# ruff: noqa: RUF009  # `setting` makes a field

import ipaddress
import json
import math
import re
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import platformdirs

from kqq.address import HostPort
from kqq.errors import ConfigError

DEFAULT_PORT = 14000
WEB_PORT = 8080
UNSIGNED_MAY_NOT = frozenset({80, 443, 8080})
"""Ports that many phones let no Java program open that is not signed."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST_TEXT = 16000  # of 4 bytes each, escaped or not, and a head
_LONGEST_PAGE = 200  # nicknames of 64 characters, 4 bytes each, with number and face
_LONGEST_LIST = 5000  # numbers of 10 digits
_HIGHEST_UIN = 4294967295
_DAY = 86400
_ANY_TEXT = r"(?s:.*)"
_ORIGIN = r"https?://[^\s/]+"
_HOST = r"[^\s:/,\[\]]*|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"


class Listen(HostPort):
    """A door that phones connect to, `kqq://HOST:PORT`, or browsers, `web://HOST:PORT`.

    With TLS it is `kqqs` or `webs`. Port 0 picks a free one.
    """

    __slots__ = ()
    SCHEME = "kqq"
    OTHER_SCHEMES = ("kqqs", "web", "webs")
    LOWEST_PORT = 0

    @property
    def is_tls(self) -> bool:
        """Whether what goes through this door is encrypted."""
        return self.scheme in {"kqqs", "webs"}

    @property
    def is_web(self) -> bool:
        """Whether it is for browsers."""
        return self.scheme in {"web", "webs"}

    @property
    def url(self) -> str:
        """The address as a browser takes it."""
        return f"http{'s' if self.is_tls else ''}{str(self)[len(self.scheme) :]}"


class MetricsAddress(HostPort):
    """Where Prometheus finds figures: `http://HOST:PORT`. Port 0 picks a free one."""

    __slots__ = ()
    SCHEME = "http"
    LOWEST_PORT = 0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsEntry:
    """A service by short message, as old clients list it in their menu."""

    name: str
    """Its name in the menu."""
    address: str
    """The number to send to."""
    text: str
    """What to send; `||QQNO||` in it becomes a number."""
    help: str = ""
    """What the client asks before it sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What may be done to a setting, besides what its type says."""

    live: bool
    """Whether it may change while a server runs."""
    low: float = -math.inf
    high: float = math.inf
    pattern: str = _ANY_TEXT
    """A regular expression that a text must match."""
    like: str = ""
    """That pattern in words."""
    file: bool = False
    """Whether a path must be that of a file which is there."""


def setting(
    default: Any,
    *,
    live: bool,
    low: float = -math.inf,
    high: float = math.inf,
    pattern: str = _ANY_TEXT,
    like: str = "",
    file: bool = False,
) -> Any:
    """Declare a setting of Config."""
    declared = Setting(live=live, low=low, high=high, pattern=pattern, like=like, file=file)
    return field(default=default, metadata={"setting": declared})


def default_data() -> Path:
    """Return the folder for the data of whoever runs this, not made yet."""
    return platformdirs.user_data_path("kqq", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a server behaves. Times are seconds.

    All parts of a server hold the same object and look at it when they need it. Nothing changes
    it but `take_over`.
    """

    # --- data and doors --------------------------------------------------------------------------

    data: Path = field(metadata={"setting": Setting(live=False)})
    """The folder with the database; made if it is not there.
    Left empty, it is the folder `kqq` among the data of the user who runs the server."""

    listen: tuple[Listen, ...] = setting(
        (Listen("127.0.0.1", DEFAULT_PORT), Listen("127.0.0.1", WEB_PORT, "web")), live=False
    )
    """The doors for phones, `kqq://HOST:PORT`, and for browsers, `web://HOST:PORT`.
    Host `0.0.0.0` is every interface of this machine, port 0 any free port.
    Doors `kqqs://HOST:PORT` and `webs://HOST:PORT` take TLS, with `certificate` and `key`."""

    certificate: Path | None = setting(None, live=False, file=True)
    """The certificate for doors with TLS and those that signed it, as PEM."""

    key: Path | None = setting(None, live=False, file=True)
    """The private key of the certificate, as PEM, without a password."""

    redirector: tuple[Listen, ...] = setting((), live=False)
    """Doors for phones besides `listen` that send them on: a sign-in of version 1.3 is answered
    with the address of the first door in `listen` (GAE)."""

    metrics: MetricsAddress | None = setting(None, live=False)
    """Where Prometheus finds figures, such as `http://127.0.0.1:9100`; empty is nowhere.
    Only an address of the loopback interface may be taken, because whoever asks is told."""

    admin_socket: Path | None = setting(None, live=False)
    """The Unix socket for commands such as `kqq account` and `kqq why`; empty is `admin.sock` in
    the data folder."""

    # --- what phones are told --------------------------------------------------------------------

    advertise: str = setting(
        "", live=True, pattern=_HOST, like="a host name or an IP address, without a port"
    )
    """The host that phones reach this server at, when they are told an address.
    Left empty, it is the host of the door, or the address that the phone connected to."""

    heartbeat: int = setting(60, live=True, low=1, high=_DAY)
    """`HI` of the sign-in reply, seconds: every real server said 60."""

    lifetime: int = setting(300, live=True, low=1, high=_DAY)
    """`LI` of the sign-in reply, seconds; one client looks for just 300 (DEL)."""

    update_version: str = setting("", live=True)
    """The newest version of the client, in the configuration that clients fetch; empty is none."""

    update_url: str = setting("", live=True)
    """Where that version is to be had."""

    update_must: bool = setting(False, live=True)  # noqa: FBT003  # a value, no flag
    """Whether clients are told that they must be of that version."""

    update_help: str = setting("", live=True)
    """What clients show about it."""

    sms: tuple[SmsEntry, ...] = setting((), live=True)
    """Services by short message in the configuration that clients fetch.
    Each is a table of its own at the end of the file, after all other settings:

        [[sms]]
        name = "Who is online"
        address = "10661700"
        text = "HQ,||QQNO||"
        help = "This sends a message."
    """

    # --- people ----------------------------------------------------------------------------------

    registration: Literal["off", "invitation", "open"] = setting("off", live=True)
    """Who may make an account: nobody but the operator, whoever has an invitation, or anybody."""

    registrations_per_address: int = setting(5, live=True, low=0)
    """Accounts that may be made from one address in a day."""

    lowest_number: int = setting(10001, live=True, low=10001, high=_HIGHEST_UIN)
    """Where the numbers for new people start."""

    who_may_add: Literal["anyone", "ask", "nobody"] = setting("ask", live=True)
    """Who may add a new account to their friends, until its owner chooses: anyone, whoever asks
    and is let, or nobody."""

    who_may_write: Literal["friends", "anyone"] = setting("friends", live=True)
    """Who may write to a new account, until its owner chooses."""

    # --- captcha ---------------------------------------------------------------------------------

    captcha: Literal["never", "after-failures", "always"] = setting("after-failures", live=True)
    """When a sign-in is answered with a picture whose letters are to be typed."""

    captcha_failures: int = setting(3, live=True, low=1)
    """Failed sign-ins after which the picture comes."""

    captcha_time: float = setting(180.0, live=True, low=1)
    """Seconds for which a picture may be answered."""

    captcha_grace: float = setting(600.0, live=True, low=0)
    """Seconds after a right answer in which no other picture comes."""

    # --- messages and lists ----------------------------------------------------------------------

    text_limit: int = setting(16000, live=True, low=1, high=_LONGEST_TEXT)
    """Characters of a message; 16,000 at most, so that its line fits into 64 KiB."""

    inbox_limit: int = setting(1000, live=True, low=1)
    """Messages that may wait for one account."""

    friends_per_page: int = setting(50, live=True, low=1, high=_LONGEST_PAGE)
    """Entries in a page of SIMPLEINFO2, QUERY_STAT2 and QUERY_STAT; 50 as the real servers had it
    (VB)."""

    list_limit: int = setting(120, live=True, low=1, high=_LONGEST_LIST)
    """Numbers in an answer to LIST; 120 as the real servers had it (CS11)."""

    repeat_time: float = setting(10.0, live=True, low=0)
    """Seconds in which the very same line of a command that must not be done twice gets the
    answer that is remembered, because some clients send again what was not answered at once."""

    repeat_time_unique: float = setting(900.0, live=True, low=0)
    """The same for a line whose `SEQ` has ten digits, by which a client says that it uses each
    number once: it may send again what was not answered before its connection was cut."""

    # --- addresses and HTTP ----------------------------------------------------------------------

    same_address: tuple[Network, ...] = setting((), live=True)
    """Networks such as `10.0.0.0/8` in each of which all addresses count as one for sessions over
    HTTP, for phones behind a gateway whose address changes from request to request.
    This is a danger: a session over HTTP is known by nothing but address and number, so anybody
    within such a network can read and write as anybody else who is signed in from it."""

    # --- browsers ---------------------------------------------------------------------------------

    web_origins: tuple[str, ...] = setting(
        (),
        live=True,
        pattern=_ORIGIN,
        like='a list of addresses such as ["https://chat.example.org"]',
    )
    """Addresses by which browsers know this server where it cannot know that itself: behind a proxy
    that takes TLS, or by a name that leads to a door on the loopback interface."""

    web_behind: tuple[Network, ...] = setting((), live=True)
    """Networks of proxies in front of the doors for browsers, such as `127.0.0.1/32`: what these
    say of a client's address (`X-Forwarded-For`) and of TLS (`X-Forwarded-Proto`) is believed."""

    # --- limits against floods -------------------------------------------------------------------

    connections_limit: int = setting(20000, live=False, low=1)
    """Connections held at once; more are closed as they come."""

    connections_per_address: int = setting(200, live=True, low=1)
    """Connections held at once from one address; more are closed as they come."""

    commands_rate: float = setting(20.0, live=True, low=0.01)
    """Commands a second from one account; what comes faster is answered later."""

    commands_burst: int = setting(200, live=True, low=1)
    """Commands that an account may send at once before `commands_rate` counts."""

    messages_rate: float = setting(10.0, live=True, low=0.01)
    """Messages a second from one account; more are refused."""

    messages_burst: int = setting(200, live=True, low=1)
    """Messages that an account may send at once before `messages_rate` counts."""

    sign_ins_rate: float = setting(1.0, live=True, low=0.01)
    """Failed sign-ins a second from one address, and ten times as many with one number from
    wherever; more are refused.
    Sign-ins that are known to be right, and passwords made for a phone, are not."""

    sign_ins_burst: int = setting(100, live=True, low=1)
    """Sign-ins that may fail at once from an address, and ten times as many with a number, before
    `sign_ins_rate` counts."""

    hashes_waiting: int = setting(4000, live=True, low=1)
    """Sign-ins that may wait for their password to be checked; more are refused."""

    requests_per_day: int = setting(100, live=True, low=0)
    """Friend requests that an account may send in a day."""

    nonsense_limit: int = setting(50, live=True, low=1)
    """Lines that cannot be read, or need a sign-in, before a connection is closed; over HTTP, where
    each line has a connection, other limits count."""

    nonsense_refill: float = setting(10.0, live=True, low=0.001)
    """Seconds after which one more such line is forgiven."""

    # --- connections -----------------------------------------------------------------------------

    sign_in_time: float = setting(300.0, live=True, low=1)
    """Seconds that a connection may stay without anybody signed in."""

    slow_reader_time: float = setting(60.0, live=True, low=1)
    """Seconds that a client may leave unread what it was sent before it is cut off."""

    arrival_time: float = setting(0.05, live=True, low=0.001)
    """Seconds after which to look whether a client's system has acknowledged the messages it was
    sent, and between two such looks."""

    breath: float = setting(0.05, live=True, low=0)  # COMPAT(ZNQQ, QQBot, yiwoSDK)
    """Seconds between any two lines to a client with the habits of ZNQQ, QQBot or yiwoSDK (bare LF,
    junk before a line), because these take each read for one message.
    To others it is the longest that a push waits after a reply, or a reply after a push."""

    take_limit: int = setting(20, live=True, low=1)
    """Messages and statuses handed to a connection before others get their turn."""

    turn_limit: int = setting(64, live=True, low=1)
    """Lines of one connection handled before others get their turn."""

    replies_limit: int = setting(256, live=True, low=1)
    """Replies of one connection that may wait for the disk before it is no longer read."""

    # --- the log ---------------------------------------------------------------------------------

    log: Literal["auto", "words", "json"] = setting("auto", live=False)
    """How the log is written: in words, or as a JSON object a line.
    With `auto` it is words for a terminal and JSON for anything else."""

    log_level: Literal["debug", "info", "warning", "error"] = setting("info", live=True)
    """What is logged: what is at least as grave as this; `debug` has every connection."""

    attempts_kept: int = setting(5000, live=False, low=0)
    """Attempts to sign in that are remembered for `kqq why`."""

    def __post_init__(self) -> None:
        """Raise ConfigError if a setting would break a promise."""
        for one in fields(self):
            if why := problem(one, getattr(self, one.name)):
                raise ConfigError(why)
        if self.redirector and not self.phone_doors:
            raise ConfigError("redirector: there is no door in `listen` to send phones on to")
        for door in self.redirector:
            if door.is_web:
                raise ConfigError(
                    f"redirector: {door} cannot be, since it is a door for phones; write "
                    f"{Listen(door.host, door.port)}"
                )
        _check_host(self.advertise)
        _check_sms(self.sms)
        for key, doors in (("listen", self.listen), ("redirector", self.redirector)):
            for door in doors:
                if door.is_tls and (self.certificate is None or self.key is None):
                    raise ConfigError(
                        f"{key}: the door {door} needs `certificate` and `key`; set both, or write "
                        f"{Listen(door.host, door.port, 'web' if door.is_web else '')}"
                    )

    @property
    def phone_doors(self) -> tuple[Listen, ...]:
        """The doors for phones."""
        return tuple(door for door in self.listen if not door.is_web)

    @property
    def web_doors(self) -> tuple[Listen, ...]:
        """The doors for browsers."""
        return tuple(door for door in self.listen if door.is_web)

    @property
    def admin_path(self) -> Path:
        """The path of the Unix socket for commands of the operator."""
        return self.admin_socket or self.data / "admin.sock"

    def differences(self, new: "Config") -> tuple[list[str], list[str]]:
        """Return which settings are others in `new`: those that may change live, and the rest."""
        changed = [one for one in fields(self) if getattr(self, one.name) != getattr(new, one.name)]
        live = [one.name for one in changed if how(one).live]
        return live, [one.name for one in changed if not how(one).live]

    def take_over(self, new: "Config") -> tuple[list[str], list[str]]:
        """Take from `new` what may change while a server runs.

        Returns the names of the settings that were taken, and of those that need a restart.
        """
        live, waiting = self.differences(new)
        for name in live:
            object.__setattr__(self, name, getattr(new, name))
        return live, waiting


def _check_host(host: str) -> None:
    """Raise ConfigError if `advertise` looks like an IP address and is none."""
    if ":" in host or host.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ConfigError(
                f"advertise={toml(host)} cannot be; take a host name or an IP address, without a "
                "port"
            ) from None


def _check_sms(entries: tuple[SmsEntry, ...]) -> None:
    for entry in entries:
        if not (entry.name and entry.address and entry.text):
            raise ConfigError(f"sms: {entry} cannot be; give each a name, address and text")


def how(one: Field[Any]) -> Setting:
    """Return what may be done to a setting."""
    declared = one.metadata["setting"]
    assert isinstance(declared, Setting)
    return declared


def allowed(one: Field[Any]) -> str:
    """Return in words what a setting may be, to follow `take`."""
    kind, declared = one.type, how(one)
    if kind in (int, float):
        number = "a whole number" if kind is int else "a number"
        if declared.high == math.inf:
            return f"{number} from {declared.low:g} on"
        return f"{number} from {declared.low:.0f} to {declared.high:.0f}"
    if get_origin(kind) is Literal:
        *first, last = map(toml, get_args(kind))
        return f"{', '.join(first)} or {last}"
    return declared.like or _KINDS[kind]


_KINDS: dict[Any, str] = {
    bool: "true or false",
    str: "a text",
    Path: "a path",
    Path | None: 'a path, or "" for none',
    MetricsAddress | None: 'a loopback address such as "http://127.0.0.1:9100", or "" for none',
    tuple[Listen, ...]: 'a list of doors such as ["kqq://127.0.0.1:14000"]',
    tuple[Network, ...]: 'a list of networks such as ["10.0.0.0/8"]',
    tuple[str, ...]: 'a list of addresses such as ["https://chat.example.org"]',
    tuple[SmsEntry, ...]: "tables [[sms]] in the file, each with name, address and text",
}


def not_allowed(one: Field[Any], value: object) -> str:
    """Return that a setting cannot be this, and what it can be."""
    return f"{one.name}={toml(value)} cannot be; take {allowed(one)}"


def problem(one: Field[Any], value: object) -> str:
    """Return what is wrong with a value of the right type for a setting; "" is nothing."""
    declared = how(one)
    fits = True
    if one.type == tuple[str, ...]:
        assert isinstance(value, tuple)
        fits = all(re.fullmatch(declared.pattern, each) for each in value)
    elif isinstance(value, str):
        choices = get_args(one.type)
        fits = value in choices if choices else bool(re.fullmatch(declared.pattern, value))
    elif isinstance(value, int | float):
        fits = abs(value) != math.inf and declared.low <= value <= declared.high
    elif isinstance(value, MetricsAddress):
        fits = value.is_loopback
    return "" if fits else not_allowed(one, value)


def plain(value: object) -> object:
    """Return a value as TOML and JSON can have it; None is an empty text."""
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, SmsEntry):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, bool | int | float | str | dict):
        return value
    return "" if value is None else str(value)


def toml(value: object) -> str:
    """Return a value, of a file or of a setting, as TOML has it."""
    value = plain(value)
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(one)}' for key, one in value.items())} }}"
    return repr(value)
