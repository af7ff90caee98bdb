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
        if "&CMD=CLTMSG&" in line:
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


KINDS = ("away", "reads", "does not read", "signs in elsewhere", "is flooded")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_kill_at_any_moment(tmp_path: Path, seed: int, kind: str) -> None:
    """Every message answered RES=0 arrives, in order per sender, whatever Juliet was doing.

    To somebody away it arrives just once; else it may come again after the kill, never out of turn.
    """
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
        juliets = []
        if kind != "away":
            juliets.append(stack.enter_context(closing(server.sign_in(JULIET))))
        if kind == "is flooded":  # by herself, with more than she may ask
            juliets[0].say(*(request("Query_Stat2", JULIET, "CM=2&UN=0") for _ in range(2000)))
        size = 8000 if kind == "does not read" else 1
        phones = {uin: stack.enter_context(closing(server.sign_in(uin))) for uin in senders}
        for uin, phone in phones.items():
            texts = (f"{senders[uin]}-{'x' * size}-{n}" for n in range(1, 200))
            phone.say(*(message(uin, JULIET, text) for text in texts))
        wanted = chance.randint(1, 150)
        answered = acknowledged(phones[ROMEO])
        acks: dict[int, list[int]] = {ROMEO: list(itertools.islice(answered, wanted // 2))}
        if kind == "signs in elsewhere":
            juliets.append(stack.enter_context(closing(server.sign_in(JULIET))))
        acks[ROMEO] += itertools.islice(answered, wanted - wanted // 2)
        server.kill()
        heard = [list(juliet.hear_texts()) for juliet in juliets]
        acks[ROMEO] += answered
        acks[PARIS] = list(acknowledged(phones[PARIS]))
        assert len(acks[ROMEO]) >= wanted

        server = Process(tmp_path)
        stack.callback(server.close)
        with closing(server.sign_in(JULIET)) as juliet, closing(server.sign_in(ROMEO)) as romeo:
            romeo.say(message(ROMEO, JULIET, "end-0"))
            heard.append(
                list(itertools.takewhile(lambda text: text != "end-0", juliet.hear_texts()))
            )
        for uin, name in senders.items():
            assert acks[uin] == list(range(1, len(acks[uin]) + 1))
            end = 0
            for texts_heard in heard:
                mine = [text for text in texts_heard if text.startswith(name)]
                numbers = [int(text.rpartition("-")[2]) for text in mine]
                if numbers:
                    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
                    assert numbers[0] <= end + 1
                    assert numbers[0] == 1 or kind != "away"
                    end = numbers[-1]
            assert end >= len(acks[uin])
