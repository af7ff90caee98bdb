"""The screen of the proxy, with real lines going by, worked with keys."""

import asyncio
from pathlib import Path

import pytest

from kqq.errors import ConfigError
from kqq.proxy.dialogs import Delay, EditLine, HoldWhich, PutInLine
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.relay import Relay
from kqq.proxy.rules import Orders, Which
from kqq.proxy.screen import ProxyApp
from kqq.tui.dialogs import Confirm, Keys
from proxy.between import PUSH, SAID, SAY, Link, between
from proxy.looking import watching
from stage import MD5, sign_in_line
from tui.screens import HARMLESS, HOSTILE, typing, until


async def test_lines_are_seen_as_they_go() -> None:
    """Who, what, in words; the last one is explained; connections and notes, too."""
    async with watching() as scene:
        await scene.client.say(SAY)
        await scene.sees("10001 → CLTMSG")
        await scene.server.say(SAID, PUSH)
        await scene.client.hear()
        await scene.sees("10001 ← Server_Msg from 10002: “hello”")
        assert "10001 ← CLTMSG     accepted" in scene.all()
        assert "push: the server says it unasked" in scene.all()
        assert "#1 127.0.0.1:" in scene.all()
        assert "is connected" in scene.all()
        assert "1 connection" in scene.all()
        assert f"{scene.place.listen} → {scene.place.relay.upstream}" in scene.all()
        await scene.press("up")
        await scene.sees("answers what was said at")
        await scene.press("up")
        await scene.sees("answered at")
        await scene.sees("went on")
        await scene.press("up")
        await scene.client.close()
        await scene.server.close()
        await scene.sees("#1 is over")
        await scene.press("end")
        await scene.sees("0 connections")


async def test_all_is_held_and_let_go() -> None:
    """Space holds; Enter lets the line under the cursor go, or the oldest; Space lets all go."""
    async with watching() as scene:
        await scene.press("space")
        await scene.sees("all is held")
        for text in ("one", "two", "three"):
            await scene.client.say(SAY.replace("hi", text))
        await scene.sees("3 held")
        assert " ‖ " in scene.row("“two”")
        await scene.press("home", "enter")  # the first row is the connection
        assert await scene.server.hear() == SAY.replace("hi", "one")
        await scene.sees("2 held")
        await scene.press("end", "d")
        await scene.sees("1 held")
        assert " ✗ " in scene.row("“three”")
        await scene.press("space")
        assert await scene.server.hear() == SAY.replace("hi", "two")
        await scene.client.say(SAY)
        assert await scene.server.hear() == SAY
        await scene.press("g")
        await scene.sees("Nothing is held.")


async def test_a_held_line_is_edited() -> None:
    """Enter lets it go as it was typed; it can be kept; what is no line is told."""
    async with watching() as scene:
        await scene.press("space")
        await scene.client.say(SAY, SAY)
        await scene.sees("2 held")
        await scene.press("e")
        await scene.dialog(EditLine)
        await scene.sees("Line 2, from the client")
        await typing(scene.pilot, " 你")
        await scene.press("tab", "tab", "enter")
        await scene.no_dialog()
        await scene.sees("“hi 你”")
        await scene.sees("held, edited")
        await scene.press("up", "e")
        await scene.dialog(EditLine)
        await scene.replace(r"a\q")
        await scene.press("enter")
        await scene.sees(r"A backslash is typed \\, a byte \xHH.")
        await scene.replace(r"VER=1.4&MG=\xff\\")
        await scene.press("enter")
        await scene.no_dialog()
        assert await scene.server.hear_bytes(15) == b"VER=1.4&MG=\xff\\\r\n"
        await scene.press("a")
        await scene.sees_no("held, edited")
        await scene.sees("✎")
        lines = scene.place.watched.lines
        await scene.place.watched.until(lambda: lines[1].fate is Fate.PASSED)
        assert lines[1].line.text == SAY + " 你"


async def test_secrets_are_not_seen_and_stay_what_they_are() -> None:
    """Neither in the list nor where a line is edited."""
    async with watching() as scene:
        await scene.press("space")
        await scene.client.say(sign_in_line(10001))
        await scene.sees("1 held")
        await scene.press("e")
        await scene.dialog(EditLine)
        assert MD5 not in scene.all().replace("\n", "")
        assert "PS=***" in scene.all()
        await typing(scene.pilot, "x")
        await scene.press("enter")
        assert await scene.server.hear() == sign_in_line(10001) + "x"


async def test_a_line_goes_later() -> None:
    """In so many seconds; what is no number of seconds is told."""
    async with watching() as scene:
        await scene.press("h")
        await scene.dialog(HoldWhich)
        await scene.replace("nobody:x")
        await scene.press("enter")
        await scene.sees("says no lines")
        await scene.replace("client:CLTMSG")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.sees("holds client:CLTMSG")
        await scene.client.say(SAY)
        await scene.sees("1 held")
        await scene.press("l")
        await scene.dialog(Delay)
        for wrong in ("soon", "-1"):
            await scene.replace(wrong)
            await scene.press("enter")
            await scene.sees("Seconds are a number such as 2.5.")
        await scene.replace("60")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.sees("waits")
        assert " … " in scene.row("“hi”")
        await scene.press("e")  # it is held while somebody types, or it would go
        await scene.dialog(EditLine)
        assert scene.place.watched.lines[0].fate is Fate.HELD
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("l")
        await scene.dialog(Delay)
        await scene.replace("0.01")
        await scene.press("tab", "tab", "enter")
        assert await scene.server.hear() == SAY
        await scene.press("h")
        await scene.dialog(HoldWhich)
        await scene.replace("")
        await scene.press("enter")
        await scene.no_dialog()
        assert scene.orders.hold == []
        await scene.sees_no("holds client:CLTMSG")


