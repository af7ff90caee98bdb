"""People who write and read all the time, and what has become of their messages in the end.

They go by what a server says over its connections, whatever happens to it meanwhile.
"""

import asyncio
import bisect
import itertools
import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from crowd import PATIENCE, Lost, Phone, Poster
from scene import Scene

Pair = tuple[int, int]
"""Who writes, and to whom."""
BURSTING = (10001, 10002, 10003)
"""Who writes in bursts."""
SINGLE = (10004, 10005, 10006)
"""Who writes the next message when the last is answered."""
READERS = (10007, 10008)
"""Who is online all the time; what their system has acknowledged counts as read."""
GUESTS = (10009, 10010, 10011, 10012)
"""Who comes and goes, and says what was read, or polls over HTTP."""
WRITERS = (*BURSTING, *SINGLE)
RECEIVERS = (*READERS, *GUESTS)
_BURST = 24  # messages that are sent in one go, at most
_REST = 0.02  # seconds that somebody rests between bursts, at most; a tenth between messages
_VISIT = 0.6  # seconds that somebody is online, or away, at most
_LONG = 3600.0  # seconds; nothing lasts so long
OLD = 10.0
"""Seconds after which a message that came must not come again: its deletion is on disk by then."""


@dataclass(slots=True)
class Fate:
    """What became of the messages.

    `acknowledged` were answered RES=0; `lost` are those of them that nobody got. `disordered` came
    after a later one of the same sender. `repeats` came again, as the promise allows: on another
    connection, after a server was killed or before they were confirmed; `oldest_repeat` is how long
    after the first time that was, in seconds until the kill. `forbidden` came again otherwise.
    `unanswered` were written to a server that was gone before it answered, and `of_them` of these
    came. `again` were written once more under another number since, and `twice` of these came under
    both. `wrong` came although they were refused, or never written.
    """

    acknowledged: int = 0
    lost: int = 0
    disordered: int = 0
    repeats: int = 0
    oldest_repeat: float = 0.0
    forbidden: int = 0
    unanswered: int = 0
    of_them: int = 0
    again: int = 0
    twice: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.disordered or self.forbidden or self.wrong)

    def judge(
        self, who: str, promised: set[int], streams: Sequence[Sequence[int]]
    ) -> list[tuple[int, int, int]]:
        """Add messages of one to another, whose connections brought `streams`, one after another.

        Return what came again: number, place of the stream before, place of this one.
        """
        seen: dict[int, int] = {}
        repeats, disordered, latest = [], set(), 0
        for place, stream in enumerate(streams):
            for number in stream:
                if number in seen:
                    repeats.append((number, seen[number], place))
                elif number < latest:
                    disordered.add(number)
                seen[number] = place
                latest = max(latest, number)
        self.acknowledged += len(promised)
        self.blame("lost", who, promised - seen.keys())
        self.blame("disordered", who, disordered)
        return repeats

    def blame(self, what: str, why: str, numbers: set[int]) -> None:
        """Count messages as what they should not be."""
        if numbers:
            setattr(self, what, getattr(self, what) + len(numbers))
            some = ", ".join(map(str, sorted(numbers)[:5]))
            self.faults.append(f"{what}: {why}: {some}{', ...' * (len(numbers) > 5)}")


