"""Who signs in: options, variables and the settings file; the password, the history."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import pems
from command import kqq
from keyrings_here import InMemory, using
from kqq.cli.group import main
from kqq.cli.signing_in import SignIn, client_options, sign_in_as
from kqq.client import Address
from kqq.client.history import History
from kqq.client.settings import AccountSettings, load
from kqq.errors import ConfigError, DiscoveryError, KQQError
from kqq.protocol import Status
from serving import serving
from strangers import stranger

HERE, FIRST, SECOND = (
    Address.parse(text)
    for text in ("tcp://127.0.0.1:14000", "tcp://192.0.2.7:14000", "tcp://192.0.2.8:14000")
)
WRITTEN = """\
default = "anna"

[accounts.anna]
uin = 10001
servers = ["tcp://192.0.2.7:14000", "tcp://192.0.2.8:14000"]
last = "tcp://192.0.2.8:14000"

[accounts.bo]
uin = 10002
history = false

[accounts.listed]
uin = 10003
discover = "http://192.0.2.7:8000"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of somebody."""
    path = tmp_path / "client.toml"
    path.write_text(WRITTEN)
    monkeypatch.setenv("KQQ_CLIENT_CONFIG", str(path))
    return path


def chosen(*arguments: str, **env: str) -> SignIn:
    """Return what a command is told. Raises KQQError or click.UsageError."""
    told: list[SignIn] = []

    @click.command()
    @client_options
    def command(signing: SignIn) -> None:
        told.append(signing)

    clean = dict.fromkeys(("KQQ_UIN", "KQQ_SERVER", "KQQ_ACCOUNT", "KQQ_CA", "KQQ_PASSWORD"))
    result = CliRunner().invoke(command, arguments, env={**clean, **env}, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return told[0]


# --- which account


def test_without_settings_a_number_is_enough() -> None:
    """The server is where `kqq serve` listens by default."""
    signing = chosen("--uin", "10001")
    assert (signing.name, signing.uin, signing.servers) == (None, 10001, (HERE,))
    assert (signing.home, signing.places, signing.discover) == (HERE, (HERE,), "")
    assert (signing.status, signing.keeps_history, signing.timeout) == (Status.ONLINE, True, 30.0)
    assert not signing.remembers


def test_somebody_must_be_named() -> None:
    """Where there is no account the ways to name one are told."""
    with pytest.raises(ConfigError, match=r"say --uin NUMBER, or set KQQ_UIN; or .*kqq login"):
        chosen()


@pytest.mark.parametrize(
    ("arguments", "env", "name", "uin"),
    [
        ((), {}, "anna", 10001),
        (("--account", "bo"), {}, "bo", 10002),
        ((), {"KQQ_ACCOUNT": "bo"}, "bo", 10002),
        (("--uin", "10002"), {}, "bo", 10002),
        ((), {"KQQ_UIN": "10002"}, "bo", 10002),
        (("--uin", "10009"), {}, None, 10009),
        (("--uin", "10009"), {"KQQ_ACCOUNT": "anna"}, None, 10009),
        (("--account", "anna"), {"KQQ_UIN": "10009"}, "anna", 10001),
        (("--account", "anna", "--uin", "10001"), {}, "anna", 10001),
        ((), {"KQQ_ACCOUNT": "bo", "KQQ_UIN": "10002"}, "bo", 10002),
    ],
)
@pytest.mark.usefixtures("file")
def test_which_account_counts(
    arguments: tuple[str, ...], env: dict[str, str], name: str | None, uin: int
) -> None:
    """An option before a variable, a variable before the default; a number finds its account."""
    signing = chosen(*arguments, **env)
    assert (signing.name, signing.uin) == (name, uin)


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (("--account", "cy"), {}, "there is no account 'cy'"),
        (("--account", "bo", "--uin", "10001"), {}, "the account bo is 10002, not 10001"),
        ((), {"KQQ_ACCOUNT": "bo", "KQQ_UIN": "10001"}, "leave either --account or --uin out"),
        (("--server", "192.0.2.7"), {}, "is not an address"),
        (("--hidden", "--status", "away"), {}, "--hidden and --status away contradict"),
    ],
)
@pytest.mark.usefixtures("file")
def test_what_contradicts_itself_is_told(
    arguments: tuple[str, ...], env: dict[str, str], told: str
) -> None:
    """Before anything is tried."""
    with pytest.raises((KQQError, click.UsageError), match=told):
        chosen(*arguments, **env)


# --- which servers


@pytest.mark.usefixtures("file")
def test_the_server_that_answered_last_is_tried_first() -> None:
    """History and password are kept for the first of the list, whichever answers."""
    signing = chosen()
    assert signing.servers == (SECOND, FIRST)
    assert signing.home == FIRST
    assert signing.places == (FIRST, SECOND)
    assert signing.remembers


@pytest.mark.usefixtures("file")
def test_one_of_several_servers_can_be_chosen() -> None:
    """It is still the same place; nothing is noted then."""
    signing = chosen("--server", str(SECOND))
    assert (signing.servers, signing.home) == ((SECOND,), FIRST)
    assert not signing.remembers


@pytest.mark.usefixtures("file")
def test_another_server_is_another_place() -> None:
    """The password of one's own server is not given to it."""
    for signing in (
        chosen("--server", str(HERE), "--server", str(FIRST)),
        chosen(KQQ_SERVER=f"{HERE} {FIRST}"),
    ):
        assert signing.servers == (HERE, FIRST)
        assert (signing.home, signing.places) == (HERE, (HERE, FIRST))


