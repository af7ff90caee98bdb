"""How long a message takes from browser to browser, and what browsers cost the server.

    python -m benchmarks.browsers [--json] [--idle 500] [--talking 50] [--seconds 60]

A real server on one core, and on another a process that is all the browsers: each a WebSocket that
was signed in, and says what the page says; compression is offered, as browsers do. Some are idle
and give signs of life, the others write to each other in pairs, at the pace of people who chat.
The goal is a median of less than 50 ms until a message is there. Exit code 1 says that it was
missed, or that a message did not come just once; 2 that something did not do what it should.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
from benchmarks.comparing import machine
from benchmarks.comparing.machine import Unready

from kqq.protocol import Line, escape, unescape
from kqq.server.clock import LoopClock
from kqq.server.database import Database, prepare_folder
from kqq.server.store import Account, Store
from kqq.server.visits import Visits
from kqq.testing.town import quick_proof

GOAL = 50.0  # ms
FIRST = 10001
MOST = 900  # browsers
FRIENDS = 3  # after each in a circle, and so many before
SETTINGS = ("connections_per_address=5000", "commands_rate=1000", "commands_burst=10000",
            "log_level=warning")  # fmt: skip
"""All browsers have one address here, and sign in within a second or two."""
AT_ONCE = 20  # browsers that come at the same time
SETTLING = 2.0  # seconds between the last that comes and the first message
ALIVE = 60.0  # seconds between the signs of life of a page
THINKING = 3.0  # seconds that somebody takes to write a message, on average, and
HURRY = 0.1  # what part of them it takes at least
CONFIRMING = 1.0  # seconds between two confirmations of a page
MOMENT = 0.05  # seconds between two looks whether all has come
PATIENCE = 20.0  # seconds after which what must come is taken for lost
WORDS = ("好的", "but", "soft", "what", "light", "今天晚上", "ok", "yonder", "老地方", "&,%")


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in milliseconds."""

    median: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Times":
        """Return it of what was measured."""
        if not seconds:
            raise Unready("nobody has written anything; take more --seconds")
        ordered = sorted(seconds)
        p99 = ordered[min(round(len(ordered) * 0.99), len(ordered) - 1)]
        return cls(statistics.median(ordered) * 1000, p99 * 1000, ordered[-1] * 1000)


@dataclass(frozen=True, slots=True)
class Result:
    """How it went: times until messages were there, and until who wrote them knew they are kept.

    `wrong` counts those that did not come just once. `cpu` and `load_cpu` are the parts of a core
    that the server and the browsers took, `before` is MiB of the server without browsers, and
    `memory` KiB more for each.
    """

    idle: int
    talking: int
    seconds: float
    messages: int
    wrong: int
    delivered: Times
    accepted: Times
    cpu: float
    load_cpu: float
    before: float
    memory: float
    machine: str

    @property
    def holds(self) -> bool:
        """Whether the goal is reached."""
        return self.delivered.median < GOAL and not self.wrong


class Talk:
    """What is said: each text once, so that it is known again."""

    def __init__(self) -> None:
        self.delivered: list[float] = []
        self.accepted: list[float] = []
        self.count = 0
        self._doubled = 0
        self._on_way: dict[str, float] = {}

    @property
    def wrong(self) -> int:
        """How many messages did not come, or came once more."""
        return len(self._on_way) + self._doubled

    async def ends(self) -> None:
        """Wait until all have come, but not for ever."""
        for _ in range(round(PATIENCE / MOMENT)):
            if not self._on_way:
                break
            await asyncio.sleep(MOMENT)

    def begin(self) -> str:
        """Return something new to say, now."""
        self.count += 1
        text = " ".join([f"{self.count}:", *random.choices(WORDS, k=random.randint(1, 9))])
        self._on_way[text] = time.perf_counter()
        return text

    def came(self, text: str) -> None:
        """Note that it is there."""
        began = self._on_way.pop(text, None)
        if began is None:
            self._doubled += 1
        else:
            self.delivered.append(time.perf_counter() - began)


