"""`kqq send`, `friends`, `listen` and `chat`."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path

import pytest

from command import as_anna, kqq, objects
from kqq.client import Client
from kqq.protocol import Status
from serving import Serving, serving


def test_friends_are_listed(address: str) -> None:
    """Number, status and name; as JSON with the code."""
    assert as_anna(address, "friends").stdout == "10002      offline         小波\n"
    assert objects(as_anna(address, "friends", "--json")) == [
        {"uin": 10002, "nick": "小波", "face": 0, "status": "offline", "code": 20}
    ]


def test_a_message_is_sent_and_heard(address: str) -> None:
    """`send` says it, from the argument or standard input; `listen` prints it as it comes."""
    assert as_anna(address, "send", "10002", "hi & bye\n你好").exit_code == 0
    assert as_anna(address, "send", "10002", "-", typed="typed\n").exit_code == 0
    command = [sys.executable, "-m", "kqq", "listen", "--server", address, "--uin", "10002"]
    listening = subprocess.Popen(
        [*command, "--password-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with listening:
        assert listening.stdin is not None
        assert listening.stdout is not None
        listening.stdin.write("secret\n")
        listening.stdin.close()
        heard = [listening.stdout.readline() for _ in range(3)]
        assert heard == ["10001: hi & bye\n", "    你好\n", "10001: typed\n"]
        listening.send_signal(signal.SIGINT)
        assert listening.wait(10) == 0


def test_messages_that_waited_are_shown_by_whatever_signs_in(tmp_path: Path) -> None:
    """The server has them no longer after a sign-in, so `friends` and `send` must not drop them."""
    with serving(tmp_path, "Anna", "小波") as server:
        options = ("--server", server.address, "--uin", "10002")
        for command in (("friends",), ("send", "10001", "hi"), ("send", "10999", "hi")):
            as_anna(server.address, "send", "10002", "you\nthere?")
            result = kqq(command[0], *options, *command[1:], KQQ_PASSWORD="secret")
            assert "message from 10001: you\n    there?\n" in result.stderr


def test_nothing_is_not_sent(address: str) -> None:
    """An empty text is wrong usage."""
    result = as_anna(address, "send", "10002", "")
    assert result.exit_code == 2
    assert "there is no text to send" in result.stderr


def test_a_text_too_long_for_a_line_is_refused_here(address: str) -> None:
    """What the server could not take is not sent, and the limit is told."""
    result = as_anna(address, "send", "10002", "x" * 70000)
    assert result.exit_code == 1
    assert "the limit is 65536" in result.stderr


def test_a_piped_chat_says_that_something_failed(address: str) -> None:
    """A script can see that not all it typed was done."""
    assert as_anna(address, "chat", typed="/to 10999\n").exit_code == 1


def test_ctrl_c_ends_a_client_in_good_order(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in `listen` and `chat` is how they end: exit code 0."""

    def interrupted(work: Coroutine[object, object, None]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", interrupted)
    assert as_anna(address, "listen").exit_code == 0


def test_listen_can_end_by_itself(tmp_path: Path) -> None:
    """When --count have come it signs out; what came with them is printed, too, not lost."""
    with serving(tmp_path, "Anna", "小波") as server:
        for text in ("one", "two"):
            as_anna(server.address, "send", "10002", text)
        options = ("--server", server.address, "--uin", "10002", "--count", "1")
        first = kqq("listen", *options, KQQ_PASSWORD="secret")
        assert (first.exit_code, first.stdout) == (0, "10001: one\n10001: two\n")


def _talk_and_stop(server: Serving) -> None:
    """As Anna wait until 小波 listens, send something, and stop the server when it is stored."""

    async def talk() -> None:
        async with await Client.connect(server.address) as anna:
            await anna.sign_in(10001, "secret")
            while (await anna.statuses())[10002] != Status.ONLINE:
                await anext(anna.events())
            await anna.send(10002, "more")
            await anna.change_status(Status.AWAY)

    asyncio.run(talk())
    server.stop()


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_listen_prints_until_the_server_goes(tmp_path: Path, option: tuple[str, ...]) -> None:
    """Messages and statuses, in words or as JSON, then the reason and exit code 3."""
    with serving(tmp_path, "Anna", "小波") as server:
        as_anna(server.address, "send", "10002", "hi\nyou")
        talking = threading.Thread(target=_talk_and_stop, args=(server,))
        talking.start()
        options = ("--server", server.address, "--uin", "10002", *option)
        result = kqq("listen", *options, KQQ_PASSWORD="secret")
        talking.join()
    assert result.exit_code == 3
    assert "the server closed the connection" in result.stderr
    if option:
        heard = objects(result)
        assert {"type": "message", "from": 10001, "text": "hi\nyou", "kind": 9} in heard
        assert {"type": "message", "from": 10001, "text": "more", "kind": 9} in heard
        assert {"type": "status", "uin": 10001, "status": "away", "code": 30} in heard
    else:
        assert "10001: hi\n    you\n" in result.stdout
        assert "10001: more\n" in result.stdout
        assert "10001 is away\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "password", "code", "told"),
    [
        (("send", "10999", "x"), "secret", 1, "no such number"),
        (("send", "10001", "x"), "secret", 1, "RES=1"),
        (("friends",), "wrong", 1, "Password error"),
    ],
)
def test_what_the_server_refuses_is_exit_code_1(
    address: str, arguments: tuple[str, ...], password: str, code: int, told: str
) -> None:
    """The server's no is one line on standard error."""
    command, *rest = arguments
    options = ("--server", address, "--uin", "10001")
    result = kqq(command, *options, *rest, KQQ_PASSWORD=password)
    assert result.exit_code == code
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_address_is_exit_code_2() -> None:
    """A server address that is none is wrong usage."""
    assert as_anna("127.0.0.1", "friends").exit_code == 2


def test_chat_goes_through_pipes(address: str) -> None:
    """`kqq chat` says what is typed and leaves at the end of input."""
    result = as_anna(address, "chat", "--plain", typed="/friends\n/quit\n")
    assert result.exit_code == 0
    assert "小波 (10002): offline" in result.stdout