@pytest.mark.usefixtures("file")
def test_servers_may_be_listed_elsewhere() -> None:
    """Then there are none yet, and the list's host names the place."""
    signing = chosen("--account", "listed")
    assert (signing.servers, signing.discover) == ((), "http://192.0.2.7:8000")
    assert signing.home == Address("192.0.2.7", 8000, "http")
    assert chosen("--account", "listed", "--server", str(HERE)).discover == ""


def test_other_options(tmp_path: Path, file: Path) -> None:
    """Status, certificates, history, time."""
    pem = tmp_path / "ca.pem"
    pem.write_text(pems.NEW)
    signing = chosen(
        "--hidden", "--ca", str(pem), "--no-history", "--timeout", "2", "--password-stdin"
    )  # fmt: skip
    assert (signing.status, signing.ca, signing.keeps_history) == (Status.HIDDEN, pem, False)
    assert (signing.timeout, signing.from_stdin) == (2.0, True)
    assert chosen("--status", "call-me").status is Status.CALL_ME
    assert not chosen("--account", "bo").keeps_history


# --- the password


@pytest.fixture
def keyring() -> Iterator[InMemory]:
    """The system's keyring."""
    with using(InMemory()) as backend:
        yield backend


def _password(signing: SignIn, monkeypatch: pytest.MonkeyPatch, given: str | None) -> str:
    if given is None:
        monkeypatch.delenv("KQQ_PASSWORD", raising=False)
    else:
        monkeypatch.setenv("KQQ_PASSWORD", given)
    return signing.password()


def test_the_password_comes_from_the_keyring(
    keyring: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a variable has it; it may be kept for any server of the account."""
    account = AccountSettings(uin=10001, servers=(FIRST, SECOND))
    keyring.set_password(f"kqq {SECOND}", "10001", "kept")
    signing = sign_in_as(account)
    assert _password(signing, monkeypatch, None) == "kept"
    assert _password(signing, monkeypatch, "given") == "given"
    elsewhere = sign_in_as(account, named=(HERE,))
    with pytest.raises(ConfigError, match="no password; set KQQ_PASSWORD"):
        _password(elsewhere, monkeypatch, None)


def test_a_keyring_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The password is asked for then; that there is no keyring at all is no news."""

    class Locked(InMemory):
        def get_password(self, service: str, username: str) -> str | None:
            raise OSError("it is locked")

    signing = sign_in_as(AccountSettings(uin=10001))
    with using(Locked()), pytest.raises(ConfigError, match="no password"):
        _password(signing, monkeypatch, None)
    assert "it is locked" in capsys.readouterr().err
    unsafe = InMemory()
    unsafe.priority = 0
    with using(unsafe), pytest.raises(ConfigError, match="no password"):
        _password(signing, monkeypatch, None)
    assert capsys.readouterr().err == ""


# --- history and server


def test_the_history_is_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nowhere."""
    account = AccountSettings(uin=10001)
    with sign_in_as(account, keeps_history=False).history() as history:
        assert history is None
    monkeypatch.setenv("KQQ_HISTORY", str(tmp_path / "mine.db"))
    with sign_in_as(account).history() as history:
        assert isinstance(history, History)
    assert (tmp_path / "mine.db").exists()


def test_a_history_that_cannot_be_opened_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to stop talking because a disk is full."""
    file = tmp_path / "mine.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE something (else_)")
    other.close()
    monkeypatch.setenv("KQQ_HISTORY", str(file))
    with sign_in_as(AccountSettings(uin=10001)).history() as history:
        assert history is None
    assert "something else" in capsys.readouterr().err


