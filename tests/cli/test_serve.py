"""`kqq serve`."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from command import kqq
from kqq.cli.serve import _quick_loop
from kqq.server import Config, Listen
from secured import make
from serving import quiet_port
from stage import ROMEO, sign_in_line
from terminals import open_terminal


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Give the log back to pytest after `kqq serve` in this process."""
    root, ours = logging.getLogger(), logging.getLogger("kqq")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)


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
    doors = (f"kqq://127.0.0.1:{port}", "kqq://127.0.0.1:0", "web://127.0.0.1:0")
    listen = [word for door in doors for word in ("--listen", door)]
    result = kqq("serve", "--data", str(tmp_path / "new"), *listen)
    stopping.join()
    assert result.exit_code == 0, result.output
    first, second, third, link, ready = result.stdout.splitlines()
    assert third.startswith("listening web://127.0.0.1:")
    assert link.startswith("administrator http://127.0.0.1:")
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


class Server:
    """`kqq serve` as a process, whose log is read as it comes."""

    def __init__(self, *arguments: str, stdin: int = subprocess.DEVNULL, **env: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kqq", "serve", *arguments],
            env={**os.environ, **env},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.doors: list[str] = []

    def __enter__(self) -> Self:
        self._process.__enter__()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "ready\n":
                return self
            self.doors.append(line.split()[-1])
        raise AssertionError(self.log())

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.tell(signal.SIGTERM)
        self._process.communicate()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def log(self, until: str | None = None) -> str:
        """Return the log from here to the line with `until`, or to the end."""
        assert self._process.stderr is not None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if until is not None and until in line:
                break
        return "".join(lines)

    def ended(self) -> int:
        """Return the exit code."""
        return self._process.wait(10)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with settings: a free port, data beside the file, the log in words."""
    file = tmp_path / "settings.toml"
    file.write_text(
        'data = "people"\nlisten = ["kqq://127.0.0.1:0"]\nlog = "words"\ntext_limit = 500\n'
    )
    return file


def test_serve_takes_settings_from_a_file(file: Path, tmp_path: Path) -> None:
    """The file of --config, else of KQQ_CONFIG, else `kqq.toml` in the data folder."""
    with Server("--config", str(file)) as server:
        assert len(server.doors) == 1
    assert (tmp_path / "people" / "kqq.sqlite").exists()
    file.write_text(file.read_text().replace("people", "others"))
    with Server(KQQ_CONFIG=str(file)):
        assert (tmp_path / "others" / "kqq.sqlite").exists()
    port = quiet_port()
    (tmp_path / "others" / "kqq.toml").write_text(f'listen = ["kqq://127.0.0.1:{port}"]')
    with Server("--data", str(tmp_path / "others")) as server:
        assert server.doors == [f"kqq://127.0.0.1:{port}"]


def test_the_command_line_counts_more_than_the_file(file: Path, tmp_path: Path) -> None:
    """The options --data and --listen, and over them --set."""
    options = ("--data", str(tmp_path / "a"), "--listen", "kqq://127.0.0.1:0")
    with Server("--config", str(file), *options, "--listen", "kqq://127.0.0.1:0") as server:
        assert len(server.doors) == 2
    with Server("--config", str(file), *options, "--set", f"data={tmp_path}/b"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "settings.toml"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--config", "{file}", "--set", "text_limit=0"),
            "--set: text_limit=0 cannot be; take a whole number from 1 to 16000",
        ),
        (("--config", "/none"), "cannot read /none: No such file or directory"),
    ],
)
def test_a_wrong_setting_keeps_a_server_from_starting(
    file: Path, arguments: tuple[str, ...], told: str
) -> None:
    """One line on standard error, exit code 2."""
    result = kqq("serve", *(argument.format(file=file) for argument in arguments))
    assert (result.exit_code, result.stderr) == (2, f"kqq: {told}\n")


def test_a_signal_has_the_settings_read_again(file: Path) -> None:
    """What was taken and what needs a restart is logged; then again the latter."""
    with Server("--config", str(file)) as server:
        server.log("listening")
        text = file.read_text().replace("500", "600")
        file.write_text(text + 'log_level = "warning"\nconnections_limit = 7\n')
        server.tell(signal.SIGHUP)
        assert "text_limit" in server.log("settings read again")
        assert "connections_limit" in server.log("restart")
        server.tell(signal.SIGHUP)
        log = server.log("restart")
        assert "connections_limit" in log
        assert "text_limit" not in log
        server.tell(signal.SIGTERM)
        assert "INFO" not in server.log()  # the level is what was taken over
        assert server.ended() == 0


def test_wrong_settings_change_nothing_in_a_running_server(file: Path) -> None:
    """The log says why; when they are mended they are taken."""
    with Server("--config", str(file)) as server:
        server.log("listening")
        right = file.read_text()
        file.write_text("text_limit = 1\nnonsense")
        server.tell(signal.SIGHUP)
        log = server.log("settings")
        assert "ERROR" in log
        assert "settings stay as they were" in log
        assert f"{file} line 2, column 9: Expected" in log
        file.write_text(right.replace("500", "600"))
        server.tell(signal.SIGHUP)
        assert "text_limit" in server.log("settings read again")


def test_each_signal_does_its_own(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong settings, right ones, the end."""
    right = file.read_text()

    def wait_for(words: str) -> None:
        while words not in caplog.text:
            continue

    def tell() -> None:
        wait_for("listening")
        file.write_text("nonsense")
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for("settings stay as they were")
        file.write_text(right + "turn_limit = 5\n")
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for("settings read again")
        os.kill(os.getpid(), signal.SIGTERM)

    telling = threading.Thread(target=tell)
    telling.start()
    result = kqq("serve", "--config", str(file))
    telling.join()
    assert result.exit_code == 0
    assert "turn_limit" in caplog.text


@pytest.mark.parametrize(
    ("form", "options", "told"),
    [
        ("words", (), " INFO "),
        ("words", ("--verbose",), " DEBUG "),
        ("json", (), '"level": "info"'),
        ("json", ("--set", "log_level=debug"), '"level": "debug"'),
    ],
)
def test_the_log_is_as_it_is_set(
    file: Path, form: str, options: tuple[str, ...], told: str
) -> None:
    """In words or as JSON, and with each connection if that is wanted."""
    with Server("--config", str(file), "--set", f"log={form}", *options) as server:
        host, port = server.doors[0].removeprefix("kqq://").split(":")
        socket.create_connection((host, int(port))).close()
        log = server.log(told)
        server.tell(signal.SIGTERM)
        log += server.log()
    assert told in log
    assert ("debug" in log.lower()) == (options != ())


def test_a_server_ends_with_its_terminal(file: Path) -> None:
    """A terminal that is closed sends the same signal; there nobody is left to end the server."""
    controller, terminal = open_terminal()
    with Server("--config", str(file), stdin=terminal) as server:
        os.close(terminal)
        server.log("listening")
        server.tell(signal.SIGHUP)
        assert "settings read again" in server.log("settings")
        os.close(controller)
        server.tell(signal.SIGHUP)
        assert "the terminal was closed" in server.log("stopping")
        assert server.ended() == 0


def test_the_quicker_loop_is_taken_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not made for every system, nor for TLS; without it the loop is Python's own."""
    config = Config(data=tmp_path)
    quick = _quick_loop(config)
    assert quick is not None
    loop = quick()
    assert type(loop).__module__ == "uvloop"
    loop.close()
    files = make(tmp_path)
    tls = (Listen.parse("kqqs://a:1"),)
    assert (
        _quick_loop(Config(data=tmp_path, listen=tls, certificate=files.certificate, key=files.key))
        is None
    )
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert _quick_loop(config) is None


def test_a_door_for_tls_in_a_process(tmp_path: Path) -> None:
    """Connection after connection shakes hands and is answered, on the loop chosen there."""
    files = make(tmp_path)
    settings = (f"certificate={files.certificate}", f"key={files.key}")
    arguments = [part for setting in settings for part in ("--set", setting)]
    arguments += ["--data", str(tmp_path / "data"), "--listen", "kqqs://127.0.0.1:0"]
    with Server(*arguments) as server:
        port = int(server.doors[0].rsplit(":", 1)[1])
        for _ in range(5):
            with (
                socket.create_connection(("127.0.0.1", port), 10) as link,
                files.trusted().wrap_socket(link) as tls,
            ):
                tls.sendall(f"{sign_in_line(ROMEO)}\r\n".encode())
                assert tls.recv(4096).endswith(b"&UIN=10001&RES=5\r\n")


def test_a_door_for_browsers(tmp_path: Path) -> None:
    """It is said where it is, and where the first administrator is made."""
    doors = ("--listen", "kqq://127.0.0.1:0", "--listen", "web://127.0.0.1:0")
    with Server("--data", str(tmp_path / "data"), *doors) as server:
        phones, browsers, first = server.doors
        assert re.fullmatch(r"kqq://127\.0\.0\.1:\d+", phones)
        found = re.fullmatch(r"web://(127\.0\.0\.1:\d+)", browsers)
        assert found is not None
        assert re.fullmatch(rf"http://{re.escape(found[1])}/operator#first=\w{{20,}}", first)
        with urllib.request.urlopen(f"http://{found[1]}/api/hello") as answer:
            assert b'"has_administrator": false' in answer.read()


def test_with_tls_for_browsers_only_the_quicker_loop_stays(tmp_path: Path) -> None:
    """Their connections are secure from the first byte on."""
    files = make(tmp_path)
    door = Listen("127.0.0.1", 0, "webs")
    config = Config(data=tmp_path, listen=(door,), certificate=files.certificate, key=files.key)
    assert _quick_loop(config) is not None
