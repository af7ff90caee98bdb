"""Each example does what it says: in memory against a town, and as the program that it is."""

import asyncio
import csv
import importlib.util
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kqq.client import Client, Messenger, Requested
from kqq.errors import ConnectionLost
from kqq.protocol import ServerMsg, Status
from kqq.testing import PASSWORD, Town
from serving import serving

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
WAIT = 20.0  # seconds; a program starts slowly on a busy machine


def example(name: str) -> ModuleType:
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def doing(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have something done meanwhile; what fails there fails the test."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def said(messenger: Messenger, uin: int) -> list[str]:
    """Return the texts of a conversation."""
    return [message.text for message in messenger.state.conversations[uin].messages]


def files(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_short_and_say_how_to_run_them(name: str) -> None:
    """The docstring has a command that names the file; somebody reads them in a minute."""
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    module = example(name)
    assert f"python examples/{name}.py tcp://" in (module.__doc__ or "")
    assert len(text.splitlines()) <= 60
    assert f"({name}.py)" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


# --- in memory -----------------------------------------------------------------------------------


async def test_echo_bot() -> None:
    """It says again what people say, also after its connection broke, and never what 10000 says."""
    async with Town("Anna", "小波") as town:
        anna, bot = await town.messenger("Anna"), await town.messenger("小波")
        async with doing(example("echo_bot").echo(bot)):
            await anna.send(town["小波"], "hello")
            await town.settle()
            town.cut("小波")
            await anna.send(town["小波"], "再见")
            await town.say_system("Good evening.")
            await town.advance(60)
        assert said(anna, town["小波"]) == ["hello", "hello", "再见", "再见"]


async def test_command_bot() -> None:
    """Each command has its answer, and everything else an explanation."""
    async with Town("Anna", "小波") as town:
        anna, bot = await town.messenger("Anna"), await town.messenger("小波")
        async with doing(example("command_bot").serve(bot)):
            for text in ("roll 6", "time", "who", "roll 0", "sing"):
                await anna.send(town["小波"], text)
            await town.settle()
        answers = [
            message.text
            for message in anna.state.conversations[town["小波"]].messages
            if not message.is_own
        ]
        roll, time, who, *others = answers
        assert int(roll) in range(1, 7)
        assert time[2] == ":"
        assert who == "Anna (online)"
        assert others == ["I know: roll 6, time, who."] * 2


async def test_concierge(capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks becomes a friend and is greeted; what fails is told, and others still come in."""
    async with Town("小波", strangers=["Anna", "Bo"]) as town:
        anna, bo = await town.messenger("Anna"), await town.messenger("Bo")
        bot = await town.messenger("小波")
        async with doing(example("concierge").welcome(bot)):
            await anna.request(town["小波"], "may I?")
            await town.settle()
            assert said(anna, town["小波"]) == ["Welcome! You wrote: may I?"]
            assert town["小波"] in anna.state.people
            town.block("小波")
            bot._tell(Requested(town["Bo"], "from before the break"))
            await town.settle()
            assert str(town["Bo"]) in capsys.readouterr().out
            town.unblock("小波")
            await town.advance(60)
            await bo.request(town["小波"], "me, too?")
            await town.settle()
            assert said(bo, town["小波"]) == ["Welcome! You wrote: me, too?"]


async def test_notifier(capsys: pytest.CaptureFixture[str]) -> None:
    """It rings for who comes, not for who is there, nor for who only changes status."""
    async with Town("Anna", "小波", "Bo") as town:
        await town.client("Bo")
        watcher = await town.messenger("Anna", status=Status.HIDDEN)
        async with doing(example("notifier").notify(watcher)):
            await town.settle()
            bo = await town.client("小波")
            assert capsys.readouterr().out == "\a小波 is here.\n"
            await bo.change_status(Status.AWAY)
            await town.settle()
            assert capsys.readouterr().out == ""
            await bo.sign_out()
            await town.settle()
            assert capsys.readouterr().out == ""
            await town.client("小波")
            assert capsys.readouterr().out == "\a小波 is here.\n"


async def test_export(capsys: pytest.CaptureFixture[str]) -> None:
    """Friends only, with what they say of themselves, in both forms."""
    async with Town("Anna", "小波", "Bo", strangers=["Paris"]) as town:
        await town.change("小波", age="13", city="深圳", about='"quoted", with 标点')
        module = example("export")
        rows = await module.friends(await town.messenger("Anna"))
    assert [row["nick"] for row in rows] == ["小波", "Bo"]
    assert (rows[0]["age"], rows[0]["city"], rows[1]["age"]) == ("13", "深圳", "")
    module.write(rows, "csv")
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == rows
    module.write(rows, "json")
    assert json.loads(capsys.readouterr().out) == rows


async def test_captcha_to_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture is there while the letters are typed, and gone afterwards."""
    monkeypatch.chdir(tmp_path)
    module = example("captcha_to_file")
    async with Town("Anna", "小波", captcha="always") as town:

        def type_letters(prompt: str) -> str:
            assert Path("captcha.png").read_bytes().startswith(b"\x89PNG")
            assert "captcha.png" in prompt
            return town.letters

        monkeypatch.setattr("builtins.input", type_letters)
        await town.messenger("Anna", ask=module.ask)
    assert files(tmp_path) == []


async def test_wire_tap(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is shown in words, without passwords."""
    async with Town("Anna", "小波") as town:
        anna = await town.messenger("Anna", watch=example("wire_tap").watch)
        await anna.send(town["小波"], "hello")
    shown = capsys.readouterr().out
    assert ">\nLogin, request" in shown
    assert "<\nLogin, reply" in shown
    assert ">\nCLTMSG, request" in shown
    assert "5EBE2294" not in shown


# --- as programs ---------------------------------------------------------------------------------


@asynccontextmanager
async def running(
    name: str, address: str, home: Path, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example as somebody would who is 10001."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), address, "10001", *more),
        cwd=home,
        env={
            **os.environ,
            "KQQ_PASSWORD": PASSWORD,
            "KQQ_LANG": "en",
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
        },
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def signed_in(address: str, uin: int) -> AsyncIterator[Client]:
    """Give a client that somebody is signed in with."""
    async with await Client.connect(address) as client:
        await client.sign_in(uin, PASSWORD)
        yield client


async def there(client: Client, uin: int) -> None:
    """Return once a friend is online."""
    while (await client.statuses())[uin] != Status.ONLINE:  # noqa: ASYNC110  # as people look
        await asyncio.sleep(0.05)


async def next_text(client: Client) -> str:
    """Return the next message that comes."""
    async for push in client.events():
        if isinstance(push, ServerMsg):
            return push.text
    raise ConnectionLost("nothing came")


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [("echo_bot", "hello", "hello"), ("command_bot", "who", "小波 (online)")],
)
async def test_bots_as_programs(name: str, text: str, answer: str, tmp_path: Path) -> None:
    """They sign in by themselves and answer."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running(name, server.address, tmp_path),
            signed_in(server.address, 10002) as bo,
        ):
            await there(bo, 10001)
            await bo.send(10001, text)
            assert await next_text(bo) == answer


async def test_concierge_as_program(tmp_path: Path) -> None:
    """Who asks is let in."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running("concierge", server.address, tmp_path),
            signed_in(server.address, 10002) as bo,
        ):
            await there(bo, 10001)
            await bo.delete(10001)
            await bo.request(10001, "again?")
            while (text := await next_text(bo)) != "Welcome! You wrote: again?":
                assert not text  # that they are friends now
            assert [friend.uin for friend in await bo.friends()] == [10001]


async def test_notifier_as_program(tmp_path: Path) -> None:
    """It says who comes, and keeps what came."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running("notifier", server.address, tmp_path) as process,
        ):
            assert process.stdout is not None
            line = b""
            while not line:  # until it watches
                async with signed_in(server.address, 10002):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            line = await process.stdout.readline()
            assert line.decode() == "\a小波 is here.\n"
    assert (tmp_path / "data" / "kqq").is_dir()


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_export_as_program(form: str, tmp_path: Path) -> None:
    """It writes, and ends."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running("export", server.address, tmp_path, form) as process,
        ):
            out, err = await process.communicate()
    assert not err, err.decode()
    assert "小波" in out.decode()
    assert ("[" in out.decode()) == (form == "json")


async def test_captcha_to_file_as_program(tmp_path: Path) -> None:
    """Where no picture is wanted it signs in at once."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running("captcha_to_file", server.address, tmp_path) as process,
        ):
            out, err = await process.communicate()
    assert not err, err.decode()
    assert out.decode() == "Signed in; friends: 1\n"


async def test_wire_tap_as_program(tmp_path: Path) -> None:
    """It shows the sign-in at once."""
    with serving(tmp_path / "server", "Anna", "小波") as server:
        async with (
            asyncio.timeout(WAIT),
            running("wire_tap", server.address, tmp_path) as process,
        ):
            assert process.stdout is not None
            assert await process.stdout.readline() == b">\n"
            assert (await process.stdout.readline()).startswith(b"Login, request")
