"""The demo: a server, two people who are friends, and what they and the wire say."""

import asyncio
import contextlib
import io
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kqq.client import Address, AskCaptcha, Client, Messenger, Tcp, Watched
from kqq.client.transport import Watch
from kqq.errors import KQQError, UnexpectedReply
from kqq.protocol import Line, ServerMsg, Status, UpdateStat, mask
from kqq.server import Config, Listen, Server
from kqq.server.accounts import add_account
from kqq.server.database import Database, prepare_folder
from kqq.server.friends import make_friends
from kqq.server.store import Store
from kqq.words import printable, status_name

if TYPE_CHECKING:
    from kqq.tui import Make

ANNA, BO = 10001, 10002
NAMES = {ANNA: "Anna", BO: "小波"}
_PASSWORD = "secret"  # noqa: S105  # of accounts that live as long as the demo
_TIME = 15.0  # seconds that any step may take
_WIDEST = 100
_PICTURED = (
    "Anna (10001) signs",
    "Anna: Hello",
    "小波: ",
    "小波 signs out",
    "Anna (小波",
    "小波 finds",
)
SAID = (
    (ANNA, "Hello! R&B, 1 + 1 = 2, 100% sure?"),
    (BO, "你好，Anna！当然, 100% 😀"),
    (ANNA, "One\r\nTwo\nThree: a=b&c=d, %2c stays %2c"),
)
WHILE_AWAY = "你不在的时候: 1+1=2 & 50% off, see you 👋\n明天见"


def run_demo() -> None:
    """Play the demo; in a terminal, offer the chat at the end."""
    console = _Console(highlight=False)
    console.width = min(console.width, _WIDEST) if console.is_terminal else 80
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_demo(console, offer_chat=is_terminal))


def picture() -> str:
    """Return some scenes of the demo as an SVG picture of a terminal; it loads no fonts."""
    console = Console(
        file=io.StringIO(), record=True, width=_WIDEST, highlight=False, force_terminal=True
    )
    asyncio.run(_demo(console, only=_PICTURED))
    svg = console.export_svg(title="scripts/demo", unique_id="kqq-demo")
    svg = re.sub(r"\s*@font-face \{[^}]*\}", "", svg)
    # Rich counts a wide sign as one column there, and browsers would squeeze the text into that.
    return re.sub(r' textLength="[\d.]+"', "", svg)


async def _demo(
    console: Console, *, offer_chat: bool = False, only: tuple[str, ...] | None = None
) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kqq-demo-") as folder:
        doors = (Listen("127.0.0.1", 0), Listen("127.0.0.1", 0, "web"))
        config = Config(data=Path(folder), listen=doors)
        async with Server(config) as server:
            await asyncio.to_thread(_make_people, config)
            stage = _Stage(console, server.listening[0], only)
            await stage.play()
            took = time.monotonic() - began
            console.print(f"\nEverything arrived as it was said, in {took:.1f} s.")
            if offer_chat:
                await _offer_chat(stage, server.web[0].url)


def _make_people(config: Config) -> None:
    """Make two people who are friends, as `kqq account` does: beside the running server."""
    store = Store(Database(prepare_folder(config.data)))
    for uin, nick in NAMES.items():
        add_account(store, uin, nick, _PASSWORD, time.time())
    make_friends(store, ANNA, BO)


