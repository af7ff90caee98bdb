"""What a chat shows, made from events in any order."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    Friend,
    FriendLeft,
    Lost,
    Message,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RequestSettled,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.state import Conversation, State
from kqq.errors import ConnectionLost
from kqq.protocol import Status

ME, ANNA, BO, CY = 10001, 10002, 10003, 10004
ROSTER = RosterCame((Friend(ANNA, "Anna", 3), Friend(BO, "小波", 0)), {BO: Status.AWAY})


def said(key: str, uin: int = ANNA, at: float = 0.0, fate: Fate = Fate.RECEIVED) -> Message:
    """Return a message."""
    return Message(key, uin, f"text of {key}", at, fate)


def made(*events: Event) -> State:
    """Return the state after these events."""
    state = State()
    for event in events:
        state.apply(event)
    return state


def keys(state: State, uin: int = ANNA) -> list[str]:
    """Return the keys of the messages with somebody."""
    return [message.key for message in state.conversations[uin].messages]


def numbers(talks: Iterable[Conversation]) -> list[int]:
    """Return whose conversations they are."""
    return [one.uin for one in talks]


# --- the connection ------------------------------------------------------------------------------


def test_the_connection_comes_and_goes() -> None:
    """Where one is signed in, or why not, and when it is tried again."""
    state = made(Connecting("tcp://a:1"))
    assert (state.address, state.uin, state.is_online) == ("tcp://a:1", None, False)
    state.apply(SignedIn(ME, "tcp://b:1", Status.AWAY))
    assert (state.address, state.uin, state.is_online) == ("tcp://b:1", ME, True)
    assert state.status is Status.AWAY
    why = ConnectionLost("gone")
    state.apply(Lost(why, 3.0))
    assert (state.is_online, state.lost, state.again_in) == (False, why, 3.0)
    state.apply(SignedIn(ME, "tcp://b:1", Status.ONLINE))
    assert (state.is_online, state.lost, state.again_in) == (True, None, None)


# --- people --------------------------------------------------------------------------------------


def test_the_roster_has_who_is_there_first() -> None:
    """Then by name, whatever its case, then by number; hidden and offline come last."""
    friends = [Friend(1, "b", 0), Friend(2, "A", 0), Friend(3, "a", 0), Friend(4, "Z", 0)]
    friends += [Friend(5, "", 0)]
    statuses = {1: Status.ONLINE, 2: Status.BUSY, 3: Status.HIDDEN, 4: Status.AWAY}
    state = made(RosterCame(tuple(friends), dict(statuses)))
    assert [one.uin for one in state.roster()] == [2, 1, 4, 5, 3]
    assert (state.name(1), state.name(5), state.name(9)) == ("b", "5", "9")


def test_a_stranger_is_in_the_roster_once_there_is_a_conversation() -> None:
    """A status alone makes nobody appear; it is known when they write."""
    state = made(ROSTER, PresenceChanged(CY, Status.ONLINE))
    assert [one.uin for one in state.roster()] == [BO, ANNA]
    state.apply(Received(said("k", CY)))
    assert [one.uin for one in state.roster()] == [CY, BO, ANNA]
    assert not state.is_friend(CY)
    assert state.is_friend(ANNA)
    made_of_words = made(Received(said("k", CY)))
    assert [one.uin for one in made_of_words.roster()] == [CY]


def test_statuses_change() -> None:
    """A friend's and one's own; a code that nobody knows is kept for friends, not for oneself."""
    state = made(SignedIn(ME, "tcp://a:1", Status.ONLINE), ROSTER)
    state.apply(PresenceChanged(ANNA, 75))
    state.apply(PresenceChanged(ME, Status.AWAY))
    state.apply(PresenceChanged(ME, 75))
    assert state.person(ANNA).status == 75
    assert state.status is Status.AWAY


def test_who_is_deleted_is_a_stranger_from_then_on() -> None:
    """With a conversation they stay by name; without one they are gone."""
    state = made(ROSTER, Received(said("k", ANNA)), FriendLeft(ANNA), FriendLeft(BO), FriendLeft(9))
    assert [one.uin for one in state.roster()] == [ANNA]
    assert state.name(ANNA) == "Anna"
    assert not state.is_friend(ANNA)
    assert state.person(ANNA).status == Status.OFFLINE


def test_who_is_in_the_roster_no_more_is_a_stranger_from_then_on() -> None:
    """The same, if somebody else, or another client, ended the friendship."""
    state = made(ROSTER, Received(said("k", ANNA)), RosterCame((), {}))
    assert [one.uin for one in state.roster()] == [ANNA]
    assert state.name(ANNA) == "Anna"
    assert not state.is_friend(ANNA)
    assert set(state.people) == {ANNA}


def test_a_stranger_becomes_a_friend() -> None:
    """There is one of them then."""
    state = made(PresenceChanged(ANNA, Status.ONLINE), Received(said("k", ANNA)), ROSTER)
    assert [one.uin for one in state.roster()] == [BO, ANNA]
    assert state.is_friend(ANNA)


def test_strangers_are_not_kept_without_end() -> None:
    """A server may name any number; a status of one too many is passed over."""
    state = made(*(PresenceChanged(uin, Status.ONLINE) for uin in range(20_000, 21_500)), ROSTER)
    assert len(state.people) == 1000 + 2
    state.apply(PresenceChanged(20_000, Status.AWAY))
    assert state.person(20_000).status == Status.AWAY


def test_conversations_with_strangers_are_not_kept_without_end() -> None:
    """Who has been silent longest goes first; friends stay."""
    state = made(ROSTER, Received(said("friend", ANNA, at=-1)))
    state.apply(PresenceChanged(20_000, Status.ONLINE))
    for uin in range(20_000, 21_500):
        state.apply(Received(said(str(uin), uin, at=uin)))
    assert len(state.conversations) == 1000 + 1
    assert ANNA in state.conversations
    assert 20_000 not in state.people
    assert min(set(state.conversations) - {ANNA}) == 20_500
    state.apply(RosterCame((), {}))
    state.apply(Received(said("last", BO, at=0)))
    assert len(state.conversations) == 1000


# --- requests ------------------------------------------------------------------------------------


def test_requests_wait_until_they_are_settled() -> None:
    """Oldest first; who asks again has said something else and comes last."""
    state = made(Requested(ANNA, "hi"), Requested(BO, "ho"), Requested(ANNA, "please"))
    assert list(state.requests.items()) == [(BO, "ho"), (ANNA, "please")]
    state.apply(RequestSettled(BO))
    state.apply(RequestSettled(CY))
    assert list(state.requests) == [ANNA]


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (ROSTER, [CY]),
        (RequestAnswered(ANNA, is_accepted=True, text=""), [CY]),
        (RequestAnswered(ANNA, is_accepted=False, text="no"), [ANNA, CY]),
        (Odd("what?"), [ANNA, CY]),
    ],
)
def test_requests_of_friends_go(event: Event, left: list[int]) -> None:
    """Who has become a friend asks no more; who does not want one's own request still asks."""
    assert list(made(Requested(ANNA, "hi"), Requested(CY, "ho"), event).requests) == left


