"""`kqq send`, `listen`, `status` and `chat`."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from command import as_anna, kqq, objects
from kqq.cli.client import _known
from kqq.client import Client, Fate, Message
from kqq.client.history import History
from kqq.errors import ConfigError
from kqq.protocol import Status, UpdateStat
from kqq.words import Exit
from serving import Serving, quiet_port, serving

# --- send


def test_a_message_is_sent_and_heard(address: str) -> None:
    """`send` says it, from the argument or standard input; `listen` prints it as it comes."""
    assert as_anna(address, "send", "10002", "hi & bye\n你好").exit_code == 0
    assert as_anna(address, "send", "小波", "-", typed="typed\n").exit_code == 0
    with _listening(address) as listening:
        assert listening.stdout is not None
        heard = [listening.stdout.readline() for _ in range(3)]
        assert heard == ["Anna (10001): hi & bye\n", "    你好\n", "Anna (10001): typed\n"]
        listening.send_signal(signal.SIGINT)
        assert listening.wait(10) == 0


def test_messages_that_waited_are_shown_by_whatever_signs_in(tmp_path: Path) -> None:
    """The server has them no longer after a sign-in, so `friends` and `send` must not drop them."""
    with serving(tmp_path, "Anna", "小波") as server:
        options = ("--server", server.address, "--uin", "10002")
        for command in (("friends",), ("send", "10001", "hi"), ("send", "10999", "hi")):
            as_anna(server.address, "send", "10002", "you\nthere?")
            result = kqq(command[0], *options, *command[1:], KQQ_PASSWORD="secret")
            assert "message from Anna (10001): you\n    there?\n" in result.stderr


def test_what_was_sent_and_came_is_in_the_history(tmp_path: Path) -> None:
    """What came while something was sent is unread there; without a history nothing is kept."""
    with serving(tmp_path, "Anna", "小波") as server:
        for text, *option in (("kept",), ("not kept", "--no-history")):
            as_anna(server.address, "send", "10002", text, *option)
        options = ("--server", server.address, "--uin", "10002")
        kqq("send", *options, "10001", "answer", KQQ_PASSWORD="secret")
        with History.open() as history:
            anna, bo = history.diaries()
            assert [one.text for one in anna.recent()] == ["kept"]
            assert {one.text for one in bo.recent()} == {"kept", "not kept", "answer"}
            assert bo.unread() == {10001: 2}


def test_what_an_earlier_command_could_not_send_goes_out_now(tmp_path: Path) -> None:
    """And whoever runs a command is told what became of it."""
    with serving(tmp_path, "Anna", "小波") as server:
        with History.open() as history:
            diary = history.diary(10001, server.address)
            for key, uin in (("1", 10002), ("2", 10999)):
                diary.add(Message(key, uin, "late", 1e9, Fate.WAITING), mark=f"123456789{key}")
        result = as_anna(server.address, "send", "10002", "now")
        assert "Sent to 小波 (10002): late\n" in result.stderr
        assert "Not sent to 10999: late\n    The server did not take it: " in result.stderr
        listened = kqq(
            "listen", "--count", "2", "--server", server.address, "--uin", "10002",
            KQQ_PASSWORD="secret",
        )  # fmt: skip
        assert listened.stdout == "Anna (10001): late\nAnna (10001): now\n"


def test_a_program_learns_which_message_it_was(address: str) -> None:
    """The key finds it again in the history."""
    (sent,) = objects(as_anna(address, "send", "小波", "hi", "--json"))
    assert sent["to"] == 10002
    with History.open() as history:
        message = history.diary(10001, address).message(str(sent["key"]))
    assert message is not None
    assert (message.text, message.fate) == ("hi", Fate.SENT)


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


# --- listen


def test_ctrl_c_ends_a_client_in_good_order(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in `listen`, `status` and `chat` is how they end: exit code 0."""

    def interrupted(work: Coroutine[object, object, None]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", interrupted)
    for command in (("listen",), ("status", "away"), ("chat", "--plain")):
        assert as_anna(address, *command).exit_code == 0


def test_listen_can_end_by_itself(tmp_path: Path) -> None:
    """When --count have come it signs out; what came with them is printed, too, not lost."""
    with serving(tmp_path, "Anna", "小波") as server:
        for text in ("one", "two"):
            as_anna(server.address, "send", "10002", text)
        options = ("--server", server.address, "--uin", "10002", "--count", "1")
        first = kqq("listen", *options, KQQ_PASSWORD="secret")
        assert (first.exit_code, first.stdout) == (0, "Anna (10001): one\nAnna (10001): two\n")
        with History.open() as history:
            assert history.diary(10002, server.address).unread() == {}


def test_listen_can_listen_to_one_person(tmp_path: Path) -> None:
    """What others say is kept, unread."""
    with serving(tmp_path, "Anna", "Bo", "Cy") as server:
        options = ("--server", server.address)
        for uin in ("10002", "10003"):
            kqq("send", *options, "--uin", uin, "10001", f"I am {uin}", KQQ_PASSWORD="secret")
        heard = as_anna(server.address, "listen", "--from", "Cy", "--count", "1")
        assert heard.stdout == "Cy (10003): I am 10003\n"
        with History.open() as history:
            assert history.diary(10001, server.address).unread() == {10002: 1}


def test_whom_to_listen_to_must_be_clear(address: str) -> None:
    """A nickname that nobody has is wrong usage."""
    result = as_anna(address, "listen", "--from", "Romeo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Romeo is no friend of yours" in result.stderr


def test_a_reader_that_goes_ends_listen(address: str) -> None:
    """As in `kqq listen | head -1`: exit code 0 with the next message, and no word about it."""
    as_anna(address, "send", "10002", "one")
    listening = _listening(address)
    with listening:
        assert listening.stdout is not None
        assert listening.stderr is not None
        listening.stdout.readline()
        listening.stdout.close()
        as_anna(address, "send", "10002", "two")
        assert listening.wait(10) == 0
        assert "rror" not in listening.stderr.read()


def _listening(address: str) -> "subprocess.Popen[str]":
    """Return a `kqq listen` as 小波."""
    command = [sys.executable, "-m", "kqq", "listen", "--server", address, "--uin", "10002"]
    listening = subprocess.Popen(
        [*command, "--password-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listening.stdin is not None
    listening.stdin.write("secret\n")
    listening.stdin.close()
    return listening


def _talk_and_stop(server: Serving) -> None:
    """As Anna wait until 小波 listens, send something, and stop the server when it was heard."""

    async def talk() -> None:
        async with await Client.connect(server.address) as anna:
            await anna.sign_in(10001, "secret")
            while (await anna.statuses())[10002] != Status.ONLINE:
                await anext(anna.events())
            await anna.change_status(Status.AWAY)
            await anna.send(10002, "more")

    asyncio.run(talk())
    with History.open() as history:
        diary = history.diary(10002, server.address)
        while "more" not in [one.text for one in diary.recent()]:
            time.sleep(0.01)
    server.stop()


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_listen_prints_until_the_server_goes(tmp_path: Path, option: tuple[str, ...]) -> None:
    """Messages and statuses, in words or as JSON; with --once then the reason and exit code 3."""
    with serving(tmp_path, "Anna", "小波") as server:
        as_anna(server.address, "send", "10002", "hi\nyou")
        talking = threading.Thread(target=_talk_and_stop, args=(server,))
        talking.start()
        options = ("--server", server.address, "--uin", "10002", "--once", *option)
        result = kqq("listen", *options, KQQ_PASSWORD="secret")
        talking.join()
    assert result.exit_code == 3
    assert "the connection" in result.stderr
    if option:
        heard = objects(result)
        kinds = [one["type"] for one in heard]
        assert kinds[:2] == ["connecting", "signed-in"]
        assert "roster" in kinds
        assert kinds[-1] == "lost"
        said = [(one["from"], one["text"]) for one in heard if one["type"] == "message"]
        assert said == [(10001, "hi\nyou"), (10001, "more")]
        away = {"type": "status", "uin": 10001, "nick": "Anna", "status": "away", "code": 30}
        assert away in heard
    else:
        assert "Anna (10001): hi\n    you\n" in result.stdout
        assert "Anna (10001): more\n" in result.stdout
        assert "Anna (10001) is away.\n" in result.stdout
        assert "10002 is signed in at tcp://" in result.stderr


# --- what fails


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


def test_nobody_there_is_exit_code_3() -> None:
    """And it is told what was tried."""
    result = as_anna(f"tcp://127.0.0.1:{quiet_port()}", "friends")
    assert result.exit_code == 3
    assert "cannot connect to tcp://127.0.0.1:" in result.stderr


# --- status


def test_how_one_is_is_shown(address: str) -> None:
    """Number, status, server, and what is new."""
    result = as_anna(address, "status", "--status", "busy")
    assert result.stdout == (
        f"10001 is busy at {address}; friends: 1, 0 of them are there; unread messages: 0\n"
    )
    assert objects(as_anna(address, "status", "--hidden", "--json")) == [
        {
            "uin": 10001,
            "status": "hidden",
            "code": 40,
            "server": address,
            "friends": 1,
            "online": 0,
            "unread": 0,
        }
    ]


def test_a_status_lasts_as_long_as_it_is_wanted(address: str) -> None:
    """Friends see it, and the sign-out when the time is over."""
    seen: list[int] = []

    async def watch() -> None:
        async with await Client.connect(address) as bo:
            await bo.sign_in(10002, "secret")
            watching.set()
            async for push in bo.events():
                seen.extend([push.status] if isinstance(push, UpdateStat) else [])
                if seen[-1:] == [Status.OFFLINE]:
                    return

    watching = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(watch(),))
    thread.start()
    watching.wait(10)
    result = as_anna(address, "status", "away", "--for", "0.1")
    thread.join(10)
    assert result.exit_code == 0
    assert "1 of them are there" in result.stdout
    assert seen == [Status.ONLINE, Status.AWAY, Status.OFFLINE]


# --- chat


def test_a_piped_chat_says_that_something_failed(address: str) -> None:
    """A script can see that not all it typed was done."""
    assert as_anna(address, "chat", typed="/to 10999\n").exit_code == 1


def test_chat_goes_through_pipes(address: str) -> None:
    """`kqq chat` says what is typed and leaves at the end of input."""
    result = as_anna(address, "chat", "小波", typed="/friends\n/quit\n")
    assert result.exit_code == 0
    assert "小波 (10002): offline" in result.stdout


def test_chat_without_a_history(address: str) -> None:
    """Is as good, only that nothing can be looked up."""
    result = as_anna(address, "chat", "--no-history", typed="/history\n")
    assert result.exit_code == 1
    assert "! No history is kept here." in result.stdout


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the full screen is asked to show; a person sits at a terminal."""
    shown: list[dict[str, object]] = []

    def run(make: Callable[..., object], **options: object) -> int:
        made = [make(ask=None, watch=None, password=password) for password in (None, "other")]
        shown.append({"made": made, **options})
        return Exit.REFUSED

    monkeypatch.setattr("kqq.cli.client.on_terminal", lambda: True)
    monkeypatch.setattr("kqq.tui.run", run)
    return shown


def test_chat_is_a_full_screen_at_a_terminal(address: str, screen: list[dict[str, object]]) -> None:
    """It gets what it needs to sign in, and says with which exit code it ends."""
    result = as_anna(address, "chat", "10002", "--notices", "off", "--light")
    assert result.exit_code == 1
    (shown,) = screen
    assert (shown["talk_to"], shown["dark"]) == (10002, False)
    assert shown["notices"].value == "off"  # type: ignore[attr-defined]
    assert shown["history"] is not None


def test_who_to_talk_to_on_the_full_screen_is_known_from_the_history(
    address: str, screen: list[dict[str, object]]
) -> None:
    """Since nobody is signed in yet."""
    as_anna(address, "friends")
    as_anna(address, "chat", "小波")
    assert screen[0]["talk_to"] == 10002
    with pytest.raises(ConfigError, match="Romeo is no friend of yours"):
        _known("Romeo", None)


def test_a_chat_can_find_its_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the account are tried, then those listed; one that answered is remembered."""
    with serving(tmp_path, "Anna", "小波") as server:
        file = tmp_path / "client.toml"
        where = server.address.replace("tcp:", "http:")
        nobody = f"tcp://127.0.0.1:{quiet_port()}"
        file.write_text(
            f'[accounts.anna]\nuin = 10001\ndiscover = "{where}"\nservers = ["{nobody}"]\n'
        )
        options = {"KQQ_CLIENT_CONFIG": str(file), "KQQ_PASSWORD": "secret"}
        result = kqq("chat", typed="/quit\n", **options)
        assert result.exit_code == 0, result.output
        assert f'last = "{server.address}"' in file.read_text()
        server.stop()
        server.join()
        assert kqq("chat", typed="/quit\n", **options).exit_code == 3
        file.write_text(f'[accounts.anna]\nuin = 10001\ndiscover = "{where}"\n')
        assert kqq("chat", typed="/quit\n", **options).exit_code == 3