class Load:
    """The people of a scene, all friends of each other; each throws dice of their own."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self._dice = {uin: random.Random(f"{seed} {uin}") for uin in (*WRITERS, *RECEIVERS)}
        self.polling: set[int] = set()
        """Who has asked over HTTP and has no whole answer yet."""
        self.again: dict[int, int] = {}
        """Messages that were written once more: their new numbers and their old ones."""
        self.kills: list[tuple[int, float]] = []
        """How many phones there had been when the server was killed, and when that was."""
        self._over = asyncio.Event()
        self._under_way: dict[int, dict[int, int]] = defaultdict(dict)

    async def settle(self) -> None:
        """Make the accounts."""
        await self.scene.people([*WRITERS, *RECEIVERS], 0)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Have everybody come; each leaves when their connection is lost."""
        self._over.clear()
        doings = [self._write(uin) for uin in WRITERS]
        doings += [self._read(uin) for uin in READERS]
        doings += [self._visit(uin) for uin in GUESTS]
        for doing in doings:
            group.create_task(doing)

    def kill(self) -> None:
        """Kill the server; all will soon know it."""
        self.kills.append((len(self.scene.phones), time.monotonic()))
        self.scene.kill()
        self._over.set()

    # --- what people do, until their connection is lost

    async def _write(self, uin: int) -> None:
        dice = self._dice[uin]
        rest = _REST if uin in BURSTING else _REST / 10
        phone: Phone | None = None
        try:
            phone = await self.scene.sign_in(uin)
            self._write_again(phone)
            while True:
                await phone.until(lambda: not phone.unanswered, PATIENCE)
                await self._pass_time(dice.uniform(0, rest))
                most = _BURST if uin in BURSTING else 1
                count = dice.randint(1, most)
                to = dice.choice(RECEIVERS)
                await phone.until(lambda: not phone.is_lost)
                phone.send(to, [self.scene.number() for _ in range(count)])
        except Lost:
            if phone is not None:
                self._under_way[uin] |= phone.under_way

    def _write_again(self, phone: Phone) -> None:
        """Write half of what had no answer once more."""
        dice = self._dice[phone.uin]
        for old, to in sorted(self._under_way.pop(phone.uin, {}).items()):
            if dice.random() < 0.5:
                new = self.scene.number()
                self.again[new] = old
                phone.send(to, [new])

    async def _read(self, uin: int) -> None:
        try:
            phone = await self.scene.sign_in(uin)
            await phone.until(lambda: False, _LONG)
        except Lost:
            pass

    async def _visit(self, uin: int) -> None:
        dice = self._dice[uin]
        try:
            while True:
                await self._pass_time(dice.uniform(0, _VISIT))
                if dice.random() < 0.5:
                    phone = await self.scene.sign_in(uin, confirms=True)
                    await self._pass_time(dice.uniform(0, _VISIT))
                    phone.close()
                    continue
                poster = await self.scene.post_in(uin, "127.0.0.1")
                for _ in range(dice.randint(1, 10)):
                    await self._pass_time(dice.uniform(0, _VISIT / 10))
                    await self._poll(poster)
        except Lost:
            pass

    async def _poll(self, poster: Poster) -> None:
        self.polling.add(poster.uin)
        assert await poster.poll() == "0"
        self.polling.discard(poster.uin)

    async def _pass_time(self, seconds: float) -> None:
        """Wait. Raises Lost as soon as it is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return
        raise Lost

    # --- in the end

    async def drain(self) -> None:
        """Have everybody sign in and read until nothing comes, and then one last message each."""
        self.polling.clear()
        writers = [await self.scene.sign_in(uin) for uin in WRITERS]
        readers = [await self.scene.sign_in(uin) for uin in RECEIVERS]
        for phone in readers:
            await self._all_came(phone)
        for writer in writers:
            for to in RECEIVERS:
                assert await writer.write(to, self.scene.number())
        for phone in readers:
            await self._all_came(phone)
        for phone in (*writers, *readers):
            phone.close()

    async def _all_came(self, phone: Phone) -> None:
        missing = (self.scene.missing(sender, phone.uin) for sender in WRITERS)
        await phone.gets(itertools.chain(*missing))

    def fate(self) -> Fate:
        """Return what became of all messages; the scene must be drained."""
        fate = Fate()
        everything: set[int] = set()
        for sender in WRITERS:
            for to in RECEIVERS:
                everything |= self._judge(fate, sender, to)
        unanswered = {
            number
            for phone in self.scene.phones
            if isinstance(phone, Phone)
            for number in phone.under_way
        }
        fate.unanswered, fate.of_them = len(unanswered), len(unanswered & everything)
        fate.again = len(self.again)
        fate.twice = sum({new, old} <= everything for new, old in self.again.items())
        written = unanswered.union(
            *(set().union(*self.scene.answered(*pair)) for pair in self.scene.pairs())
        )
        fate.blame("wrong", "nobody wrote", everything - written)
        return fate

    def _judge(self, fate: Fate, sender: int, to: int) -> set[int]:
        """Add what one wrote to another; return what of that came."""
        who = f"{sender} to {to}"
        promised, refused = self.scene.answered(sender, to)
        came = [phone.texts[sender] if phone.uin == to else () for phone in self.scene.phones]
        for number, before, after in fate.judge(who, promised, came):
            self._judge_repeat(fate, who, number, (before, after))
        seen = set(itertools.chain(*came))
        fate.blame("wrong", f"{who}, refused", refused & seen)
        return seen

    def _judge_repeat(self, fate: Fate, who: str, number: int, places: tuple[int, int]) -> None:
        """Add a message that came to one phone and to another."""
        before, after = places
        phone = self.scene.phones[before]
        if before == after:
            fate.blame("forbidden", f"{who}, on one connection", {number})
            return
        index = bisect.bisect_right(self.kills, (before, math.inf))
        killed = index < len(self.kills) and self.kills[index][0] <= after
        if killed:
            age = self.kills[index][1] - phone.came[number]
            fate.oldest_repeat = max(fate.oldest_repeat, age)
        if (killed and age < OLD) or (isinstance(phone, Phone) and phone.confirms):
            fate.repeats += 1
        else:
            fate.blame("forbidden", f"{who}, after it had arrived", {number})


def overdue(came: list[int], seen: set[int], missing: set[int]) -> tuple[set[int], set[int]]:
    """Return what of `missing` did not come, and what came out of order.

    `came` are the messages of one sender as another has them now, `seen` those that they had seen
    before.
    """
    latest = max(seen, default=0)
    disordered: set[int] = set()
    for number in came:
        if number in seen:
            continue
        if number < latest:
            disordered.add(number)
        latest = max(latest, number)
    if came != sorted(set(came)):
        disordered |= {number for number, after in itertools.pairwise(came) if number >= after}
    return missing - set(came), disordered
