"""The wire: lines, what their fields mean, and that no secret is ever seen."""

from typing import Any

import pytest

from kqq.protocol.explain import explain
from kqq.protocol.wire import Line
from kqq.tui.chat import Chat
from kqq.tui.help import Place
from kqq.tui.wire_pane import (
    MOST_KEPT,
    WireLog,
    WirePane,
    safe_line,
    safe_value,
    without_head,
)
from tui.screens import HOSTILE, Alone, seen, seen_in, until

MD5 = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
HEAD = "VER=1.4&CON=1&CMD={}&SEQ={}&UIN=10001&SID=&XP=C4CA4238A0B92382"
SIGN_IN = f"VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS={MD5}&M5=1&LG=0&LC=8128&GD=X&CKE="
SAY = HEAD.format("CLTMSG", 204) + "&UN=10002&MG=你好"
SAID = "VER=1.1&CMD=CLTMSG&SEQ=204&UIN=10001&RES=0"
PUSH = "VER=1.1&CMD=Server_Msg&SEQ=204&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hello"


class Clock:
    """A clock that goes on by twelve milliseconds each time it is read."""

    def __init__(self) -> None:
        self.now = 1.4e9

    def __call__(self) -> float:
        """Return the time."""
        self.now += 0.012
        return self.now


class Heard(Alone):
    """Notes what is copied."""

    HORIZONTAL_BREAKPOINTS = Chat.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Chat.VERTICAL_BREAKPOINTS

    def on_wire_pane_copied(self, event: WirePane.Copied) -> None:
        """Note it."""
        self.heard.append(event.text)


def a_log(*lines: str) -> WireLog:
    """Return a log of lines such as `> VER=…`."""
    log = WireLog(Clock())
    for line in lines:
        log.add(line[0], Line(line[2:]))
    return log


def where(pane: WirePane) -> Place | None:
    """Return where the keys go; mypy would take the property to stay as it was."""
    return pane.place


def shown(pane: WirePane) -> str:
    """Return what is seen, without borders, its lines joined by blanks."""
    return " ".join(" ".join(seen(pane.app)).replace("│", " ").split())


async def test_lines_and_what_they_say() -> None:
    """The last line is explained: command, kind, answer, each field, and the one chosen in full."""
    log = a_log(f"> {SAY}", f"< {PUSH}", f"< {SAID}")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(120, 40)) as pilot:
        pane.styles.height = "1fr"
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.press("home")
        text = shown(pane)
        assert "> CLTMSG UN=10002&MG=你好" in text
        assert "< CLTMSG RES=0" in text
        assert "CLTMSG request · answered at" in text
        assert "24 ms later" in text
        assert "Send a message" in text
        assert HEAD.format("CLTMSG", 204) in text.replace(" ", "")
        assert "UN 10002 to whom" in text
        assert "MG 你好 the words" in text
        assert "VER (ver) protocol version" in text
        assert "three or more independent sources" in text
        assert "TIEBA forum thread" in text
        await pilot.press("end")
        assert "CLTMSG reply · answers what was said at" in shown(pane)
        await pilot.press("up")
        assert "Server_Msg push: the server says it unasked" in shown(pane)
        assert "ms later" not in shown(pane)


async def test_each_field_is_told_of() -> None:
    """With the keys among the fields, the one under the cursor is told in full and marked."""
    log = a_log(f"> {SAY}")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.press("right", "end")
        assert pane.fields.has_focus
        assert "MG (text)" in shown(pane)
        assert "= 你好" in shown(pane)
        await pilot.press("up", "up")
        assert "XP" in shown(pane)
        assert "unknown" in shown(pane)
        raw: Any = pane.query_one("#wire-raw")
        marked = [
            (raw.visual.plain[span.start : span.end], span.style) for span in raw.visual.spans
        ]
        assert ("XP=C4CA4238A0B92382", "$foreground on $found") in marked
        await pilot.press("left")
        assert pane.rows.has_focus
        await pilot.press("enter")
        assert pane.fields.has_focus
        await pilot.click(pane.fields, offset=(3, 1))
        assert pane.fields.has_focus
        assert pane.fields.cursor == 1
        await pilot.press("enter")
        assert pane.detail.has_focus
        await pilot.press("left")
        assert pane.fields.has_focus
        await pilot.press("left")
        assert pane.rows.has_focus


