"""The chat on a full screen, with Textual: friends, conversations, and the wire beside them."""

from kqq.tui.app import ChatApp, run
from kqq.tui.chat import Make
from kqq.tui.notices import Notices

__all__ = ["ChatApp", "Make", "Notices", "run"]
