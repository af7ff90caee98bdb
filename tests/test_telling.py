"""Events in words, and as objects."""

import json
from collections.abc import Iterator

import pytest

from kqq.client import (
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
    State,
    Written,
)
from kqq.errors import ConfigError, ConnectionLost
from kqq.protocol import Status
from kqq.telling import as_object, called, friends, number_of, person, told
from kqq.words import use_language


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Compare with English words."""
    use_language("en")
    yield
    use_language(None)


@pytest.fixture
def state() -> State:
    """Anna is signed in; 小波, two called Bo, and somebody with a hostile nickname are friends."""
    state = State()
    state.apply(SignedIn(10001, "tcp://192.0.2.7:14000", Status.ONLINE))
    people = {10002: "小波", 10003: "Bo", 10004: "Bo", 10005: "\x1b[2J\n"}
    listed = tuple(Friend(uin, nick, 0) for uin, nick in people.items())
    state.apply(RosterCame(listed, {10002: Status.AWAY}))
    return state


def said(fate: Fate, text: str = "one\ntwo\x07", why: str = "") -> Message:
    """Return a message to or from 小波."""
    return Message("k", 10002, text, 1163415600.1234, fate, why)


# --- who is meant


def test_people_have_names(state: State) -> None:
    """Nickname and number, or the number alone; nothing that steers a terminal."""
    assert called(state, 10002) == "小波 (10002)"
    assert called(state, 10999) == "10999"
    assert called(state, 10005) == "\\x1b[2J (10005)"


@pytest.mark.parametrize(
    ("typed", "number"),
    [("10002", 10002), ("4294967295", 2**32 - 1), ("4294967296", None), ("0", None), ("", None),
     ("Bo", None), ("-1", None), ("１２３", None), ("9" * 5000, None)],
)  # fmt: skip
def test_what_is_a_number(typed: str, number: int | None) -> None:
    """Digits as on the wire, of a number that an account can have."""
    assert number_of(typed) == number


def test_somebody_is_found(state: State) -> None:
    """By number, by nickname, in another case if that is clear."""
    assert person(state, "10999") == 10999
    assert person(state, "小波") == 10002
    state.apply(FriendLeft(10004))
    assert person(state, "bo") == 10003


@pytest.mark.parametrize(
    ("typed", "told"),
    [("Bo", "Bo is the name of 10003, 10004; say which"), ("bo", "bo is the name of"),
     ("Romeo", "Romeo is no friend of yours"), ("", "Whom. Say a number")],
)  # fmt: skip
def test_somebody_unclear_is_told(state: State, typed: str, told: str) -> None:
    """So that the right one gets the message."""
    with pytest.raises(ConfigError, match=told):
        person(state, typed)


def test_somebody_unclear_is_told_in_ones_language(state: State) -> None:
    """As the rest of the chat is."""
    use_language("zh")
    with pytest.raises(ConfigError, match="不是你的好友"):
        person(state, "Romeo")
    with pytest.raises(ConfigError, match="叫 Bo 的有 10003, 10004"):
        person(state, "Bo")


def test_a_nickname_that_is_exact_is_clear(state: State) -> None:
    """Though others have the same in another case."""
    state.apply(RosterCame((Friend(10003, "Bo", 0), Friend(10004, "BO", 0)), {}))
    assert person(state, "BO") == 10004


# --- what happened

LOST = ConnectionLost("the cable is cut")
TOLD: list[tuple[Event, str, dict[str, object]]] = [
    (
        Received(said(Fate.RECEIVED)),
        "小波 (10002): one\n    two\\x07",
        {"type": "message", "from": 10002, "nick": "小波", "text": "one\ntwo\x07",
         "at": 1163415600.123, "key": "k"},
    ),
    (
        Written(said(Fate.WAITING)),
        "",
        {"type": "own-message", "to": 10002, "nick": "小波", "text": "one\ntwo\x07",
         "at": 1163415600.123, "key": "k", "fate": "waiting", "why": ""},
    ),
    (
        Written(said(Fate.SENT, "hi")),
        "Sent to 小波 (10002): hi",
        {"type": "own-message", "to": 10002, "nick": "小波", "text": "hi",
         "at": 1163415600.123, "key": "k", "fate": "sent", "why": ""},
    ),
    (
        Written(said(Fate.REFUSED, "hi", "no\x07")),
        "Not sent to 小波 (10002): hi\n    The server did not take it: no\\x07",
        {"type": "own-message", "to": 10002, "nick": "小波", "text": "hi",
         "at": 1163415600.123, "key": "k", "fate": "refused", "why": "no\x07"},
    ),
    (
        Written(said(Fate.UNKNOWN, "hi", "lost")),
        "Perhaps not sent to 小波 (10002): hi\n    Nobody knows: lost",
        {"type": "own-message", "to": 10002, "nick": "小波", "text": "hi",
         "at": 1163415600.123, "key": "k", "fate": "unknown", "why": "lost"},
    ),
    (
        PresenceChanged(10002, Status.DO_NOT_DISTURB),
        "小波 (10002) is do not disturb.",
        {"type": "status", "uin": 10002, "nick": "小波", "status": "do-not-disturb", "code": 70},
    ),
    (
        PresenceChanged(10001, Status.AWAY),
        "You are away.",
        {"type": "status", "uin": 10001, "nick": "", "status": "away", "code": 30},
    ),
    (
        Requested(10999, "let me\nin"),
        "10999 wants to be your friend: let me\n    in",
        {"type": "request", "uin": 10999, "nick": "", "text": "let me\nin"},
    ),
    (
        RequestAnswered(10999, is_accepted=True, text=""),
        "10999 is your friend now.",
        {"type": "request-answered", "uin": 10999, "nick": "", "accepted": True, "text": ""},
    ),
    (
        RequestAnswered(10999, is_accepted=False, text="no"),
        "10999 does not want to be your friend: no",
        {"type": "request-answered", "uin": 10999, "nick": "", "accepted": False, "text": "no"},
    ),
    (
        RequestAnswered(10999, is_accepted=False, text=" "),
        "10999 does not want to be your friend.",
        {"type": "request-answered", "uin": 10999, "nick": "", "accepted": False, "text": " "},
    ),
    (RequestSettled(10999), "", {"type": "request-settled", "uin": 10999, "nick": ""}),
    (FriendLeft(10002), "", {"type": "friend-left", "uin": 10002, "nick": "小波"}),
    (
        SignedIn(10001, "tcp://192.0.2.7:14000", Status.HIDDEN),
        "10001 is signed in at tcp://192.0.2.7:14000: hidden.",
        {"type": "signed-in", "uin": 10001, "server": "tcp://192.0.2.7:14000", "status": "hidden",
         "code": 40},
    ),
    (
        Lost(LOST, 3.7),
        "There is no connection to the server: the cable is cut. Trying again in 4 s.",
        {"type": "lost", "why": "the cable is cut", "again_in": 3.7},
    ),
    (
        Lost(LOST, None),
        "There is no connection to the server: the cable is cut.",
        {"type": "lost", "why": "the cable is cut", "again_in": None},
    ),
    (
        Connecting("tcp://192.0.2.7:14000"),
        "Connecting to tcp://192.0.2.7:14000.",
        {"type": "connecting", "server": "tcp://192.0.2.7:14000"},
    ),
    (Odd("a line\x07"), "Something is odd: a line\\x07", {"type": "odd", "why": "a line\x07"}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "words", "shown"), TOLD)
def test_events_are_told(state: State, event: Event, words: str, shown: dict[str, object]) -> None:
    """In words with nothing that steers a terminal; as an object with all there is."""
    assert told(event, state) == words
    assert as_object(event, state) == shown
    assert json.loads(json.dumps(shown)) == shown


def test_the_friends_are_told(state: State) -> None:
    """In the order of the server, without people who are none."""
    state.apply(PresenceChanged(10999, Status.ONLINE))
    event = RosterCame((), {})
    assert told(event, state) == ""
    assert as_object(event, state) == {"type": "roster", "friends": friends(state)}
    assert [one["uin"] for one in friends(state)] == [10002, 10003, 10004, 10005]
    assert friends(state)[0] == {
        "uin": 10002,
        "nick": "小波",
        "face": 0,
        "status": "away",
        "code": 30,
    }