class Browser:
    """A page that is signed in; `cookie` says as whom."""

    def __init__(self, uin: int, cookie: str, talk: Talk) -> None:
        self.uin = uin
        self._cookie = cookie
        self._talk = talk
        self._numbers = itertools.count(random.randrange(2_000_000_000, 8_000_000_000))
        self._answers: dict[str, asyncio.Future[Line]] = {}
        self._unconfirmed = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, http: aiohttp.ClientSession, port: int) -> None:
        """Connect, sign in, and ask what a page asks. Raises Unready."""
        headers = {"Cookie": f"kqq={self._cookie}", "Origin": f"http://127.0.0.1:{port}"}
        url = f"ws://127.0.0.1:{port}/api/chat"
        self._socket = await http.ws_connect(url, headers=headers, compress=15)
        self._begin(self._hear())
        fields = f"&PS={'0' * 32}&M5=1&LG=0&LC=812822641C978097&GD=&CKE="
        await self._ask("Login", fields, head="", wanted="RS")
        await self._ask("SimpleInfo2", "&UN=0&TO=0")
        await self._ask("Query_Stat2", "&CM=2&UN=0")
        self._begin(self._live())
        self._begin(self._confirm())

    async def close(self) -> None:
        """Leave. Raises what went wrong in it meanwhile."""
        for task in self._tasks:
            task.cancel()
        await self._socket.close()
        for found in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(found, Exception):
                raise found

    async def write_to(self, other: int, thinking: float, until: float) -> None:
        """Write to somebody as long as there is time, every `thinking` seconds or so."""
        while True:
            wait = thinking * (HURRY + random.expovariate(1 / (1 - HURRY)))
            if time.perf_counter() + wait > until:
                return
            await asyncio.sleep(wait)
            text, began = self._talk.begin(), time.perf_counter()
            await self._ask("CLTMSG", f"&UN={other}&MG={escape(text)}")
            self._talk.accepted.append(time.perf_counter() - began)

    def _begin(self, doing: "asyncio._CoroutineLike[None]") -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(doing))

    async def _ask(
        self, command: str, fields: str, head: str = "&SID=&XP=", wanted: str = "RES"
    ) -> None:
        """Say something that the server must accept. Raises Unready."""
        seq = str(next(self._numbers))
        answer = self._answers[seq] = asyncio.get_running_loop().create_future()
        await self._say(command, seq, head + fields)
        try:
            async with asyncio.timeout(PATIENCE):
                said = await answer
        except TimeoutError:
            raise Unready(f"{self.uin}: {command} is not answered") from None
        if said.values().get(wanted) != "0":
            raise Unready(f"{self.uin}: {command} is refused: {said}")

    async def _say(self, command: str, seq: str, rest: str) -> None:
        line = f"VER=1.4&CON=1&CMD={command}&SEQ={seq}&UIN={self.uin}{rest}"
        await self._socket.send_str(line)

    async def _hear(self) -> None:
        async for frame in self._socket:
            line = Line.decode(frame.data.encode())
            values = line.values()
            if values["CMD"] == "Server_Msg":
                self._talk.came(unescape(values["MG"]))
                self._unconfirmed = values["SEQ"]
            elif (answer := self._answers.pop(values["SEQ"], None)) is not None:
                answer.set_result(line)

    async def _live(self) -> None:
        """Give signs of life; not all at once."""
        await asyncio.sleep(random.random() * ALIVE)
        while True:
            await self._ask("Query_Stat2", "&CM=2&UN=0")
            await asyncio.sleep(ALIVE)

    async def _confirm(self) -> None:
        """Say what has come, all of a second at once."""
        while True:
            await asyncio.sleep(CONFIRMING)
            if self._unconfirmed:
                seq, self._unconfirmed = self._unconfirmed, ""
                await self._say("GetMsgEx", seq, "&SID=&XP=")


async def people(folder: Path, count: int) -> dict[int, str]:
    """Store so many people, each with some friends; return the cookies of their browsers."""
    database = Database(prepare_folder(folder))
    store, proof = Store(database), quick_proof()
    uins = range(FIRST, FIRST + count)
    database.execute("BEGIN")
    for uin in uins:
        store.add_account(Account(uin, f"n{uin}", 0, proof), 0.0)
    for uin in uins:
        for step in range(1, FRIENDS + 1):
            store.add_friends(uin, FIRST + (uin - FIRST + step) % count)
    database.execute("COMMIT")
    visits = Visits(database, LoopClock(), os.urandom)
    begun = await asyncio.gather(*(visits.begin(uin, "127.0.0.1", "benchmark") for uin in uins))
    await database.close()
    return {visit.uin: cookie for visit, cookie in begun}