class _Console(Console):
    """A console that leaves to the command line what happens when nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        """Say so."""
        raise BrokenPipeError


class _Stage:
    """Two people, and a table that grows: what they see beside what the wire carried."""

    def __init__(self, console: Console, door: Listen, only: tuple[str, ...] | None = None) -> None:
        self._console = console
        self._only = only
        self._address = Address(door.host, door.port)
        self._lines: list[tuple[int, str, Line]] = []
        self._left = min(34, console.width * 2 // 5)
        console.print(f"A server listens on {door}; its database is a temporary file.\n")
        self._row("What people see", ["What the wire carries (passwords masked)"], "bold")

    async def play(self) -> None:
        """Play all scenes. Raises UnexpectedReply if anything arrives otherwise than said."""
        async with self.sign_in(ANNA) as anna:
            from_bo = anna.events()
            async with self.sign_in(BO) as bo:
                from_anna = bo.events()
                await self._until_status(from_bo, Status.ONLINE)
                self._scene("Anna sees that 小波 is online")
                for friend in await anna.friends():
                    status = status_name((await anna.statuses())[friend.uin])
                    self._scene(f"Anna's friends: {friend.nick} ({friend.uin}), {status}")
                for sender, text in SAID:
                    if sender == ANNA:
                        await self._exchange(anna, BO, from_anna, text)
                    else:
                        await self._exchange(bo, ANNA, from_bo, text)
                await bo.change_status(Status.AWAY)
                await self._until_status(from_bo, Status.AWAY)
                self._scene("小波 is away")
                await bo.sign_out()
                await self._until_status(from_bo, Status.OFFLINE)
                self._scene("小波 signs out")
            await anna.send(BO, WHILE_AWAY)
            self._scene(f"Anna (小波 is offline; the message waits): {WHILE_AWAY}")
            async with self.sign_in(BO) as bo:
                await self._until_message(bo.events(), WHILE_AWAY)
                self._scene(f"小波 finds: {WHILE_AWAY}")

    @contextlib.asynccontextmanager
    async def sign_in(self, uin: int) -> AsyncIterator[Client]:
        """Connect and sign somebody in over the real protocol; their lines are shown."""

        def watch(direction: str, line: Line) -> None:
            self._lines.append((uin, direction, line))

        transport = Watched(await Tcp.connect(self._address), watch)
        async with Client(transport, timeout=_TIME) as client:
            await client.sign_in(uin, _PASSWORD)
            self._scene(f"{NAMES[uin]} ({uin}) signs in", "Login")
            yield client

    def messenger(self, ask: AskCaptcha, watch: Watch, password: str | None) -> Messenger:
        """Return what keeps Anna signed in, not started."""
        return Messenger(ANNA, password or _PASSWORD, [self._address], ask=ask, watch=watch)

    async def _exchange(
        self, sender: Client, to: int, heard: AsyncIterator[object], text: str
    ) -> None:
        await sender.send(to, text)
        await self._until_message(heard, text)
        assert sender.uin is not None
        self._scene(f"{NAMES[sender.uin]}: {text}")

    async def _until_message(self, heard: AsyncIterator[object], text: str) -> None:
        async with asyncio.timeout(_TIME):
            async for push in heard:
                if isinstance(push, ServerMsg):
                    if push.text != text:
                        raise UnexpectedReply(f"{text!r} was said, {push.text!r} arrived")
                    return

    async def _until_status(self, heard: AsyncIterator[object], status: Status) -> None:
        async with asyncio.timeout(_TIME):
            async for push in heard:
                if isinstance(push, UpdateStat) and push.status == status:
                    return

    def _scene(self, seen: str, command: str | None = None) -> None:
        """Show what people see beside the lines since the last scene, or those of one command."""
        shown, kept = [], []
        for uin, direction, line in self._lines:
            if command is None or line.values().get("CMD") == command:
                shown.append(f"{NAMES[uin]} {direction} {mask(line.text)}")
            else:
                kept.append((uin, direction, line))
        self._lines = kept
        if self._only is None or seen.startswith(self._only):
            self._row(seen, shown, "")

    def _row(self, seen: str, lines: list[str], style: str) -> None:
        right = self._console.width - self._left - 2
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=self._left, overflow="fold")
        grid.add_column(width=right, overflow="fold")
        wire = "\n".join(fold(printable(line), right) for line in lines)
        words = printable(seen, lines=True).replace("\n", "\n    ")
        grid.add_row(Text(words, style), Text(wire, style or "cyan"))
        self._console.print(grid)
        self._console.print()


def fold(line: str, width: int) -> str:
    """Return a line of the wire in rows of at most `width` cells, cut before an `&` if possible.

    All rows but the first begin with two blanks that are not in the line.
    """
    rows, row = [], ""
    for part in line.replace("&", "\n&").split("\n"):
        if row and cell_len(row) + cell_len(part) > width:
            rows.append(row)
            *full, row = (f"  {piece}" for piece in chop_cells(part, width - 2))
            rows += full
        else:
            row += part
    return "\n".join([*rows, row])


async def _offer_chat(stage: _Stage, url: str) -> None:
    """Let the person at the terminal be Anna; 小波 answers whatever is said."""
    click.echo("Be Anna yourself, and 小波 answers? [t]erminal, [b]rowser, [N]o: ", nl=False)
    # Nothing else goes on meanwhile, and a thread that reads would take keys from the chat.
    answer = sys.stdin.readline().strip().lower()
    if answer not in {"t", "terminal", "b", "browser"}:
        return
    async with stage.sign_in(BO) as bo:

        async def reply() -> None:
            async for push in bo.events():
                if isinstance(push, ServerMsg):
                    await bo.send(push.sender, f"你说: {push.text}")

        answering = asyncio.create_task(reply())
        try:
            if answer.startswith("t"):
                await chat(stage.messenger)
            else:
                click.echo(f"Open {url} and sign in: number {ANNA}, password {_PASSWORD}.")
                click.echo("Ctrl-C here ends it.")
                await until_interrupted()
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, KQQError):
                await answering


async def until_interrupted() -> None:
    """Wait for Ctrl-C."""
    await asyncio.Event().wait()


async def chat(make: "Make") -> None:
    """Open the chat on the full screen."""
    from kqq.tui import ChatApp  # noqa: PLC0415  # it takes long to import

    await ChatApp(make, talk_to=BO).run_async()
