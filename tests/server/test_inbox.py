"""Messages: stored before anybody is woken, deleted once delivered."""

import asyncio
from pathlib import Path

import pytest

from kqq.errors import StoreError
from kqq.server import inbox as module
from kqq.server.config import Config
from kqq.server.database import Database
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox, InboxFull, NoSuchReceiver, NotFriends, TextTooLong
from kqq.server.store import Kind, Store, Stored
from stage import JULIET, PARIS, ROMEO, ManualClock


@pytest.fixture
def woken() -> list[tuple[int, int]]:
    """Who was woken, and how many messages were on disk for them then."""
    return []


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@pytest.fixture
def inbox(store: Store, woken: list[tuple[int, int]], tmp_path: Path, clock: ManualClock) -> Inbox:
    """An inbox for three messages of ten signs."""
    config = Config(data=tmp_path, text_limit=10, inbox_limit=3)

    def wake(uin: int, message: Stored) -> None:
        waiting = store.messages_after(uin, 0, 100)
        assert message in waiting
        woken.append((uin, len(waiting)))

    return Inbox(store, Friends(store), clock, wake, config)


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
    ("to", "why"),
    [(PARIS, NotFriends), (ROMEO, NotFriends), (99, NoSuchReceiver), (10**19, NoSuchReceiver)],
)
async def test_only_friends_may_write(inbox: Inbox, to: int, why: type[Exception]) -> None:
    """A stranger, oneself and nobody cannot be written to; nothing is stored."""
    with pytest.raises(why):
        inbox.send(ROMEO, to, "hi")
    assert texts(inbox, to) == []


async def test_who_lets_anyone_write(inbox: Inbox, store: Store) -> None:
    """Whoever lets anyone write gets messages of strangers, and cannot write to them for that."""
    await store.change_account(PARIS, who_may_write="anyone")
    await inbox.send(ROMEO, PARIS, "hi")
    assert texts(inbox, PARIS) == ["hi"]
    with pytest.raises(NotFriends):
        inbox.send(PARIS, ROMEO, "hi")


async def test_kinds(inbox: Inbox) -> None:
    """Notices wait among the messages, each as what it is, whoever it is from."""
    await inbox.put(ROMEO, PARIS, "let me", Kind.REQUEST)
    await inbox.put(10000, PARIS, "hear, hear", Kind.MESSAGE)
    waiting = [(item.sender, item.text, item.kind) for item in inbox.waiting(PARIS, 0, 9)]
    assert waiting == [
        (ROMEO, "let me", Kind.REQUEST),
        (10000, "hear, hear", Kind.MESSAGE),
    ]


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


async def test_what_is_being_written_counts(inbox: Inbox) -> None:
    """An inbox is not filled beyond its limit by being quicker than the disk."""
    stored = [inbox.send(ROMEO, JULIET, str(number)) for number in range(3)]
    with pytest.raises(InboxFull):
        inbox.send(ROMEO, JULIET, "more")
    inbox.check_room(ROMEO)
    for future in stored:
        await future
    with pytest.raises(InboxFull):
        inbox.check_room(JULIET)
    assert texts(inbox, JULIET) == ["0", "1", "2"]


async def test_what_is_owed_goes_into_a_full_inbox(inbox: Inbox) -> None:
    """An answer that somebody has asked for is not lost because others have filled the inbox."""
    for number in range(3):
        await inbox.send(ROMEO, JULIET, str(number))
    await inbox.put(PARIS, JULIET, "no", Kind.REFUSED, is_owed=True)
    assert texts(inbox, JULIET) == ["0", "1", "2", "no"]
    with pytest.raises(TextTooLong):
        inbox.put(PARIS, JULIET, "a" * 11, Kind.REFUSED, is_owed=True)


async def test_no_wake_for_what_is_not_on_disk(
    inbox: Inbox, database: Database, woken: list[tuple[int, int]]
) -> None:
    """A write that fails wakes nobody; one that nobody waits for any more is written."""
    given_up = asyncio.ensure_future(inbox.send(ROMEO, JULIET, "hi"))
    await asyncio.sleep(0)
    given_up.cancel()
    await inbox.send(JULIET, ROMEO, "back")
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(StoreError, match="no room"):
        await inbox.send(ROMEO, JULIET, "lost")
    assert woken == [(JULIET, 1), (ROMEO, 1)]


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
    await database.write("SELECT 1")  # the first deletion is written
    await database.write("SELECT 1")  # and the one for what arrived meanwhile
    assert inbox.start(JULIET) == 0
    assert texts(inbox, JULIET) == ["2"]


