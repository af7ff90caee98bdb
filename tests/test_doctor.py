"""The doctor: a server is asked, its doors are tried, a message goes round."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import pems
from kqq import __version__, doctor
from kqq.errors import KQQError, StoreError, UnexpectedReply
from kqq.protocol import http_response
from kqq.server import Config, Listen, Server
from kqq.server.admin_door import ask
from kqq.server.diagnosis import Finding, Level
from kqq.server.store import Account
from serving import quiet_port
from stage import JULIET, ROMEO, proof

HERE = Listen("127.0.0.1", 0)
EVERYWHERE = Listen("0.0.0.0", 0)
ELSEWHERE = "203.0.113.77"  # an address of nobody (RFC 5737)


class Report(list[Finding]):
    """What was reported."""

    def __call__(self, finding: Finding) -> None:
        """Take a finding; whatever is not ok must say what to do."""
        assert bool(finding.todo) == (finding.level is not Level.OK)
        self.append(finding)

    def of(self, check: str) -> list[tuple[str, str]]:
        """Return the levels and words of a check."""
        return [(one.level.value, one.words) for one in self if one.check == check]


@pytest.fixture
def report() -> Report:
    """What is reported."""
    return Report()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server of some people, at one door."""
    async with Server(Config(data=tmp_path, listen=(HERE,))) as server:
        for uin in (ROMEO, JULIET):
            server.store.add_account(Account(uin, f"n{uin}", 0, proof()), 0.0)
        yield server


def config_of(server: Server) -> Config:
    """Return its settings."""
    return server._config


async def look(config: Config, report: Report) -> list[str]:
    """Look at the server; return what it was said that is looked at."""
    said: list[str] = []
    await doctor.examine_server(config, report, said.append)
    return said


def numbers(server: Server) -> list[int]:
    """Return the numbers of all accounts."""
    return [account.uin for account in server.store.accounts()]


# --- the server ----------------------------------------------------------------------------------


async def test_all_is_well(tmp_path: Path, report: Report) -> None:
    """A server that phones can reach; nothing is left of what was done to it."""
    async with Server(Config(data=tmp_path, listen=(EVERYWHERE, EVERYWHERE))) as server:
        said = await look(config_of(server), report)
        ports = [door.port for door in server.listening]
        assert numbers(server) == []
    assert [one.level for one in report if one.check != "open files"] == [Level.OK] * 4
    assert report.of("server") == [("ok", f"kqq {__version__} runs; 0 signed in")]
    assert len(report.of("open files")) == 1
    for (_, words), port in zip(report.of("doors"), ports, strict=True):
        assert words.endswith(f":{port} can be reached, and speaks lines and HTTP")
        assert "0.0.0.0" not in words
    (message,) = report.of("message")
    assert message[1].startswith("a message in Chinese went from one account to another in ")
    assert said == [
        "the server",
        *(f"the door kqq://0.0.0.0:{port}" for port in ports),
        "a message in Chinese",
    ]


async def test_without_a_server_the_rest_is_done(tmp_path: Path, report: Report) -> None:
    """Nothing is said of its doors but what the settings say; a message goes another way."""
    port = quiet_port()
    await look(Config(data=tmp_path, listen=(HERE, Listen("127.0.0.1", port))), report)
    assert report.of("server") == [("warning", f"no server runs on {tmp_path}")]
    assert [level for level, _ in report.of("doors")] == ["warning"] * 2
    assert "for this machine only" in report.of("doors")[0][1]
    assert report.of("message") == [
        ("ok", "a message in Chinese went through a server made for it (no server runs)")
    ]
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240


async def test_another_program_at_the_door_is_a_problem(tmp_path: Path, report: Report) -> None:
    """The server could not start; a door on any free port is no matter."""
    async with listening(lambda _: b"") as port:
        door = Listen("127.0.0.1", port)
        await look(Config(data=tmp_path, listen=(door, HERE)), report)
    assert ("problem", f"another program has the port of {door}") in report.of("doors")


async def test_a_server_that_is_asked_elsewhere_is_a_problem(
    server: Server, report: Report
) -> None:
    """It has the folder, and its socket is another than the settings say."""
    data = config_of(server).data
    config = Config(data=data, listen=server.listening, admin_socket=data / "other.sock")
    await look(config, report)
    assert report.of("server") == [
        ("problem", f"a server uses {data}, but none answers at {data}/other.sock")
    ]
    assert [level for level, _ in report.of("doors")] == ["warning"]  # on its own port


