"""`kqq proxy`, as a process between clients and a server."""

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from textual.pilot import Pilot

from command import kqq, objects
from flood import Flood
from kqq.address import Door
from kqq.cli.proxy import _run
from kqq.client.tcp import Address
from kqq.errors import ConfigError
from kqq.protocol.transcript import parse_play
from kqq.proxy.relay import Relay
from kqq.proxy.rules import Orders
from kqq.proxy.screen import ProxyApp
from serving import quiet_port, serving
from stage import MD5, request, sign_in_line
from terminals import open_terminal

_WAIT = 20.0
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with Anna (10001) and 小波 (10002), who are friends."""
    with serving(tmp_path_factory.mktemp("data"), "Anna", "小波") as server:
        yield server.address.removeprefix("tcp://")


def ask(port: int, *lines: str) -> list[str]:
    """Say lines, each after the answer to the one before, and return the answers."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=_WAIT) as link,
        link.makefile("rw", encoding="utf-8", newline="\r\n") as file,
    ):
        answers = []
        for line in lines:
            file.write(f"{line}\n")
            file.flush()
            answers.append(file.readline().rstrip())
        return answers


def proxy(
    act: Callable[[int], object], *arguments: str, number: signal.Signals = signal.SIGINT
) -> Result:
    """Run `kqq proxy` while `act` does something with its port; then a signal ends it."""
    port = quiet_port()
    failed: list[BaseException] = []

    def acting() -> None:
        until = time.monotonic() + _WAIT
        try:
            while time.monotonic() < until:
                try:
                    act(port)
                except ConnectionRefusedError:
                    time.sleep(0.01)  # it is not there yet
                    continue
                return
        except BaseException as error:  # noqa: BLE001  # told below
            failed.append(error)
        finally:
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=acting)
    thread.start()
    result = kqq("proxy", "--listen", f"127.0.0.1:{port}", *arguments)
    thread.join()
    assert not failed, failed
    return result


def message(text: str, seq: int = 203) -> str:
    """Return a message to oneself, which a server refuses: nothing comes of it."""
    return request("CLTMSG", 10001, f"UN=10001&MG={text}", seq=seq)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lines_are_shown_until_it_is_ended(upstream: str, number: signal.Signals) -> None:
    """A row for each, without passwords; a signal ends it in good order."""
    lines = (sign_in_line(10001), message("你好"))
    result = proxy(lambda port: ask(port, *lines), "--upstream", upstream, number=number)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        rf"kqq://127\.0\.0\.1:\d+ leads to tcp://{upstream}; Ctrl-C ends it\n", result.stderr
    )
    assert "127.0.0.1 talks to" in result.stdout
    assert "10001 → Login       signs in" in result.stdout
    assert "10001 → CLTMSG      to 10001: “你好”" in result.stdout
    assert "10001 ← CLTMSG" in result.stdout
    assert MD5 not in result.stdout


def test_an_order_for_a_command_that_nobody_knows_is_told(upstream: str) -> None:
    """It may be misspelt; one that is known is not."""
    orders = ("--drop", "CTLMSG", "--delay", "client:cltmsg=0")
    result = proxy(lambda port: ask(port, message("a")), "--upstream", upstream, *orders)
    assert result.exit_code == 0
    assert result.stderr.startswith("kqq: nobody is known to say ctlmsg; ")
    assert "cltmsg" not in result.stderr


def test_every_line_is_an_object(upstream: str, tmp_path: Path) -> None:
    """With what became of it; notes, too; passwords are left out."""
    rules = tmp_path / "rules.py"
    rules.write_text(
        "def on_line(line, flow):\n"
        "    if line.get('MG') == 'edit': line['MG'] = 'edited'\n"
        "    if line.get('MG') == 'hold': line.hold()\n"
    )
    lines = [message(text, seq) for seq, text in enumerate(("edit", "hold"), 300)]

    def act(port: int) -> None:
        ask(port, sign_in_line(10001), *lines)
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(f"{message('drop')}\r\n".encode())
            assert not select.select([link], [], [], 0.2)[0]

    options = ("--rules", str(rules), "--drop", "/drop", "--delay", "server:=0.01")
    result = proxy(act, "--upstream", upstream, "--json", *options)
    found = objects(result)
    commands = [one["command"] for one in found if "command" in one]
    assert commands == ["Login", "Login", *["CLTMSG"] * 5]
    fates = [(one["fate"], one["injected"]) for one in found if "fate" in one]
    assert fates == [("passed", False)] * 6 + [("dropped", False)]
    (edited,) = [str(one["edited"]) for one in found if one.get("edited")]
    assert edited.endswith("MG=edited")
    (note,) = [one for one in found if "note" in one]
    assert note["note"] == "rule"
    assert "only at --screen" in str(note["words"])
    assert MD5 not in result.stdout


