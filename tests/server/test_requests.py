"""Making friends: who may add whom, requests and answers, at their leisure and all at once."""

from pathlib import Path

import pytest

from kqq.errors import StoreError
from kqq.server.config import Config
from kqq.server.database import Database
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox, InboxFull, NoSuchReceiver, TextTooLong
from kqq.server.presence import Presence, Status
from kqq.server.requests import LONGEST_WORDS, NotAsked, RequestRefused, Requests, Wish
from kqq.server.store import Kind, Store
from stage import JULIET, PARIS, ROMEO, ManualClock, add_person

NOBODY = (99, 10**19)
"""Numbers that nobody has; SQLite cannot even hold the second."""


class Town:
    """Requests with all they need; everybody is signed in, and may send three requests a day."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.left = 3
        self.told: dict[tuple[int, int], Status] = {}
        """The last status that somebody was told of somebody."""
        friends = Friends(store)
        self.presence = Presence(friends, self._tell)
        clock = ManualClock()
        self.inbox = Inbox(
            store, friends, clock, lambda _, __: None, Config(data=folder, inbox_limit=200)
        )
        self.requests = Requests(
            store, friends, self.presence, self.inbox, clock, may_ask=self._may_ask
        )
        for uin in (ROMEO, JULIET, PARIS):
            self.presence.set(uin, Status.AWAY)
        self.told.clear()

    def _tell(self, friend: int, about: int, status: Status) -> None:
        self.told[friend, about] = status

    def _may_ask(self, uin: int) -> bool:
        self.left -= 1
        return self.left >= 0

    def notices(self, uin: int) -> list[tuple[Kind, int, str]]:
        """Return what waits for somebody: what it is, from whom, its words."""
        waiting = self.inbox.waiting(uin, 0, 999)
        return [(item.kind, item.sender, item.text) for item in waiting]

    def are_friends(self) -> bool:
        """Return whether Romeo and Paris are friends, both ways, without a request left over."""
        both = {self.store.are_friends(ROMEO, PARIS), self.store.are_friends(PARIS, ROMEO)}
        assert len(both) == 1
        asked = self.store.has_request(ROMEO, PARIS) or self.store.has_request(PARIS, ROMEO)
        assert not (asked and True in both)
        return True in both

    async def change(self, uin: int, who_may_add: str) -> None:
        """Have somebody choose who may add them."""
        await self.store.change_account(uin, who_may_add=who_may_add)

    async def ask(self, uin: int, other: int, words: str = "") -> None:
        """Send a request that is stored."""
        stored = self.requests.ask(uin, other, words)
        assert stored is not None
        await stored

    async def on_disk(self) -> None:
        """Wait until all that was written before is on disk, and all that follows from it done."""
        await self.store._database.write("SELECT 1")


SEE_EACH_OTHER = {(ROMEO, PARIS): Status.AWAY, (PARIS, ROMEO): Status.AWAY}
SEE_NOTHING = {(ROMEO, PARIS): Status.OFFLINE, (PARIS, ROMEO): Status.OFFLINE}


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Town:
    """A town in which Romeo and Juliet are friends, and Paris is nobody's."""
    return Town(store, tmp_path)


# --- wishes --------------------------------------------------------------------------------------


async def test_wish_by_what_the_other_allows(town: Town) -> None:
    """Ask first, as it is at first; nobody; anyone."""
    assert town.requests.wish(ROMEO, PARIS) == (Wish.MUST_ASK, None)
    await town.change(PARIS, "nobody")
    assert town.requests.wish(ROMEO, PARIS) == (Wish.REFUSED, None)
    assert not town.are_friends()
    assert town.notices(PARIS) == []
    assert town.left == 3
    await town.change(PARIS, "anyone")
    wish, stored = town.requests.wish(ROMEO, PARIS)
    assert wish is Wish.GRANTED
    assert stored is not None
    await stored
    assert town.are_friends()
    assert town.told == SEE_EACH_OTHER
    assert town.notices(PARIS) == [(Kind.ACCEPTED, ROMEO, "")]
    assert town.notices(ROMEO) == []
    assert town.left == 2


