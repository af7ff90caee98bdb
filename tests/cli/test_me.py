"""`kqq login`, `logins` and `logout`."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import pems
from command import kqq, objects
from keyrings_here import InMemory, using
from kqq.client.history import History
from kqq.client.settings import load, settings_file
from serving import quiet_port, serving


@pytest.fixture
def keyring() -> Iterator[InMemory]:
    """The system's keyring."""
    with using(InMemory()) as backend:
        yield backend


def test_a_login_is_tried_and_noted(address: str, keyring: InMemory) -> None:
    """The account in the settings, the password in the keyring; then nothing need be said."""
    result = kqq(
        "login", "anna", "--uin", "10001", "--server", address, "--password-stdin",
        typed="secret\n",
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, f"anna is 10001 at {address}.\n")
    assert settings_file().read_text() == (
        "# The accounts of kqq: `kqq login` writes this file, and keeps what you add to it.\n"
        'default = "anna"\n\n'
        f'[accounts.anna]\nuin = 10001\nservers = ["{address}"]\n'
    )
    assert stat.S_IMODE(settings_file().stat().st_mode) == 0o600
    assert keyring.passwords == {(f"kqq {address}", "10001"): "secret"}
    assert "secret" not in settings_file().read_text()
    assert kqq("friends").stdout == "10002      offline         小波\n"


def test_a_login_that_fails_is_not_noted(address: str, keyring: InMemory) -> None:
    """A wrong password, a server that is not there."""
    options = ("login", "--uin", "10001", "--server")
    assert kqq(*options, address, KQQ_PASSWORD="wrong").exit_code == 1
    nobody = f"tcp://127.0.0.1:{quiet_port()}"
    assert kqq(*options, nobody, KQQ_PASSWORD="secret").exit_code == 3
    assert not settings_file().exists()
    assert keyring.passwords == {}


def test_without_a_keyring_the_password_is_not_kept(address: str) -> None:
    """And that is told."""
    result = kqq(
        "login", "--uin", "10001", "--server", address, "--json", KQQ_PASSWORD="secret"
    )  # fmt: skip
    assert result.exit_code == 0
    assert "there is no keyring on this system that is safe" in result.stderr
    assert "it is asked for each time" in result.stderr
    assert objects(result) == [
        {
            "name": "10001",
            "uin": 10001,
            "servers": [address],
            "discover": None,
            "last": None,
            "ca": None,
            "history": True,
            "default": True,
            "answered": address,
            "password_kept": False,
        }
    ]
    assert kqq("friends").exit_code == 2


@pytest.mark.usefixtures("keyring")
def test_an_account_can_be_changed(address: str) -> None:
    """What is not said stays; the first account stays the default unless another is to be."""
    nobody = f"tcp://127.0.0.1:{quiet_port()}"
    options = {"KQQ_PASSWORD": "secret"}
    kqq("login", "anna", "--uin", "10001", "--server", address, **options)
    result = kqq("login", "--uin", "10001", "--server", nobody, "--server", address,
                 "--no-history", **options)  # fmt: skip
    assert result.stdout == f"anna is 10001 at {address}.\n"
    anna = load().accounts["anna"]
    assert (len(anna.servers), str(anna.last), anna.history) == (2, address, False)
    kqq("login", "bo", "--uin", "10002", "--server", address, **options)
    assert load().default == "anna"
    kqq("login", "bo", "--default", **options)
    assert load().default == "bo"
    kqq("login", "bo", "--uin", "10001", **options)
    assert load().accounts["bo"].uin == 10001
    assert str(load().accounts["bo"].servers[0]) == address


@pytest.mark.usefixtures("keyring")
def test_servers_can_be_found(tmp_path: Path) -> None:
    """Where the document is is noted, and which server answered."""
    with serving(tmp_path / "data", "Anna") as server:
        host = server.address.removeprefix("tcp://")
        result = kqq("login", "--uin", "10001", "--discover", host, KQQ_PASSWORD="secret")
        assert result.exit_code == 0, result.output
        account = load().accounts["10001"]
        assert account.discover.startswith(f"http://{host}/")
        assert (account.servers, str(account.last)) == ((), server.address)
        assert kqq("friends", KQQ_PASSWORD="secret").exit_code == 0


