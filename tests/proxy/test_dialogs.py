"""What is typed at the screen of the proxy: lines as on the wire, seconds, which lines to hold."""

import re
from typing import Any

import pytest
from hypothesis import given
from textual.pilot import Pilot
from textual.widgets import Static

from kqq.errors import ConfigError, KQQError, LocalProtocolError
from kqq.protocol import Line, Role
from kqq.proxy.dialogs import (
    Delay,
    Edited,
    EditLine,
    HoldWhich,
    PutIn,
    PutInLine,
    _OneField,
    read_typed,
    typed,
)
from kqq.proxy.screen import ProxyApp
from kqq.tui.dialogs import Dialog
from proxy.between import PUSH, SAY, passage
from stage import MD5, sign_in_line
from strategies import LINES
from tui.screens import Alone, seen, typing, until

SECRET = re.compile(r"(?i)(PS|SG|passw|again)")


class Behind(Alone):
    """What is behind a dialog; notes its answer."""

    CSS_PATH = ProxyApp.CSS_PATH  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(Static("behind"))


async def answer(dialog: Dialog[Any], *steps: str) -> Any:
    """Return the answer of a dialog after some steps: `<keys>`, a text, or `?words` to be seen."""
    app = Behind()
    async with app.run_test(size=(100, 30)) as pilot:
        await app.push_screen(dialog, app.heard.append)
        await pilot.pause()
        for step in steps:
            await _step(pilot, step)
        await until(pilot, lambda: app.heard, "an answer")
        return app.heard.pop()


async def _step(pilot: Pilot[Any], step: str) -> None:
    if step.startswith("?"):
        await until(pilot, lambda: step[1:] in "\n".join(seen(pilot.app)), repr(step[1:]))
    elif step.startswith("<"):
        await pilot.press(*step.strip("<>").split())
    else:
        await typing(pilot, step)


# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line("VER=1.4&MG=你好 %26"), "VER=1.4&MG=你好 %26"),
        (Line("VER=1.4&MG=a\\b\x1b\udcff\u202e"), r"VER=1.4&MG=a\\b\x1b\xff\xe2\x80\xae"),
        (Line("VER=1.4", b"\x00E"), r"\x00EVER=1.4"),
        (Line(sign_in_line(10001)), sign_in_line(10001).replace(MD5, "***")),
    ],
)
def test_a_line_is_typed_as_it_is_seen(line: Line, text: str) -> None:
    """Bytes that cannot be seen have codes, secrets are hidden; it comes back as it was."""
    assert typed(line) == text
    assert read_typed(text, line) == line


@given(LINES)
def test_any_line_can_be_typed(raw: bytes) -> None:
    """And is the same again."""
    line = Line.decode(raw)
    text = typed(line)
    assert "\n" not in text
    assert text.isprintable() or all(sign.isprintable() or ord(sign) > 255 for sign in text)
    if line.encode() and not SECRET.search(line.text) and b"\n" not in line.encode():
        assert read_typed(text, line).encode() == Line.decode(line.encode()).encode()


def test_secrets_stay_where_nothing_else_is_typed() -> None:
    """Each in its own field, in order; others are what was typed."""
    line = Line("VER=1.4&PS=one&SG=two&PS=three&X=1")
    assert typed(line) == "VER=1.4&PS=***&SG=***&PS=***&X=1"
    assert read_typed("X=2&SG=***&PS=***&PS=***&PS=***", line).text == (
        "X=2&SG=two&PS=one&PS=three&PS=***"
    )
    assert read_typed("PS=new&SG=***", line).text == "PS=new&SG=two"
    assert read_typed("PS=***", None).text == "PS=***"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (r"a\q", ConfigError, "A backslash is typed"),
        (r"a\x1", ConfigError, "A backslash is typed"),
        ("a\\", ConfigError, "A backslash is typed"),
        (r"a\x0ab", LocalProtocolError, "more than one line"),
        ("", LocalProtocolError, "cannot be empty"),
    ],
)
def test_what_is_no_line(text: str, kind: type[KQQError], words: str) -> None:
    """One error that says why."""
    with pytest.raises(kind, match=words):
        read_typed(text, None)


# --- dialogs -------------------------------------------------------------------------------------


async def test_a_line_is_edited() -> None:
    """Enter and the button let it go, the other one keeps it; Escape changes nothing."""
    for steps, goes in (
        (("!", "<enter>"), True),
        (("!", "<tab tab tab enter>"), True),
        (("!", "<tab tab enter>"), False),
    ):
        found = await answer(EditLine(passage(SAY)), "?Line 1, from the client", *steps)
        assert found == Edited(Line(f"{SAY}!"), goes)
    assert (
        await answer(EditLine(passage(PUSH, Role.SERVER)), "?from the server", "<escape>") is None
    )


async def test_a_mistake_is_told_where_it_is_made() -> None:
    """And can be mended."""
    steps = (r"\q", "<enter>", "?A backslash is typed", "<backspace backspace enter>")
    assert await answer(EditLine(passage(SAY)), *steps) == Edited(Line(SAY), True)
    steps = ("<enter>", "?cannot be empty", "VER=1", "<enter>")
    assert await answer(PutInLine(3, None), *steps) == PutIn(Line("VER=1"), Role.SERVER)


async def test_a_line_is_put_in() -> None:
    """Enter says it to whom the line went that it is like; the buttons to either."""
    heading = "?A line to put in, on connection 3"
    found = await answer(PutInLine(3, passage(SAY)), heading, "!", "<enter>")
    assert found == PutIn(Line(f"{SAY}!"), Role.SERVER)
    pushed = passage(PUSH, Role.SERVER)
    assert (await answer(PutInLine(3, pushed), "<enter>")).to is Role.CLIENT
    assert (await answer(PutInLine(3, pushed), "<tab tab enter>")).to is Role.SERVER
    assert (await answer(PutInLine(3, pushed), "<tab tab tab enter>")).to is Role.CLIENT
    assert await answer(PutInLine(3, pushed), "<tab enter>") is None
    signed = await answer(PutInLine(3, passage(sign_in_line(10001))), "?PS=***", "<enter>")
    assert signed.line.text == sign_in_line(10001)


async def test_seconds_are_asked_for() -> None:
    """Five if nothing else is typed."""
    assert await answer(Delay(), "?Seconds from now", "<enter>") == "5"
    for wrong in ("x", "-1", "99999999"):
        steps = (wrong, "<enter>", "?Seconds are a number", "<end ctrl+u>", "2.5", "<enter>")
        assert await answer(Delay(), *steps) == "2.5"


async def test_which_lines_are_held_is_asked_for() -> None:
    """What was said before stands there."""
    steps = ("?CLTMSG, client:CLTMSG", " a:b", "<enter>", "?says no lines", "<ctrl+u>", " 10001 ")
    assert await answer(HoldWhich("List"), *steps, "<tab tab enter>") == "10001"
    assert await answer(HoldWhich("List"), "<enter>") == "List"
    assert await answer(HoldWhich(""), "<enter>") == ""


def test_each_says_what_may_be_typed() -> None:
    """What all have in common cannot be asked."""
    with pytest.raises(NotImplementedError):
        _OneField("").hint()
    with pytest.raises(NotImplementedError):
        _OneField("").check("")