async def test_wish_for_a_friend_oneself_and_nobody(town: Town) -> None:
    """A friend is added already, oneself cannot be, and a number nobody has is told."""
    for who_may_add in ("ask", "nobody", "anyone"):
        await town.change(JULIET, who_may_add)
        await town.change(ROMEO, who_may_add)
        assert town.requests.wish(ROMEO, JULIET) == (Wish.GRANTED, None)
        assert town.requests.wish(ROMEO, ROMEO) == (Wish.REFUSED, None)
    for uin in NOBODY:
        with pytest.raises(NoSuchReceiver):
            town.requests.wish(ROMEO, uin)
    assert town.notices(JULIET) == town.notices(ROMEO) == []


async def test_adding_takes_one_of_the_requests_of_a_day(town: Town) -> None:
    """Who adds strangers by the hundred, since they let anyone, comes to an end as well."""
    await town.change(PARIS, "anyone")
    town.left = 0
    assert town.requests.wish(ROMEO, PARIS) == (Wish.REFUSED, None)
    with pytest.raises(RequestRefused):
        town.requests.ask(ROMEO, PARIS, "")
    assert not town.are_friends()


async def test_added_into_a_full_inbox(town: Town) -> None:
    """Who is added while their inbox is full has a friend without a notice."""
    await town.change(PARIS, "anyone")
    for number in range(200):
        town.inbox.put(JULIET, PARIS, str(number), Kind.MESSAGE)
    wish, stored = town.requests.wish(ROMEO, PARIS)
    assert wish is Wish.GRANTED
    assert stored is not None
    await stored
    assert town.are_friends()
    assert town.told == SEE_EACH_OTHER
    assert len(town.notices(PARIS)) == 200


async def test_twice_at_once(town: Town) -> None:
    """The same wish before the first is on disk makes no second notice, and waits as long."""
    await town.change(PARIS, "anyone")
    first, second = town.requests.wish(ROMEO, PARIS), town.requests.wish(ROMEO, PARIS)
    assert first == second
    assert first[1] is not None
    await first[1]
    assert len(town.notices(PARIS)) == 1
    assert town.requests.wish(ROMEO, PARIS) == (Wish.GRANTED, None)


# --- asking and answering ------------------------------------------------------------------------


async def test_asked_and_accepted(town: Town) -> None:
    """The request waits with its words; once accepted, both are friends and see each other."""
    await town.ask(ROMEO, PARIS, "It is me, Romeo")
    assert town.notices(PARIS) == [(Kind.REQUEST, ROMEO, "It is me, Romeo")]
    assert not town.are_friends()
    assert town.requests.wish(ROMEO, PARIS) == (Wish.MUST_ASK, None)
    accepted = town.requests.accept(PARIS, ROMEO)
    assert accepted is not None
    await accepted
    assert town.are_friends()
    assert town.notices(ROMEO) == [(Kind.ACCEPTED, PARIS, "")]
    assert town.told == SEE_EACH_OTHER


async def test_asked_and_refused(town: Town) -> None:
    """The reason waits for who has asked; nothing else changes, and they may ask again."""
    await town.ask(ROMEO, PARIS)
    await town.requests.refuse(PARIS, ROMEO, "we never met")
    assert town.notices(ROMEO) == [(Kind.REFUSED, PARIS, "we never met")]
    assert not town.are_friends()
    assert town.told == {}
    for answer in (town.requests.accept, lambda a, b: town.requests.refuse(a, b, "")):
        with pytest.raises(NotAsked):
            answer(PARIS, ROMEO)
    await town.ask(ROMEO, PARIS, "please")
    assert len(town.notices(PARIS)) == 2


async def test_hidden_people_make_friends_unseen(town: Town) -> None:
    """Who is hidden stays so for a new friend."""
    town.presence.set(PARIS, Status.HIDDEN)
    await town.ask(ROMEO, PARIS)
    accepted = town.requests.accept(PARIS, ROMEO)
    assert accepted is not None
    await accepted
    assert town.told == {(PARIS, ROMEO): Status.AWAY}


