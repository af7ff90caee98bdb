"""Where one writes: Enter sends, and the terminal's own cursor stands where the words go.

Input methods open their window beside the terminal's cursor, so it has to follow the caret, also
over wide characters and when the field grows.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS  # no public name leads there
from textual.message import Message
from textual.widgets import TextArea


class _AltEnter(str):
    """Looks to Textual's table of keys like one of its own."""

    __slots__ = ()
    value = "alt+enter"


def know_alt_enter() -> None:
    """Have Textual read Alt+Enter of terminals that send ESC CR for it.

    COMPAT(xterm, VTE, tmux): Textual takes that for Enter, and half a message would go.
    """
    cast(dict[str, Any], ANSI_SEQUENCES_KEYS).setdefault("\x1b\r", (_AltEnter("alt+enter"),))


class Composer(TextArea):
    """The field for a message; it grows with it."""

    class Sent(Message):
        """Somebody pressed Enter on some words."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Scrolled(Message):
        """The conversation above is to scroll, by so many times what is in view."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, compact=True, highlight_cursor_line=False)
        self.cursor_blink = False
        self.last_sent = ""
        """What comes back with the up key in an empty field."""

    def on_key(self, event: events.Key) -> None:
        """Do what our keys do, before Textual's field does anything with them.

        These are no bindings with priority: such are done at once, while letters typed just before
        are still on their way to the field, and half a message would go.
        """
        acts: dict[str, Callable[[], None]] = {
            "enter": self.action_send,
            "ctrl+j": self.action_new_line,
            "alt+enter": self.action_new_line,
            "shift+enter": self.action_new_line,
            "up": self.action_recall,
            "pageup": partial(self.action_scroll, -1),
            "pagedown": partial(self.action_scroll, 1),
        }
        if event.key in acts:
            event.stop()
            event.prevent_default()
            acts[event.key]()

    def action_send(self) -> None:
        """Give the words to whoever sends them, and begin anew; blanks alone are not sent."""
        text = self.text.rstrip()
        if text:
            self.post_message(self.Sent(text))

    def action_new_line(self) -> None:
        """Begin another line."""
        self.insert("\n")
        self.scroll_cursor_visible()

    def action_recall(self) -> None:
        """Bring back what was sent last, or go up a line."""
        if not self.text and self.last_sent:
            self.text = self.last_sent
            self.move_cursor(self.document.end)
        else:
            self.action_cursor_up()

    def action_scroll(self, step: int) -> None:
        """Scroll the conversation."""
        self.post_message(self.Scrolled(step))

    def on_resize(self) -> None:
        """Have the terminal's cursor go along when the field grows or moves."""
        self.call_after_refresh(self.place_cursor)

    def place_cursor(self) -> None:
        """Put the terminal's cursor where the caret is."""
        if self.has_focus:
            self.app.cursor_position = self.cursor_screen_offset
            self.refresh()