def test_requests_are_not_kept_without_end() -> None:
    """The oldest go."""
    state = made(*(Requested(uin, "") for uin in range(1, 1502)))
    assert list(state.requests) == list(range(502, 1502))


# --- messages ------------------------------------------------------------------------------------


def test_messages_are_unread_until_they_are_read() -> None:
    """One's own are not; a repeated one counts once."""
    state = made(Received(said("1")), Received(said("2", BO)), Received(said("2", BO)))
    state.apply(Written(said("3", fate=Fate.WAITING)))
    assert [one.unread for one in state.conversations.values()] == [1, 1]
    assert state.unread == 2
    state.read(ANNA)
    state.read(CY)
    assert state.unread == 1


def test_a_message_changes_where_it_stands() -> None:
    """Its fate changes, also back to waiting; nothing moves and nothing is there twice."""
    one, two = said("1", fate=Fate.WAITING), said("2")
    state = made(Written(one), Received(two))
    for fate in (Fate.UNKNOWN, Fate.WAITING, Fate.SENT):
        state.apply(Written(replace(one, fate=fate)))
        assert list(state.conversations[ANNA].messages) == [replace(one, fate=fate), two]


def test_a_conversation_keeps_the_last_messages() -> None:
    """The oldest are driven out by new ones, never by earlier ones that are remembered."""
    state = made(*(Received(said(str(number))) for number in range(1100)))
    assert keys(state) == [str(number) for number in range(100, 1100)]
    assert state.conversations[ANNA].unread == 1100
    state.remember([said(str(number)) for number in range(50, 100)])
    assert keys(state) == [str(number) for number in range(50, 1100)]
    state.apply(Received(said("new")))
    assert keys(state) == [*(str(number) for number in range(51, 1100)), "new"]


def test_long_texts_are_not_kept_without_end() -> None:
    """The conversation with the most of them loses its oldest; the others lose nothing."""
    long = "x" * 60_000
    state = made(Received(said("old", BO)))
    for number in range(1000):
        uin = 20_000 + number % 3
        state.apply(Received(Message(str(number), uin, long, 1.0, Fate.RECEIVED)))
    talks = state.conversations
    kept = sum(len(one.text) for talk in talks.values() for one in talk.messages)
    assert 9_000_000 < kept <= 10_000_000
    assert keys(state, BO) == ["old"]
    assert keys(state, 20_000)[-1] == "999"
    assert max(len(talk.messages) for talk in talks.values()) <= 1 + 10_000_000 // 60_000 // 3
    for number in range(1000):  # who is driven out takes what was said along
        state.apply(Received(said(f"new {number}", 30_000 + number, at=2.0)))
    state.apply(Received(Message("last", 30_999, "y" * 9_900_000, 2.0, Fate.RECEIVED)))
    assert keys(state, 30_999) == ["new 999", "last"]
    assert len(keys(state, 30_500)) == 1


