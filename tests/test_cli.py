"""The command `kqq`, each subcommand as it is typed."""

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from kqq import __version__
from kqq.cli import main
from kqq.client import Client
from kqq.protocol import Status
from serving import Serving, quiet_port, serving

LOGIN = (
    "VER=1.4&CON=1&CMD=Login&SEQ=245&UIN=10002&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    "&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
)


def kqq(*arguments: str, typed: str | bytes | None = None, **env: str) -> Result:
    """Run `kqq` with these arguments."""
    return CliRunner().invoke(main, arguments, input=typed, env={"KQQ_PASSWORD": None, **env})


def objects(result: Result) -> list[dict[str, object]]:
    """Return the JSON objects of standard output, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with Anna (10001) and 小波 (10002), who are friends."""
    with serving(tmp_path_factory.mktemp("data"), "Anna", "小波") as server:
        yield server.address


def as_anna(address: str, command: str, *arguments: str, typed: str | None = None) -> Result:
    """Run a client command as Anna."""
    options = ("--server", address, "--uin", "10001")
    return kqq(command, *options, *arguments, typed=typed, KQQ_PASSWORD="secret")


# --- help


def test_every_command_has_help() -> None:
    """`--help` of each command says what it does, and names its options."""

    def walk(command: click.Command, *path: str) -> None:
        result = kqq(*path, "--help")
        assert result.exit_code == 0
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)
        if isinstance(command, click.Group):
            for name, one in command.commands.items():
                walk(one, *path, name)

    walk(main)


def test_help_fits_80_columns_and_tells_the_exit_codes() -> None:
    """A terminal of 80 columns shows it all."""
    out = kqq("--help").stdout
    assert max(map(len, out.splitlines())) <= 80
    assert "Exit codes" in out


def test_the_version_is_told() -> None:
    """`--version` says which."""
    assert kqq("--version").stdout == f"kqq, version {__version__}\n"


def test_python_m_kqq_is_the_same() -> None:
    """`python -m kqq` runs the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "kqq", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout


# --- serve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_when_it_is_ready_and_ends_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Doors with their real ports, then `ready`; a signal ends it with exit code 0."""
    port = quiet_port()

    def stop() -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                continue
            os.kill(os.getpid(), number)
            return

    stopping = threading.Thread(target=stop)
    stopping.start()
    listen = ("--listen", f"kqq://127.0.0.1:{port}", "--listen", "kqq://127.0.0.1:0")
    result = kqq("serve", "--data", str(tmp_path / "new"), *listen)
    stopping.join()
    assert result.exit_code == 0, result.output
    first, second, ready = result.stdout.splitlines()
    assert first == f"listening kqq://127.0.0.1:{port}"
    assert second.startswith("listening kqq://127.0.0.1:")
    assert not second.endswith(":0")
    assert ready == "ready"