@contextmanager
def serving(folder: Path, command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Have a server run; give its process and its port for browsers. Raises Unready."""
    words = [*command, "serve", "--data", str(folder)]
    for door in ("kqq://127.0.0.1:0", "web://127.0.0.1:0"):
        words += ["--listen", door]
    words += [part for one in SETTINGS for part in ("--set", one)]
    log, port = folder / "server.log", 0
    process = machine.spawn(words, machine.SERVER_CORE, log=log, talks=True)
    try:
        assert process.stdout is not None
        while (said := process.stdout.readline()) != "ready\n":
            if not said:
                raise Unready(f"the server has ended; it said: {log.read_text()[-2000:]}")
            if said.startswith("listening web://"):
                port = int(said.rsplit(":", 1)[1])
        yield process, port
    finally:
        machine.end(process)


async def measure(server: int, port: int, cookies: dict[int, str], chosen: argparse.Namespace
                  ) -> Result:  # fmt: skip
    """Have the browsers come, some of them talk, and all leave. Raises Unready."""
    talk, crowd = Talk(), asyncio.Semaphore(AT_ONCE)
    family = machine.family(server)
    before = machine.memory_of(family)
    browsers = [Browser(uin, cookie, talk) for uin, cookie in sorted(cookies.items())]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:

        async def come(browser: Browser) -> None:
            async with crowd:
                await browser.open(http, port)

        await asyncio.gather(*map(come, browsers))
        await asyncio.sleep(SETTLING)
        memory = machine.memory_of(family) - before
        cpu, load_cpu, began = machine.cpu_of(family), time.process_time(), time.perf_counter()
        talking = browsers[: chosen.talking]
        pairs = [(one, talking[at ^ 1].uin) for at, one in enumerate(talking)]
        until = began + chosen.seconds
        writing = [one.write_to(other, chosen.thinking, until) for one, other in pairs]
        await asyncio.gather(asyncio.sleep(chosen.seconds), *writing)
        took = time.perf_counter() - began
        cpu, load_cpu = machine.cpu_of(family) - cpu, time.process_time() - load_cpu
        await talk.ends()
        for browser in browsers:
            await browser.close()
    return Result(
        idle=chosen.idle,
        talking=chosen.talking,
        seconds=took,
        messages=talk.count,
        wrong=talk.wrong,
        delivered=Times.of(talk.delivered),
        accepted=Times.of(talk.accepted),
        cpu=cpu / took,
        load_cpu=load_cpu / took,
        before=before / 2**20,
        memory=memory / 2**10 / len(browsers),
        machine=machine.describe(Path(tempfile.gettempdir())),
    )


def as_text(result: Result) -> str:
    """Return the result for people, in 80 columns."""
    holds = "yes" if result.holds else "NO"
    return f"""\
browsers             {result.idle:,} idle, {result.talking:,} talking in pairs
messages             {result.messages:,} in {result.seconds:.0f} s, {result.wrong} lost or doubled
                         median           99 %        at most
until it is there    {_in_ms(result.delivered)}
until it is kept     {_in_ms(result.accepted)}
the server           {result.cpu:10.1%} of a core
its memory           {result.memory:9.0f} KiB for each browser, {result.before:.0f} MiB without
all browsers         {result.load_cpu:10.1%} of a core
median < {GOAL:g} ms       {holds:>10}"""


def _in_ms(times: Times) -> str:
    return "  ".join(f"{one:10.2f} ms" for one in (times.median, times.p99, times.most))


def main() -> int:
    chosen = _parser().parse_args()
    if chosen.talking % 2 or not 0 < chosen.talking + chosen.idle <= MOST:
        print(f"--talking must be even, and with --idle at most {MOST}", file=sys.stderr)
        return 2
    command = shlex.split(chosen.server_command) or [sys.executable, "-m", "kqq"]
    try:
        with tempfile.TemporaryDirectory(prefix="kqq-browsers-") as name:
            folder = Path(name)
            cookies = asyncio.run(people(folder, chosen.idle + chosen.talking))
            with serving(folder, command) as (process, port):
                machine.files_limit()
                if machine.is_pinned():
                    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[machine.LOAD_CORE]})
                result = asyncio.run(measure(process.pid, port, cookies, chosen))
    except (Unready, OSError, aiohttp.ClientError) as error:
        print(f"browsers: {error}", file=sys.stderr)
        return 2
    found = asdict(result) | {"goal": GOAL, "holds": result.holds}
    print(json.dumps(found) if chosen.json else as_text(result))
    return 0 if result.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--idle", type=int, default=500, help="browsers that are only there")
    parser.add_argument("--talking", type=int, default=50, help="browsers that talk in pairs")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they talk")
    parser.add_argument("--thinking", type=float, default=THINKING, metavar="SECONDS",
                        help="how long one takes to write a message")  # fmt: skip
    parser.add_argument("--server-command", default="", metavar="WORDS",
                        help="what to run in place of `kqq`, such as .venv-compiled/bin/kqq"
                        )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
