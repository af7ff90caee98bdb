"""Messages on their way."""

from kqq.client.events import Fate, Message
from kqq.client.outbox import MOST_UNANSWERED, REPEAT_TIME, Entry, Outbox


def entry(key: str) -> Entry:
    """Return an entry with a message."""
    return Entry(Message(key, 10002, f"text {key}", 1000.0, Fate.WAITING), "1000000001")


def test_the_oldest_goes_first_and_stays_until_it_is_settled() -> None:
    """A message whose answer is lost is the next one again."""
    outbox = Outbox()
    first, second = entry("a"), entry("b")
    outbox.add(first)
    outbox.add(second)
    assert outbox.next() is first
    assert outbox.next() is first
    outbox.settle(first, Fate.SENT)
    assert outbox.next() is second
    outbox.settle(second, Fate.SENT)
    assert outbox.next() is None
    assert len(outbox) == 0


def test_settled_messages_say_what_became_of_them() -> None:
    """The message is the same but for its fate and the reason."""
    outbox = Outbox()
    one = entry("a")
    outbox.add(one)
    assert "a" in outbox
    settled = outbox.settle(one, Fate.REFUSED, "not friends")
    assert settled == Message("a", 10002, "text a", 1000.0, Fate.REFUSED, "not friends")
    assert "a" not in outbox


def test_what_was_never_said_is_never_too_late() -> None:
    """However long somebody is away, what they wrote goes out afterwards."""
    assert not Outbox().is_too_late(entry("a"), 1e12)


def test_what_was_said_long_ago_is_not_said_again() -> None:
    """The server would take it for a second message."""
    one = entry("a")
    one.tried = 5000.0
    assert not Outbox().is_too_late(one, 5000.0 + REPEAT_TIME)
    assert Outbox().is_too_late(one, 5001.0 + REPEAT_TIME)


def test_a_clock_that_was_set_back_makes_it_too_late() -> None:
    """How long ago it was is then unknown."""
    one = entry("a")
    one.tried = 5000.0
    assert Outbox().is_too_late(one, 4000.0)


def test_a_server_that_never_answers_is_not_asked_for_ever() -> None:
    """Otherwise one message would stand in the way of all others."""
    one = entry("a")
    one.unanswered = MOST_UNANSWERED
    assert Outbox().is_too_late(one, 5000.0)