async def test_secrets_are_never_seen() -> None:
    """Not in the list, the line, the fields, the detail or the clipboard."""
    nameless = f"VER=1.4&CMD=Nonsense&SEQ=1&UIN=10001&FOO={MD5}&&BAR"
    broken = f"VER=1.4&CMD=Login&SEQ=abc&UIN=10001&PS={MD5}&X={MD5}"
    log = a_log(f"> {SIGN_IN}", f"> {nameless}", f"> {broken}", f"> {MD5}")
    pane = WirePane(log, id="wire")
    app = Heard(pane)
    async with app.run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        for line in range(4):
            pane.rows.focus()
            pane.rows.cursor = line
            await pilot.press("c", "right")
            for field in range(pane.fields.count()):
                pane.fields.cursor = field
                await pilot.pause()
                assert MD5 not in shown(pane).replace(" ", "")
        assert len(app.heard) == 4
        assert not any(MD5 in text for text in app.heard)
        assert "PS=***" in app.heard[0]
    log = a_log(f"> {SIGN_IN}")
    secret = next(one for one in explain(log.lines[0].line).fields if one.key == "PS")
    assert safe_value(secret) == "***"


async def test_hostile_lines_are_shown_as_they_are() -> None:
    """No markup, no escapes, whatever the key or value; unreadable lines say why."""
    junk = f"VER=1.4&CMD={HOSTILE}&{HOSTILE}={HOSTILE}&SEQ=1&UIN=x"
    log = a_log(f"< {junk}", f"< {SAY}&MG2=[bold]x[/]\x1b[31m")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        for cursor in (0, 1):
            pane.rows.cursor = cursor
            await pilot.pause()
            text = "\n".join(seen(pane.app))
            assert "\x1b" not in text
            assert "\u202e" not in text
        pane.rows.cursor = 0
        await pilot.pause()
        assert "cannot be read" in shown(pane)
        assert "! " in shown(pane)
        assert "not a field we know" in shown(pane)
        pane.action_go_to_fields()
        await pilot.press("down", "down")
        assert "[@click=app.quit]y[/]" in shown(pane)


async def test_it_follows_at_the_end_and_stays_on_a_line() -> None:
    """New lines move the cursor only if it was on the last; old ones go after a thousand."""
    log = WireLog(Clock())
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(100, 30)) as pilot:
        pane.refresh_lines()
        await pilot.pause()
        assert "Nothing was said yet." in shown(pane)
        assert pane.rows.count() == 0
        pane.action_copy()
        for number in range(10):
            log.add(">", Line(HEAD.format("GetInfo", number)))
        pane.refresh_lines()
        await pilot.pause()
        assert pane.rows.cursor == 9
        log.add("<", Line("VER=1.1&CMD=GetInfo&SEQ=9&UIN=10001&RES=0&NK=x"))
        pane.refresh_lines()
        assert pane.rows.cursor == 10
        pane.rows.cursor = 4
        await pilot.pause()
        for number in range(MOST_KEPT - 5):
            log.add("<", Line(PUSH.replace("204", str(number + 1000))))
        pane.refresh_lines()
        await pilot.pause()
        assert len(log.lines) == MOST_KEPT
        one = pane.rows.line_under_cursor
        assert one is not None
        assert one.line.values()["SEQ"] == "6"  # the fifth has gone; this is the oldest now
        assert pane.rows.cursor == 0
        assert str(MOST_KEPT) in shown(pane)


async def test_the_answer_that_comes_later_is_told() -> None:
    """The head of a request under the cursor says so as soon as there is one."""
    log = a_log(f"> {SAY}", f"< {PUSH}")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.press("home")
        assert "answered" not in shown(pane)
        log.add("<", Line(SAID))
        pane.refresh_lines()
        await until(pilot, lambda: "answered at" in shown(pane), "the answer")


