"""The screen of the proxy in a test: real lines go by, and somebody works with keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot

from kqq.proxy.rules import Orders
from kqq.proxy.screen import ProxyApp
from proxy.between import Between, Link, between
from tui.screens import seen, typing, until


@dataclass
class Scene:
    """A relay, a client and a server, and somebody at the screen."""

    place: Between
    app: ProxyApp
    pilot: Pilot[int]
    orders: Orders
    client: Link
    server: Link

    async def sees(self, text: str) -> None:
        """Return once a text is to be seen."""
        await until(self.pilot, lambda: text in self.all(), repr(text))

    async def sees_no(self, text: str) -> None:
        """Return once a text is no longer to be seen."""
        await until(self.pilot, lambda: text not in self.all(), f"no {text!r}")

    def all(self) -> str:
        """Return all that is to be seen."""
        return "\n".join(seen(self.app))

    def row(self, text: str) -> str:
        """Return the row of the list in which a text stands."""
        return next(line for line in seen(self.app) if text in line)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def dialog(self, kind: type[Any]) -> None:
        """Return once this dialog is there."""
        await until(self.pilot, lambda: isinstance(self.app.screen, kind), kind.__name__)
        await self.pilot.pause()

    async def no_dialog(self) -> None:
        """Return once there is none."""
        await until(self.pilot, lambda: len(self.app.screen_stack) == 1, "no dialog")
        await self.pilot.pause()

    async def replace(self, text: str) -> None:
        """Type a text in place of all that is in the field."""
        await self.press("end", "ctrl+u")
        await typing(self.pilot, text)


@asynccontextmanager
async def watching(
    size: tuple[int, int] = (120, 40), *, connected: bool = True, **options: Any
) -> AsyncIterator[Scene]:
    """Set the scene."""
    async with between() as place:
        orders = Orders()
        place.relay.judge = orders.judge
        app = ProxyApp(place.relay, orders, str(place.listen), **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            if connected:
                client, server = await place.both()
            else:
                client = server = object.__new__(Link)
            yield Scene(place, app, pilot, orders, client, server)
