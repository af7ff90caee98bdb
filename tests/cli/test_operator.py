"""`kqq sessions`, `kick`, `announce`, `why` and `status`, on a server that runs."""

import asyncio
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from rich.cells import cell_len

from command import kqq, objects
from kqq.cli import operator
from kqq.cli.operator import _span
from kqq.client import Address, Client
from kqq.errors import NotSignedIn
from kqq.protocol import ServerMsg
from serving import serving
from stage import MD5, sign_in_line

ANNA, BO = 10001, 10002


@dataclass
class Live:
    """A server with Anna and somebody with a long Chinese name."""

    folder: Path
    address: Address

    def ask(self, *arguments: str, typed: str | bytes | None = None) -> Result:
        """Ask the server something."""
        return kqq(*arguments, "--data", str(self.folder), typed=typed)

    async def do(self, *arguments: str) -> Result:
        """Do so while clients are connected."""
        return await asyncio.to_thread(self.ask, *arguments)

    async def sign_in(self, uin: int) -> Client:
        """Return a client that is signed in."""
        client = await Client.connect(self.address)
        await client.sign_in(uin, "secret")
        return client

    def say(self, line: str) -> str:
        """Say a line on a connection of its own, and return what is answered, if anything is."""
        with socket.create_connection((self.address.host, self.address.port), 10) as link:
            link.sendall(f"{line}\r\n".encode())
            link.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A server in a thread."""
    folder = tmp_path / "data"
    with serving(folder, "Anna", "波" * 60) as server:
        yield Live(folder, Address.parse(server.address))


def run(work: Any) -> None:
    """Do what clients do."""
    asyncio.run(asyncio.wait_for(work, 20))


# --- sessions, kick, announce, status ------------------------------------------------------------


def test_sessions(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is signed in, in columns of 80 cells, or as JSON; in pages."""
    empty = live.ask("sessions")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", "nobody is signed in\n")
    assert live.ask("sessions", "--json").output == ""
    monkeypatch.setattr(operator, "_PAGE", 1)

    async def work() -> None:
        anna, bo = await live.sign_in(ANNA), await live.sign_in(BO)
        first, second = (await live.do("sessions")).stdout.splitlines()
        assert re.fullmatch(r"10001  online  TCP  \d s  127\.0\.0\.1:\d+  Anna", first)
        assert second.endswith("波…")
        assert cell_len(second) in {79, 80}
        listed = objects(await live.do("sessions", "--json"))
        assert [one["uin"] for one in listed] == [ANNA, BO]
        assert listed[1]["nick"] == "波" * 60
        await anna.close()
        await bo.close()

    run(work())


def test_kick(live: Live) -> None:
    """A session ends; with `--json` that is an object; who is not there cannot be kicked."""

    async def work() -> None:
        anna = await live.sign_in(ANNA)
        done = await live.do("kick", "10001", "--reason", "a break")
        assert (done.exit_code, done.output) == (0, "kicked 10001\n")
        with pytest.raises(NotSignedIn):
            await anna.friends()
        assert "a break" in (await live.do("why", "10001")).stdout
        await anna.sign_in(ANNA, "secret")
        done = await live.do("kick", "10001", "--json")
        assert objects(done) == [{"uin": ANNA, "reason": "kicked by the operator"}]
        await anna.close()

    run(work())
    refused = live.ask("kick", "10001")
    assert (refused.exit_code, refused.stderr) == (2, "kqq: 10001 is not signed in\n")


