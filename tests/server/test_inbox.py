"""Messages: stored before anybody is woken, deleted once delivered."""

import pytest

from kqq.errors import StoreError
from kqq.server.database import Database
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox, InboxFull, NoSuchReceiver, NotFriends, TextTooLong
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO, ManualClock


@pytest.fixture
def woken() -> list[tuple[int, int]]:
    """Who was woken, and how many messages were on disk for them then."""
    return []


@pytest.fixture
def inbox(store: Store, woken: list[tuple[int, int]]) -> Inbox:
    """An inbox for three messages of ten signs."""

    def wake(uin: int) -> None:
        woken.append((uin, store.count_messages(uin, 100)))

    return Inbox(store, Friends(store), ManualClock(), wake, text_limit=10, inbox_limit=3)


def texts(inbox: Inbox, uin: int, after: int = 0) -> list[str]:
    """Return what waits for somebody."""
    return [message.text for message in inbox.waiting(uin, after, 100)]


async def test_message_is_stored_then_its_receiver_woken(
    inbox: Inbox, woken: list[tuple[int, int]], database: Database
) -> None:
    """The receiver is woken once the message is on disk, with its date."""
    stored = inbox.send(ROMEO, JULIET, "hi")
    assert woken == []
    await stored
    assert woken == [(JULIET, 1)]
    assert texts(inbox, JULIET) == ["hi"]
    assert texts(inbox, ROMEO) == []
    assert database.fetch("SELECT sent FROM message") == [(ManualClock().date(),)]


@pytest.mark.parametrize(
    ("to", "why"), [(PARIS, NotFriends), (ROMEO, NotFriends), (99, NoSuchReceiver)]
)
async def test_only_friends_may_write(
    inbox: Inbox, store: Store, to: int, why: type[Exception]
) -> None:
    """A stranger, oneself and nobody cannot be written to; nothing is stored."""
    with pytest.raises(why):
        inbox.send(ROMEO, to, "hi")
    assert store.count_messages(to, 1) == 0


async def test_text_limit(inbox: Inbox) -> None:
    """A text may have just as many characters as the limit, whatever they are."""
    await inbox.send(ROMEO, JULIET, "😀" * 10)
    with pytest.raises(TextTooLong):
        inbox.send(ROMEO, JULIET, "a" * 11)
    assert texts(inbox, JULIET) == ["😀" * 10]


async def test_inbox_limit(inbox: Inbox) -> None:
    """A full inbox takes no more until something is delivered."""
    for number in range(3):
        await inbox.send(ROMEO, JULIET, str(number))
    with pytest.raises(InboxFull):
        inbox.send(ROMEO, JULIET, "more")
    await inbox.send(JULIET, ROMEO, "back")
    inbox.delivered(JULIET, inbox.waiting(JULIET, 0, 1)[0].id)
    await inbox.send(JULIET, ROMEO, "back")  # by then the deletion is on disk, too
    await inbox.send(ROMEO, JULIET, "more")
    assert texts(inbox, JULIET) == ["1", "2", "more"]


async def test_no_wake_for_what_is_not_on_disk(
    inbox: Inbox, database: Database, woken: list[tuple[int, int]]
) -> None:
    """A write that fails, or that nobody waits for any more, wakes nobody."""
    given_up = inbox.send(ROMEO, JULIET, "hi")
    given_up.cancel()
    await inbox.send(JULIET, ROMEO, "back")
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(StoreError, match="no room"):
        await inbox.send(ROMEO, JULIET, "lost")
    assert woken == [(ROMEO, 1)]


async def test_waiting_goes_on_after_an_id(inbox: Inbox) -> None:
    """What waits is taken piece by piece, oldest first."""
    for number in range(3):
        await inbox.send(ROMEO, JULIET, str(number))
    first = inbox.waiting(JULIET, 0, 2)
    assert [message.text for message in first] == ["0", "1"]
    assert texts(inbox, JULIET, first[-1].id) == ["2"]


async def test_delivered_is_deleted_and_not_begun_with_again(
    inbox: Inbox, database: Database
) -> None:
    """Until a deletion is on disk, a new session begins after what was delivered."""
    for number in range(3):
        await inbox.send(ROMEO, JULIET, str(number))
    ids = [message.id for message in inbox.waiting(JULIET, 0, 3)]
    assert inbox.start(JULIET) == 0
    inbox.delivered(JULIET, ids[0])
    inbox.delivered(JULIET, ids[1])
    inbox.delivered(JULIET, ids[0])
    assert inbox.start(JULIET) == ids[1]
    assert texts(inbox, JULIET, inbox.start(JULIET)) == ["2"]
    await database.write("SELECT 1")
    assert inbox.start(JULIET) == 0
    assert texts(inbox, JULIET) == ["2"]