def test_what_keeps_a_server_from_starting_is_one_line(tmp_path: Path) -> None:
    """A taken port (behind a free one, too), folder or address: one line on standard error, 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"kqq://127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "file").write_text("")
        data, no_folder = str(tmp_path / "data"), str(tmp_path / "file" / "data")
        free = "kqq://127.0.0.1:0"
        for arguments, told in (
            (("--data", data, "--listen", listen), f"cannot listen on {listen}: the port is taken"),
            (("--data", data, "--listen", free, "--listen", listen), f"cannot listen on {listen}"),
            (("--data", no_folder, "--listen", free), "cannot make the data folder"),
            (("--data", data, "--listen", "kqq://300.1.1.1:0"), "cannot listen on kqq://300"),
            (("--data", data, "--listen", "kqq://a..b:0"), "is no host name"),
        ):
            command = [sys.executable, "-m", "kqq", "serve", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith("kqq: ")
            assert told in done.stderr
            assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("listen", ["14000", "tcp://127.0.0.1:1", "kqq://127.0.0.1:70000"])
def test_serve_with_a_bad_address_says_so(tmp_path: Path, listen: str) -> None:
    """One line on standard error with an example, exit code 2."""
    result = kqq("serve", "--data", str(tmp_path), "--listen", listen)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"kqq: {listen!r} is not an address; write kqq://HOST:PORT")
    assert len(result.stderr.splitlines()) == 1


# --- accounts


def test_accounts_are_added_and_listed(tmp_path: Path) -> None:
    """Passwords come by option, from standard input, from the environment."""
    data = ("--data", str(tmp_path))
    added = kqq("account", "add", "10001", "--nick", "Anna", "--password", "secret", *data)
    assert (added.exit_code, added.stdout) == (0, "added 10001 Anna\n")
    kqq("account", "add", "10002", "--nick", "小波", "--password-stdin", *data, typed="secret\n")
    kqq("account", "add", "10003", "--nick", "Cy", *data, KQQ_PASSWORD="secret")
    friends = kqq("account", "friend", "10001", "10002", *data)
    assert friends.stdout == "10001 and 10002 are friends\n"
    assert kqq("account", "list", *data).stdout.splitlines() == [
        "10001      Anna",
        "10002      小波",
        "10003      Cy",
    ]
    assert objects(kqq("account", "list", "--json", *data))[1] == {
        "uin": 10002,
        "nick": "小波",
        "face": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "10000", "--nick", "x", "--password", "secret"), "cannot be a number"),
        (("add", "10001", "--nick", " ", "--password", "secret"), "cannot be a nickname"),
        (("add", "10001", "--nick", "", "--password", "secret"), "cannot be a nickname"),
        (("add", "10001", "--nick", "x", "--password", ""), "empty password"),
        (("add", "10001", "--nick", "x"), "no password; set KQQ_PASSWORD"),
        (("add", "10001", "--nick", "x", "--password-stdin"), "the password is empty"),
        (("friend", "10001", "10001"), "a friend of itself"),
        (("friend", "10001", "10002"), "there is no account 10001"),
        (("list", "--data", "/nonexistent"), "there are no accounts in /nonexistent"),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """One line on standard error says why, exit code 2."""
    kqq("account", "add", "10009", "--nick", "x", "--password", "x", "--data", str(tmp_path))
    result = kqq("account", *arguments, KQQ_DATA=str(tmp_path))
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_two_ways_to_give_a_password_are_one_too_many(tmp_path: Path) -> None:
    """--password and --password-stdin exclude each other."""
    arguments = ("--nick", "x", "--password", "a", "--password-stdin", "--data", str(tmp_path))
    result = kqq("account", "add", "10001", *arguments)
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_the_default_folder_is_the_users(tmp_path: Path) -> None:
    """Without --data the folder `kqq` among the user's data is used, and said to be new."""
    add = ("account", "add", "10001", "--nick", "Anna", "--password", "secret")
    result = kqq(*add, XDG_DATA_HOME=str(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == f"making a new data folder {tmp_path / 'kqq'}\n"
    assert (tmp_path / "kqq" / "kqq.sqlite").exists()


# --- client


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


def test_an_interrupt_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at a prompt or in the middle of something is exit code 130, without a traceback."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kqq.cli._lines", interrupted)
    result = kqq("explain", "-")
    assert result.exit_code == 130
    assert result.stderr == "\nkqq: interrupted\n"


def test_ctrl_c_ends_a_client_in_good_order(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in `listen` and `chat` is how they end: exit code 0."""

    def interrupted(work: Coroutine[object, object, None]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", interrupted)
    assert as_anna(address, "listen").exit_code == 0


@pytest.mark.parametrize("command", ["kqq --help", "kqq demo", "kqq explain VER=1"])
def test_a_full_disk_is_one_line(command: str) -> None:
    """Output that cannot be written is an error in one line."""
    shell = f"{command.replace('kqq', f'{shlex.quote(sys.executable)} -m kqq')} >/dev/full"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "kqq: No space left on device\n"


def test_closed_output_is_no_error() -> None:
    """A caller may close standard output."""
    shell = f"{shlex.quote(sys.executable)} -m kqq explain VER=1.4 >&-"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


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


def test_no_server_is_exit_code_3() -> None:
    """Nobody there: one line with the reason."""
    result = as_anna(f"tcp://127.0.0.1:{quiet_port()}", "friends")
    assert result.exit_code == 3
    assert "Connection refused" in result.stderr


def test_a_wrong_address_is_exit_code_2() -> None:
    """A server address that is none is wrong usage."""
    assert as_anna("127.0.0.1", "friends").exit_code == 2


def test_chat_goes_through_pipes(address: str) -> None:
    """`kqq chat` says what is typed and leaves at the end of input."""
    result = as_anna(address, "chat", "--plain", typed="/friends\n/quit\n")
    assert result.exit_code == 0
    assert "小波 (10002): offline" in result.stdout


# --- explain


def test_explain_tells_each_field() -> None:
    """Keys, values, meanings with codes in words, confidence and evidence, in 80 columns."""
    line = "VER=1.1&CMD=QUERY_STAT2&SEQ=142&UIN=10005&RES=0&FN=1&SN=2&ST=10,30,&UN=10006,10007,"
    result = kqq("explain", line)
    assert result.exit_code == 0
    assert result.stdout.startswith("QUERY_STAT2, reply: One page of the statuses")
    assert "online, away" in result.stdout
    assert "[B: ZN QB]" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_explain_as_json_has_the_fields_in_order() -> None:
    """One object a line, values unescaped, the command as spelled."""
    lines = f"{LOGIN}\r\nVER=1.4&CMD=cltmsg&SEQ=1&UIN=10001&UN=10002&MG=a%2c b\n\nnonsense\n"
    result = kqq("explain", "--json", "-", typed=lines)
    assert result.exit_code == 1
    login, message, nonsense = objects(result)
    assert (login["command"], login["kind"]) == ("Login", "request")
    assert (message["command"], message["kind"]) == ("cltmsg", "request")
    fields = message["fields"]
    assert isinstance(fields, list)
    assert [field["key"] for field in fields] == ["VER", "CMD", "SEQ", "UIN", "UN", "MG"]
    assert fields[-1]["value"] == "a, b"
    assert set(fields[-1]) >= {"key", "value", "name", "meaning"}
    assert (nonsense["kind"], nonsense["command"]) == ("unreadable", "")
    assert nonsense["problems"]


def test_explain_hides_secrets_in_words() -> None:
    """A password is shown only when asked for; long values are cut with their length."""
    assert "5EBE2294" not in kqq("explain", LOGIN).stdout
    assert "5EBE2294" in kqq("explain", "--secrets", LOGIN).stdout
    picture = f"VER=1.1&CMD=VERIFYCODE&SEQ=1&UIN=10001&RES=0&SC=1&NT=&VC={'89' * 300}"
    assert "(600 characters)" in kqq("explain", picture).stdout


def test_explain_of_many_lines_exits_1_if_one_is_unreadable() -> None:
    """All readable is 0; bytes that are no UTF-8 and steering signs do no harm."""
    good = b"VER=1.4&CMD=Logout&SEQ=1&UIN=10001\n"
    assert kqq("explain", "-", typed=good * 2).exit_code == 0
    bad = kqq("explain", "-", typed=good + b"\xff\x1b[2J=1&K\xff=2\n")
    assert bad.exit_code == 1
    assert "\x1b" not in bad.stdout
    assert "  ! " in bad.stdout


def test_demo_runs() -> None:
    """`kqq demo` plays to the end."""
    result = kqq("demo")
    assert result.exit_code == 0
    assert "Everything arrived" in result.stdout


def test_a_reader_who_leaves_is_no_error() -> None:
    """`kqq explain … | head` ends quietly."""
    command = f"{shlex.quote(sys.executable)} -m kqq explain - | head -n 1"
    lines = b"VER=1.4&CMD=Logout&SEQ=1&UIN=10001\n" * 5000
    done = subprocess.run(command, shell=True, input=lines, capture_output=True, check=True)
    assert done.stderr == b""
