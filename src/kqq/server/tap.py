"""Live lines: who watches sees what clients say and are told, line by line, as it goes by.

Mostly nobody watches, so who has a line looks at one attribute and does nothing else:

    if tap.is_watched:
        tap.saw(peer, uin, "in", line)

`shown` makes what an operator may read of a line that was seen.
"""

import re
from collections.abc import Callable
from typing import Literal, Protocol

from kqq.protocol import Line, Role, unescape
from kqq.protocol.explain import spec_of
from kqq.protocol.wire import mask_broken
from kqq.words import printable

Way = Literal["in", "out"]
"""From a client, or to one."""

LONGEST = 8192
"""Signs of a line that are shown."""
_TEXTS = {"in": ("MG", "RS"), "out": ("MG",)}
"""What people say to one another: messages, and the words of friend requests and refusals."""
_PICTURE = re.compile(r"((?:^|&)VC=[0-9A-Fa-f]{16})([0-9A-Fa-f]{16,})")
"""A captcha; what somebody reads in one is shorter."""


class End(Protocol):
    """Who is at the other end of a connection: `str()` of it is the address."""

    @property
    def over(self) -> str:
        """What it speaks: `tcp`, `tls`, `http` or `web`."""


Watcher = Callable[[End, int | None, Way, bytes], None]
"""Called with the client, who is signed in there, the way of a line, and the line as it is."""


class Tap:
    """Where lines can be watched. `is_watched` says whether anybody does."""

    __slots__ = ("_watchers", "is_watched")

    def __init__(self) -> None:
        self.is_watched = False
        self._watchers: tuple[Watcher, ...] = ()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher` called with each line from now on; what is returned ends that.

        It is called where the line goes by, so it must be quick and must not raise. What it is
        given has passwords in it: nobody is shown more of it than `shown` returns.
        """
        self._watchers = (*self._watchers, watcher)
        self.is_watched = True

        def stop() -> None:
            self._watchers = tuple(one for one in self._watchers if one is not watcher)
            self.is_watched = bool(self._watchers)

        return stop

    def saw(self, peer: End, uin: int | None, way: Way, data: bytes) -> None:
        """Tell watchers of a line, with its end or without."""
        for watcher in self._watchers:
            watcher(peer, uin, way, data)


def shown(data: bytes, way: Way, *, texts: bool = False) -> str:
    """Return a line as an operator may see it, without its end and what stands before `VER=`.

    Passwords and session keys are `***`, as in logs. What people say to one another is `•••` and
    how many signs it has, unless `texts` are asked for; so is whatever may belong to it, since some
    clients forget to escape a `&`, and a raw line end cuts a text in two. Of pictures, and of what
    is longer than LONGEST, the start is shown, with `…` and how many signs are left out. Signs that
    cannot be seen, and bytes that are no UTF-8, are written as escapes.
    """
    line = Line.decode(data)
    text = line.text if texts else _without_texts(line, way)
    text = mask_broken(_PICTURE.sub(_shortened, text))
    start = printable(text[:LONGEST])
    return start if len(text) <= LONGEST else f"{start}…{len(text) - LONGEST}"


def _shortened(found: re.Match[str]) -> str:
    return f"{found[1]}…{len(found[2])}"


def _without_texts(line: Line, way: Way) -> str:
    """Return a line without what people say to one another."""
    spec = spec_of(line, Role.CLIENT if way == "in" else Role.SERVER)
    if spec is None and "CMD" not in line.values():
        return _hidden(line.text)  # it may be the other half of a text
    known = {} if spec is None else {declared.key: declared.kind for declared in spec.all_fields}
    values = {} if spec is None else spec.values(line)
    parts = line.parts
    kept: list[str] = []
    has_text = False
    for at, part in enumerate(parts):
        key, equals, value = part.partition("=")
        name = key.strip()
        if equals and name.upper() in _TEXTS[way]:
            if spec is None or values.get(name, value) != value:  # it may go on, or does
                return "&".join([*kept, f"{key}={_hidden('&'.join([value, *parts[at + 1 :]]))}"])
            is_list = name in known and "LIST(" in known[name].name
            items = value.split(",") if is_list else [value]
            kept.append(f"{key}={','.join(map(_hidden, items))}")
            has_text = True
        elif equals and (name in known or (name.isascii() and name.isalnum() and not has_text)):
            kept.append(part)
        else:
            kept.append(_hidden(part))
    return "&".join(kept)


def _hidden(value: str) -> str:
    return f"•••{len(unescape(value))}" if value else ""
