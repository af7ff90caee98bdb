"""Who signs in for a command: whose account, at which servers, with which password."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kqq.cli.completing import complete_accounts, history_file
from kqq.cli.group import NUMBER, ask_password, is_option, tell_error
from kqq.errors import ConfigError, DiscoveryError, StoreError
from kqq.words import status_name

if TYPE_CHECKING:
    import ssl

    from kqq.client import Address, AskCaptcha, Messenger
    from kqq.client.history import History
    from kqq.client.settings import AccountSettings
    from kqq.protocol import Line, Status

F = TypeVar("F", bound=Callable[..., Any])
_TRY_TIME = 5.0  # seconds that one of several servers has to answer
STATUSES = ("online", "away", "hidden", "busy", "call-me", "do-not-disturb")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Who signs in where, as options, variables and the settings file say.

    `name` is that of the account in the settings, None if it is none of them. `servers` are tried
    in order, then those listed at `discover`. `home` is the server that the history is kept for,
    `places` are all that a password may be kept for, the first is where a new one is kept.
    """

    name: str | None
    uin: int
    servers: tuple["Address", ...]
    discover: str
    home: "Address"
    places: tuple["Address", ...]
    ca: Path | None
    keeps_history: bool
    status: "Status"
    timeout: float
    from_stdin: bool
    remembers: bool = False
    """Whether the server that answers is noted in the settings."""
    only_tls: bool = False
    """Whether all servers of the account have TLS, so that no other one may get the password."""

    def password(self) -> str:
        """Return the password: from where the options say, the keyring, or a prompt."""
        is_given = self.from_stdin or os.environ.get("KQQ_PASSWORD") is not None
        kept = None if is_given else self._kept_password()
        return ask_password(from_stdin=self.from_stdin) if kept is None else kept

    def _kept_password(self) -> str | None:
        from kqq.client.passwords import NoKeyring, stored

        try:
            found = (stored(self.uin, place) for place in self.places)
            return next((password for password in found if password is not None), None)
        except NoKeyring:
            return None  # so nothing was ever kept
        except ConfigError as error:
            tell_error(error)
            return None

    @contextmanager
    def history(self) -> "Iterator[History | None]":
        """Open the history, if messages are kept; one that cannot be opened is done without."""
        if not self.keeps_history:
            yield None
            return
        from kqq.client.history import History

        try:
            history = History.open(history_file())
        except StoreError as error:
            tell_error(error)
            yield None
            return
        with history:
            yield history

    def messenger(
        self,
        servers: "tuple[Address, ...]",
        password: str,
        history: "History | None",
        ask: "AskCaptcha | None",
        watch: "Callable[[str, Line], None] | None" = None,
    ) -> "Messenger":
        """Return a messenger, not started."""
        from kqq.client.messenger import Messenger
        from kqq.client.transport import open_transport

        seconds = self.timeout if len(servers) == 1 else min(self.timeout, _TRY_TIME)
        messenger = Messenger(
            self.uin,
            password,
            (self.home, *servers),  # the first is what the history is kept for
            status=self.status,
            ask=ask,
            history=history,
            watch=watch,
            timeout=self.timeout,
            connect=functools.partial(open_transport, trust=self._trust(), timeout=seconds),
        )
        messenger.servers[:] = servers
        return messenger

    async def listed_servers(self) -> "tuple[Address, ...]":
        """Return the servers that the document at `discover` lists.

        Whoever keeps the servers of an account with TLS from answering must not get the password
        by way of the document: then only those with TLS are returned. Raises ConnectionLost,
        TimedOut or DiscoveryError.
        """
        from kqq.client.discovery import fetch

        found = await fetch(self.discover, timeout=self.timeout, trust=self._trust())
        servers = tuple(one for one in found.servers if one.is_tls or not self.only_tls)
        if not servers:
            raise DiscoveryError(
                f"{self.discover} lists no server with TLS, and all servers of the account have "
                "it; name one with --server if you trust the network"
            )
        return servers

    def _trust(self) -> "ssl.SSLContext | None":
        from kqq.client.transport import make_trust

        return None if self.ca is None else make_trust(self.ca)

    def remember(self, address: str) -> None:
        """Note which server answered, so that it is tried first the next time."""
        if self.remembers and self.name is not None:
            from kqq.client.settings import remember_server

            try:
                remember_server(self.name, address)
            except ConfigError as error:
                tell_error(error)


# --- options -------------------------------------------------------------------------------------


