"""How messages belong together: which field names their kind, and which reply answers what."""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from statistics import median

from kqq.infer.findings import Naming, Pairing
from kqq.infer.parts import Blank, Message, Notation, Pairs, Words
from kqq.infer.sample import CLIENT, SERVER

_EVERYWHERE = 0.85  # of messages must have a field that names or pairs them
_MOST_KINDS = 300
_TELLS = 0.2  # of what can be known of the shape must a name tell
_PAIRED = 0.7
_ALTERNATING = 0.9
_ENOUGH = 3  # requests in a connection that can tell a number from a name
_CLASSES = 6  # words whose looks are compared
_NAMES = 0.8  # of values must look like names for a field to name messages
_LONGEST_NAME = 64
_STEPS = 0.8  # of messages that count one up; what counts is no name
_MOST_BYTES = 40  # different values that a byte may have to name messages
_FEW_WORDS = 3  # different ones that a field must have to name messages by echoes alone
_WORD = re.compile(r"[^\W\d][\w.-]*")
_NAME = re.compile(r"\w[\w.:/-]*")
_SHOWN = 5
_SHUFFLES = 5
_LITTLE = 0.05  # bits; where there is less to tell, chance tells as much

Pair = tuple[int, int]
"""Places of a request and its reply among the messages."""


def find_naming(messages: Sequence[Message], notation: Notation) -> Naming:
    """Return the fields that tell most about which other fields a message has.

    How much a field tells is the information that it and the shape of messages share, beyond what
    they would share if messages were shuffled, against all there is in both. So a field that is
    different in each message tells nothing, and one that is always the same neither.
    """
    scores: dict[int, dict[str, tuple[float, int]]] = {}
    for who in (CLIENT, SERVER):
        own = [message for message in messages if message.who == who]
        if own:
            scores[who] = _scores(own, notation)
    together: dict[str, float] = defaultdict(float)
    for found in scores.values():
        for name, (score, _) in found.items():
            together[name] += score / len(scores)
    fields = {}
    for who, found in scores.items():
        best = max(found, key=lambda name: found[name][0], default="")
        if isinstance(notation, Pairs) and together:
            # A name that does for both ends is worth more than one that is a little better.
            common = max(together, key=lambda name: together[name])
            if common in found and found[common][0] >= _TELLS:
                best = common
        fields[who] = best if best and found[best][0] >= _TELLS else ""
    tried = [
        (name, together[name], max(found[name][1] for found in scores.values() if name in found))
        for name in sorted(together, key=lambda name: -together[name])[:_SHOWN]
    ]
    return Naming({CLIENT: "", SERVER: "", **fields}, tried)


def find_naming_by_echo(
    messages: Sequence[Message], pairs: Sequence[Pair], naming: Naming
) -> Naming:
    """Return the field that names messages where what goes with what does not tell.

    So it is where there are few messages, or all of an end look alike. It is a word that all have,
    and that replies repeat of their requests.
    """
    known = {name for name in naming.fields.values() if name}
    if len(known) > 1 or all(naming.fields.values()) or not pairs:
        return naming
    best = ""
    most = _FEW_WORDS - 1
    for name in known or _in_both(messages):
        asked = [_folded(messages[request].get(name)) for request, _ in pairs]
        told = [_folded(messages[reply].get(name)) for _, reply in pairs]
        repeated = sum(a == b for a, b in zip(asked, told, strict=True))
        words = {value for value in asked if _WORD.fullmatch(value)}
        if repeated >= _NAMES * len(pairs) and len(words) == len(set(asked)) > most:
            best, most = name, len(words)
    return naming._replace(fields={CLIENT: best, SERVER: best}, by_echo=True) if best else naming