def test_announce(live: Live) -> None:
    """To everybody or to some, from an argument or standard input."""

    async def work() -> None:
        anna = await live.sign_in(ANNA)
        assert (await live.do("announce", "维护")).stdout == "sent to 2\n"
        typed = await asyncio.to_thread(
            live.ask, "announce", "-", "--to", "10001", "--json", typed="今晚\n十点\n"
        )
        assert objects(typed) == [{"sent": 1}]
        texts = []
        async for push in anna.events():
            assert isinstance(push, ServerMsg)
            assert push.sender == 10000
            texts.append(push.text)
            if len(texts) == 2:
                break
        assert texts == ["维护", "今晚\n十点"]
        await anna.close()

    run(work())


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (("",), None, "text='' cannot be; take 1 to 16000 characters"),
        (("-",), "\n", "cannot be; take 1 to 16000 characters"),
        (("-",), b"\xff\n", "standard input is not UTF-8"),
        (("\udcff",), None, "the text is no UTF-8"),
        (("x", "--to", "20000"), None, "there is no account 20000"),
    ],
)
def test_announcement_that_will_not_do(
    live: Live, arguments: tuple[str, ...], typed: str | bytes | None, told: str
) -> None:
    """One line says why, exit code 2, and nobody gets anything."""
    result = live.ask("announce", *arguments, typed=typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_health(live: Live) -> None:
    """What the server is and does."""

    async def work() -> None:
        anna = await live.sign_in(ANNA)
        lines = (await live.do("health")).stdout.splitlines()
        assert re.fullmatch(r"kqq \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d", lines[0])
        assert lines[1:] == [
            f"data {live.folder}",
            f"door kqq://127.0.0.1:{live.address.port}",
            "2 accounts, 1 signed in (0 over HTTP), 1 connection",
        ]
        (found,) = objects(await live.do("health", "--json"))
        assert (found["accounts"], found["sessions"]) == (2, {"connection": 1, "http": 0, "web": 0})
        await anna.close()

    run(work())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (3599.0, "59 min"),
        (3600.0, "1 h"),
        (86399.0, "23 h"),
        (200_000.0, "2 d"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    """A time is told in its largest unit, and never more than it was."""
    assert _span(seconds) == words


# --- without a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("sessions",), ("kick", "10001"), ("announce", "x"), ("why", "10001"), ("health",)],
)
def test_no_server_is_exit_code_3(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """So that a script can tell it from a mistake; no folder is made for it."""
    result = kqq(*arguments, "--data", str(tmp_path / "data"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(
        f"kqq: no server runs on {tmp_path / 'data'}; start `kqq serve`"
    )
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()
    help_text = " ".join(kqq(arguments[0], "--help").stdout.split())
    assert "xit code" in help_text
    assert "3 if no" in help_text


# --- why -----------------------------------------------------------------------------------------


def test_why_of_somebody_signed_in(live: Live) -> None:
    """Exit code 0; from where is told, by number and by address."""

    async def work() -> None:
        anna = await live.sign_in(ANNA)
        for who in ("10001", "127.0.0.1"):
            found = await live.do("why", who)
            assert (found.exit_code, found.stderr) == (0, "")
            assert re.search(
                r"10001 is signed in from 127\.0\.0\.1:\d+ over TCP, online, for \d s\.\n$",
                found.stdout,
            )
            (told,) = objects(await live.do("why", who, "--json"))
            assert told["advice"] is None
        await anna.close()

    run(work())


def test_why_of_somebody_who_is_not(live: Live) -> None:
    """Exit code 1; the last three attempts, or all, and one sentence at the end."""
    nothing = live.ask("why", "10001")
    assert nothing.exit_code == 1
    assert nothing.stdout.startswith("Nothing is known of 10001: nothing of it has reached the")
    for _ in range(2):
        assert "RA=Password error" in live.say(sign_in_line(ANNA, password="0" * 32))
    live.say(sign_in_line(ANNA).replace("VER=1.4", "VER=9.9") + "&波=" + "波" * 60)
    live.say(sign_in_line(ANNA, password="0" * 32))
    found = live.ask("why", "10001")
    assert (found.exit_code, found.stderr) == (1, "")
    assert max(map(cell_len, found.stdout.splitlines())) <= 80
    assert found.stdout.count("over TCP, door") == 3
    assert "the password is wrong" in found.stdout
    assert "PS=***" in found.stdout
    assert MD5 not in found.stdout
    assert "the password is wrong (3 times" not in found.stdout
    everything = live.ask("why", "--all", "10001")
    assert everything.stdout.count("over TCP, door") == 4
    told: Any = objects(live.ask("why", "10001", "--json"))[0]
    assert len(told["attempts"]) == 3
    assert told["advice"]


def test_why_of_nobody(live: Live) -> None:
    """A number that is no account's; what is no number; an address that nothing came from."""
    unknown = live.ask("why", "10009")
    assert unknown.exit_code == 1
    assert unknown.stdout == (
        "There is no account 10009; check the number, or add it with `kqq account add`.\n"
    )
    assert live.ask("why", "[::1]").stdout.startswith("Nothing is known of ::1: ")
    refused = live.ask("why", "Anna")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "'Anna' is neither a number nor an address" in refused.stderr


def test_why_of_somebody_suspended(live: Live) -> None:
    """What the operator has forgotten to have done."""
    kqq("account", "suspend", "10001", "--reason", "波" * 60, "--data", str(live.folder))
    found = live.ask("why", "10001")
    assert found.exit_code == 1
    assert max(map(cell_len, found.stdout.splitlines())) <= 80
    assert "10001 is suspended" in found.stdout
    assert "`kqq account resume 10001` ends that." in " ".join(found.stdout.split())
