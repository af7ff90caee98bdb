"""Where the chat is tried: a town with people in it, a screen without a terminal, and eyes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from kqq.client.client import AskCaptcha
from kqq.client.messenger import Messenger
from kqq.testing import PASSWORD, Town
from kqq.tui import ChatApp
from kqq.tui.chat import Watch
from kqq.tui.look import DARK, LIGHT

HOSTILE = "[bold]x[/] [@click=app.quit]y[/] \x1b[31mred\x1b]0;title\x07 \u202eback"
"""What a stranger might say to have markup read, the terminal steered, or text turned round."""
HARMLESS = r"[bold]x[/] [@click=app.quit]y[/] \x1b[31mred\x1b]0;title\x07 \u202eback"
"""How that is to be seen."""
_MOST_TURNS = 1000


async def until(pilot: Pilot[Any], condition: Callable[[], object], what: str) -> None:
    """Return once something holds. Raises AssertionError if it does not come to hold."""
    for _ in range(_MOST_TURNS):
        if condition():
            return
        await pilot.pause(0.005)
    raise AssertionError(f"waited in vain for {what}; there is:\n" + "\n".join(seen(pilot.app)))


async def typing(pilot: Pilot[Any], text: str) -> None:
    """Type as a terminal has it, which may be any signs; `press` knows only some."""
    driver = pilot.app._driver
    assert driver is not None
    for event in XTermParser().feed(text):
        event.set_sender(pilot.app)
        driver.send_message(event)
    await pilot.pause()


def seen(app: App[Any], region: Region | None = None) -> list[str]:
    """Return the lines of the screen, or of a part of it, as somebody sees them."""
    strips = app.screen._compositor.render_strips(app.size)
    if region is None:
        return [strip.text.rstrip() for strip in strips]
    shown = strips[region.y : region.bottom]
    return [strip.crop(region.x, region.right).text.rstrip() for strip in shown]


def seen_in(widget: Widget) -> str:
    """Return what somebody sees of a widget, its lines joined."""
    return "\n".join(seen(widget.app, widget.region))


class Alone(App[Any]):
    """An app that has nothing but one widget, in our colours."""

    CSS_PATH = ChatApp.CSS_PATH
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, widget: Widget, *, dark: bool = True) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name if dark else LIGHT.name
        self.heard: list[Any] = []
        self._widget = widget

    def compose(self) -> ComposeResult:
        """Show the widget."""
        yield self._widget


class LoudDriver(HeadlessDriver):
    """A driver without a terminal that keeps what a terminal would be sent."""

    written: list[str]

    @property
    def is_headless(self) -> bool:
        """Say that there is a terminal, or nothing would be written."""
        return False

    def write(self, data: str) -> None:
        """Keep it."""
        if not hasattr(self, "written"):
            self.written = []
        self.written.append(data)


@dataclass
class Scene:
    """Anna at her screen, in a town where others live."""

    town: Town
    app: ChatApp
    pilot: Pilot[int]
    me: str = "Anna"

    @property
    def messenger(self) -> Messenger:
        """Anna's."""
        assert self.app.messenger is not None
        return self.app.messenger

    async def until(self, condition: Callable[[], object], what: str = "it") -> None:
        """Return once something holds."""
        await until(self.pilot, condition, what)

    async def sees(self, text: str) -> None:
        """Return once a text is to be seen."""
        await self.until(lambda: text in "\n".join(seen(self.app)), repr(text))

    async def sees_no(self, text: str) -> None:
        """Return once a text is no longer to be seen."""
        await self.until(lambda: text not in "\n".join(seen(self.app)), f"no {text!r}")

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def types(self, text: str) -> None:
        """Type a text."""
        await typing(self.pilot, text)

    async def is_online(self) -> None:
        """Return once Anna is signed in and her friends are there."""
        await self.until(lambda: self.app.state.is_online and self.app.state.people, "being online")
        await self.until(self.app.friends.roster.count, "friends")
        await self.pilot.pause()

    async def talk_to(self, name: str) -> None:
        """Open the conversation with somebody."""
        self.app.open_talk(self.town[name])
        await self.pilot.pause()

    async def dialog(self, kind: type[Any]) -> Any:
        """Return the dialog on top, once it is of this kind."""
        await self.until(lambda: isinstance(self.app.screen, kind), kind.__name__)
        await self.pilot.pause()
        return self.app.screen

    async def no_dialog(self) -> None:
        """Return once there is none."""
        await self.until(lambda: len(self.app.screen_stack) == 1, "no dialog")
        await self.pilot.pause()

    async def later(self, seconds: float) -> None:
        """Let time pass in town."""
        clock = self.town.clock
        end = clock.now() + seconds
        while (due := clock.next_due) is not None and due <= end:
            clock.advance(due - clock.now())
            await self.pilot.pause()
            await asyncio.sleep(0)
        clock.advance(end - clock.now())
        await self.pilot.pause()


@asynccontextmanager
async def chatting(
    *people: str,
    size: tuple[int, int] = (100, 30),
    online: bool = True,
    password: str = PASSWORD,
    driver: type[Any] | None = None,
    strangers: tuple[str, ...] = (),
    before: Callable[[Town], Any] | None = None,
    town_is: dict[str, Any] | None = None,
    messenger_is: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Scene]:
    """Set the scene: Anna and these people, all friends, and her chat; `options` are the app's."""
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(
            Town("Anna", *people, strangers=strangers, **(town_is or {}))
        )
        if before is not None:
            await before(town)

        def make(ask: AskCaptcha, watch: Watch, typed: str | None) -> Messenger:
            return Messenger(
                town["Anna"],
                typed or password,
                [town.address()],
                **{
                    "ask": ask,
                    "watch": watch,
                    "connect": town.door("Anna"),
                    "now": town.clock.date,
                    "sleep": town.clock.sleep,
                    "random": lambda: 0.5,
                    "history": options.get("history"),
                    **(messenger_is or {}),
                },
            )

        app = ChatApp(make, **{"now": town.clock.date, "environment": {}, **options})
        if driver is not None:
            app.driver_class = driver
        pilot = await stack.enter_async_context(
            app.run_test(size=size, notifications=True, headless=driver is None)
        )
        scene = Scene(town, app, pilot)
        if online:
            await scene.is_online()
        yield scene
        if app.messenger is not None:
            await app.messenger.close()


class Unborn(ChatApp):
    """A chat in its first moment, which lasts: there is no messenger yet."""

    def live(self, password: str | None = None) -> Any:
        """Do not begin."""


@asynccontextmanager
async def not_yet(size: tuple[int, int]) -> AsyncIterator[Any]:
    """Show a chat that has no messenger yet."""

    def make(ask: AskCaptcha, watch: Watch, password: str | None) -> Messenger:
        raise AssertionError("not in this moment")

    async with Unborn(make).run_test(size=size) as pilot:
        yield pilot
