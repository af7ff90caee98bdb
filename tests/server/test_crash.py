"""What RES=0 promised outlasts `kill -9`: a real process, a real socket, a real kill."""

import itertools
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import process
from kqq.server.database import Database, prepare_folder
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO, WAIT, add_person, request, sign_in_line

KQQ = [sys.executable, "-m", "kqq"]


class Process(process.Process):
    """A server in a process of its own, with phones to sign in on."""

    def sign_in(self, uin: int) -> "Phone":
        """Return a phone that `uin` is signed in on."""
        phone = Phone(self.port)
        phone.say(sign_in_line(uin))
        assert "&RES=0&RS=0&" in phone.hear()
        return phone


class Phone:
    """A raw socket that speaks lines."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self._file = self._socket.makefile("rb")

    def say(self, *lines: str) -> None:
        """Send lines."""
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        """Return the next line, "" when the connection is over."""
        try:
            raw = self._file.readline()
        except ConnectionError:
            return ""
        return raw.decode().removesuffix("\r\n") if raw.endswith(b"\r\n") else ""

    def hear_texts(self) -> Iterator[str]:
        """Give the texts of the messages that come, until the connection is over."""
        while line := self.hear():
            if "&CMD=Server_Msg&" in line:
                yield line.partition("&MG=")[2]

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()


def message(sender: int, to: int, text: str) -> str:
    """Return the line that sends `text`; its SEQ is the number that `text` ends in."""
    return request("CLTMSG", sender, f"UN={to}&MG={text}", seq=int(text.rpartition("-")[2]))


def acknowledged(phone: Phone) -> Iterator[int]:
    """Give the SEQ of each message that is answered RES=0, until the connection is over."""
    while line := phone.hear():
        assert "&CMD=CLTMSG&" in line, line
        assert line.endswith("&RES=0"), line
        yield int(line.partition("&SEQ=")[2].partition("&")[0])


def run(*arguments: str) -> None:
    """Run a command of kqq."""
    subprocess.run([*KQQ, *arguments], check=True, capture_output=True, timeout=WAIT)


def test_message_outlasts_kill(tmp_path: Path) -> None:
    """A message answered RES=0 is delivered by the next server, though the first was killed."""
    data = tmp_path / "data"
    for uin in (ROMEO, JULIET):
        number = str(uin)
        run("account", "add", number, "--nick", "n", "--password", "secret", "--data", str(data))
    run("account", "friend", str(ROMEO), str(JULIET), "--data", str(data))
    with ExitStack() as stack:
        for text in ("first-1", "second-2"):
            server = Process(data)
            stack.callback(server.close)
            with closing(server.sign_in(ROMEO)) as romeo:
                romeo.say(message(ROMEO, JULIET, text))
                assert next(acknowledged(romeo)) == int(text[-1])
                server.kill()
        server = Process(data)
        stack.callback(server.close)
        with closing(server.sign_in(JULIET)) as juliet:
            assert list(itertools.islice(juliet.hear_texts(), 2)) == ["first-1", "second-2"]
        # What was delivered is not delivered again.
        with closing(server.sign_in(ROMEO)) as romeo, closing(server.sign_in(JULIET)) as juliet:
            romeo.say(message(ROMEO, JULIET, "third-3"))
            assert next(juliet.hear_texts()) == "third-3"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_away", [True, False], ids=["away", "online"])
def test_kill_at_any_moment(tmp_path: Path, seed: int, is_away: bool) -> None:
    """Every message answered RES=0 arrives, in order per sender; to somebody away just once."""
    chance = random.Random(seed)
    store = Store(database := Database(prepare_folder(tmp_path)))
    for uin in (ROMEO, JULIET, PARIS):
        add_person(store, uin)
    store.add_friends(ROMEO, JULIET)
    store.add_friends(PARIS, JULIET)
    database._reader.close()
    senders = {ROMEO: "romeo", PARIS: "paris"}
    with ExitStack() as stack:
        server = Process(tmp_path)
        stack.callback(server.close)
        juliet = None if is_away else stack.enter_context(closing(server.sign_in(JULIET)))
        phones = {uin: stack.enter_context(closing(server.sign_in(uin))) for uin in senders}
        for uin, phone in phones.items():
            phone.say(*(message(uin, JULIET, f"{senders[uin]}-{n}") for n in range(1, 201)))
        wanted = chance.randint(1, 150)
        acks: dict[int, list[int]] = {}
        acks[ROMEO] = list(itertools.islice(acknowledged(phones[ROMEO]), wanted))
        server.kill()
        heard = [] if juliet is None else list(juliet.hear_texts())
        acks[ROMEO] += acknowledged(phones[ROMEO])
        acks[PARIS] = list(acknowledged(phones[PARIS]))
        assert len(acks[ROMEO]) >= wanted

        server = Process(tmp_path)
        stack.callback(server.close)
        with closing(server.sign_in(JULIET)) as juliet, closing(server.sign_in(ROMEO)) as romeo:
            romeo.say(message(ROMEO, JULIET, "end-0"))
            again = list(itertools.takewhile(lambda text: text != "end-0", juliet.hear_texts()))
        for uin, name in senders.items():
            before = [int(text[6:]) for text in heard if text.startswith(name)]
            after = [int(text[6:]) for text in again if text.startswith(name)]
            last = (before + after)[-1] if before + after else 0
            assert acks[uin] == list(range(1, len(acks[uin]) + 1))
            assert last >= len(acks[uin])
            assert before == list(range(1, len(before) + 1))
            assert after == list(range(last - len(after) + 1, last + 1))
            assert len(before) + len(after) >= last
            if is_away:
                assert after == list(range(1, last + 1))
