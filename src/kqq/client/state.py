"""Who is there, who said what, what was not read yet: made from events alone, without I/O."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    FriendLeft,
    Lost,
    Message,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RequestSettled,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.errors import KQQError
from kqq.protocol import Status

_MOST_KEPT = 1000
"""Messages of one conversation; older ones are in the history."""
_MOST_REQUESTS = 1000
_MOST_STRANGERS = 1000
"""People who are no friends and about whom something was said; a server may name any number."""


@dataclass(slots=True)
class Person:
    """Somebody one knows of; `nick` is "" and `is_friend` false for a stranger."""

    uin: int
    nick: str = ""
    face: int = 0
    status: int = Status.OFFLINE
    is_friend: bool = False


@dataclass(slots=True)
class Conversation:
    """What was said between oneself and somebody, oldest first."""

    uin: int
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    unread: int = 0


class State:
    """What a chat shows.

    `uin` is the number signed in, None before that. `status` is one's own, `address` where the
    server is. `lost` says why there is no connection, None while there is one or the first is being
    made. `requests` are the words of those who want to be friends, by number, oldest first.
    """

    def __init__(self) -> None:
        self.uin: int | None = None
        self.status = Status.ONLINE
        self.address = ""
        self.is_online = False
        self.lost: KQQError | None = None
        self.again_in: float | None = None
        self.people: dict[int, Person] = {}
        self.conversations: dict[int, Conversation] = {}
        self.requests: dict[int, str] = {}

    def apply(self, event: Event) -> None:  # noqa: C901  # a case for each event
        """Take in what happened."""
        match event:
            case Connecting(address):
                self.address = address
            case SignedIn(uin, address, status):
                self.uin, self.address, self.status = uin, address, status
                self.is_online, self.lost, self.again_in = True, None, None
            case Lost(why, again_in):
                self.is_online, self.lost, self.again_in = False, why, again_in
            case RosterCame():
                self._take_roster(event)
            case FriendLeft(uin):
                self._take_friend_away(uin)
            case PresenceChanged(uin, status):
                self._take_status(uin, status)
            case Received(message):
                self._add(message)
                self.conversations[message.uin].unread += 1
            case Written(message):
                self._add(message)
            case Requested(uin, text):
                self.requests.pop(uin, None)
                self.requests[uin] = text
                if len(self.requests) > _MOST_REQUESTS:
                    del self.requests[next(iter(self.requests))]
            case RequestAnswered(uin, _, _) | RequestSettled(uin):
                self.requests.pop(uin, None)
            case _:
                pass  # what is odd changes nothing

    def remember(self, messages: Iterable[Message]) -> None:
        """Put messages of earlier days, oldest first, before those that are there; all are read."""
        for message in messages:
            self._add(message)

    def read(self, uin: int) -> None:
        """Note that the person has read what `uin` said."""
        if uin in self.conversations:
            self.conversations[uin].unread = 0

    @property
    def unread(self) -> int:
        """How many messages have not been read, of all conversations."""
        return sum(one.unread for one in self.conversations.values())

    def person(self, uin: int) -> Person:
        """Return what is known of somebody; of a stranger it is the number."""
        return self.people.get(uin) or Person(uin)

    def name(self, uin: int) -> str:
        """Return the nickname of somebody, or the number where there is none."""
        return self.person(uin).nick or str(uin)

    def roster(self) -> list[Person]:
        """Return friends, and strangers who wrote: first who is there, then by name and number."""
        strangers = [Person(uin) for uin in self.conversations if uin not in self.people]
        everybody = [*self.people.values(), *strangers]
        return sorted(
            everybody,
            key=lambda one: (
                one.status in (Status.OFFLINE, Status.HIDDEN),
                (one.nick or str(one.uin)).casefold(),
                one.uin,
            ),
        )

    def _take_roster(self, event: RosterCame) -> None:
        offline = Status.OFFLINE
        strangers = {one.uin: one for one in self.people.values() if not one.is_friend}
        friends = {
            one.uin: Person(
                one.uin, one.nick, one.face, event.statuses.get(one.uin, offline), is_friend=True
            )
            for one in event.friends
        }
        self.people = {**strangers, **friends}

    def _take_friend_away(self, uin: int) -> None:
        known = self.people.pop(uin, None)
        if known is not None and uin in self.conversations:
            self.people[uin] = Person(uin, known.nick, known.face)

    def _take_status(self, uin: int, status: int) -> None:
        if uin == self.uin:
            if status in set(Status):
                self.status = Status(status)
        elif uin in self.people:
            self.people[uin].status = status
        elif len(self.people) < _MOST_STRANGERS:
            self.people[uin] = Person(uin, status=status)

    def _add(self, message: Message) -> None:
        """Put a message where it belongs; one with the same key takes the place of the other."""
        conversation = self.conversations.setdefault(message.uin, Conversation(message.uin))
        messages = conversation.messages
        if message.fate is not Fate.WAITING and message.fate is not Fate.RECEIVED:
            for place in range(len(messages) - 1, -1, -1):
                if messages[place].key == message.key:
                    messages[place] = message
                    return
        messages.append(message)
