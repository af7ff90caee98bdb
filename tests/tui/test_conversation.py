"""What was said, as it is seen."""

import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from kqq.client.events import Fate, Message
from kqq.tui.conversation import ConversationView, Shown
from tui.screens import HARMLESS, HOSTILE, Alone, seen_in, until

NOON = 1_400_040_000.0  # 14 May 2014, 04:00 in Greenwich
TODAY = date(2014, 5, 14)
DAY = 86400.0


@pytest.fixture(autouse=True)
def somewhere_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live eight hours before Greenwich."""
    monkeypatch.setenv("TZ", "UTC-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Heard(Alone):
    """Notes that earlier messages are wanted."""

    def on_conversation_view_earlier_wanted(self) -> None:
        """Note it."""
        self.heard.append("earlier")


def said(number: int, text: str = "", fate: Fate = Fate.RECEIVED, **more: Any) -> Message:
    """Return a message, a minute after the one before."""
    values: dict[str, Any] = {"at": NOON + number * 60, "why": "", **more}
    return Message(f"k{number}", 10002, text or f"message {number}", fate=fate, **values)


async def test_days_times_and_whose_words() -> None:
    """Others' words stand at the left, one's own at the right, each with its time."""
    view = ConversationView()
    async with Heard(view).run_test(size=(50, 14)) as pilot:
        messages = (
            said(0, "hello", at=NOON - DAY),
            said(1, "今晚去看电影吗"),
            said(2, "yes", Fate.SENT),
            said(3, "when?", Fate.WAITING),
        )
        view.show(Shown(messages), TODAY)
        await pilot.pause()
        lines = seen_in(view).split("\n")
        assert [" ".join(line.replace("─", " ").split()) for line in lines] == [
            "",
            "",
            "",
            "",
            "Yesterday",
            "",
            "hello 12:00",
            "",
            "Today",
            "",
            "今晚去看电影吗 12:01",
            "",
            "12:02 ✓ yes",
            "12:03 … when?",
        ]
        assert next(line for line in lines if "hello" in line).startswith("   hello")
        assert next(line for line in lines if "yes" in line).endswith("yes")
        assert len(next(line for line in lines if "yes" in line)) > 40


async def test_what_became_of_ones_own_words() -> None:
    """Each fate has a sign of its own, and what went wrong is said."""
    view = ConversationView()
    async with Heard(view).run_test(size=(60, 20)) as pilot:
        messages = (
            said(1, "a", Fate.REFUSED, why="you are not friends"),
            said(2, "b", Fate.UNKNOWN, why=HOSTILE),
            said(3, "c", Fate.REFUSED),
        )
        view.show(Shown(messages), TODAY)
        await pilot.pause()
        shown = seen_in(view)
        assert "12:01 ✗   a" in shown
        assert "not sent: you are not friends" in shown
        assert "12:02 ?   b" in shown
        assert "may not have arrived: [bold]x[/]" in shown
        assert "\x1b" not in shown
        assert "not sent\n" in f"{shown}\n"


async def test_hostile_words_are_words() -> None:
    """No markup is read, nothing steers the terminal, lines stay lines."""
    view = ConversationView()
    async with Heard(view).run_test(size=(90, 10)) as pilot:
        view.show(Shown((said(1, f"{HOSTILE}\nsecond"), said(2, HOSTILE, Fate.SENT))), TODAY)
        await pilot.pause()
        shown = seen_in(view)
        assert shown.count(HARMLESS) == 2
        assert "\n   second" in shown


async def test_endless_words_are_cut() -> None:
    """Nobody's message fills the whole memory; how much is left out is said."""
    view = ConversationView()
    async with Heard(view).run_test(size=(50, 14)) as pilot:
        for text, left in (("\n" * 16_000, 15_801), ("x" * 16_000, 8_000)):
            view.show(Shown((said(0, text),)), TODAY)
            await pilot.pause()
            view.scroll_end(animate=False)
            await pilot.pause()
            assert f"… {left} more characters" in seen_in(view)


