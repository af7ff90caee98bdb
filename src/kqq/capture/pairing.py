"""Which reply answers which request."""

from dataclasses import replace

from kqq.capture.events import Said
from kqq.protocol.catalogue import CaptchaAnswer, LoginReply
from kqq.protocol.messages import decode
from kqq.protocol.schema import Command, Push, Reply, Request, Unreadable
from kqq.protocol.wire import Line

_MOST_WAITING = 256
"""Requests without an answer that are remembered on a connection."""
_LONGEST = 2048
"""Signs of a request that are remembered; those we know are shorter."""
_LONGEST_PART = 100
"""Signs of a number or command by which a request is known again."""


class Pairing:
    """The requests of one connection that wait for their answer.

    Replies are matched by command and `SEQ`, as `protocol.Connection` does, since pushes number
    themselves and may collide with them. `by_person` matches `UIN` too, for sources that do not
    say which connection a line was on.
    """

    def __init__(self, *, by_person: bool = False, most: int = _MOST_WAITING) -> None:
        self._by_person = by_person
        self._most = most
        self._waiting: dict[tuple[str, str, str], Said] = {}

    @property
    def waiting(self) -> list[Said]:
        """The requests that got no answer, the oldest first."""
        return list(self._waiting.values())

    def ask(self, said: Said) -> Said | None:
        """Note a request; return the one that waits and that it sends once more, None if it is new.

        Clients that repeat what got no answer send the same line again, byte for byte.
        """
        key = self._key(said)
        if not key[0]:
            return None
        before = self._waiting.get(key)
        kept = self._waiting[key] = remembered(said)
        if before is None:
            if len(self._waiting) > self._most:
                del self._waiting[next(iter(self._waiting))]
            return None
        return before if before.line.text == kept.line.text else None

    def answer(self, said: Said) -> Said | None:
        """Return the request that `said` answers, which waits no longer; None if there is none."""
        if not self._waiting or isinstance(said.message, Push):
            return None
        key = self._key(said)
        found = self._waiting.pop(key, None)
        if found is not None:
            return found
        if not isinstance(said.message, Reply | Unreadable):
            return None
        seq, uin, name = key
        for other, request in self._waiting.items():
            if other[:2] == (seq, uin) and name in _answering(request):
                return self._waiting.pop(other)
        if isinstance(said.message, LoginReply):
            # Which SEQ the sign-in line after a captcha carries is unknown.
            for other, request in self._waiting.items():
                if isinstance(request.message, CaptchaAnswer) and other[1] == uin:
                    return self._waiting.pop(other)
        return None

    def _key(self, said: Said) -> tuple[str, str, str]:
        message = said.message
        if isinstance(message, Unreadable):
            values = said.line.values()
            seq, uin = values.get("SEQ", "").strip(), values.get("UIN", "").strip()
        elif isinstance(message, Command):
            seq, uin = message.seq, str(message.uin) if self._by_person else ""
        else:
            return "", "", ""
        uin = uin[:_LONGEST_PART] if self._by_person else ""
        return seq[:_LONGEST_PART], uin, said.command.lower()[:_LONGEST_PART]


def remembered(said: Said) -> Said:
    """Return a request as it is remembered: a very long one, of which many may wait, cut short."""
    if len(said.line.text) <= _LONGEST:
        return said
    line = Line(said.line.text[:_LONGEST])
    return replace(said, line=line, message=decode(line, said.sender), odd=())


def _answering(request: Said) -> set[str]:
    """Return the commands, in lower case, that a reply to `request` may have."""
    message = request.message
    if not isinstance(message, Request):
        return set()
    return {reply.spec.command.lower() for reply in message.spec.answers}
