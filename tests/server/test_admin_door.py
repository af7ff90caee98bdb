"""The operator's socket: whose it is, what may come over it, and how it ends."""

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import AccountError, ConfigError, StoreError, TimedOut
from kqq.server import Config, admin_door
from kqq.server.admin import ACTIONS, Action, Admin
from kqq.server.admin_door import LONGEST, TIME, VISITORS, AdminDoor, NoServer, ask
from kqq.server.operators import Operators
from kqq.server.store import Store
from stage import JULIET, MD5, PARIS, ROMEO, WAIT, ManualClock, Stage, proof, sign_in_line


class House:
    """An open door on a folder where nothing else runs."""

    def __init__(self, store: Store, data: Path, path: Path | None = None) -> None:
        self.clock = ManualClock()
        config = Config(data=data, admin_socket=path)
        self.path = config.admin_path
        operators = Operators(store._database, self.clock, os.urandom)
        admin = Admin(config, store, self.clock, os.urandom, operators)
        self.door = AdminDoor(admin, self.path)

    async def ask(self, name: str, /, **arguments: Any) -> Any:
        """Have something done."""
        return await ask(self.path, name, arguments)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection."""
        return await asyncio.open_unix_connection(self.path, limit=2 * LONGEST)

    async def hear(self, reader: asyncio.StreamReader) -> list[dict[str, Any]]:
        """Return what is answered until the end."""
        async with asyncio.timeout(WAIT):
            answer = await reader.read()
        return [json.loads(line) for line in answer.splitlines()]

    async def say(self, data: bytes, *, then_stop: bool = False) -> list[dict[str, Any]]:
        """Send bytes and return what is answered."""
        reader, writer = await self.connect()
        writer.write(data)
        if then_stop:
            writer.write_eof()
        answer = await self.hear(reader)
        writer.close()
        return answer

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(WAIT):
            while not holds():  # noqa: ASYNC110  # what the system does sets no event
                await asyncio.sleep(0.001)

    def visitors(self) -> int:
        """Return how many are there."""
        return len(self.door._visitors)


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[House]:
    """A door that is open."""
    house = House(store, tmp_path)
    await house.door.open()
    yield house
    await house.door.close()


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def slow() -> Any:
    """Return an action that lasts until it is told to end; it is asked for as `slow`."""
    begun, end = asyncio.Event(), asyncio.Event()

    async def wait(admin: Admin) -> dict[str, Any]:
        begun.set()
        await end.wait()
        return {"slow": True}

    ACTIONS["slow"] = Action(wait, changes=False, live=False)
    yield begun, end
    del ACTIONS["slow"]


# --- asking --------------------------------------------------------------------------------------


async def test_asking(house: House) -> None:
    """An action gives an object, or a list of them, which may be empty."""
    assert (await house.ask("account.show", uin=ROMEO))["nick"] == "Romeo"
    assert [one["uin"] for one in await house.ask("account.list")] == [ROMEO, JULIET, PARIS]
    assert await house.ask("account.list", after=PARIS) == []


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "words"),
    [
        ("account.show", {"uin": 20000}, AccountError, "there is no account 20000"),
        ("dance", {}, ConfigError, "there is no action 'dance'; is the server older"),
        ("account.show", {"uin": "x"}, ConfigError, "uin='x' is of the wrong type"),
    ],
)
async def test_refusals_come_as_they_were_raised(
    house: House, name: str, arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """The same exception, with the same words, as where no server runs."""
    with pytest.raises(kind, match=words):
        await house.ask(name, **arguments)


async def test_what_comes_back_is_as_it_was(house: House) -> None:
    """Chinese, quotes, line ends and bytes that were no text survive the way."""
    nick = '小 "波"'
    await house.ask("account.add", uin=20000, nick=nick, proof=proof())
    assert (await house.ask("account.show", uin=20000))["nick"] == nick
    with pytest.raises(AccountError, match=r"x\\n\\udcff"):
        await house.ask("account.add", nick="x\n\udcff", proof=proof())


async def test_failure_is_told_and_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever nobody foresaw is in the log with its traceback, and does not end the door."""
    await house.door.admin.store._database.close()
    with pytest.raises(StoreError, match="Cannot operate on a closed database"):
        await house.ask("account.show", uin=ROMEO)
    with pytest.raises(StoreError, match="the server failed: KeyError; its log has more"):
        await house.ask("account.import", accounts=[{}], friends=[])
    told, record = caplog.records
    assert "read failed" in told.getMessage()
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "failed action=account.import")
    assert record.exc_info


