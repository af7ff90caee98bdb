"""How commands reach a server, or its folder where none runs."""

import asyncio
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command import kqq, objects
from kqq.cli import reach
from kqq.cli.reach import do, settings_of
from kqq.server.accounts import password_md5
from kqq.server.admin_door import NoServer
from process import Process
from serving import serving


def add(data: Path, uin: int = 10001) -> None:
    """Add an account where no server runs."""
    options = ("--nick", "Anna", "--password", "secret", "--data", str(data))
    assert kqq("account", "add", str(uin), *options).exit_code == 0


@contextmanager
def claimed(data: Path) -> Iterator[None]:
    """Hold the folder as a server does."""
    with (data / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_settings_are_those_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file in the folder, the file that is named, variables, `--data`."""
    (tmp_path / "kqq.toml").write_text('admin_socket = "ops.sock"\nlowest_number = 20000')
    assert settings_of(tmp_path).admin_path == tmp_path / "ops.sock"
    monkeypatch.setenv("KQQ_LOWEST_NUMBER", "30000")
    assert settings_of(tmp_path).lowest_number == 30000
    other = tmp_path / "other.toml"
    other.write_text('data = "people"')
    monkeypatch.setenv("KQQ_CONFIG", str(other))
    assert settings_of(None).data == tmp_path / "people"
    assert settings_of(Path("here")).admin_path == Path("here/admin.sock")


def test_without_a_server_it_is_done_on_the_folder(tmp_path: Path) -> None:
    """What was done is there when a server starts."""
    add(tmp_path)
    with serving(tmp_path):
        listed = kqq("account", "list", "--json", "--data", str(tmp_path))
        assert [one["uin"] for one in objects(listed)] == [10001]


def test_a_server_with_broken_settings_can_be_asked(tmp_path: Path) -> None:
    """It goes on with those it has; where none runs, what is wrong is said."""
    add(tmp_path)
    with serving(tmp_path):
        (tmp_path / "kqq.toml").write_text('regstration = "open"\n')
        listed = kqq("account", "list", "--json", "--data", str(tmp_path))
        assert [one["uin"] for one in objects(listed)] == [10001]
        assert "kqq: warning: " in listed.stderr
        assert "regstration" in listed.stderr
    refused = kqq("account", "list", "--data", str(tmp_path))
    assert refused.exit_code == 2
    assert "regstration" in refused.stderr
    assert "warning" not in refused.stderr


def test_socket_that_a_killed_server_left(tmp_path: Path) -> None:
    """Nobody listens there, so it is done on the folder."""
    add(tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "admin.sock"))
    add(tmp_path, 10002)


def test_real_server(tmp_path: Path) -> None:
    """As a process; killed, and in good order; the socket is its owner's and goes with it."""
    server = Process(tmp_path / "data")
    data = ("--data", str(tmp_path / "data"))
    path = tmp_path / "data" / "admin.sock"
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        add(tmp_path / "data")
        assert "1 account, 0 signed in" in kqq("health", *data).stdout
        server.kill()
        assert path.exists()
        assert kqq("health", *data).exit_code == 3
        assert kqq("account", "list", *data).stdout == "10001  never  Anna\n"
        server = Process(tmp_path / "data")
        assert kqq("health", *data).exit_code == 0
        server.stop()
        assert not path.exists()
    finally:
        server.close()


def test_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `admin_socket` says, for the server and for commands."""
    monkeypatch.setenv("KQQ_ADMIN_SOCKET", str(tmp_path / "ops.sock"))
    server = Process(tmp_path / "data")
    try:
        assert not (tmp_path / "data" / "admin.sock").exists()
        assert kqq("health", "--data", str(tmp_path / "data")).exit_code == 0
        other = kqq("account", "list", "--data", str(tmp_path / "other"))
        assert other.exit_code == 2
        assert f"uses {tmp_path / 'data'}, not {tmp_path / 'other'}; leave out" in other.stderr
        assert kqq("health").exit_code == 0
        server.stop()
        assert not (tmp_path / "ops.sock").exists()
    finally:
        server.close()


def test_long_folder(tmp_path: Path) -> None:
    """A path that is too long for a socket works."""
    data = tmp_path / ("long " * 20).strip() / ("path " * 20).strip()
    server = Process(data)
    try:
        add(data)
        assert kqq("health", "--data", str(data)).exit_code == 0
        relative = os.path.relpath(data)
        assert kqq("health", "--data", relative).exit_code == 0
    finally:
        server.stop()


def test_no_password_crosses_the_socket(tmp_path: Path) -> None:
    """Only its proof does, made by the command; neither the MD5 that phones send."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "admin.sock"))
        door.listen()
        heard = b""

        def hear() -> None:
            nonlocal heard
            link, _ = door.accept()
            with link:
                while not heard.endswith(b"\n"):
                    heard += link.recv(65536)
                link.sendall(b'{"object": {"uin": 10001}}\n{"done": true, "list": false}\n')

        listening = threading.Thread(target=hear)
        listening.start()
        given = ("--password", "correct-horse", "--data", str(tmp_path))
        assert kqq("account", "passwd", "10001", *given).exit_code == 0
        listening.join(10)
    assert b'"proof": "scrypt$' in heard
    for secret in ("correct-horse", password_md5("correct-horse")):
        assert secret.encode() not in heard.lower()


def test_server_that_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed behind the back of a server that would not know: exit code 3."""
    add(tmp_path)
    monkeypatch.setattr(reach, "_PATIENCE", 0.05)
    with claimed(tmp_path):
        for arguments in (("account", "delete", "10001", "--yes"), ("health",)):
            result = kqq(*arguments, "--data", str(tmp_path))
            assert (result.exit_code, result.stdout) == (3, "")
            assert f"a server uses {tmp_path}, but none listens at" in result.stderr
            assert "is `admin_socket` what the server was started with?" in result.stderr
    assert do(tmp_path, "account.which", uins=[10001]) == [{"uin": 10001}]


def test_server_that_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it does it cannot be asked; when it has, the folder can be changed."""
    add(tmp_path)
    waited = threading.Event()
    sleep = asyncio.sleep

    async def wait(seconds: float) -> None:
        waited.set()
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    with claimed(tmp_path):
        asking = threading.Thread(target=add, args=(tmp_path, 10002))
        asking.start()
        assert waited.wait(10)
    asking.join(10)
    assert len(do(tmp_path, "account.list")) == 2


def test_where_nothing_is(tmp_path: Path) -> None:
    """A folder is made to add something, and else the slip is told; live actions say what is so."""
    nowhere = tmp_path / "nowhere"
    result = kqq("account", "list", "--data", str(nowhere))
    assert (result.exit_code, result.stderr) == (
        2,
        f"kqq: there are no accounts in {nowhere}; is that the right --data?\n",
    )
    with pytest.raises(NoServer, match="no server runs on"):
        do(nowhere, "status")
    assert not nowhere.exists()
    invited = kqq("account", "invite", "--data", str(nowhere))
    assert invited.exit_code == 0
    assert invited.stderr.startswith(f"making a new data folder {nowhere}\n")