def client_options(command: F) -> F:
    """Give a command the options of somebody who signs in; it gets a SignIn before the others."""

    @functools.wraps(command)
    def signing(*arguments: Any, **options: Any) -> Any:
        chosen = {key: options.pop(key) for key in _CHOOSING}
        return command(choose(**chosen), *arguments, **options)

    decorated: Any = signing
    for option in _OPTIONS:
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def server_option(command: F) -> F:
    """Give a command the option `--server`, which may be given several times."""
    return click.option(
        "--server",
        "servers",
        multiple=True,
        envvar="KQQ_SERVER",
        show_envvar=True,
        metavar="ADDRESS",
        help="Where the server is: tcp://HOST:PORT, kqqs:// (TLS), http:// or https://. May be "
        "given several times: they are tried in order.  [default: those of the account, or "
        "tcp://127.0.0.1:14000]",
    )(command)


def uin_option(command: F) -> F:
    """Give a command the option `--uin`."""
    return click.option(
        "--uin",
        type=NUMBER,
        envvar="KQQ_UIN",
        show_envvar=True,
        help="Your number.  [default: that of the account]",
    )(command)


def password_option(command: F) -> F:
    """Give a command the option `--password-stdin`."""
    return click.option(
        "--password-stdin",
        is_flag=True,
        help="Read the password from a line of standard input; else it is KQQ_PASSWORD, in the "
        "keyring, or asked for.",
    )(command)


def ca_option(command: F) -> F:
    """Give a command the option `--ca`."""
    return click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="KQQ_CA",
        show_envvar=True,
        metavar="FILE",
        help="Certificates to trust with TLS, as PEM.  [default: those of the account, or of the "
        "system]",
    )(command)


_OPTIONS = (
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long an answer may take.",
    ),
    click.option("--no-history", is_flag=True, help="Keep no messages on this machine."),
    click.option("--hidden", is_flag=True, help="The same as --status hidden."),
    click.option(
        "--status",
        type=click.Choice(STATUSES),
        help="What friends see while you are signed in.  [default: online]",
    ),
    ca_option,
    password_option,
    uin_option,
    server_option,
    click.option(
        "--account",
        envvar="KQQ_ACCOUNT",
        show_envvar=True,
        shell_complete=complete_accounts,
        metavar="NAME",
        help="One of your accounts, see `kqq logins`.  [default: the one with --uin, or the "
        "default one]",
    ),
)
_CHOOSING = (
    "account", "servers", "uin", "password_stdin", "ca", "status", "hidden", "no_history",
    "timeout",
)  # fmt: skip


def choose(
    *,
    account: str | None,
    servers: tuple[str, ...],
    uin: int | None,
    password_stdin: bool,
    ca: Path | None,
    status: str | None,
    hidden: bool,
    no_history: bool,
    timeout: float,
) -> SignIn:
    """Return who signs in where. Raises ConfigError if that is not said, or contradicts itself."""
    from kqq.client import Address
    from kqq.client.settings import AccountSettings, load

    settings = load()
    name, found = None, None
    if account and uin and is_option("account") == is_option("uin"):
        if settings.account(account).uin != uin:
            raise ConfigError(
                f"the account {account} is {settings.account(account).uin}, not {uin}; leave "
                "either --account or --uin out"
            )
    elif account and uin:
        account, uin = (account, None) if is_option("account") else (None, uin)
    if uin and not account:
        account = settings.name_of(uin)
    if account or not uin:
        name, found = settings.chosen(account) or (None, None)
    if found is None and uin is None:
        raise ConfigError(
            "who are you? say --uin NUMBER, or set KQQ_UIN; or have your account noted once, with "
            "`kqq login --uin NUMBER --server tcp://HOST:PORT`"
        )
    if hidden and status not in (None, "hidden"):
        raise click.UsageError(f"--hidden and --status {status} contradict each other")
    return sign_in_as(
        found or AccountSettings(uin=uin or 0),
        name=name,
        named=tuple(map(Address.parse, servers)),
        ca=ca,
        status="hidden" if hidden else status or "online",
        keeps_history=not no_history,
        timeout=timeout,
        from_stdin=password_stdin,
    )


def sign_in_as(
    account: "AccountSettings",
    *,
    name: str | None = None,
    named: "tuple[Address, ...]" = (),
    ca: Path | None = None,
    status: str = "online",
    keeps_history: bool = True,
    timeout: float = 30.0,
    from_stdin: bool = False,
) -> SignIn:
    """Return a SignIn with an account, at other servers than its own if some are `named`."""
    places = account.places(named)
    return SignIn(
        name=name,
        uin=account.uin,
        servers=named or account.in_order() or (() if account.discover else (account.home,)),
        discover="" if named else account.discover,
        home=places[0],
        places=places,
        ca=ca or account.ca,
        keeps_history=account.history and keeps_history,
        status=status_of(status),
        timeout=timeout,
        from_stdin=from_stdin,
        remembers=name is not None and not named,
        only_tls=bool(account.servers) and all(one.is_tls for one in account.servers),
    )


def status_of(name: str) -> "Status":
    """Return the status with one of the names in STATUSES."""
    from kqq.protocol import Status

    return next(status for status in Status if status_name(status) == name)
