"""What a command does while somebody is signed in: servers, lost connections, captchas."""

import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from command import as_anna, kqq
from kqq.cli.session import Aside, Session, Waits, on_terminal, reader_of_letters, run
from kqq.cli.signing_in import SignIn, sign_in_as
from kqq.client import (
    Address,
    Client,
    Connecting,
    Event,
    Fate,
    Message,
    Received,
    Requested,
    State,
    Written,
)
from kqq.client.settings import AccountSettings, load, settings_file
from kqq.errors import CaptchaWanted, ConnectionLost, KQQError, NotSignedIn
from kqq.testing import Town
from serving import Serving, quiet_port, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with Anna and 小波."""
    with serving(tmp_path / "data", "Anna", "小波") as running:
        yield running


def anna(server: Serving, *, timeout: float = 30.0) -> SignIn:
    """Return how Anna signs in there."""
    account = AccountSettings(uin=10001, servers=(Address.parse(server.address),))
    return sign_in_as(account, timeout=timeout)


async def _for_ever(_session: Session) -> None:
    await asyncio.Event().wait()


# --- which server


def _settings(*lines: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text("\n".join(["[accounts.anna]", "uin = 10001", *lines]))


def test_servers_are_tried_in_order(server: Serving) -> None:
    """The one that answers is remembered, and tried first the next time."""
    nobody = f"tcp://127.0.0.1:{quiet_port()}"
    _settings(f'servers = ["{nobody}", "{server.address}"]')
    assert kqq("friends", KQQ_PASSWORD="secret").exit_code == 0
    assert str(load().accounts["anna"].last) == server.address


def test_where_none_answers_others_are_looked_up(server: Serving) -> None:
    """In the document, if the account has one; what failed is told."""
    nobody = f"tcp://127.0.0.1:{quiet_port()}"
    where = server.address.replace("tcp:", "http:")
    _settings(f'servers = ["{nobody}"]', f'discover = "{where}"')
    result = kqq("friends", KQQ_PASSWORD="secret")
    assert (result.exit_code, result.stdout) == (0, "10002      offline         小波\n")
    assert f"cannot connect to {nobody}" in result.stderr
    assert str(load().accounts["anna"].last) == server.address


def test_where_nobody_answers_at_all_it_is_told(server: Serving) -> None:
    """With exit code 3."""
    nobody = f"127.0.0.1:{quiet_port()}"
    _settings(f'servers = ["tcp://{nobody}"]', f'discover = "http://{nobody}"')
    assert kqq("friends", KQQ_PASSWORD="secret").exit_code == 3


def test_a_person_sees_which_servers_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are several."""
    for tells in (True, False):
        Aside(tells_servers=tells).take(Connecting("tcp://192.0.2.7:14000"), State())
    assert capsys.readouterr().err == "kqq: Connecting to tcp://192.0.2.7:14000.\n"


def test_what_came_is_told_when_the_work_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Requests with what to do; one's own messages only if an earlier command wrote them."""
    aside, state = Aside(tells_servers=False), State()
    waits = Message("1", 10002, "late", 0.0, Fate.WAITING)
    state.remember([waits])
    own = Message("2", 10002, "now", 0.0, Fate.SENT)
    aside.take(Connecting("tcp://192.0.2.7:14000"), state)
    for event in (
        Requested(10003, "hi"),
        Received(Message("3", 10002, "one\ntwo", 0.0, Fate.RECEIVED)),
        Written(waits),
        Written(own),
        Written(replace(waits, fate=Fate.SENT)),
    ):
        aside.take(event, state)
    assert capsys.readouterr().err == ""
    aside.tell(state)
    assert capsys.readouterr().err == (
        "10003 wants to be your friend: hi (say kqq accept 10003 or kqq refuse 10003)\n"
        "message from 10002: one\n    two\n"
        "Sent to 10002: late\n"
    )


# --- connections that are lost


