"""What a message is made of: which signs divide it, and the fields between them.

Pairs (`name=value` between `&`) show themselves by names that come again and again in front of the
same sign; for words in a row (`PRIVMSG #room :hi`), by one sign between words of which the first
ones come again. Each pair of signs that occurs is tried; the one that explains most parts wins.
Bytes that are no text are taken apart by place.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kqq.infer.cutting import Raw

_TRIED = 1500  # messages in which signs are tried
_LONGEST = 4096  # bytes of a message that are looked at when signs are tried
_MOST_PARTS = 400  # of one message; what is left stays in the last one
_MOST_FIELDS = 1_500_000  # of all messages
_MOST_NAMES = 2000
_LONGEST_NAME = 64
_AGAIN = 3  # times that a name must come to be one
_EXPLAINED = 0.8  # part of parts that must have a name
_TEXT = 0.9  # part of messages that must be text
_PLACES = 12  # bytes at the beginning of a binary message that are looked at
_WORDS = 8  # words looked at
_NAME = re.compile(r"[^\W\d_][\w.-]{0,63}|[^\w\s]?\w[\w.-]{0,31}")
_MULTI = ("\r\n", "; ", ", ", ": ")
_LONGER = 1e-6  # what each byte of signs is worth, where all else is equal


class Pairs(NamedTuple):
    """`divider` stands between parts, `assign` between name and value.

    `agree` of `of` parts have a name that comes again; there are `names` of these.
    """

    divider: str
    assign: str
    agree: int
    of: int
    names: int


class Words(NamedTuple):
    """`divider` stands between words; `agree` of `of` messages begin with words that come again."""

    divider: str
    agree: int
    of: int


class Blank(NamedTuple):
    """Nothing divides messages; they are text (`is_text`), or bytes."""

    is_text: bool
    agree: int
    of: int


Notation = Pairs | Words | Blank


@dataclass(slots=True)
class Message:
    """One message: names of fields and their values, both in order of the line.

    A part without a name is named "". `junk` is what stood before the first name, as bytes.
    `text` is the whole message; `peer` as in `cutting.Raw`.
    """

    talk: int
    who: int
    order: int
    time: float
    over: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    text: str
    peer: int | str = 0
    junk: bytes = b""

    def get(self, name: str) -> str | None:
        """Return the first value of a field, None if there is none."""
        return self.values[self.names.index(name)] if name in self.names else None


class Divided(NamedTuple):
    """All messages with their fields, and how they were divided.

    `encoding` is "ascii", "utf-8", "gb18030" or "binary"; `unfit` counts messages that have no
    known name, and are left out. `bits` is how much there is to know of a byte, of at most 8: text
    has less than 6, what is encrypted or compressed nearly 8.
    """

    notation: Notation
    encoding: str
    messages: list[Message]
    unfit: int = 0
    unfit_example: str = ""
    bits: float = 0.0


def divide(raws: Sequence[Raw]) -> Divided:
    """Find out how messages are divided into fields, and divide all."""
    return _divide(raws)._replace(bits=_bits(raws))


def _divide(raws: Sequence[Raw]) -> Divided:
    encoding = _encoding(raws)
    tried = raws if len(raws) <= _TRIED else raws[:: len(raws) // _TRIED + 1]
    if encoding == "binary":
        notation: Notation = Blank(is_text=False, agree=len(raws), of=len(raws))
        return Divided(notation, encoding, [_by_place(raw) for raw in raws])
    texts = [_decode(raw.data[:_LONGEST], encoding) for raw in tried]
    notation = (
        find_pairs(texts)
        or find_words(texts)
        or Blank(is_text=True, agree=len(texts), of=len(texts))
    )
    if isinstance(notation, Pairs):
        return _divide_pairs(raws, notation, encoding)
    messages = [_by_word(raw, notation, encoding) for raw in raws]
    return Divided(notation, encoding, messages)


def _bits(raws: Sequence[Raw]) -> float:
    counts = Counter(b"".join(raw.data for raw in raws[:: len(raws) // _TRIED + 1]))
    total = counts.total()
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def _decode(data: bytes, encoding: str) -> str:
    return data.decode("utf-8" if encoding == "ascii" else encoding, "surrogateescape")


def _encoding(raws: Sequence[Raw]) -> str:
    """Return how text is written, "binary" if messages are no text."""
    text = [raw.data for raw in raws if not _has_controls(raw.data)]
    if len(text) < _TEXT * len(raws):
        return "binary"
    wide = [data for data in text if not data.isascii()]
    if not wide:
        return "ascii"
    right = {name: sum(_can(data, name) for data in wide) for name in ("utf-8", "gb18030")}
    if right["utf-8"] >= _EXPLAINED * len(wide) or right["gb18030"] < _TEXT * len(wide):
        is_text = right["utf-8"] + len(text) - len(wide) >= _TEXT * len(raws)
        return "utf-8" if is_text else "binary"
    return "gb18030"


def _has_controls(data: bytes) -> bool:
    """Whether there are more control bytes than text has."""
    return len(data.translate(None, _CONTROLS)) < 0.95 * len(data)


_CONTROLS = bytes(sorted({*range(32), 127} - {*b"\t\r\n"}))


def _can(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# --- pairs ---------------------------------------------------------------------------------------


def find_pairs(texts: Sequence[str]) -> Pairs | None:
    """Return the signs of `name=value` pairs, None if no signs explain the texts."""
    signs = Counter(sign for text in texts for sign in set(text) if not _is_in_words(sign))
    common = [sign for sign, count in signs.most_common(16) if count > len(texts) / 10]
    common += [multi for multi in _MULTI if sum(multi in text for text in texts) * 10 > len(texts)]
    best: tuple[float, Pairs] | None = None
    for divider in common:
        for assign in common:
            if divider in assign or assign in divider:
                continue
            found, score = _try_pairs(texts, divider, assign)
            if found is not None and (best is None or score > best[0]):
                best = score, found
    return None if best is None else best[1]


def _is_in_words(sign: str) -> bool:
    return sign.isalnum() or sign == "_" or not sign.isascii()


def _try_pairs(texts: Sequence[str], divider: str, assign: str) -> tuple[Pairs | None, float]:
    names: Counter[str] = Counter()
    total = many = 0
    for text in texts:
        parts = text.split(divider, _MOST_PARTS)
        many += len(parts) > 1
        total += len(parts)
        for part in parts:
            name, sign, _ = part.partition(assign)
            if sign and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name.strip()):
                names[name.strip()] += 1
    known = {name: count for name, count in names.items() if count >= _AGAIN}
    agree = sum(known.values())
    is_varied = len(known) > 1 and len(known) * 4 <= agree
    if not is_varied or agree < _EXPLAINED * total or many * 2 < len(texts):
        return None, 0.0
    # Of two that explain all parts, the one that makes more of them sees more.
    score = agree / total + total / len(texts) / 50 + _LONGER * len(divider + assign)
    return Pairs(divider, assign, agree, total, len(known)), score


def _divide_pairs(raws: Sequence[Raw], pairs: Pairs, encoding: str) -> Divided:
    rows = []
    counts: Counter[str] = Counter()
    firsts: Counter[str] = Counter()
    shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
    fields = 0
    for raw in raws:
        text = _decode(raw.data, encoding)
        names, values = _pairs(text, pairs)
        fields += len(names)
        if fields > _MOST_FIELDS:
            break
        names = shapes.setdefault(names, names) if len(shapes) < _MOST_NAMES else names
        if len(counts) < _MOST_NAMES or names[0] in counts:
            counts.update(names)
            firsts[names[0]] += 1
        rows.append((raw, text, names, values))
    usual = [name for name, count in firsts.most_common(8) if name and count * 50 > len(rows)]
    known = {name for name, count in counts.items() if name and count >= _AGAIN}
    messages = []
    unfit, example = 0, ""
    for raw, text, names, values in rows:
        junk, own = _without_junk(names, usual, firsts, raw.data, pairs)
        if not known.intersection(own):
            unfit += 1
            example = example or text[:200]
            continue
        messages.append(_message(raw, own, values, text, junk))
    return Divided(pairs, encoding, messages, unfit, example)


def _pairs(text: str, pairs: Pairs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, values = [], []
    for part in text.split(pairs.divider, _MOST_PARTS):
        name, sign, value = part.partition(pairs.assign)
        if sign and len(name) <= _LONGEST_NAME:
            names.append(name.strip())
            values.append(value)
        elif part:
            names.append("")
            values.append(part)
    return tuple(names) or ("",), tuple(values) or ("",)


def _without_junk(
    names: tuple[str, ...], usual: Sequence[str], firsts: Counter[str], data: bytes, pairs: Pairs
) -> tuple[bytes, tuple[str, ...]]:
    """Return bytes before a name that usually comes first, and the names without them."""
    first = names[0]
    for name in usual:
        if first != name and first.endswith(name) and firsts[first] * 10 < firsts[name]:
            place = data.find((name + pairs.assign).encode())
            return data[:place], (name, *names[1:])
    return b"", names


# --- words and bytes -----------------------------------------------------------------------------


def find_words(texts: Sequence[str]) -> Words | None:
    """Return the sign between words, if the first words of messages come again and again."""
    signs = Counter(sign for text in texts for sign in set(text) if not _is_in_words(sign))
    best: tuple[int, Words] | None = None
    for divider, count in signs.most_common(12):
        if count * 4 < len(texts):
            continue
        rows = [text.split(divider, _WORDS) for text in texts]
        agree = 0
        for place in (0, 1):
            words = Counter(row[place] for row in rows if len(row) > place)
            again = {word for word, times in words.items() if times >= _AGAIN and word}
            if 1 < len(again) <= max(8, len(texts) // 10):
                agree = max(agree, sum(words[word] for word in again))
        if agree >= _EXPLAINED * len(texts) and (best is None or agree > best[0]):
            best = agree, Words(divider, agree, len(texts))
    return None if best is None else best[1]


def _by_word(raw: Raw, notation: Notation, encoding: str) -> Message:
    text = _decode(raw.data, encoding)
    words = text.split(notation.divider, _WORDS - 1) if isinstance(notation, Words) else [text]
    names = tuple(f"word {place}" for place in range(1, len(words) + 1))
    names = names if isinstance(notation, Words) else ("text",)
    return _message(raw, names, tuple(words), text)


def _by_place(raw: Raw) -> Message:
    """Return a binary message as bytes in places, in hex; what comes after them is the rest."""
    head = raw.data[:_PLACES]
    names = tuple(f"header byte {place}" for place in range(1, len(raw.header) + 1))
    names += tuple(f"byte {place}" for place in range(1, len(head) + 1))
    values = tuple(f"{byte:02x}" for byte in raw.header + head)
    if rest := raw.data[_PLACES : _LONGEST + _PLACES]:
        names, values = (*names, "rest"), (*values, rest.hex())
    text = raw.data[:200].hex(" ")
    return _message(raw, names, values, text)


def _message(
    raw: Raw, names: tuple[str, ...], values: tuple[str, ...], text: str, junk: bytes = b""
) -> Message:
    return Message(
        raw.talk, raw.who, raw.order, raw.time, raw.over, names, values, text, raw.peer, junk
    )