def _scores(messages: Sequence[Message], notation: Notation) -> dict[str, tuple[float, int]]:
    """Return for each field that could name messages how much it tells, and its values."""
    seen = Counter(name for message in messages for name in set(message.names))
    names = [name for name, count in seen.items() if name and count >= _EVERYWHERE * len(messages)]
    is_free = isinstance(notation, Blank) and notation.is_text
    found = {}
    for name in () if is_free else names:
        values = [_folded(message.get(name)) for message in messages]
        different = len(set(values))
        if not 1 < different <= max(2, min(_MOST_KINDS, len(messages) * 3 // 4)):
            continue
        if sum(_NAME.fullmatch(value) is not None for value in values) < _NAMES * len(values):
            continue
        if isinstance(notation, Blank) and (different > _MOST_BYTES or _counts(messages, name)):
            continue
        shapes = [_shape(message, name, notation) for message in messages]
        found[name] = _told(values, shapes), different
    return found


def _shape(message: Message, besides: str, notation: Notation) -> Hashable:
    """Return which fields there are, or, where all have them, what the words look like."""
    if not isinstance(notation, Words):
        return message.names
    looks = [
        "1" if value.isdigit() else "a" if value[:1].isalnum() else value[:1]
        for name, value in zip(message.names, message.values, strict=True)
        if name != besides
    ]
    return (min(len(looks), _CLASSES), *looks[:_CLASSES])


def _counts(messages: Sequence[Message], name: str) -> bool:
    """Whether a byte is mostly one more than in the message before."""
    steps = Counter(
        int(other.get(name) or "0", 16) - int(one.get(name) or "0", 16)
        for one, other in pairwise(messages)
    )
    return steps[1] >= _STEPS * steps.total()


def _folded(value: str | None) -> str:
    return (value or "").strip().casefold()


def _information(values: Iterable[Hashable]) -> float:
    counts = Counter(values)
    total = counts.total()
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def _told(values: Sequence[Hashable], shapes: Sequence[Hashable]) -> float:
    one, other = _information(values), _information(shapes)
    shared = one + other - _information(zip(values, shapes, strict=True))
    dice = random.Random(0)  # noqa: S311  # the same in each run
    shuffled = list(shapes)
    by_chance = 0.0
    for _ in range(_SHUFFLES):
        dice.shuffle(shuffled)
        by_chance += one + other - _information(zip(values, shuffled, strict=True))
    by_chance /= _SHUFFLES
    most = (one + other) / 2 - by_chance
    return max(0.0, (shared - by_chance) / most) if most > _LITTLE else 0.0


def kind_of(message: Message, naming: Naming) -> str:
    """Return the name of a message's kind, in one spelling, "" if it has none that is a name."""
    name = naming.fields[message.who]
    value = _folded(message.get(name)) if name else ""
    return value if len(value) <= _LONGEST_NAME and _NAME.fullmatch(value) else ""


# --- who answers whom ----------------------------------------------------------------------------


def find_pairing(
    messages: Sequence[Message], *, is_framed: bool = True
) -> tuple[Pairing | None, list[Pair]]:
    """Return how replies show what they answer, and the pairs that makes.

    A field shows it if replies have the value that their request had, and each request of a client
    another one. If there is none, order may do: each request is followed by one reply. Where
    messages are only what stands between pauses (not `is_framed`), that says nothing.
    """
    talks = _by_talk(messages)
    requests = Counter(message.peer for message in messages if message.who == CLIENT)
    long = {peer for peer, count in requests.items() if count >= _ENOUGH}
    total = requests.total()
    if not total or total == len(messages):
        return None, []
    tried: list[tuple[str, float]] = []
    best: list[Pair] = []
    for name in _in_both(messages) if long else ():
        pairs = [pair for talk in talks for pair in _pair(messages, talk, name)]
        within = sum(messages[request].peer in long for request, _ in pairs)
        share = within / sum(requests[peer] for peer in long) * _difference(messages, long, name)
        if share > max((other for _, other in tried), default=0):
            best = pairs
        tried.append((name, share))
    tried.sort(key=lambda one: -one[1])
    if tried and tried[0][1] >= _PAIRED:
        return Pairing(tried[0][0], len(best), total, tried[1:_SHOWN]), best
    pairs = [pair for talk in talks for pair in _in_turn(messages, talk)]
    if is_framed and len(pairs) >= _ALTERNATING * max(total, len(messages) - total):
        return Pairing("", len(pairs), total, tried[:_SHOWN]), pairs
    return None, []


def _by_talk(messages: Sequence[Message]) -> list[list[int]]:
    talks: dict[int, list[int]] = defaultdict(list)
    for place, message in enumerate(messages):
        talks[message.talk].append(place)
    return list(talks.values())


def _in_both(messages: Sequence[Message]) -> list[str]:
    """Return the fields that nearly all messages of both ends have."""
    common: set[str] | None = None
    for who in (CLIENT, SERVER):
        own = [message for message in messages if message.who == who]
        seen = Counter(name for message in own for name in set(message.names) if name)
        often = {name for name, count in seen.items() if count >= _EVERYWHERE * len(own)}
        common = often if common is None else common & often
    return sorted(common or ())


def _pair(messages: Sequence[Message], talk: Sequence[int], name: str) -> list[Pair]:
    """Return the replies that have the value of a request before them, each request once."""
    waiting: dict[str, list[int]] = defaultdict(list)
    pairs = []
    for place in talk:
        value = messages[place].get(name)
        if value is None:
            continue
        if messages[place].who == CLIENT:
            waiting[value].append(place)
        elif waiting.get(value):
            pairs.append((waiting[value].pop(0), place))
    return pairs


def _difference(messages: Sequence[Message], peers: set[int | str], name: str) -> float:
    """Return how many different values the requests of a client have, of as many as could."""
    values: dict[int | str, list[str | None]] = defaultdict(list)
    for message in messages:
        if message.who == CLIENT and message.peer in peers:
            values[message.peer].append(message.get(name))
    different = sum(len(set(own)) for own in values.values())
    return different / sum(map(len, values.values()))


def _in_turn(messages: Sequence[Message], talk: Sequence[int]) -> list[Pair]:
    """Return each request with what is said right after it."""
    return [
        (one, other)
        for one, other in pairwise(talk)
        if messages[one].who == CLIENT and messages[other].who == SERVER
    ]


def seconds_between(messages: Sequence[Message], pairs: Sequence[Pair]) -> float | None:
    """Return how long replies took, in the middle; None where the source has no times."""
    times = [messages[reply].time - messages[request].time for request, reply in pairs]
    times = [seconds for seconds in times if seconds >= 0]
    return (median(times) or None) if times else None