@pytest.mark.usefixtures("keyring")
def test_certificates_to_trust_are_noted(address: str, tmp_path: Path) -> None:
    """As a path that holds wherever one is."""
    file = tmp_path / "ca.pem"
    file.write_text(pems.NEW)
    kqq("login", "--uin", "10001", "--server", address, "--ca", str(file), KQQ_PASSWORD="secret")
    assert load().accounts["10001"].ca == file


def test_messages_that_waited_are_not_lost(tmp_path: Path, keyring: InMemory) -> None:
    """The login gets them, as each sign-in does: they are shown and kept."""
    with serving(tmp_path / "data", "Anna", "小波") as server:
        kqq("send", "--uin", "10001", "--server", server.address, "10002", "welcome",
            KQQ_PASSWORD="secret")  # fmt: skip
        result = kqq("login", "--uin", "10002", "--server", server.address, KQQ_PASSWORD="secret")
        assert "Anna (10001): welcome\n" in result.stderr
        with History.open() as history:
            assert history.diary(10002, server.address).unread() == {10001: 1}


def test_nobody_is_asked_where_nobody_is(address: str) -> None:
    """Without a terminal the number must be said; the server is the usual one."""
    result = kqq("login", KQQ_PASSWORD="secret")
    assert result.exit_code == 2
    assert "say --uin" in result.stderr
    result = kqq("login", "--uin", "10001", "--timeout", "1", KQQ_PASSWORD="secret")
    assert "tcp://127.0.0.1:14000" in result.output


@pytest.mark.usefixtures("keyring")
def test_a_person_is_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For number and server, at a terminal."""
    answers = iter([10001, address])
    asked: list[str] = []

    def prompt(words: str, **_options: object) -> object:
        asked.append(words)
        return next(answers)

    class Terminal:
        class stdin:  # noqa: N801  # as in sys
            @staticmethod
            def isatty() -> bool:
                return True

    monkeypatch.setattr("kqq.cli.me.sys", Terminal)
    monkeypatch.setattr("kqq.cli.me.click.prompt", prompt)
    assert kqq("login", "anna", KQQ_PASSWORD="secret").exit_code == 0
    assert asked == ["Your number", "Server"]
    assert load().accounts["anna"].uin == 10001


# --- list and forget


def test_accounts_are_listed() -> None:
    """With a mark at the one that is used if none is named."""
    result = kqq("logins")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no accounts yet" in result.stderr
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(
        'default = "bo"\n[accounts.anna]\nuin = 10001\nservers = ["tcp://192.0.2.7:14000"]\n'
        '[accounts.bo]\nuin = 10002\ndiscover = "http://192.0.2.7:8000"\n'
    )
    assert kqq("logins").stdout == (
        "  anna  10001  tcp://192.0.2.7:14000\n* bo    10002  http://192.0.2.7:8000\n"
    )
    assert [one["default"] for one in objects(kqq("logins", "--json"))] == [False, True]


def test_an_account_is_forgotten(address: str, keyring: InMemory) -> None:
    """With its password, wherever it was kept; others stay."""
    for name, uin in (("anna", "10001"), ("bo", "10002")):
        kqq("login", name, "--uin", uin, "--server", address, KQQ_PASSWORD="secret")
    result = kqq("logout", "anna", "--json")
    assert objects(result) == [{"name": "anna", "uin": 10001, "password_forgotten": True}]
    assert list(load().accounts) == ["bo"]
    assert load().default == ""
    assert [user for _, user in keyring.passwords] == ["10002"]
    assert kqq("friends").exit_code == 0
    assert kqq("logout", "bo").stdout == "bo is forgotten.\n"
    assert kqq("logout", "bo").exit_code == 2


def test_an_account_is_forgotten_where_the_keyring_fails(address: str, keyring: InMemory) -> None:
    """That its password may be there still is told; without a keyring it is not."""

    class Locked(InMemory):
        def get_password(self, service: str, username: str) -> str | None:
            raise OSError("it is locked")

    for backend, told in ((Locked(), "it is locked"), (None, "")):
        kqq("login", "anna", "--uin", "10001", "--server", address, KQQ_PASSWORD="secret")
        if backend is None:
            keyring.priority = 0
            result = kqq("logout", "anna")
        else:
            with using(backend):
                result = kqq("logout", "anna")
        assert result.exit_code == 0
        assert told in result.stderr
        assert ("delete it there" in result.stderr) == bool(told)
        assert load().accounts == {}