async def test_delivered_that_cannot_be_deleted_is_tried_again(
    inbox: Inbox, database: Database, clock: ManualClock
) -> None:
    """When a deletion fails, the message is not shown to the next session, and deleted later."""
    await inbox.send(ROMEO, JULIET, "hi")
    database.execute(
        "CREATE TRIGGER stuck BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'stuck'); END"
    )
    (message,) = inbox.waiting(JULIET, 0, 9)
    inbox.delivered(JULIET, message.id)
    assert inbox.start(JULIET) == message.id
    await database.write("SELECT 1")
    inbox.delivered(ROMEO, 7)  # it waits, too
    assert (inbox.start(JULIET), inbox.start(ROMEO)) == (message.id, 7)
    assert texts(inbox, JULIET) == ["hi"]
    database.execute("DROP TRIGGER stuck")
    clock.advance(5.0)
    await database.write("SELECT 1")
    assert (inbox.start(JULIET), inbox.start(ROMEO)) == (0, 0)
    assert texts(inbox, JULIET) == []


async def test_room_is_counted_anew_when_it_matters(inbox: Inbox, store: Store) -> None:
    """What was read makes room, and what others have stored takes it."""
    for number in range(3):
        await inbox.send(ROMEO, JULIET, str(number))
    with pytest.raises(InboxFull):
        inbox.check_room(JULIET)
    assert await store.delete_messages({JULIET: 2}) == 2
    inbox.check_room(JULIET)
    assert await inbox.announce(ROMEO, "all") == 3
    await inbox.send(ROMEO, JULIET, "last")
    with pytest.raises(InboxFull):
        inbox.check_room(JULIET)
    assert await inbox.announce(ROMEO, "all") == 2  # for Juliet there is no room


async def test_how_full_inboxes_are_is_not_kept_for_everybody(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forgotten is counted again."""
    monkeypatch.setattr(module, "_COUNTED", 1)
    await asyncio.gather(inbox.send(ROMEO, JULIET, "a"), inbox.send(JULIET, ROMEO, "b"))
    await asyncio.gather(*(inbox.send(ROMEO, JULIET, text) for text in "cd"))
    with pytest.raises(InboxFull):
        inbox.check_room(JULIET)
    assert len(inbox._at_most) == 1


async def test_announcement_that_cannot_be_stored(inbox: Inbox, database: Database) -> None:
    """It is not counted."""
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(StoreError, match="no room"):
        await inbox.announce(ROMEO, "all")


async def test_many_deliveries_at_once(
    inbox: Inbox, store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement deletes those of some hundred people, the next the rest; ids only go up."""
    monkeypatch.setattr(module, "MOST_RECEIVERS", 1)
    await asyncio.gather(*(inbox.send(ROMEO, JULIET, text) for text in "ab"))
    await inbox.send(JULIET, ROMEO, "c")
    for uin, last in ((JULIET, 1), (ROMEO, 3), (JULIET, 2), (JULIET, 1)):
        inbox.delivered(uin, last)
    for _ in range(4):
        await database.write("SELECT 1")
    assert (store.count_messages(JULIET, 9), store.count_messages(ROMEO, 9)) == (0, 0)


async def test_what_could_not_be_deleted_is_tried_at_the_end(
    inbox: Inbox, database: Database, store: Store, clock: ManualClock
) -> None:
    """A server that stops does not wait until the time for that has come."""
    await inbox.send(ROMEO, JULIET, "hi")
    database.execute(
        "CREATE TRIGGER stuck BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'stuck'); END"
    )
    inbox.delivered(JULIET, 1)
    await database.write("SELECT 1")
    assert clock.due == 1
    inbox.close()
    assert clock.due == 0
    await database.write("SELECT 1")
    assert clock.due == 0  # it has failed once more, and nobody is there to try again
    database.execute("DROP TRIGGER stuck")
    inbox.close()
    assert store.count_messages(JULIET, 9) == 1