async def test_a_folder_that_cannot_be_looked_into_is_nobodys(
    tmp_path: Path, report: Report
) -> None:
    """What is wrong with it is told elsewhere."""
    (tmp_path / "file").write_text("")
    (tmp_path / "lock").mkdir()
    for data in (tmp_path, tmp_path / "none"):
        await look(Config(data=data, listen=()), report)
    assert report.of("server") == [
        ("warning", f"no server runs on {data}") for data in (tmp_path, tmp_path / "none")
    ]


async def test_the_server_of_another_folder_is_a_problem(
    server: Server, report: Report, tmp_path: Path
) -> None:
    """Its accounts are not those of this folder."""
    (tmp_path / "mine").mkdir()
    config = Config(data=tmp_path / "mine", admin_socket=config_of(server).admin_path)
    await look(config, report)
    ((level, words),) = report.of("server")
    assert level == "problem"
    assert str(tmp_path / "mine") in words


async def test_a_server_that_does_not_answer_is_a_problem(
    tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for long."""
    monkeypatch.setattr(doctor, "_TIME", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "admin.sock"))
        silent.listen()
        assert await doctor._find(Config(data=tmp_path), report) is None
    assert report.of("server") == [("problem", "it gave no answer within 0.1 s")]


async def test_a_server_of_another_version_is_told(
    server: Server, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade the old one may still run."""
    monkeypatch.setattr(doctor, "__version__", "9.9.9")
    assert await doctor._find(config_of(server), report) is not None
    ((level, words),) = report.of("server")
    assert level == "warning"
    assert words.endswith("and this command is 9.9.9")


async def test_limits_are_those_of_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they cannot be told, it is those of a server that is started from here."""
    config = config_of(server)
    assert doctor._open_files(config, is_running=True).words.startswith("the server may ")
    for is_running in (True, False):
        monkeypatch.setattr("kqq.server.diagnosis.limit_of", lambda _: None)
        words = doctor._open_files(config, is_running=is_running).words
        assert words.startswith("a server started from here may ")


# --- doors ---------------------------------------------------------------------------------------


async def test_doors_are_tried_at_the_address_that_phones_are_told(tmp_path: Path) -> None:
    """A name, or an address."""
    for advertise in ("localhost", "127.0.0.1", ""):
        config = Config(data=tmp_path, listen=(EVERYWHERE,), advertise=advertise)
        async with Server(config) as server:
            found = await doctor._try_door(server.listening[0], advertise)
        assert found.level is Level.OK
        assert found.words.startswith(f"kqq://{advertise}")


async def test_doors_of_the_other_kind_of_address(tmp_path: Path) -> None:
    """IPv6, where there is one."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with Server(Config(data=tmp_path, listen=(Listen("::1", 0), Listen("::", 0)))) as server:
        for door in server.listening:
            assert (await doctor._try_door(door, "")).level is Level.OK


def has_ipv6() -> bool:
    """Return whether a door can be opened there."""
    with socket.socket(socket.AF_INET6) as door, contextlib.suppress(OSError):
        door.bind(("::1", 0))
        return True
    return False


async def test_doors_with_tls(tmp_path: Path, report: Report) -> None:
    """They speak the same; whether a client trusts the certificate is for it to say."""
    (tmp_path / "c.pem").write_text(pems.NEW)
    (tmp_path / "k.pem").write_text(pems.KEY)
    config = Config(
        data=tmp_path,
        listen=(Listen("127.0.0.1", 0, "kqqs"),),
        certificate=tmp_path / "c.pem",
        key=tmp_path / "k.pem",
    )
    async with Server(config):
        await look(config, report)
    assert ("warning", "all doors are for TLS; no client of the time knows that") in report.of(
        "doors"
    )
    assert report.of("doors")[-1][0] == "ok"
    assert "from one account to another" in report.of("message")[0][1]


async def test_doors_for_browsers(tmp_path: Path, report: Report) -> None:
    """They are asked what pages ask; without TLS they are for this machine only."""
    here, there = Listen("127.0.0.1", 0, "web"), Listen("0.0.0.0", 0, "web")
    async with Server(Config(data=tmp_path, listen=(EVERYWHERE, here, there))) as server:
        said = await look(config_of(server), report)
        one, other = server.web
    assert ("ok", f"http://127.0.0.1:{one.port} serves browsers") in report.of("doors")
    words = f"web://127.0.0.1:{other.port} serves browsers, and their passwords can be read"
    assert ("warning", words) in report.of("doors")
    assert f"the door {one}" in said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "answers otherwise"),
        (b"nonsense", "serves no browser: does not answer over HTTP"),
    ],
)
async def test_another_program_at_the_door_for_browsers(answer: bytes, why: str) -> None:
    """It is told from ours."""
    async with listening(lambda _: answer) as port:
        found = await doctor._try_web(Listen("127.0.0.1", port, "web"))
    assert found.level is Level.PROBLEM
    assert why in found.words
    found = await doctor._try_web(Listen("127.0.0.1", port, "web"))
    assert "serves no browser" in found.words