async def test_a_line_is_put_in() -> None:
    """Like the one under the cursor, to whom that went or to the other end; not over HTTP."""
    async with watching() as scene:
        await scene.client.say(SAY)
        await scene.server.hear()
        await scene.sees("“hi”")
        await scene.press("i")
        await scene.dialog(PutInLine)
        await typing(scene.pilot, "!")
        await scene.press("enter")
        await scene.no_dialog()
        assert await scene.server.hear() == SAY + "!"
        await scene.sees("“hi!”")
        assert " + " in scene.row("“hi!”")
        await scene.press("home", "i")
        await scene.dialog(PutInLine)
        await scene.press("enter")
        await scene.sees("a line cannot be empty")
        await typing(scene.pilot, PUSH)
        await scene.press("tab", "tab", "enter")
        await scene.no_dialog()
        assert await scene.client.hear() == PUSH
        await scene.sees("“hello”")
        await scene.press("end", "i")
        await scene.dialog(PutInLine)
        await scene.press("tab", "tab", "enter")
        await scene.no_dialog()
        assert await scene.server.hear() == PUSH


async def test_a_connection_is_broken_off() -> None:
    """After asking; that of the line under the cursor, or the newest."""
    async with watching() as scene:
        await scene.press("x")
        await scene.dialog(Confirm)
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("x")
        await scene.dialog(Confirm)
        await scene.press("right", "enter")
        with pytest.raises(ConnectionResetError):
            await scene.client.hear()
        await scene.sees("#1 was broken off")
        for key in ("x", "i"):
            await scene.press(key)
            await scene.sees("Nobody is connected.")


async def test_what_went_meanwhile_is_told() -> None:
    """Somebody thought too long."""
    async with watching() as scene:
        await scene.press("space")
        await scene.client.say(SAY)
        await scene.sees("1 held")
        await scene.press("e")
        await scene.dialog(EditLine)
        scene.place.watched.lines[0].drop()
        await scene.press("enter")
        await scene.sees("nothing can be done with a line that is dropped")


async def test_the_proxy_begins_with_nothing() -> None:
    """And says where clients can connect; what it records; what rules say."""
    async with watching(connected=False, record=Path("lesson.kqq"), dark=False) as scene:
        await scene.sees("Nothing was said yet.")
        await scene.sees("● lesson.kqq")
        scene.place.relay.note("rule", "a.py, line 3: no [bold]\x1b[31m", 4)
        await scene.sees(r"a.py, line 3: no [bold]\x1b[31m")
        for number in range(20):
            scene.place.relay.note("rule", f"note {number}")
        await scene.sees(" note 2")  # the list has all of them
        assert len(scene.app._notifications) == 4
        await scene.press("f8", "f1")
        await scene.dialog(Keys)
        await scene.sees("hold all lines; let them go again")
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("ctrl+c")
        await scene.sees("Ctrl+Q quits.")
        await scene.press("ctrl+q")
        await until(scene.pilot, lambda: scene.app._exit, "the end")


async def test_nothing_that_comes_steers_the_screen() -> None:
    """Nor is it read as markup."""
    async with watching() as scene:
        await scene.client.say(SAY.replace("hi", HOSTILE))
        await scene.sees(HARMLESS[:30])
        await scene.press("space")
        await scene.client.say(SAY.replace("hi", HOSTILE))
        await scene.sees("1 held")
        await scene.press("e")
        await scene.dialog(EditLine)
        assert "\x1b" not in scene.all()
        await scene.press("enter")
        await scene.server.hear()
        assert await scene.server.hear() == SAY.replace("hi", HOSTILE)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (100, 30), (200, 60)])
async def test_any_size_will_do(size: tuple[int, int]) -> None:
    """The list is always there, and what a line says where there is room, or wanted."""
    async with watching(size) as scene:
        await scene.client.say(SAY)
        await scene.sees("CLTMSG")
        await scene.press("right")
        await scene.sees("VER")
        await scene.press("escape", "c")
        await scene.sees("The line is copied")


async def test_a_flood_is_drawn_now_and_then() -> None:
    """And only the last of it is kept."""
    async with watching() as scene:
        count = 3000
        await scene.client.say(f"{SAY}\r\n".encode() * count)
        lines = 0
        while lines < count:
            lines += (await scene.server.hear_bytes(len(SAY) + 2)).count(b"\n")
        await until(scene.pilot, lambda: len(scene.app.entries.lines) == 1000, "the end")
        assert scene.app.entries.lines[-1].number == count


async def test_what_goes_wrong_ends_the_screen() -> None:
    """Whoever runs it tells of it."""

    def judge(passage: Passage) -> None:
        raise ConfigError("the disk is full")

    async with between() as place:
        relay = Relay(place.relay.upstream, judge=judge)
        listen = await relay.open(place.listen.parse("kqq://127.0.0.1:0"))
        app = ProxyApp(relay, Orders(hold=[Which.parse("*")]), str(listen))
        async with app.run_test() as pilot:
            link = Link(*await asyncio.open_connection(listen.host, listen.port))
            await link.say(SAY)
            await until(pilot, lambda: app._exit, "the end")
        assert str(app.failure) == "the disk is full"
        assert app.return_value == 1
        await link.close()
        await relay.close()
