"""Connections to messages: bursts are found, a framing is chosen, and everything is cut by it.

A capture may hold more than one protocol. Each connection has a vote; the framing of the most
bytes wins, and connections that speak otherwise are named and left out.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kqq.infer.envelope import is_http, unpack
from kqq.infer.framing import (
    Framing,
    find_end,
    find_length,
    find_size,
    leads_to_end,
    own_end,
)
from kqq.infer.sample import CLIENT, SERVER, Talk

_PAUSE = 0.05  # seconds; within a burst packets follow each other faster
_TALKS = 48  # in which lengths are tried
_MOST_MESSAGES = 60_000
_SHORTEST = 8  # bytes two ends must have said for a connection to be one of a protocol
_TLS = re.compile(rb"\x16\x03[\x00-\x04]")


@dataclass(slots=True)
class Raw:
    """One message as bytes, without what ends or announces it.

    `header` is what stood before its length. `order` counts the pieces of its connection, so that
    a reply comes after what it answers. `over` is "http" or "raw". `peer` is the same in all that
    passes between one client and the server: on one connection, or, over HTTP, on all of an
    address, as that has a connection for each request.
    """

    talk: int
    who: int
    order: int
    time: float
    data: bytes = field(repr=False)
    header: bytes = b""
    over: str = "raw"
    peer: int | str = 0


@dataclass(slots=True)
class Framed:
    """The messages, and how they were told apart.

    `framings` has what each end does, None where nothing was found; then bursts are taken for
    messages. `http` counts connections with HTTP, `raw` the others. `misfits` says by the number
    of a connection why it was left out. `broken` counts stretches of bytes that are no whole
    message. `cut_short` says that there were more messages than are looked at.
    """

    framings: dict[int, Framing | None] = field(default_factory=dict)
    messages: list[Raw] = field(default_factory=list)
    http: int = 0
    raw: int = 0
    misfits: dict[int, str] = field(default_factory=dict)
    broken: int = 0
    cut_short: bool = False


@dataclass(slots=True)
class _Run:
    """What one end said without a gap; `marks` has where each piece ends, its order and time."""

    talk: int
    who: int
    starts_whole: bool
    data: bytearray = field(default_factory=bytearray)
    marks: list[tuple[int, int, float]] = field(default_factory=list)
    pauses: list[int] = field(default_factory=list)
    _bursts: list[bytes] | None = None

    def at(self, offset: int) -> tuple[int, float]:
        """Return the order and time of the piece in which the byte before `offset` came."""
        low, high = 0, len(self.marks) - 1
        while low < high:
            middle = (low + high) // 2
            if self.marks[middle][0] < offset:
                low = middle + 1
            else:
                high = middle
        return self.marks[low][1:]

    @property
    def bursts(self) -> list[bytes]:
        """What stands between the pauses."""
        if self._bursts is None:
            data = bytes(self.data)
            self._bursts = [data[a:b] for a, b in pairwise([0, *self.pauses]) if b > a]
        return self._bursts


def cut(talks: Sequence[Talk]) -> Framed:
    """Find out how messages are told apart, and return all of them in order of each connection."""
    framed = Framed()
    runs: list[_Run] = []
    for talk in talks:
        start = b"".join(piece.data for piece in talk.pieces[:4])[:4096]
        if is_http(start):
            framed.http += 1
            for run in _runs(talk):
                _unpack(run, talk.client, framed)
        elif _TLS.match(start):
            framed.misfits[talk.number] = "encrypted (TLS)"
        else:
            runs += _runs(talk)
    fitting = _choose(runs, framed)
    framed.raw = len({run.talk for run in fitting})
    for run in fitting:
        _cut(run, framed)
    framed.messages.sort(key=lambda raw: (raw.talk, raw.order))
    return framed


def _runs(talk: Talk) -> list[_Run]:
    current: dict[int, _Run] = {}
    runs = []
    spoke: tuple[int, float] | None = None
    for order, piece in enumerate(talk.pieces):
        if spoke is not None and (spoke[0] != piece.who or piece.time - spoke[1] > _PAUSE):
            run = current[spoke[0]]
            run.pauses.append(len(run.data))
        if piece.who not in current or piece.after_gap:
            is_whole = talk.from_start and piece.who not in current
            current[piece.who] = _Run(talk.number, piece.who, is_whole)
            runs.append(current[piece.who])
        run = current[piece.who]
        run.data += piece.data
        run.marks.append((len(run.data), order, piece.time))
        spoke = piece.who, piece.time
    if not talk.is_cut:
        for run in current.values():
            run.pauses.append(len(run.data))
    return runs


# --- choosing ------------------------------------------------------------------------------------


def _choose(runs: list[_Run], framed: Framed) -> list[_Run]:
    """Note how each end frames its messages; return the runs that agree."""
    tried = set(sorted({run.talk for run in runs})[:_TALKS])
    bursts = [burst for run in runs if run.talk in tried for burst in run.bursts]
    length = find_length(bursts)
    if length is not None:
        framed.framings = {CLIENT: length, SERVER: length}
        return _agreeing(runs, framed, "its messages are not counted so")
    for who in (CLIENT, SERVER):
        framed.framings[who] = find_end(_of_majority(runs, who))
    if not any(framed.framings.values()):
        size = find_size([burst for run in runs for burst in run.bursts])
        framed.framings = {CLIENT: size, SERVER: size}
    return _agreeing(runs, framed, "its messages do not end so")


def _of_majority(runs: list[_Run], who: int) -> list[bytes]:
    """Return the bursts of all connections that share an end, if most bursts are theirs."""
    own = [run for run in runs if run.who == who and run.bursts]
    votes: Counter[bytes] = Counter()
    for run in own:
        votes[own_end(run.bursts)] += len(run.bursts)
    sign = next((sign for sign, _ in votes.most_common(2) if sign), b"")
    agreeing = [run for run in own if sign and _ends_so(run, sign)]
    bursts = [burst for run in agreeing for burst in run.bursts]
    return bursts if len(bursts) * 2 > votes.total() else []


def _ends_so(run: _Run, sign: bytes) -> bool:
    return sum(burst.endswith(sign) for burst in run.bursts) * 2 >= len(run.bursts)


def _agreeing(runs: list[_Run], framed: Framed, why: str) -> list[_Run]:
    """Return the runs that a framing found fits, and name the connections of the others.

    Those are where most bursts of an end do not end as messages do.
    """
    agree: Counter[tuple[int, int]] = Counter()
    total: Counter[tuple[int, int]] = Counter()
    size: Counter[int] = Counter()
    for run in runs:
        framing = framed.framings[run.who]
        size[run.talk] += len(run.data)
        if framing is not None:
            total[run.talk, run.who] += len(run.bursts)
            agree[run.talk, run.who] += sum(leads_to_end(framing, one) for one in run.bursts)
    for talk, who in total:
        if agree[talk, who] * 2 < total[talk, who] and size[talk] >= _SHORTEST:
            framed.misfits[talk] = why
    return [run for run in runs if run.talk not in framed.misfits]


# --- cutting -------------------------------------------------------------------------------------


def _unpack(run: _Run, client: str, framed: Framed) -> None:
    """Add what the HTTP of a run carries; a line end after it is the habit of who wrote it."""
    for body, end in unpack(bytes(run.data)):
        if text := body.rstrip(b"\r\n"):
            order, time = run.at(end)
            _add(framed, Raw(run.talk, run.who, order, time, text, b"", "http", client))


def _cut(run: _Run, framed: Framed) -> None:
    framing = framed.framings[run.who]
    if framing is None:
        for start, end in pairwise([0, *run.pauses]):
            if end > start:
                _add(framed, Raw(run.talk, run.who, *run.at(end), bytes(run.data[start:end])))
        return
    data = bytes(run.data)
    done = 0
    is_partial = not run.starts_whole
    for start, end, following in framing.cut(data):
        order, time = run.at(following)
        if is_partial and start == 0:
            framed.broken += 1
        elif end > start:
            header = data[done : done + getattr(framing, "offset", 0)]
            _add(framed, Raw(run.talk, run.who, order, time, data[start:end], header))
        done = following
    if done < len(data):
        framed.broken += 1


def _add(framed: Framed, raw: Raw) -> None:
    raw.peer = raw.peer or raw.talk
    if len(framed.messages) < _MOST_MESSAGES:
        framed.messages.append(raw)
    else:
        framed.cut_short = True