async def test_redirectors_are_tried_too(tmp_path: Path, report: Report) -> None:
    """Phones come there first."""
    other = Listen("127.0.0.1", quiet_port())
    config = Config(data=tmp_path, listen=(HERE,), redirector=(other, HERE))
    async with Server(config):
        await look(config, report)
    words = f"{other} can be reached, and speaks lines and HTTP"
    assert ("ok", words) in report.of("doors")


async def test_a_host_without_an_address_is_a_problem(server: Server) -> None:
    """Phones could not find it either."""
    for host in ("nobody.invalid", "a..b"):
        found = await doctor._try_door(server.listening[0], host)
        assert found.level is Level.PROBLEM
        assert found.words.startswith(f"the host {host} has no address: ")


async def test_a_door_that_nobody_opened_is_a_problem() -> None:
    """The address is this machine's, so there is no doubt."""
    door = Listen("127.0.0.1", quiet_port())
    found = await doctor._try_door(door, "")
    assert (found.level, found.words) == (
        Level.PROBLEM,
        f"{door} cannot be reached: Connection refused",
    )


async def test_an_address_of_the_router_may_be_reached_from_elsewhere_only(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That cannot be known from here; but that the door itself works can."""
    monkeypatch.setattr(doctor, "_TIME", 0.3)
    config_of(server).take_over(
        Config(data=config_of(server).data, listen=(HERE,), advertise=ELSEWHERE)
    )
    door = server.listening[0]
    found = await doctor._try_door(door, ELSEWHERE)
    assert found.level is Level.WARNING
    assert found.words.startswith(f"kqq://{ELSEWHERE}:{door.port} cannot be reached from this ")
    assert found.words.endswith("the door itself works")
    assert f"The router must send port {door.port} to 127.0.0.1." in found.todo
    closed = await doctor._try_door(Listen("127.0.0.1", quiet_port()), ELSEWHERE)
    assert closed.level is Level.PROBLEM


async def test_a_server_that_names_another_host_is_a_problem(tmp_path: Path) -> None:
    """Whoever asks it where it is would be sent there."""
    config = Config(data=tmp_path, listen=(HERE,), advertise="qq.example")
    async with Server(config) as server:
        found = await doctor._try_door(server.listening[0], "localhost")
    assert found.level is Level.PROBLEM
    assert "tells phones another address: " in found.words
    assert "socket://qq.example:" in found.words


RIGHT = b"VER=1.4&CMD=QUERY_STAT2&SEQ=1&UIN=10000&RES=20\r\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: b"", "answers a line otherwise than this server would: ''"),
        (lambda _: b"SSH-2.0\r\n", "answers a line otherwise than this server would: 'SSH-2.0"),
        (lambda _: RIGHT.replace(b"20\r", b"0\r"), "answers a line otherwise"),
        (lambda _: RIGHT, "does not answer over HTTP"),
        (lambda asked: b"" if asked.startswith(b"POST") else RIGHT, "does not answer over HTTP"),
        (
            lambda asked: http_response(b"hi") if asked.startswith(b"POST") else RIGHT,
            "answers a POST otherwise than this server would: 'hi'",
        ),
    ],
)
async def test_whatever_else_answers_is_a_problem(
    answer: Callable[[bytes], bytes], told: str
) -> None:
    """Another program, or something between."""
    async with listening(answer) as port:
        found = await doctor._try_door(Listen("127.0.0.1", port), "")
        assert found.level is Level.PROBLEM
        assert found.words.startswith(f"kqq://127.0.0.1:{port} ")
        assert told in found.words
        assert not await doctor._works(Listen("127.0.0.1", port), "127.0.0.1")


@contextlib.asynccontextmanager
async def listening(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Answer what comes first on each connection, then close it; give the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readline()))
        await writer.drain()
        writer.write_eof()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as other:
        yield other.sockets[0].getsockname()[1]


def test_this_machine_is_named_as_others_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address it has towards others, if it has any."""
    assert doctor._outward("qq.example") == "qq.example"
    assert doctor._outward("0.0.0.0") != "0.0.0.0"

    def refuse(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    class Alone(socket.socket):
        connect = refuse

    monkeypatch.setattr(socket, "socket", Alone)
    assert doctor._outward("0.0.0.0") == "127.0.0.1"
    assert doctor._outward("::") == "::1"


# --- a message -----------------------------------------------------------------------------------


async def test_a_server_that_shows_everybody_a_picture(tmp_path: Path, report: Report) -> None:
    """Nobody is there to read it, so the message goes through a server of its own."""
    async with Server(Config(data=tmp_path, listen=(HERE,), captcha="always")) as server:
        await doctor._send_message(config_of(server), server.listening, report)
        assert numbers(server) == []
    ((level, words),) = report.of("message")
    assert level == "ok"
    assert words.endswith("made for it (this one shows everybody a picture first)")


async def test_other_strictness_does_no_harm(tmp_path: Path, report: Report) -> None:
    """Accounts that nobody may add, addresses that failed too often."""
    settings: dict[str, Any] = {"who_may_add": "nobody", "captcha_failures": 1, "sign_ins_burst": 1}
    async with Server(Config(data=tmp_path, listen=(HERE,), **settings)) as server:
        server.store.add_account(Account(ROMEO, "Romeo", 0, proof()), 0.0)
        for _ in range(3):
            async with await doctor._client(server.listening[0]) as client:
                with contextlib.suppress(KQQError):
                    await client.sign_in(ROMEO, "wrong")
        await doctor._send_message(config_of(server), server.listening, report)
    assert report.of("message")[0][0] == "ok"


async def test_a_message_that_does_not_get_through_is_a_problem(
    server: Server, report: Report
) -> None:
    """Whatever stops it is told, and the accounts are gone."""
    nobody = Listen("127.0.0.1", quiet_port())
    await doctor._send_message(config_of(server), (nobody,), report)
    ((level, words),) = report.of("message")
    assert level == "problem"
    assert words.startswith("a message in Chinese did not get through: ")
    assert numbers(server) == [ROMEO, JULIET]


async def test_a_message_that_takes_too_long_is_a_problem(
    server: Server, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something answers and says nothing."""
    monkeypatch.setattr(doctor, "_TIME", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        door = Listen("127.0.0.1", silent.getsockname()[1])
        await doctor._send_message(config_of(server), (door,), report)
    ((level, words),) = report.of("message")
    assert level == "problem"
    assert "within 0.5 s" in words
    assert numbers(server) == [ROMEO, JULIET]


async def test_a_server_of_its_own_that_cannot_start_is_a_problem(
    tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for temporary files, say."""

    async def refuse(_: Server) -> None:
        raise StoreError("cannot make the data folder")

    monkeypatch.setattr(Server, "start", refuse)
    await doctor._send_message(Config(data=tmp_path), (), report)
    assert report.of("message") == [
        ("problem", "a message in Chinese did not get through: cannot make the data folder")
    ]


async def test_a_text_that_arrives_otherwise_is_refused(server: Server) -> None:
    """It must be the very text."""
    server.store.add_friends(ROMEO, JULIET)
    await server.store.add_message(ROMEO, JULIET, "something else", 0.0)
    with pytest.raises(UnexpectedReply, match="'something else' arrived"):
        await doctor._talk(
            lambda: doctor._client(server.listening[0]), [(ROMEO, "secret"), (JULIET, "secret")]
        )


async def test_what_others_say_meanwhile_is_passed_over(server: Server) -> None:
    """An announcement, say."""
    server.store.add_friends(ROMEO, JULIET)
    await server.store.add_message(10000, JULIET, "to everybody", 0.0)
    people = [(ROMEO, "secret"), (JULIET, "secret")]
    assert await doctor._talk(lambda: doctor._client(server.listening[0]), people) < 10


async def test_numbers_that_are_taken_are_left_alone(
    server: Server, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are tried; whose they are is deleted under no circumstances."""
    server.store.add_account(Account(doctor.LOWEST, "Paris", 0, proof()), 0.0)
    drawn = iter([0, 1, 0, 1, 2])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
    async with doctor._strangers(config_of(server), report) as people:
        assert [uin for uin, _ in people] == [doctor.LOWEST + 1, doctor.LOWEST + 2]
        assert server.store.are_friends(people[0][0], people[1][0])
    assert numbers(server) == [ROMEO, JULIET, doctor.LOWEST]
    assert report == []


async def test_when_all_numbers_are_taken(
    server: Server, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives up after some tries, and deletes nobody."""
    server.store.add_account(Account(doctor.LOWEST, "Paris", 0, proof()), 0.0)
    monkeypatch.setattr(secrets, "randbelow", lambda _: 0)
    await doctor._send_message(config_of(server), server.listening, report)
    ((level, words),) = report.of("message")
    assert level == "problem"
    assert f"there is an account {doctor.LOWEST} already" in words
    assert numbers(server) == [ROMEO, JULIET, doctor.LOWEST]


async def test_accounts_that_an_earlier_doctor_left_are_told(
    server: Server, report: Report
) -> None:
    """One that was killed could not delete them; those of other people do not count."""
    server.store.add_account(Account(doctor.LOWEST, "kqq doctor 1a2b", 0, proof()), 0.0)
    server.store.add_account(Account(doctor.LOWEST + 1, "somebody", 0, proof()), 0.0)
    server.store.add_account(Account(doctor.HIGHEST + 1, "kqq doctor", 0, proof()), 0.0)
    async with doctor._strangers(config_of(server), report):
        pass
    ((level, words),) = report.of("message")
    assert level == "warning"
    assert words == f"an earlier kqq doctor left accounts: {doctor.LOWEST}"


async def test_accounts_that_cannot_be_deleted_are_told(tmp_path: Path, report: Report) -> None:
    """The server went away meanwhile."""
    server = Server(Config(data=tmp_path, listen=()))
    await server.start()
    async with doctor._strangers(config_of(server), report) as people:
        await server.close()
    why = f"could not be deleted: no server listens at {tmp_path}/admin.sock"
    assert report.of("message") == [
        ("warning", f"the temporary account {uin} {why}")
        for uin in sorted(uin for uin, _ in people)
    ]


async def test_an_account_that_somebody_else_deleted_is_no_matter(
    server: Server, report: Report
) -> None:
    """It is gone, as it should be."""
    async with doctor._strangers(config_of(server), report) as people:
        await server.store.delete_account(people[0][0])
    assert numbers(server) == [ROMEO, JULIET]
    assert report == []


@pytest.mark.parametrize("after", range(10))
async def test_whoever_stops_the_doctor_leaves_no_account(
    server: Server, report: Report, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is stopped: while accounts are made, while they talk, while they go."""
    calls = 0

    async def counting(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        if calls == after:
            task.cancel()
        calls += 1
        return await ask(*arguments, **more)

    async def work() -> None:
        await doctor._send_message(config_of(server), server.listening, report)

    monkeypatch.setattr("kqq.doctor.ask", counting)
    task = asyncio.create_task(work())
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await settled()
    assert task.done()
    assert numbers(server) == [ROMEO, JULIET]


async def settled() -> None:
    """Let everything else that is under way come to its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.gather(*others, return_exceptions=True)


# --- everything ----------------------------------------------------------------------------------


def examined(config: Config, report: Report) -> None:
    """Look at everything."""
    doctor.examine(config, 1_800_000_000.0, report, lambda _: None)


def test_everything_is_looked_at_in_order(tmp_path: Path, report: Report) -> None:
    """Also where there is no folder yet: each check says what it can."""
    (tmp_path / "c.pem").write_text(pems.NEW)
    (tmp_path / "k.pem").write_text(pems.KEY)
    tls = {"certificate": tmp_path / "c.pem", "key": tmp_path / "k.pem"}
    examined(Config(data=tmp_path / "none", **tls), report)  # type: ignore[arg-type]
    checks = ["data folder", "clock", "certificate", "server", "open files", "doors", "message"]
    assert [one.check for one in report] == checks
    assert report.of("data folder") == [("problem", f"there is no folder {tmp_path}/none")]
    report.clear()
    (tmp_path / "some").mkdir(mode=0o700)
    examined(Config(data=tmp_path / "some"), report)
    checks = ["data folder", "disk", "database", "clock", "server", "open files", "doors"]
    assert [one.check for one in report] == [*checks, "message"]


async def test_work_that_must_end_ends(report: Report) -> None:
    """Whoever waits for it is stopped only once it is done."""
    begun, done = asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        begun.set()
        await asyncio.sleep(0)
        done = True

    async def wait(made: Coroutine[Any, Any, None]) -> None:
        await doctor._to_its_end(made)

    waiting = asyncio.create_task(wait(work()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done