async def test_what_is_new_is_marked_and_what_was_sought_is_lit() -> None:
    """A line stands before the first unread message; the sought one has another colour."""
    view = ConversationView()
    async with Heard(view).run_test(size=(50, 12)) as pilot:
        messages = (said(1), said(2), said(3, "mine", Fate.SENT))
        view.show(Shown(messages, first_unread="k2", sought="k1"), TODAY)
        await pilot.pause()
        lines = seen_in(view).split("\n")
        new = next(place for place, line in enumerate(lines) if " new " in line)
        assert "message 1" in lines[new - 2]
        assert "message 2" in lines[new + 2]
        found = view.app.theme_variables["found"].upper()
        strip = view.render_line(new - 2)
        colours = {str(one.style.bgcolor.triplet.hex).upper() for one in strip if one.style}  # type: ignore[union-attr]
        assert found in colours
        view.show(Shown(messages, sought="k3"), TODAY)
        await pilot.pause()
        own = len(lines) - 1
        strip = view.render_line(own)
        assert any(
            one.style and one.style.bgcolor.triplet.hex.upper() == found  # type: ignore[union-attr]
            for one in strip
        )


async def test_it_follows_at_the_end_and_stays_where_one_reads() -> None:
    """New messages scroll the view only if the end was in view; `to_end` always does."""
    view = ConversationView()
    messages = [said(number) for number in range(50)]
    app = Heard(view)

    def words() -> list[str]:
        """Return what is seen, without the scroll bar."""
        return [line[:48].rstrip() for line in seen_in(view).split("\n")]

    async with app.run_test(size=(50, 10)) as pilot:
        view.show(Shown(messages), TODAY)
        await pilot.pause()
        assert "message 49" in seen_in(view)
        messages.append(said(50))
        view.show(Shown(tuple(messages)), TODAY)
        await pilot.pause()
        assert "message 50" in seen_in(view)
        view.page(-1)
        view.page(-1)
        await pilot.pause()
        before = words()
        assert "message 50" not in before
        messages.append(said(51))
        view.show(Shown(tuple(messages)), TODAY)
        await pilot.pause()
        assert words() == before
        earlier = [said(-number, f"earlier {number}") for number in range(20, 0, -1)]
        view.show(Shown((*earlier, *messages)), TODAY)
        await pilot.pause()
        assert words() == before
        view.show(Shown(tuple(messages)), TODAY, to_end=True)
        await pilot.pause()
        assert "message 51" in seen_in(view)
        view.page(-1)
        view.page(1)
        assert view.is_at_end
        assert app.heard == []


async def test_before_the_first_message_earlier_ones_are_asked_for() -> None:
    """By the keys and by the wheel."""
    view = ConversationView()
    app = Heard(view)
    async with app.run_test(size=(50, 10)) as pilot:
        view.show(Shown([said(number) for number in range(30)]), TODAY)
        await pilot.pause()
        view.on_mouse_scroll_up()
        for _ in range(6):
            view.page(-1)
        await until(pilot, lambda: app.heard, "a wish")
        app.heard.clear()
        view.on_mouse_scroll_up()
        await until(pilot, lambda: app.heard == ["earlier"], "a wish")


async def test_a_message_can_be_brought_into_view() -> None:
    """Wherever it is; one that is not there changes nothing."""
    view = ConversationView()
    async with Heard(view).run_test(size=(50, 10)) as pilot:
        view.show(Shown([said(number) for number in range(50)]), TODAY)
        await pilot.pause()
        view.scroll_to_message("k7")
        await pilot.pause()
        assert "message 7" in seen_in(view)
        view.scroll_to_message("nothing")
        await pilot.pause()
        assert "message 7" in seen_in(view)


async def test_a_thousand_long_messages_are_laid_out_once() -> None:
    """What is shown again costs nothing; a change of width wraps anew and stays at the end."""
    view = ConversationView()
    text = "今晚去看电影吗？ Shall we go to the pictures tonight? " * 4
    messages = tuple(said(number, f"{text}{number}") for number in range(1000))
    async with Heard(view).run_test(size=(60, 20)) as pilot:
        view.show(Shown(messages), TODAY)
        await pilot.pause()
        began = time.process_time()
        for _ in range(20):
            view.show(Shown(messages), TODAY)
        assert time.process_time() - began < 1.0
        await pilot.resize_terminal(40, 15)
        await pilot.pause()
        assert "999" in seen_in(view)
        assert all(len(line) <= 40 for line in seen_in(view).split("\n"))


async def test_colours_follow_the_theme_and_nothing_is_nothing() -> None:
    """A view without messages is empty."""
    view = ConversationView()
    app = Heard(view)
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.pause()
        assert not seen_in(view).strip()
        view.show(Shown((said(1),)), TODAY)
        await pilot.pause()
        before = view.render_line(9)
        app.theme = "kqq-light"
        await pilot.pause()
        assert view.render_line(9) != before