async def test_log_says_who_did_what(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """What changes something is logged with the numbers, and with nothing that is secret."""
    caplog.set_level(logging.INFO, "kqq")
    await house.ask("account.passwd", uin=ROMEO, proof=proof())
    await house.ask("account.friend", uin=ROMEO, other=PARIS)
    await house.ask("account.show", uin=ROMEO)
    made = await house.ask("device.add", uin=ROMEO, name="6230")
    invited = await house.ask("account.invite")
    assert [record.getMessage() for record in caplog.records] == [
        'operator action=account.passwd who="command line" uin=10001',
        'operator action=account.friend who="command line" uin=10001 other=10003',
        'operator action=device.add who="command line" uin=10001',
        'operator action=account.invite who="command line"',
    ]
    for secret in (proof(), MD5, made["password"], made["grouped"], invited["code"]):
        assert secret not in caplog.text


async def test_only_for_its_folder(house: House, tmp_path: Path) -> None:
    """Who means another server than the one that listens there does nothing to this one."""
    assert await ask(house.path, "account.list", {"most": 0}, on=tmp_path) == []
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert await ask(house.path, "account.list", {"most": 0}, on=link) == []
    for other in (tmp_path / "other", Path("/"), Path("/\0")):
        with pytest.raises(ConfigError, match=r"uses .*, not .*; leave out --data, or say with"):
            await ask(house.path, "account.delete", {"uin": ROMEO}, on=other)
    assert await house.ask("account.which", uins=[ROMEO]) == [{"uin": ROMEO}]


# --- garbage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n", "cannot read the request"),
        (b"GET / HTTP/1.1\r\n\r\n", "cannot read the request"),
        (b"\xff\xfe\n", "cannot read the request"),
        (b"[]\n", "cannot read the request"),
        (b'"do"\n', "cannot read the request"),
        (b"7\n", "cannot read the request"),
        (b'{"do": "status"}\n', "cannot read the request: 'with'"),
        (b'{"do": ["status"], "with": {}}\n', "`do` must be a name, `with` an object"),
        (b'{"do": "status", "with": []}\n', "`do` must be a name, `with` an object"),
        (b"[" * 100_000 + b"\n", "cannot read the request"),
        (b'{"do": "account.show", "with": {"uin": 1e999}}\n', "uin=inf is of the wrong type"),
        (b'{"do": "account.show", "with": {"uin": ' + b"9" * 5000 + b"}}\n", "cannot read the req"),
    ],
)
async def test_garbage_is_answered(house: House, data: bytes, words: str) -> None:
    """Whatever comes gets one answer in words, and the door stays open."""
    (answer,) = await house.say(data)
    assert words in answer["error"]
    assert answer["kind"] == "config"
    assert len(await house.ask("account.list")) == 3


async def test_huge_number(house: House) -> None:
    """A number that no database holds is nobody's."""
    with pytest.raises(ConfigError, match="uin=9999999999999999999999 cannot be; take 1 to"):
        await house.ask("account.show", uin=9999999999999999999999)


async def test_huge_request(house: House) -> None:
    """What is longer than any request is refused, with or without an end."""
    for end in (b"", b"\n"):
        (answer,) = await house.say(b"x" * (LONGEST + 1) + end)
        assert answer["error"] == f"the request is longer than {LONGEST} bytes"
    (answer,) = await house.say(b"x" * LONGEST + b"\n")
    assert "cannot read the request" in answer["error"]


async def test_who_goes_on_talking_is_cut_off(house: House) -> None:
    """After the request some bytes are passed over, not any number."""
    _, writer = await house.connect()
    writer.write(b"{}\n")
    await house.until(lambda: house.clock.due == 1 and not house.door.tasks)
    writer.write(b"x" * (2 * LONGEST))
    await house.until(lambda: house.visitors() == 0)
    writer.close()