def test_what_became_of_a_line_stands_below_it(upstream: str, tmp_path: Path) -> None:
    """Edited, dropped, put in; with --fields each field, with --secrets passwords."""
    rules = tmp_path / "rules.py"
    rules.write_text(
        "def on_line(line, flow):\n"
        "    if line.get('MG') == 'edit':\n"
        "        line['MG'] = 'edited'\n"
        "        flow.to_client('VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001&RES=9')\n"
        "    if line.get('MG') == 'wrong': 1/0\n"
        "    if line.get('MG') == 'wait':\n"
        "        line.delay(60)\n"
    )

    def act(port: int) -> None:
        assert "RES=9" in ask(port, sign_in_line(10001), message("edit"))[1]
        with socket.create_connection(("127.0.0.1", port)) as link:
            lines = (request("GetMsgEx", 10001), message("wrong"), message("wait"))
            link.sendall("".join(f"{line}\r\n" for line in lines).encode())
            assert link.recv(100)

    options = ("--rules", str(rules), "--drop", "GetMsgEx", "--fields", "--secrets")
    result = proxy(act, "--upstream", upstream, *options)
    for words in (
        "^ edited: to 10001: “edited”",
        "^ put in here",
        "^ dropped",
        "^ lost: the connection ended before",
        "rules.py, line 5: ZeroDivisionError",
        "protocol version",
        MD5,
    ):
        assert words in result.stdout
    result = proxy(lambda port: ask(port, message("x")), "--upstream", upstream, "--json")
    assert result.exit_code == 0