@pytest.mark.parametrize(("waits", "timeout"), [(Waits.NOT, 30.0), (Waits.AWHILE, 0.3)])
def test_a_connection_is_not_waited_for_for_ever(
    server: Serving, waits: Waits, timeout: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless that is what a command is for."""

    async def work(session: Session) -> None:
        server.stop()
        await _for_ever(session)

    with pytest.raises(ConnectionLost):
        run(anna(server, timeout=timeout), work, waits=waits, password="secret")
    assert "Trying again in" in capsys.readouterr().err


def test_a_sign_in_elsewhere_ends_a_command(server: Serving) -> None:
    """However patient it is."""

    async def work(session: Session) -> None:
        async with await Client.connect(server.address) as again:
            await again.sign_in(10001, "secret")
            with suppress(KQQError):
                await session.me.refresh()
            await _for_ever(session)

    with pytest.raises(NotSignedIn):
        run(anna(server), work, waits=Waits.FOR_EVER, password="secret")


async def test_a_connection_that_comes_back_is_enough() -> None:
    """The time that is waited begins anew with each loss."""
    async with Town("Anna", "小波") as town:
        session = Session(await town.messenger("Anna"), lambda _event, _state: None, 0.2)
        taking = asyncio.create_task(session.take_events())
        for _ in range(2):
            await town.settle()
            town.cut("Anna")
            await town.settle()
            assert not session.me.state.is_online
            await town.advance(120)
            assert session.me.state.is_online
        await asyncio.sleep(0.3)
        assert not session.over.is_set()
        await session.me.close()
        await taking


async def test_friends_are_asked_for_again_if_they_did_not_come() -> None:
    """When something odd came in their place, a command that needs them asks once more."""
    async with Town("Anna", "小波") as town:
        session = Session(await town.messenger("Anna"), lambda _event, _state: None, None)
        session._has_roster.set_result(False)
        assert not await session.knows_friends()
        assert await session.number("10002") == 10002
        assert await session.number("小波") == 10002


def test_what_cannot_be_shown_ends_a_command(server: Serving) -> None:
    """Such as where the reader has gone."""

    def show(_event: Event, _state: State) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(anna(server), _for_ever, show=show, waits=Waits.FOR_EVER, password="secret")


def test_work_that_fails_is_told(server: Serving) -> None:
    """After what came meanwhile; nobody stays signed in."""

    async def work(_session: Session) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(anna(server), work, password="secret")
    result = kqq("send", "--uin", "10002", "--server", server.address, "10001", "hi",
                 KQQ_PASSWORD="secret")  # fmt: skip
    assert result.exit_code == 0
    assert "小波 (10002): hi" in as_anna(server.address, "friends").stderr


# --- captchas


@pytest.fixture
def picture() -> bytes:
    """A captcha."""
    out = io.BytesIO()
    Image.new("L", (16, 8), 255).save(out, "PNG")
    return out.getvalue()


class _Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


async def test_a_person_reads_captchas(
    picture: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is drawn on standard error, and kept in a file; what is typed is the answer."""
    monkeypatch.setattr("sys.stdin", _Person("abcd\n ef \n"))
    ask = reader_of_letters(10001)
    assert await ask(picture) == "abcd"
    assert await ask(picture) == "ef"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "The letters in the picture: " in shown.err
    assert "captcha-10001-" in shown.err
    with pytest.raises(CaptchaWanted, match="no letters were typed"):
        await ask(picture)


async def test_where_nobody_can_read_a_captcha_it_is_kept(
    picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is told where, and what to do."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CaptchaWanted, match=r"is in .*captcha-10001-.*png; sign in at") as caught:
        await reader_of_letters(10001)(picture)
    assert caught.value.image == picture


@pytest.mark.parametrize(
    ("stdin", "stdout", "term", "is_one"),
    [
        (_Person, _Person, "xterm", True),
        (_Person, _Person, "dumb", False),
        (io.StringIO, _Person, "xterm", False),
        (_Person, io.StringIO, "xterm", False),
    ],
)
def test_what_is_a_terminal(
    stdin: Callable[[], object],
    stdout: Callable[[], object],
    term: str,
    *,
    is_one: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both ends, and more than a teletype."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", stdin())
        patch.setattr("sys.stdout", stdout())
        patch.setenv("TERM", term)
        assert on_terminal() == is_one