async def test_only_the_first_request_counts(house: House) -> None:
    """One action to a connection."""
    line = b'{"do": "account.list", "with": {"most": 0}}\n'
    assert await house.say(line * 3) == [{"done": True, "list": True}]


async def test_request_in_pieces(house: House) -> None:
    """It may come byte by byte; who says no more after it is still answered."""
    reader, writer = await house.connect()
    for byte in b'{"do": "account.list", "with": {"most": 0}}\n':
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    assert await house.hear(reader) == [{"done": True, "list": True}]
    writer.close()


async def test_half_a_request(house: House) -> None:
    """A line that does not end is not done; who said nothing is told nothing."""
    request = b'{"do": "account.delete", "with": {"uin": 10001}}'
    (answer,) = await house.say(request, then_stop=True)
    assert answer["error"] == "the request ended before its line did"
    assert await house.say(b"", then_stop=True) == []
    assert await house.ask("account.which", uins=[ROMEO]) == [{"uin": ROMEO}]


async def test_slow_request(house: House) -> None:
    """After thirty seconds without a whole request that is told, and the connection ends."""
    reader, writer = await house.connect()
    writer.write(b'{"do": ')
    await house.until(lambda: house.clock.due == 1)
    house.clock.advance(TIME)
    (answer,) = await house.hear(reader)
    assert answer["error"] == f"the request did not come within {TIME:g} s"
    house.clock.advance(TIME)  # it does not close either
    await house.until(lambda: house.visitors() == 0)
    writer.close()


async def test_slow_reader(house: House) -> None:
    """Who does not read the answer is cut off after as long."""
    house.door.admin.store._database.execute(
        "WITH RECURSIVE numbers(n) AS (VALUES (20000) UNION ALL SELECT n + 1 FROM numbers"
        " WHERE n < 23000) INSERT INTO account (uin, nick, face, proof, created)"
        " SELECT n, ?, 0, 'x', 0 FROM numbers",
        "n" * 64,
    )
    _, writer = await house.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b'{"do": "account.list", "with": {}}\n')
    await house.until(lambda: house.clock.due == 1)
    await house.until(lambda: not house.door.tasks)
    assert house.visitors() == 1
    house.clock.advance(TIME)
    await house.until(lambda: house.visitors() == 0)
    writer.close()


async def test_too_many_visitors(house: House) -> None:
    """One more than there is room for is told so; when somebody goes, there is room again."""
    there = [await house.connect() for _ in range(VISITORS)]
    await house.until(lambda: house.visitors() == VISITORS)
    with pytest.raises(ConfigError, match="the server has 32 commands to do; try again"):
        await house.ask("account.list")
    there += [await house.connect() for _ in range(7 * VISITORS)]
    await house.until(lambda: house.visitors() == 8 * VISITORS)
    with pytest.raises(StoreError, match="went away before it answered"):
        await house.ask("account.list")
    for _, writer in there:
        writer.close()
    await house.until(lambda: house.visitors() == 0)
    assert len(await house.ask("account.list")) == 3


async def test_who_comes_after_the_end(house: House) -> None:
    """Who was let in while the door closed is cut off, so that nothing stays open."""
    await house.door.close()
    ours, theirs = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(
        lambda: admin_door._Visitor(house.door), ours
    )
    await house.until(lambda: house.visitors() == 0)
    assert theirs.recv(1) == b""
    theirs.close()


async def test_who_goes_away_has_it_done_all_the_same(house: House, slow: Any) -> None:
    """What was asked for is not given up half done."""
    begun, end = slow
    _, writer = await house.connect()
    writer.write(b'{"do": "slow", "with": {}}\n')
    await begun.wait()
    (task,) = house.door.tasks
    house.door._visitors.copy().pop().abort()  # as a broken connection does
    await house.until(lambda: house.visitors() == 0)
    end.set()
    await task
    writer.close()


# --- the socket ----------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_socket_is_its_owners(store: Store, tmp_path: Path, umask: int) -> None:
    """Nobody else may open it, whatever the umask, which is as it was afterwards."""
    house = House(store, tmp_path)
    before = os.umask(umask)
    try:
        await house.door.open()
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert mode(house.path) == 0o600
    await house.door.close()