def test_what_goes_by_is_recorded(upstream: str, tmp_path: Path) -> None:
    """As a play that can be read again."""
    file = tmp_path / "a.kqq"
    lines = (sign_in_line(10001), request("SimpleInfo2", 10001, "UN=0&TO=0"))
    options = ("--upstream", f"kqq://{upstream}", "--record", str(file))
    result = proxy(lambda port: ask(port, *lines), *options)
    assert result.exit_code == 0, result.output
    play = parse_play(file.read_text(encoding="utf-8"))
    assert play.actors == ("Romeo", "Juliet")
    assert play.statements[-1].source == "Romeo disconnects"
    result = kqq("proxy", "--listen", "127.0.0.1:0", *options)
    assert result.exit_code == 2
    assert "is there already; choose another name" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hold", "CLTMSG"), "only at --screen can somebody say"),
        (("--screen", "--json"), "--screen has its own view"),
        (("--screen",), "--screen needs a terminal"),
        (("--drop", "a b"), "'a b' says no lines"),
        (("--delay", "CLTMSG"), "is no delay"),
        (("--listen", "nowhere"), "'kqq://nowhere' is not an address"),
        (("--listen", "a..b:0"), "'kqq://a..b:0' is not an address"),
        (("--upstream", "ftp://127.0.0.1:1"), "is not an address; write tcp://HOST:PORT"),
        (("--rules", "none.py"), "cannot read none.py"),
        (("--record", "none/a.kqq"), "cannot write none/a.kqq"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...], told: str) -> None:
    """Is said in one line; exit code 2."""
    result = kqq("proxy", "--listen", "127.0.0.1:0", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_port_that_is_taken() -> None:
    """One line, exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = kqq("proxy", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.exit_code == 2
    assert result.stderr.startswith("kqq: cannot listen on kqq://127.0.0.1:")


def test_a_server_that_is_not_there_is_told() -> None:
    """To people, and to the client with a reset; the proxy goes on."""

    def act(port: int) -> None:
        for _ in range(2):
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                ask(port, sign_in_line(10001), "VER=1.4")

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        result = proxy(act, "--upstream", f"127.0.0.1:{nobody.getsockname()[1]}")
    assert result.exit_code == 0
    assert result.stdout.count("is a server running there?") == 2


def test_whoever_reads_the_output_may_go(upstream: str) -> None:
    """Then the proxy ends, without a traceback."""
    command = [sys.executable, "-m", "kqq", "proxy", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--upstream", upstream],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        found = re.match(r"kqq://127\.0\.0\.1:(\d+) ", process.stderr.readline())
        assert found is not None
        process.stdout.close()
        with suppress(ConnectionResetError):  # what cannot be shown may go on or not
            ask(int(found[1]), sign_in_line(10001))
        assert process.wait(_WAIT) == 0
        assert process.stderr.read() == ""


def test_a_full_disk_ends_it() -> None:
    """With one line and exit code 2."""
    result = kqq("proxy", "--listen", "127.0.0.1:0", "--record", "/dev/full")
    assert result.exit_code == 2
    assert result.stderr == "kqq: cannot write /dev/full: No space left on device\n"


def test_the_screen(upstream: str, tmp_path: Path) -> None:
    """On a terminal; Ctrl+Q leaves it."""
    controller, terminal = open_terminal()
    command = [sys.executable, "-m", "kqq", "proxy", "--screen", "--listen", "127.0.0.1:0"]
    command += ["--upstream", upstream, "--record", str(tmp_path / "a.kqq")]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    try:
        shown = b""
        until = time.monotonic() + _WAIT
        while b"Nothing was said yet." not in shown and time.monotonic() < until:
            if select.select([controller], [], [], 1)[0]:
                shown += os.read(controller, 65536)
        assert b"Nothing was said yet." in shown, shown
        os.write(controller, b"\x11")
        while process.poll() is None and time.monotonic() < until:
            if select.select([controller], [], [], 0.1)[0]:
                with suppress(OSError):  # it has gone
                    os.read(controller, 65536)
        assert process.wait(1) == 0
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    assert (tmp_path / "a.kqq").read_text() == "# Recorded by kqq proxy.\n"


@pytest.mark.parametrize("fails", [False, True])
def test_the_screen_says_how_it_ended(
    upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """In this process, without a terminal: with an exit code, or what went wrong."""
    run = ProxyApp.run_async

    async def pilot(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ProxyApp)
        if fails:
            app._relay.fail(ConfigError("the disk is full"))
        else:
            await pilot.press("ctrl+q")

    monkeypatch.setattr(ProxyApp, "run_async", partialmethod(run, headless=True, auto_pilot=pilot))
    relay = Relay(Address.parse(f"tcp://{upstream}"))
    door = Door("127.0.0.1", 0)
    running = _run(relay, door, Orders(), None, file=None, record=tmp_path / "a.kqq")
    if fails:
        with pytest.raises(ConfigError, match="the disk is full"):
            asyncio.run(running)
    else:
        with pytest.raises(SystemExit) as caught:
            asyncio.run(running)
        assert caught.value.code == 0
    assert (tmp_path / "a.kqq").exists()


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """All `sh` blocks of docs/proxy.md, one after the other in one shell."""
    text = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert "kqq proxy" in script
    # The page waits two seconds for what it starts, which on a busy machine may be too short.
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = [str(one.getsockname()[1]) for one in (first, second)]
    ready = "until (: </dev/tcp/127.0.0.1/{}) 2>/dev/null; do kill -0 ${}; done\n"
    script = script.replace("server=$!\n", "server=$!\n" + ready.format(14000, "server"))
    script = script.replace("proxy=$!\n", "proxy=$!\n" + ready.format(14001, "proxy"))
    script = script.replace("kqq serve", "kqq serve --listen kqq://127.0.0.1:14000")
    doors = "proxy --listen 127.0.0.1:14001 --upstream 127.0.0.1:14000"
    script = script.replace("proxy --rules", f"{doors} --rules")
    script = script.replace("14000", ports[0]).replace("14001", ports[1])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + script],
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in ("to 10002: “你好”", "accepted", "Romeo > VER=1.4", "MG=coffee?"):
        assert words in done.stdout


def memory(pid: int) -> int:
    """Return the most MiB that a process has had in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    most = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert most is not None
    return int(most[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say")
async def test_floods_and_slow_readers_do_not_fill_it(upstream: str, tmp_path: Path) -> None:
    """It stays small, goes on to serve, writes a play that can be read, and ends when told."""
    file = tmp_path / "a.kqq"
    command = [sys.executable, "-m", "kqq", "proxy", "--listen", "127.0.0.1:0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--upstream", upstream, "--record", str(file),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        said = (await process.stderr.readline()).decode()
        found = re.match(r"kqq://127\.0\.0\.1:(\d+) ", said)
        assert found is not None
        port = int(found[1])
        flood = Flood(port)
        flood.start()
        deaf = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for _, writer in deaf:
            writer.write(f"{sign_in_line(10001)}\r\n".encode() * 2000)
        async with asyncio.timeout(_WAIT):
            await flood.poured(100)
        await flood.stop()
        for _, writer in deaf:
            writer.transport.abort()
        answered = ""
        until = time.monotonic() + _WAIT
        while "CMD=Login" not in answered and time.monotonic() < until:
            with suppress(ConnectionError):
                (answered,) = await asyncio.to_thread(ask, port, sign_in_line(10009))
        assert "RES=5" in answered
        assert memory(process.pid) < 150
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_WAIT):
            assert await process.wait() == 0
    assert parse_play(file.read_text(encoding="utf-8")).statements
