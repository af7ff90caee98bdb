"""Who is there, who said what, what was not read yet: made from events alone, without I/O."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kqq.client.events import (
    Connecting,
    Event,
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
"""Messages of a conversation after which a new one drives out the oldest."""
_MOST_SIGNS = 10_000_000
"""Signs of all messages together, after which the longest conversation loses its oldest: a server
may send texts of 64 KiB in the name of anybody."""
_MOST_REQUESTS = 1000
_MOST_STRANGERS = 1000
"""People who are no friends, and conversations with such; a server may name any number."""
_NOTHING: Mapping[int, Any] = MappingProxyType({})


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
    """What was said between oneself and somebody, oldest first.

    `unread` also counts messages that are not here, but in the history.
    """

    uin: int
    messages: deque[Message] = field(default_factory=deque)
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
        self._nicks: dict[int, str] = {}
        self._signs: dict[int, int] = {}
        """How many signs the messages of each conversation have."""
        self._all_signs = 0

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
                if self._add(message):
                    self.conversations[message.uin].unread += 1
            case Written(message):
                self._add(message)
            case Requested(uin, text):
                self.requests.pop(uin, None)
                self.requests[uin] = text
                if len(self.requests) > _MOST_REQUESTS:
                    del self.requests[next(iter(self.requests))]
            case RequestAnswered(uin, is_accepted=True) | RequestSettled(uin):
                self.requests.pop(uin, None)
            case _:
                pass  # what is odd changes nothing

    def remember(
        self,
        messages: Iterable[Message],
        *,
        unread: Mapping[int, int] = _NOTHING,
        names: Mapping[int, str] = _NOTHING,
    ) -> None:
        """Put earlier messages, oldest first, before those that are there; none is there twice.

        `unread` says how many messages people have said that were not read, `names` how people
        were called who may not be friends any more.
        """
        self._nicks.update(names)
        earlier: dict[int, dict[str, Message]] = {}
        for message in messages:
            earlier.setdefault(message.uin, {})[message.key] = message
        for uin, by_key in earlier.items():
            conversation = self._conversation(uin)
            known = {message.key for message in conversation.messages}
            news = [message for key, message in reversed(by_key.items()) if key not in known]
            conversation.messages.extendleft(news)
            self._count(uin, sum(len(message.text) for message in news))
        for uin, count in unread.items():
            self._conversation(uin).unread = count

    def read(self, uin: int) -> None:
        """Note that the person has read what `uin` said."""
        if uin in self.conversations:
            self.conversations[uin].unread = 0

    @property
    def unread(self) -> int:
        """How many messages have not been read, of all conversations."""
        return sum(one.unread for one in self.conversations.values())

    def latest(self) -> list[Conversation]:
        """Return the conversations, first the one in which something was said last."""
        return sorted(self.conversations.values(), key=_last_at, reverse=True)

    def person(self, uin: int) -> Person:
        """Return what is known of somebody; of a stranger it may be the number alone."""
        return self.people.get(uin) or Person(uin, self._nicks.get(uin, ""))

    def is_friend(self, uin: int) -> bool:
        """Return whether somebody is in the friend list."""
        return uin in self.people and self.people[uin].is_friend

    def name(self, uin: int) -> str:
        """Return the nickname of somebody, or the number where there is none."""
        return self.person(uin).nick or str(uin)

    def roster(self) -> list[Person]:
        """Return friends, and strangers one talks to: first who is there, by name and number."""
        friends = [one for one in self.people.values() if one.is_friend]
        others = [self.person(uin) for uin in self.conversations if not self.is_friend(uin)]
        everybody = [*friends, *others]
        return sorted(
            everybody,
            key=lambda one: (
                one.status in (Status.OFFLINE, Status.HIDDEN),
                (one.nick or str(one.uin)).casefold(),
                one.uin,
            ),
        )

    def _take_roster(self, event: RosterCame) -> None:
        friends = {
            one.uin: Person(
                one.uin,
                one.nick,
                one.face,
                event.statuses.get(one.uin, Status.OFFLINE),
                is_friend=True,
            )
            for one in event.friends
        }
        for uin in [uin for uin in self.people if self.is_friend(uin) and uin not in friends]:
            self._take_friend_away(uin)
        strangers = {uin: one for uin, one in self.people.items() if not one.is_friend}
        self.people = {**strangers, **friends}
        for uin in friends:
            self.requests.pop(uin, None)

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
        elif sum(not one.is_friend for one in self.people.values()) < _MOST_STRANGERS:
            self.people[uin] = Person(uin, self._nicks.get(uin, ""), status=status)

    def _add(self, message: Message) -> bool:
        """Put a message at the end and return True, or in the place of the one with its key."""
        uin = message.uin
        messages = self._conversation(uin).messages
        for place in range(len(messages) - 1, -1, -1):
            if messages[place].key == message.key:
                messages[place] = message
                return False
        messages.append(message)
        self._count(uin, len(message.text))
        if len(messages) > _MOST_KEPT:
            self._drop_oldest(uin)
        while self._all_signs > _MOST_SIGNS:
            self._drop_oldest(max(self._signs, key=self._signs.__getitem__))
        return True

    def _count(self, uin: int, signs: int) -> None:
        """Note that the messages with somebody have so many signs more."""
        self._signs[uin] = self._signs.get(uin, 0) + signs
        self._all_signs += signs

    def _drop_oldest(self, uin: int) -> None:
        self._count(uin, -len(self.conversations[uin].messages.popleft().text))

    def _conversation(self, uin: int) -> Conversation:
        """Return the conversation with somebody; too many strangers drive each other out."""
        if uin not in self.conversations:
            talks = sorted(self.conversations.values(), key=_last_at)
            strangers = [one.uin for one in talks if not self.is_friend(one.uin)]
            too_many = len(strangers) + (not self.is_friend(uin)) - _MOST_STRANGERS
            for one in strangers[: max(too_many, 0)]:
                del self.conversations[one]
                self._all_signs -= self._signs.pop(one, 0)
                self.people.pop(one, None)
            self.conversations[uin] = Conversation(uin)
        return self.conversations[uin]


def _last_at(conversation: Conversation) -> float:
    """Return when something was said last; who has said nothing yet comes after all others."""
    return conversation.messages[-1].at if conversation.messages else float("-inf")