async def test_accepted_twice(town: Town) -> None:
    """Once more, at the same moment or later, changes nothing and makes no second notice."""
    await town.ask(ROMEO, PARIS)
    first, second = town.requests.accept(PARIS, ROMEO), town.requests.accept(PARIS, ROMEO)
    assert first is second is not None
    await second
    assert town.requests.accept(PARIS, ROMEO) is None
    assert len(town.notices(ROMEO)) == 1


async def test_nothing_to_answer(town: Town) -> None:
    """Who was not asked cannot answer; of oneself and of nobody there is no request either."""
    for uin in (ROMEO, PARIS):
        with pytest.raises(NotAsked):
            town.requests.accept(PARIS, uin)
        with pytest.raises(NotAsked):
            town.requests.refuse(PARIS, uin, "")
    for uin in NOBODY:
        with pytest.raises(NoSuchReceiver):
            town.requests.accept(PARIS, uin)
        with pytest.raises(NoSuchReceiver):
            town.requests.refuse(PARIS, uin, "")
    assert not town.are_friends()


async def test_asking_whom_one_need_not_ask(town: Town) -> None:
    """COMPAT(yiwoSDK): who lets anyone, and who is a friend, needs no words."""
    await town.change(PARIS, "anyone")
    await town.ask(ROMEO, PARIS, "words" * 100)
    assert town.are_friends()
    assert town.notices(PARIS) == [(Kind.ACCEPTED, ROMEO, "")]
    assert town.requests.ask(ROMEO, PARIS, "again") is None


async def test_asking_in_vain(town: Town) -> None:
    """Who lets nobody, oneself, nobody, and too many words; none of it costs a request."""
    await town.change(PARIS, "nobody")
    for uin in (PARIS, ROMEO):
        with pytest.raises(RequestRefused):
            town.requests.ask(ROMEO, uin, "please")
    for uin in NOBODY:
        with pytest.raises(NoSuchReceiver):
            town.requests.ask(ROMEO, uin, "please")
    await town.change(PARIS, "ask")
    with pytest.raises(TextTooLong):
        town.requests.ask(ROMEO, PARIS, "a" * (LONGEST_WORDS + 1))
    assert town.left == 3
    await town.ask(ROMEO, PARIS, "罗" * LONGEST_WORDS)
    with pytest.raises(TextTooLong):
        town.requests.refuse(PARIS, ROMEO, "a" * (LONGEST_WORDS + 1))
    await town.requests.refuse(PARIS, ROMEO, "a" * LONGEST_WORDS)


async def test_requests_of_a_day(town: Town) -> None:
    """Each request takes one of those of the day; without any left nothing is sent."""
    for _ in range(3):
        await town.ask(ROMEO, PARIS, "please")
    with pytest.raises(RequestRefused):
        town.requests.ask(ROMEO, PARIS, "please")
    assert len(town.notices(PARIS)) == 3


async def test_full_inbox(town: Town) -> None:
    """No request goes into a full inbox, and none is taken for it; answers do."""
    await town.ask(ROMEO, PARIS)
    await town.ask(JULIET, PARIS)
    for number in range(200):
        for uin in (ROMEO, JULIET):
            town.inbox.put(10000, uin, str(number), Kind.MESSAGE)
    with pytest.raises(InboxFull):
        town.inbox.check_room(ROMEO)
    accepted = town.requests.accept(PARIS, ROMEO)
    assert accepted is not None
    await accepted
    await town.requests.refuse(PARIS, JULIET, "no")
    assert town.notices(ROMEO)[-1] == (Kind.ACCEPTED, PARIS, "")
    assert town.notices(JULIET)[-1] == (Kind.REFUSED, PARIS, "no")
    add_person(town.store, 20001)
    town.left = 1
    with pytest.raises(InboxFull):
        town.requests.ask(20001, ROMEO, "please")
    assert town.left == 1


async def test_requests_that_wait(town: Town) -> None:
    """A hundred may wait for one account; who waits already may ask again."""
    town.left = 1000
    for uin in range(20001, 20102):
        add_person(town.store, uin)
    for uin in range(20001, 20101):
        town.requests.ask(uin, PARIS, "please")
    await town.on_disk()
    with pytest.raises(RequestRefused):
        town.requests.ask(20101, PARIS, "please")
    await town.ask(20001, PARIS, "please!")
    await town.requests.refuse(PARIS, 20001, "no")
    await town.ask(20101, PARIS, "please")


