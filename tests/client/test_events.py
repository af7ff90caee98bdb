"""Messages as people see them."""

from kqq.client.events import Fate, Message


def message(uin: int, fate: Fate) -> Message:
    """Return a message with somebody."""
    return Message("k", uin, "hi", 0.0, fate)


def test_a_message_is_ones_own_unless_it_came() -> None:
    """Whatever became of it."""
    assert not message(10002, Fate.RECEIVED).is_own
    for fate in set(Fate) - {Fate.RECEIVED}:
        assert message(10002, fate).is_own


def test_the_system_has_a_number() -> None:
    """Nobody can answer it."""
    assert message(10000, Fate.RECEIVED).is_from_system
    assert not message(10002, Fate.RECEIVED).is_from_system
