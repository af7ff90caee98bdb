"""Browsers that are signed in: found by what they hold, for as long as that is good."""

import os

import pytest

from kqq.errors import AccountError
from kqq.server.accounts import make_proof
from kqq.server.database import Database
from kqq.server.store import Store
from kqq.server.visits import LIFETIME, LONGEST_AGENT, MOST_VISITS, Visits
from stage import JULIET, ROMEO, ManualClock

HERE = "192.0.2.1"
AGENT = "Mozilla/5.0"


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def visits(database: Database, store: Store, clock: ManualClock) -> Visits:
    """Romeo and Juliet have accounts, and no browser."""
    assert store.account_exists(ROMEO)
    return Visits(database, clock, os.urandom)


async def test_a_browser_is_found_by_its_cookie(visits: Visits, clock: ManualClock) -> None:
    """Whose it is, since when, from where; and the word of its pages is always the same."""
    visit, cookie = await visits.begin(ROMEO, HERE, AGENT)
    found = visits.find(cookie)
    assert found == visit
    assert (visit.uin, visit.host, visit.agent) == (ROMEO, HERE, AGENT)
    assert visit.created == visit.seen == clock.date()
    assert len(visit.csrf) == 32
    other, _ = await visits.begin(ROMEO, HERE, AGENT)
    assert other.csrf != visit.csrf
    assert visit.csrf not in repr(visit)


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: "",
        lambda cookie: cookie[:-1],
        lambda cookie: cookie.partition(".")[0],
        lambda cookie: f"2{cookie[1:]}",
        lambda cookie: f"{'9' * 30}.x",
        lambda cookie: f"٣{cookie[1:]}",
        lambda cookie: "1.",
        lambda cookie: "1.\udcff",
    ],
)
async def test_another_cookie_is_nobodys(visits: Visits, change: object) -> None:
    """Nothing else finds a visit, whatever a client makes up."""
    _, cookie = await visits.begin(ROMEO, HERE, AGENT)
    assert callable(change)
    changed = change(cookie)
    if "\udcff" in changed:
        changed = changed.encode("utf-8", "replace").decode()
    assert visits.find(changed) is None


async def test_what_a_browser_holds_is_kept_nowhere(visits: Visits, database: Database) -> None:
    """Who has the database cannot sign in with it."""
    _, cookie = await visits.begin(ROMEO, HERE, AGENT)
    secret = cookie.partition(".")[2]
    (row,) = database.fetch("SELECT * FROM visit")
    assert secret not in str(row)


async def test_with_another_password_all_visits_end(visits: Visits, store: Store) -> None:
    """Whoever changed it and wherever; those of others stay."""
    _, mine = await visits.begin(ROMEO, HERE, AGENT)
    _, hers = await visits.begin(JULIET, HERE, AGENT)
    await store.change_account(ROMEO, proof=make_proof("0" * 32, b"another salt"))
    assert visits.find(mine) is None
    assert visits.find(hers) is not None


async def test_with_the_account_its_visits_go(visits: Visits, store: Store) -> None:
    """And nobody can begin one for a number that is nobody's."""
    _, cookie = await visits.begin(ROMEO, HERE, AGENT)
    await store.delete_account(ROMEO)
    assert visits.find(cookie) is None
    with pytest.raises(AccountError, match="no account 10001"):
        await visits.begin(ROMEO, HERE, AGENT)


async def test_an_account_that_is_deleted_meanwhile(visits: Visits, store: Store) -> None:
    """What was written just before is on disk when the visit would be."""
    store.delete_account(ROMEO)
    with pytest.raises(AccountError, match="no account 10001"):
        await visits.begin(ROMEO, HERE, AGENT)


async def test_who_stays_away_too_long_is_signed_out(visits: Visits, clock: ManualClock) -> None:
    """Each visit moves the end on; what is over is deleted when somebody else begins."""
    _, cookie = await visits.begin(ROMEO, HERE, AGENT)
    for _ in range(3):
        clock.advance(LIFETIME - 10)
        assert visits.find(cookie) is not None
        await visits._database.probe()  # what is noted along is written by then
    clock.advance(LIFETIME + 10)
    assert visits.find(cookie) is None
    assert len(visits.of(ROMEO)) == 1
    await visits.begin(JULIET, HERE, AGENT)
    assert visits.of(ROMEO) == []


async def test_when_it_was_seen_is_noted_now_and_then(visits: Visits, clock: ManualClock) -> None:
    """Not with each request: that would be a write for each."""
    visit, cookie = await visits.begin(ROMEO, HERE, AGENT)
    clock.advance(60)
    visits.find(cookie)
    await visits._database.probe()
    assert visits.of(ROMEO)[0].seen == visit.seen
    clock.advance(3600)
    visits.find(cookie)
    await visits._database.probe()
    assert visits.of(ROMEO)[0].seen == clock.date()


async def test_so_many_browsers_and_no_more(visits: Visits, clock: ManualClock) -> None:
    """With one more the one longest away is signed out, and told."""
    first, cookie = await visits.begin(ROMEO, HERE, "x" * 1000)
    assert len(first.agent) == LONGEST_AGENT
    told: list[str] = []
    visits.watch(first.id, lambda: told.append("first"))
    for _ in range(MOST_VISITS):
        clock.advance(1)
        _, last = await visits.begin(ROMEO, HERE, AGENT)
    assert len(visits.of(ROMEO)) == MOST_VISITS
    assert visits.find(cookie) is None
    assert visits.find(last) is not None
    assert told == ["first"]


async def test_the_one_seen_last_is_first(visits: Visits, clock: ManualClock) -> None:
    """Whenever it began."""
    first, cookie = await visits.begin(ROMEO, HERE, AGENT)
    clock.advance(10)
    second, _ = await visits.begin(ROMEO, HERE, AGENT)
    assert [visit.id for visit in visits.of(ROMEO)] == [second.id, first.id]
    clock.advance(4000)
    visits.find(cookie)
    await visits._database.probe()
    assert [visit.id for visit in visits.of(ROMEO)] == [first.id, second.id]


async def test_ending(visits: Visits) -> None:
    """Who watches is told, once, unless it has stopped; others stay."""
    told: list[str] = []
    one, cookie = await visits.begin(ROMEO, HERE, AGENT)
    other, others = await visits.begin(ROMEO, HERE, AGENT)
    _, hers = await visits.begin(JULIET, HERE, AGENT)
    visits.watch(one.id, lambda: told.append("one"))
    stop = visits.watch(one.id, lambda: told.append("stopped"))
    visits.watch(other.id, lambda: told.append("other"))
    stop()
    stop()
    assert await visits.end(one.id)
    assert not await visits.end(one.id)
    assert told == ["one"]
    assert visits.find(cookie) is None
    third, _ = await visits.begin(ROMEO, HERE, AGENT)
    await visits.end_all(ROMEO, but=other.id)
    assert [visit.id for visit in visits.of(ROMEO)] == [other.id]
    assert third.id != other.id
    await visits.end_all(ROMEO)
    assert told == ["one", "other"]
    assert visits.find(others) is None
    assert visits.find(hers) is not None
