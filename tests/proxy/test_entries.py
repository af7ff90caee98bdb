"""The list of the proxy: signs, words, and that it never grows."""

from typing import Any

import pytest

from kqq.capture.events import Closed, End, Note, Opened, Stream
from kqq.protocol import Role
from kqq.proxy.entries import MOST_BYTES, MOST_KEPT, Entries, EntryPane, EntryRows
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.screen import ProxyApp
from kqq.tui.wire_pane import WireLine
from proxy.between import PUSH, SAID, SAY, passage, said
from tui.screens import HARMLESS, HOSTILE, Alone, seen

STREAM = Stream(7, (End("10.0.0.1", 4), End("10.0.0.2", 14000)), 0)


class Shown(Alone):
    """A pane in an app of its own."""

    CSS_PATH = ProxyApp.CSS_PATH  # type: ignore[assignment]
    HORIZONTAL_BREAKPOINTS = ProxyApp.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = ProxyApp.VERTICAL_BREAKPOINTS


class Flow:
    """As much of a connection as is shown."""

    number = 7


def one(text: str, number: int, sender: Role = Role.CLIENT, **changes: Any) -> Passage:
    """Return a line on its way on connection 7."""
    found = passage(text, sender)
    found.said.number = number
    flow: Any = Flow()
    found.flow = flow
    for name, value in changes.items():
        setattr(found, name, value)
    return found


async def rows(entries: Entries, size: tuple[int, int] = (120, 40)) -> list[str]:
    """Return the list as it is seen."""
    pane = EntryPane(entries, id="wire")
    async with Shown(pane).run_test(size=size) as pilot:
        pane.refresh_lines()
        await pilot.pause()
        return [line.strip() for line in seen(pilot.app, pane.query_one(EntryRows).region)]


async def test_each_row_says_what_becomes_of_the_line() -> None:
    """By a sign before it; what is no line has none."""
    entries = Entries(lambda: 1.4e9)
    entries.add(Opened(STREAM, 1.4e9, 0))
    entries.add(one(SAY, 1))
    entries.add(one(SAY, 2, fate=Fate.HELD))
    entries.add(one(SAY, 3, fate=Fate.DROPPED))
    entries.add(one(SAY, 4, fate=Fate.LOST))
    entries.add(one(SAY, 5, fate=Fate.PASSED, is_injected=True))
    edited = one(SAY, 6)
    entries.add(edited)
    edited.edit(SAY.replace("hi", "there"))
    edited.fate = Fate.PASSED
    entries.add(edited)  # it is there already
    entries.add(one(SAID + "&ODD=1", 7, Role.SERVER, fate=Fate.PASSED))
    entries.add(one(PUSH, 8, Role.SERVER, fate=Fate.PASSED))
    entries.add(one("what=ever", 9, is_late=True))
    entries.add(Note("rule", "a.py is wrong", None, 0, 7))
    entries.add(Note("rule", "it was read again", 1.4e9, 0))
    entries.add(Closed(STREAM, 1.4e9, 0, "closed"))
    entries.add(Closed(STREAM, 1.4e9, 0, "reset"))
    shown = [row for row in await rows(entries) if row]
    signs = [row[0] if not row[0].isdigit() else " " for row in shown]
    assert signs == [" ", "…", "‖", "✗", "?", "+", "✎", "!", " ", "!", " ", " ", " ", " "]
    assert shown[0].endswith("#7 10.0.0.1:4 is connected")
    assert shown[1].endswith("10001 → CLTMSG     to 10002: “hi”")
    assert shown[6].endswith("to 10002: “there”")
    assert "10001 ← Server_Msg from 10002: “hello”" in shown[8]
    assert "? → " in shown[9]
    assert [row.partition(" ")[2].strip() for row in shown[10:]] == [
        "#7 a.py is wrong", "it was read again", "#7 is over", "#7 was broken off",
    ]  # fmt: skip


async def test_there_is_more_where_there_is_room() -> None:
    """Milliseconds and the connection."""
    entries = Entries(lambda: 1.4e9)
    entries.add(one(SAY, 1))
    assert (await rows(entries, (60, 24)))[0].count(":") == 3
    assert ".000 #7 " in (await rows(entries, (100, 24)))[0]


async def test_what_a_row_says_is_harmless() -> None:
    """No markup, nothing that steers a terminal."""
    entries = Entries(lambda: 1.4e9)
    entries.add(one(SAY.replace("hi", HOSTILE), 1))
    entries.add(Note("rule", HOSTILE, None, 0))
    first, second, *_ = await rows(entries, (200, 50))
    assert HARMLESS[:30] in first
    assert HARMLESS[:30] in second


async def test_the_line_under_the_cursor_is_explained() -> None:
    """With what became of it, and its answer; or it is told what happened."""
    entries = Entries(lambda: 1.4e9)
    asked, answered = one(SAY, 1, fate=Fate.HELD), one(SAID, 2, Role.SERVER, fate=Fate.PASSED)
    answered.said.request = asked.said
    asked.is_injected = True
    answered.is_late = True
    entries.add(asked)
    entries.add(answered)
    entries.add(Note("rule", "a.py is wrong", None, 0))
    pane = EntryPane(entries, id="wire")
    app = Shown(pane)

    def shown() -> str:
        return "\n".join(seen(app))

    async with app.run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        pane.rows.focus()
        await pilot.press("home")
        assert pane.chosen is asked
        assert "held, put in here" in shown()
        assert "answered at" in shown()
        assert "1 held" in shown()
        asked.edit(SAY.replace("hi", "there"))
        asked.fate = Fate.WAITING
        pane.refresh_lines()
        await pilot.pause()
        assert "waits, edited, put in here" in shown()
        assert "to 10002: “there”" in shown()
        assert "1 held" not in shown()
        await pilot.press("down")
        assert "went on, too late to change it" in shown()
        assert "answers what was said at" in shown()
        await pilot.press("enter")  # the screen lets lines go by that; here there is none
        await pilot.press("down")
        assert chosen(pane) is None
        assert shown().count("a.py is wrong") == 2
        await pilot.click(pane.rows, offset=(4, 0))
        assert pane.chosen is asked


def chosen(pane: EntryPane) -> Passage | None:
    """Return the line under the cursor; mypy would take the property to stay as it was."""
    return pane.chosen


async def test_an_empty_list_says_so() -> None:
    """Before anything was said."""
    pane = EntryPane(Entries(lambda: 1.4e9), id="wire")
    app = Shown(pane)
    async with app.run_test(size=(120, 40)) as pilot:
        pane.refresh_lines()
        await pilot.pause()
        assert "Nothing was said yet." in "\n".join(seen(app))
        assert pane.chosen is None


@pytest.mark.parametrize(("text", "most"), [("x", MOST_KEPT), ("x" * 60_000, 139)])
def test_only_the_last_are_kept(text: str, most: int) -> None:
    """So many, and so many bytes."""
    entries = Entries(lambda: 1.4e9)
    for number in range(1, MOST_KEPT + 11):
        entries.add(one(SAY.replace("hi", text), number))
    assert len(entries.lines) == most
    assert entries.lines[-1].number == MOST_KEPT + 9
    assert sum(len(entry.line.text) for entry in entries.lines) <= MOST_BYTES


def test_what_has_no_other_half() -> None:
    """Something that is no line on its way, and a request without an answer."""
    entries = Entries(lambda: 1.4e9)
    entries.add(Note("rule", "x", None, 0))
    entries.add(one(SAY, 1))
    for entry in entries.lines:
        assert entries.other_half(entry) is None
    assert entries.other_half(WireLine(0, 0.0, ">", said(SAY).line)) is None