async def test_socket_goes_with_the_server(house: House) -> None:
    """It is removed when the door is closed, which can be done twice."""
    await house.door.close()
    assert not house.path.exists()
    await house.door.close()
    with pytest.raises(NoServer, match="no server listens at"):
        await house.ask("account.list")


async def test_stale_socket_is_replaced(house: House, store: Store, tmp_path: Path) -> None:
    """A server that was killed leaves its socket; the next one takes the place."""
    (tmp_path / "elsewhere").mkdir()
    for path in (None, tmp_path / "elsewhere" / "admin.sock"):
        next_one = House(store, tmp_path, path)
        if path is not None:
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(path))
            with pytest.raises(NoServer):
                await next_one.ask("account.list")
        await next_one.door.open()
        assert len(await next_one.ask("account.list")) == 3
        await next_one.door.close()
        assert not next_one.path.exists()


async def test_socket_of_another_server_stays(store: Store, tmp_path: Path) -> None:
    """Outside the data folder two servers may be told the same path; the second does not start."""
    (tmp_path / "data").mkdir()
    first = House(store, tmp_path / "data", tmp_path / "admin.sock")
    second = House(store, tmp_path / "other", tmp_path / "admin.sock")
    await first.door.open()
    with pytest.raises(ConfigError, match=r"admin\.sock: another server listens there; name"):
        await second.door.open()
    assert len(await first.ask("account.list")) == 3
    await first.door.close()