async def test_hidden_it_does_nothing() -> None:
    """Nobody sees it, so nothing is laid out."""
    log = a_log(f"> {SAY}")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=(120, 40)) as pilot:
        pane.display = False
        pane.refresh_lines()
        await pilot.pause()
        assert pane.rows.count() == 0


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 40)])
async def test_it_fits(size: tuple[int, int]) -> None:
    """Lines, fields and what a field means are in view in any size."""
    log = a_log(f"> {SIGN_IN}", f"> {SAY}")
    pane = WirePane(log, id="wire")
    async with Heard(pane).run_test(size=size) as pilot:
        pane.styles.height = "1fr"
        pane.refresh_lines()
        await pilot.pause()
        assert "CLTMSG" in seen_in(pane.rows)
        assert "VER" in seen_in(pane.fields)
        assert all(len(line) <= size[0] for line in seen(pane.app))


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 24)])
async def test_a_field_can_be_read_in_full(size: tuple[int, int]) -> None:
    """Where there is little room the detail comes with the cursor, and has all of it if wanted."""
    pane = WirePane(a_log(f"> {SAY}"), id="wire")
    async with Heard(pane).run_test(size=size) as pilot:
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.pause()
        assert where(pane) == Place.WIRE
        assert not pane.detail.display
        await pilot.press("right", "down", "down", "down")
        await until(pilot, lambda: "(seq)" in seen_in(pane.detail), "the name")
        assert "SEQ" in seen_in(pane.fields)
        assert where(pane) == Place.WIRE_FIELDS
        await pilot.press("right")
        assert where(pane) == Place.WIRE_DETAIL
        await until(pilot, lambda: not pane.fields.display, "room")
        read = seen_in(pane.detail)
        await pilot.press("end")
        await until(
            pilot,
            lambda: pane.detail.scroll_offset.y == pane.detail.max_scroll_y,
            "the end",
        )
        read = " ".join((read + " " + seen_in(pane.detail)).split())
        field = explain(Line(SAY)).fields[3]
        for words in (field.meaning, "= 204", "three or more", *field.evidence):
            assert words in read
        await pilot.press("right")  # there is nothing further on
        assert where(pane) == Place.WIRE_DETAIL
        await pilot.press("left")
        assert where(pane) == Place.WIRE_FIELDS
        await until(pilot, lambda: "SEQ" in seen_in(pane.fields), "the fields")
        await pilot.press("left")
        assert where(pane) == Place.WIRE


async def test_without_lines_there_is_no_field_to_read() -> None:
    """The keys stay where they are."""
    pane = WirePane(WireLog(Clock()), id="wire")
    async with Heard(pane).run_test(size=(80, 24)) as pilot:
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.press("right", "right", "enter")
        assert where(pane) == Place.WIRE_FIELDS


def test_halves_belong_together() -> None:
    """By SEQ; only what has RES answers, and only what went asks."""
    log = a_log(f"> {SAY}", f"< {PUSH}", f"< {SAID}", "< nonsense", f"> {SAY.replace('204', '9')}")
    asked, push, answer, junk, later = log.lines
    assert log.other_half(asked) is answer
    assert log.other_half(answer) is asked
    assert log.other_half(push) is None
    assert log.other_half(junk) is None
    assert log.other_half(later) is None
    assert WireLog(Clock()).other_half(asked) is None


def test_long_values_are_cut_and_heads_left_out() -> None:
    """A captcha is thousands of signs; the list shows what is peculiar to a line."""
    line = Line(f"VER=1.1&CMD=VERIFYCODE&SEQ=1&UIN=10001&RES=0&VC={'AB' * 4000}")
    field = next(one for one in explain(line).fields if one.key == "VC")
    assert "(8000 signs)" in safe_value(field)
    assert len(safe_value(field)) < 200
    assert without_head(Line(SAY)) == "UN=10002&MG=你好"
    assert safe_line(Line("a\x1b[31m")) == "a\\x1b[31m"