async def test_a_messenger_keeps_the_history_of_the_home(tmp_path: Path) -> None:
    """Whichever server is tried first; it trusts whom it is told to."""
    file = tmp_path / "ca.pem"
    file.write_text(pems.NEW)
    account = AccountSettings(uin=10001, servers=(FIRST, SECOND), last=SECOND, ca=file)
    signing = sign_in_as(account)
    with History.open(tmp_path / "history.db") as history:
        history.diary(10001, str(FIRST)).remember_names({10002: "Bo"})
        messenger = signing.messenger(signing.servers, "secret", history, None)
        assert messenger.servers == [SECOND, FIRST]
        await messenger.close()
    file.write_text("no certificate")
    with pytest.raises(ConfigError, match="cannot trust what is in"):
        signing.messenger(signing.servers, "secret", None, None)


async def test_servers_are_looked_up_where_they_are_listed(tmp_path: Path) -> None:
    """The document of the server itself names it."""
    with serving(tmp_path, "Anna") as server:
        url = f"{server.address.replace('tcp:', 'http:')}/newConf/kjava/aubin2.jsp"
        signing = sign_in_as(AccountSettings(uin=10001, discover=url))
        assert (await signing.listed_servers())[0] == Address.parse(server.address)


@pytest.mark.parametrize(
    ("servers", "listed", "taken"),
    [
        ("kqqs://a.example:1", "tcp://b.example:2,kqqs://c.example:3", ["kqqs://c.example:3"]),
        ("https://a.example:1", "https://c.example:3", ["https://c.example:3"]),
        ("kqqs://a.example:1", "tcp://b.example:2,http://b.example:3", []),
        ("tcp://a.example:1", "tcp://b.example:2", ["tcp://b.example:2"]),
        ("", "tcp://b.example:2", ["tcp://b.example:2"]),
    ],
)
async def test_who_has_tls_is_not_led_to_servers_without(
    servers: str, listed: str, taken: list[str]
) -> None:
    """Somebody on the way, who stops TLS and changes the document, would get the password."""
    body = f"SERVERCONFIG_URL={listed}"
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    own = tuple(Address.parse(one) for one in servers.split(",") if one)
    async with stranger(answer) as port:
        url = f"http://127.0.0.1:{port}"
        signing = sign_in_as(AccountSettings(uin=10001, servers=own, discover=url))
        if taken:
            assert list(map(str, await signing.listed_servers())) == taken
        else:
            with pytest.raises(DiscoveryError, match="lists no server with TLS, and all servers"):
                await signing.listed_servers()


def test_which_server_answered_is_noted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the settings; if that cannot be, it is told, and nothing else happens."""
    signing = chosen()
    signing.remember(str(FIRST))
    assert load(file).accounts["anna"].last == FIRST
    chosen("--server", str(SECOND)).remember(str(SECOND))
    assert load(file).accounts["anna"].last == FIRST
    file.unlink()
    signing.remember(str(SECOND))
    assert "there is no account 'anna'" in capsys.readouterr().err


def test_each_command_of_somebody_has_the_options() -> None:
    """All that signs in."""
    for name in ("send", "friends", "listen", "add", "accept", "refuse", "delete", "profile",
                 "search", "status", "chat"):  # fmt: skip
        options = {one.name for one in main.commands[name].params}
        assert {"account", "servers", "uin", "password_stdin", "ca", "timeout"} <= options
    assert kqq("send", "--help").exit_code == 0