# --- requests that cross -------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["ask", "nobody", "anyone"])
async def test_who_wishes_for_the_asker_accepts(town: Town, policy: str) -> None:
    """Whatever the asker allows others: they have asked. It costs no request of the day."""
    await town.ask(ROMEO, PARIS, "please")
    await town.change(ROMEO, policy)
    town.left = 0
    wish, stored = town.requests.wish(PARIS, ROMEO)
    assert wish is Wish.GRANTED
    assert stored is not None
    await stored
    assert town.are_friends()
    assert town.notices(ROMEO) == [(Kind.ACCEPTED, PARIS, "")]


@pytest.mark.parametrize("at_once", [True, False])
async def test_requests_that_cross_make_friends(town: Town, at_once: bool) -> None:
    """A asks B and B asks A, at the same moment too: both are friends, and only A is answered."""
    first = town.requests.ask(ROMEO, PARIS, "please")
    assert first is not None
    if not at_once:
        await first
    second = town.requests.ask(PARIS, ROMEO, "please")
    assert second is not None
    await first
    await second
    await town.on_disk()
    assert town.are_friends()
    assert town.notices(PARIS) == [(Kind.REQUEST, ROMEO, "please")]
    assert town.notices(ROMEO) == [(Kind.ACCEPTED, PARIS, "")]
    assert town.told == SEE_EACH_OTHER
    assert town.requests.accept(PARIS, ROMEO) is None


async def test_answered_at_the_moment_of_a_refusal(town: Town) -> None:
    """A request that is refused cannot be accepted before that is on disk."""
    await town.ask(ROMEO, PARIS)
    town.requests.refuse(PARIS, ROMEO, "no")
    with pytest.raises(NotAsked):
        town.requests.accept(PARIS, ROMEO)
    with pytest.raises(NotAsked):
        town.requests.refuse(PARIS, ROMEO, "no")
    await town.on_disk()
    assert not town.are_friends()


# --- parting -------------------------------------------------------------------------------------


async def test_parting(town: Town) -> None:
    """Neither has the other any more, and each sees the other leave; no notice is left."""
    assert await town.requests.part(ROMEO, JULIET) == 2
    assert not town.store.are_friends(JULIET, ROMEO)
    assert town.told == {(ROMEO, JULIET): Status.OFFLINE, (JULIET, ROMEO): Status.OFFLINE}
    assert town.notices(JULIET) == []
    town.told.clear()
    for uin in (JULIET, PARIS, ROMEO, *NOBODY):
        assert await town.requests.part(ROMEO, uin) == 0
    assert town.told == {}
    assert town.requests.wish(ROMEO, JULIET) == (Wish.MUST_ASK, None)


async def test_joining_and_parting_at_once(town: Town) -> None:
    """What was said last is so in the end, and neither sees the other as it is not."""
    await town.change(PARIS, "anyone")
    town.requests.wish(ROMEO, PARIS)
    town.requests.part(PARIS, ROMEO)
    await town.on_disk()
    assert not town.are_friends()
    assert town.told == SEE_NOTHING
    town.requests.wish(ROMEO, PARIS)
    town.requests.part(PARIS, ROMEO)
    assert town.requests.wish(ROMEO, PARIS)[0] is Wish.GRANTED
    await town.on_disk()
    assert town.are_friends()
    assert town.told == SEE_EACH_OTHER


# --- a disk that fails ---------------------------------------------------------------------------


async def test_nobody_sees_whom_the_disk_did_not_make_a_friend(
    town: Town, database: Database
) -> None:
    """When friends cannot be stored, nobody is shown to anybody, and all can be tried again."""
    await town.change(PARIS, "anyone")
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON friend BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    for _ in range(2):
        stored = town.requests.wish(ROMEO, PARIS)[1]
        assert stored is not None
        with pytest.raises(StoreError, match="no room"):
            await stored
    assert not town.are_friends()
    assert town.told == {}
    database.execute("DROP TRIGGER full")
    stored = town.requests.wish(ROMEO, PARIS)[1]
    assert stored is not None
    await stored
    assert town.told == SEE_EACH_OTHER
