"""The demo, as it runs without a terminal and with one."""

import io
import re
import shlex
import subprocess
import sys

import pytest
from rich.cells import cell_len

from browsing import Browser
from kqq import demo
from kqq.client import Messenger, Received
from kqq.errors import UnexpectedReply
from kqq.protocol import CltMsg, Line, Unreadable, UpdateStat, decode, mask
from kqq.protocol.messages import Role
from kqq.tui import ChatApp, Make


def test_the_demo_runs_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the conversation beside the lines, in 80 columns, with passwords masked."""
    demo.run_demo()
    out = capsys.readouterr().out
    assert "Everything arrived as it was said" in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "PS=***" in out
    assert "SG=***" in out
    assert "5ebe2294" not in out.lower()
    for seen in ("小波 signs out", "明天见", "MG=Hello! R%26B%2c 1 + 1 = 2%2c 100%25"):
        assert seen in out


def test_the_texts_hold_every_awkward_sign() -> None:
    """Both languages, the signs that are escaped and those that must not be, breaks, emoji."""
    everything = "".join(text for _, text in demo.SAID) + demo.WHILE_AWAY
    for sign in "&,%=+\r\n😀你H":
        assert sign in everything


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    """The picture is an SVG of the same demo that loads no font."""
    svg = demo.picture()
    assert svg.startswith("<svg")
    assert "@font-face" not in svg
    assert "url(http" not in svg
    assert "textLength" not in svg
    assert "小波" in svg


def test_a_text_that_arrives_otherwise_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo compares what arrived with what was said, so it cannot lie."""
    monkeypatch.setattr("kqq.client.client.CltMsg", _garbled)
    with pytest.raises(UnexpectedReply, match="was said"):
        demo.run_demo()


def _garbled(**fields: object) -> object:
    return CltMsg(**{**fields, "text": "?"})  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [20, 46, 100])
def test_lines_are_folded_at_fields(width: int) -> None:
    """A long line is cut before an `&`, and nothing of it is lost."""
    line = "VER=1.1&CMD=Server_Msg&SEQ=31&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hello"
    folded = demo.fold(line, width)
    assert folded.replace("\n  ", "") == line
    assert all(cell_len(row) <= width for row in folded.splitlines())


def test_the_chat_is_offered_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever takes it is Anna, and 小波 answers."""
    said: list[object] = []

    async def one_question(make: Make) -> None:
        async with make(_nobody_reads, lambda way, line: None, None) as anna:
            await anna.send(demo.BO, "hi")
            async for event in anna.events():
                if isinstance(event, Received):
                    said.append(event.message.text)
                    break

    monkeypatch.setattr(demo, "chat", one_question)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", _terminal("t\n"))
    demo.run_demo()
    assert said == ["你说: hi"]
    assert "Everything arrived" in capsys.readouterr().out
    said.clear()
    for typed in ("n\n", "\n", ""):
        monkeypatch.setattr("sys.stdin", _terminal(typed))
        demo.run_demo()
    assert said == []


def test_a_browser_is_offered_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where to go and who to be there; 小波 answers until Ctrl-C."""
    answered: list[str] = []

    async def browse() -> None:
        url = re.search(r"Open (http://\S+) and sign in", capsys.readouterr().out)
        assert url is not None
        async with Browser(url[1]) as browser:
            assert (await browser.sign_in(demo.ANNA)).status == 200
            lines = await browser.talk()
            await lines.sign_in(demo.ANNA)
            await lines.message(demo.ANNA, demo.BO, "hi")
            while not answered or "CMD=Server_Msg" not in answered[-1]:
                answered.append(await lines.hear())

    monkeypatch.setattr(demo, "until_interrupted", browse)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", _terminal("b\n"))
    demo.run_demo()
    assert "MG=你说: hi" in answered[-1]


def test_what_the_wire_column_shows_are_lines() -> None:
    """Masking leaves a line readable but for the secret itself."""
    line = Line.decode(b"VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002")
    assert isinstance(decode(Line(mask(line.text)), Role.SERVER), UpdateStat)
    assert not isinstance(decode(line, Role.SERVER), Unreadable)


async def test_the_chat_is_the_one_on_the_full_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna talks to 小波 at once."""
    opened: list[ChatApp] = []

    async def run(app: ChatApp) -> None:
        opened.append(app)

    monkeypatch.setattr(ChatApp, "run_async", run)
    await demo.chat(lambda ask, watch, password: Messenger(demo.ANNA, "secret", ["tcp://a:1"]))
    assert len(opened) == 1


async def _nobody_reads(picture: bytes) -> str:
    raise AssertionError("there is no captcha")


def _terminal(typed: str) -> io.StringIO:
    """Return standard input as a terminal where this is typed."""
    stdin = io.StringIO(typed)
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    return stdin


def test_a_reader_who_leaves_ends_the_demo() -> None:
    """`kqq demo | head` is no error of ours."""
    command = f"{shlex.quote(sys.executable)} -m kqq demo | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=True
    )
    assert done.stderr == b""