def test_earlier_messages_stand_before_those_that_are_there() -> None:
    """Each once, by conversation, and read unless it is said that they are not."""
    state = made(Received(said("3")))
    earlier = [said("1"), said("b", BO), said("2"), said("2"), said("3")]
    state.remember(earlier, unread={BO: 4, CY: 2}, names={BO: "小波"})
    assert keys(state) == ["1", "2", "3"]
    assert keys(state, BO) == ["b"]
    assert keys(state, CY) == []
    assert {uin: one.unread for uin, one in state.conversations.items()} == {ANNA: 1, BO: 4, CY: 2}
    assert (state.name(BO), state.person(BO).is_friend) == ("小波", False)
    assert [one.nick for one in state.roster()] == ["", "", "小波"]


def test_names_of_the_past_give_way_to_the_roster() -> None:
    """What somebody was called is shown as long as nothing newer is known."""
    state = State()
    state.remember([], names={ANNA: "Annie", CY: "Cy"})
    assert state.roster() == []
    state.apply(PresenceChanged(CY, Status.ONLINE))
    state.apply(ROSTER)
    assert (state.name(ANNA), state.name(CY)) == ("Anna", "Cy")


def test_the_latest_conversation_comes_first() -> None:
    """By when something was said last, one's own words, too; the silent ones come last."""
    state = State()
    state.remember([said("1", ANNA, at=1), said("2", BO, at=2)], unread={CY: 1})
    assert numbers(state.latest()) == [BO, ANNA, CY]
    state.apply(Written(said("3", ANNA, at=3, fate=Fate.WAITING)))
    assert numbers(state.latest()) == [ANNA, BO, CY]


UINS = st.sampled_from([ME, ANNA, BO, CY, 10000, 10**19])
CODES = st.sampled_from([*Status, 0, 75, -1])
MESSAGES = st.builds(
    Message,
    st.sampled_from("abcdefgh"),
    UINS,
    st.text(max_size=3),
    st.floats(0, 1e9),
    st.sampled_from(Fate),
)
FRIENDS = st.builds(Friend, UINS, st.text(max_size=3), st.integers(0, 500))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Connecting, st.just("tcp://a:1")),
    st.builds(SignedIn, st.just(ME), st.just("tcp://a:1"), st.sampled_from(Status)),
    st.builds(Lost, st.just(ConnectionLost("gone")), st.none() | st.floats(0, 60)),
    st.builds(
        RosterCame,
        st.lists(FRIENDS, max_size=4).map(tuple),
        st.dictionaries(UINS, CODES, max_size=3),
    ),
    st.builds(FriendLeft, UINS),
    st.builds(PresenceChanged, UINS, CODES),
    st.builds(Received, MESSAGES.map(lambda one: replace(one, fate=Fate.RECEIVED))),
    st.builds(Written, MESSAGES),
    st.builds(Requested, UINS, st.text(max_size=3)),
    st.builds(RequestAnswered, UINS, st.booleans(), st.text(max_size=3)),
    st.builds(RequestSettled, UINS),
    st.builds(Odd, st.text(max_size=3)),
)


@given(st.lists(EVENTS | UINS | st.lists(MESSAGES, max_size=4), max_size=30))
def test_no_order_of_events_breaks_it(happenings: list[Event | int | list[Message]]) -> None:
    """Events, reading and remembering in any order: what is shown always makes sense."""
    state = State()
    for happening in happenings:
        if isinstance(happening, int):
            state.read(happening)
            assert happening not in numbers(one for one in state.latest() if one.unread)
        elif isinstance(happening, list):
            state.remember(happening)
        else:
            state.apply(happening)
        if isinstance(happening, RosterCame):
            listed = {one.uin for one in happening.friends}
            assert listed == {uin for uin in state.people if state.is_friend(uin)}
            assert not listed & set(state.requests)
        shown = [one.uin for one in state.roster()]
        assert len(shown) == len(set(shown))
        assert set(shown) >= set(state.conversations)
        assert sorted(numbers(state.latest())) == sorted(state.conversations)
        for uin, conversation in state.conversations.items():
            assert {message.uin for message in conversation.messages} <= {uin}
            found = keys(state, uin)
            assert len(found) == len(set(found))
            assert conversation.unread >= 0


@given(st.integers(0, 12), st.integers(0, 12), st.lists(st.sampled_from([ANNA, BO]), max_size=12))
def test_remembering_later_is_as_good_as_having_been_there(
    first: int, second: int, whose: list[int]
) -> None:
    """A history in pieces, the newest first and overlapping, gives what the events gave."""
    messages = [said(str(number), uin) for number, uin in enumerate(whose)]
    there = made(*map(Received, messages))
    begin, end = sorted((first, second))
    later = made(*map(Received, messages[end:]))
    later.remember(messages[begin : end + 2])
    later.remember(messages[:begin])
    for uin, conversation in there.conversations.items():
        assert list(later.conversations[uin].messages) == list(conversation.messages)