async def test_server_with_much_to_do_counts_as_one(store: Store, tmp_path: Path) -> None:
    """One that does not take connections now is still there."""
    house = House(store, tmp_path / "data", tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(house.path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(str(house.path))
        with pytest.raises(ConfigError, match="another server listens there"):
            await house.door.open()
        for one in waiting:
            one.close()


async def test_file_that_is_no_socket_stays(store: Store, tmp_path: Path) -> None:
    """A path that was a slip deletes nothing."""
    file = tmp_path / "kqq.toml"
    file.write_text("precious")
    with pytest.raises(ConfigError, match="there is something else that is no socket; name anot"):
        await House(store, tmp_path, file).door.open()
    assert file.read_text() == "precious"


async def test_folder_that_is_not_there(store: Store, tmp_path: Path) -> None:
    """The error names the path, and what to do."""
    for name in ("nowhere", "n" * 120):
        path = tmp_path / name / "admin.sock"
        with pytest.raises(ConfigError, match=r"cannot make the socket .*: No such file or dir"):
            await House(store, tmp_path, path).door.open()
        with pytest.raises(NoServer):
            await ask(path, "status", {})


async def test_socket_that_cannot_be_bound(store: Store, tmp_path: Path) -> None:
    """A name that is too long for any file is told; no socket is left open."""
    path = tmp_path / ("n" * 300)
    with pytest.raises(ConfigError, match="File name too long"):
        await House(store, tmp_path, path).door.open()


async def test_long_path(store: Store, tmp_path: Path) -> None:
    """A path that is too long for a socket works, to listen and to ask."""
    folder = tmp_path / ("long " * 20) / ("path " * 20)
    folder.mkdir(parents=True)
    house = House(store, folder)
    assert len(os.fsencode(house.path)) > 200
    await house.door.open()
    assert mode(house.path) == 0o600
    assert len(await house.ask("account.list")) == 3
    await house.door.close()
    assert not house.path.exists()


async def test_socket_of_a_successor_stays(house: House, store: Store, tmp_path: Path) -> None:
    """Who closes late does not take away what is another's by now."""
    successor = House(store, tmp_path)
    await successor.door.open()
    await house.door.close()
    assert len(await successor.ask("account.list")) == 3
    house.path.unlink()
    await successor.door.close()  # it is gone already, and that is all right


# --- stopping ------------------------------------------------------------------------------------


async def test_closing_with_requests_open(house: House, slow: Any) -> None:
    """What is being done is done and answered; who has not asked yet is told."""
    begun, end = slow
    reader, writer = await house.connect()
    writer.write(b'{"do": ')
    asked = asyncio.create_task(house.ask("slow"))
    await begun.wait()
    await house.until(lambda: house.visitors() == 2)
    closing = asyncio.create_task(house.door.close())
    (answer,) = await house.hear(reader)
    assert answer["error"] == "the server stops"
    assert not closing.done()
    end.set()
    assert await asked == {"slow": True}
    await closing
    assert house.visitors() == 0
    writer.close()


async def test_closing_with_an_answer_unread(house: House) -> None:
    """Nobody who does not read keeps a server from stopping."""
    _, writer = await house.connect()
    writer.write(b'{"do": "account.list", "with": {}}\n')
    await house.until(lambda: house.clock.due == 1 and not house.door.tasks)
    await house.door.close()
    await house.until(lambda: house.visitors() == 0)
    writer.close()


async def test_server_stops_with_a_request_open(tmp_path: Path) -> None:
    """A whole server does, too, and the socket is gone."""
    async with Stage(tmp_path / "data") as stage:
        stage.add(ROMEO)
        await stage.sign_in(ROMEO)
        path = stage.config.admin_path
        assert [one["uin"] for one in await ask(path, "sessions", {})] == [ROMEO]
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"do"')
        await ask(path, "sessions", {})
    assert not path.exists()
    assert b"the server stops" in await reader.read()
    writer.close()


async def test_second_server_on_a_folder_is_refused(tmp_path: Path) -> None:
    """By the lock, before it could touch the socket of the first."""
    async with Stage(tmp_path / "data") as stage:
        with pytest.raises(ConfigError, match="another kqq serve uses"):
            await Stage(tmp_path / "data").start()
        assert await ask(stage.config.admin_path, "sessions", {}) == []


async def test_killed_server(tmp_path: Path) -> None:
    """The next one on the folder takes over the socket that was left."""
    async with Stage(tmp_path / "data") as stage:
        stage.add(ROMEO)
        await stage.die()
        wire = stage.connect()
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        sessions = await ask(stage.config.admin_path, "sessions", {})
        assert [one["uin"] for one in sessions] == [ROMEO]


# --- the other end -------------------------------------------------------------------------------


@asynccontextmanager
async def listening(path: Path, answer: bytes | None) -> AsyncIterator[None]:
    """Listen at a path as something that is no server of kqq; None says nothing at all."""
    visits = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(asyncio.current_task())
        await reader.readline()
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(speak, path)
    yield
    server.close()
    await asyncio.wait([visit for visit in visits if visit is not None])


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"", StoreError, "went away before it answered"),
        (b'{"object": {}}\n', StoreError, "went away before it answered"),
        (b"220 mail.example ESMTP\n", ConfigError, "what listens at .* is no server of kqq"),
        (b"7\n", ConfigError, "is no server of kqq"),
        (b"{}\n", ConfigError, "is no server of kqq"),
        (b'{"done": true, "list": false}\n', ConfigError, "is no server of kqq"),
        (b'{"error": "words", "kind": "new"}\n', ConfigError, "words"),
    ],
)
async def test_what_is_no_server(
    tmp_path: Path, answer: bytes, kind: type[Exception], words: str
) -> None:
    """Something else at the socket, or a server that dies, is told in words."""
    async with listening(tmp_path / "sock", answer):
        with pytest.raises(kind, match=words):
            await ask(tmp_path / "sock", "status", {})


async def test_server_that_resets(tmp_path: Path) -> None:
    """A connection that breaks is as a server that went away."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()  # with the request unread

    server = await asyncio.start_unix_server(reset, tmp_path / "sock")
    with pytest.raises(StoreError, match="went away before it answered"):
        await ask(tmp_path / "sock", "status", {"x": "x" * 1_000_000})
    server.close()


async def test_server_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end."""
    monkeypatch.setattr(admin_door, "_PATIENCE", 0.01)
    async with listening(tmp_path / "sock", None):
        with pytest.raises(TimedOut, match=r"has not answered within 0\.01 s; whether it did what"):
            await ask(tmp_path / "sock", "status", {})


async def test_socket_that_may_not_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of another user is there, and nothing is done in its place."""

    async def no(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", no)
    with pytest.raises(ConfigError, match=r"cannot ask the server at .*: Permission denied"):
        await ask(tmp_path / "sock", "status", {})
