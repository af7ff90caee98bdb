"""How much an address may do: tokens come back with time, and what is kept is bounded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.server.limits import Concurrent, Rates, address_key
from stage import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock moved by hand."""
    return ManualClock()


def rates(clock: ManualClock, rate: float = 0.5, burst: float = 3, most: int = 100) -> Rates:
    """Return buckets of three tokens, one of which comes back every two seconds."""
    return Rates(clock, lambda: rate, lambda: burst, most)


def left(rates: Rates, key: str) -> int:
    """Return how many tokens there are, and take them."""
    count = 0
    while rates.spend(key):
        count += 1
    return count


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:0207", "192.0.2.7"),
        ("", ""),
        ("memory", "memory"),
        ("no:address", "no:address"),
    ],
)
def test_address_key(host: str, key: str) -> None:
    """Whoever has an IPv6 address has 2**64 of them, so all of those count as one."""
    assert address_key(host) == key


# --- rates ---------------------------------------------------------------------------------------


def test_tokens_come_back(clock: ManualClock) -> None:
    """A key has `burst` tokens at once and gets `rate` more a second, never more than `burst`."""
    buckets = rates(clock)
    assert left(buckets, "a") == 3
    assert left(buckets, "b") == 3
    clock.advance(1.9)
    assert left(buckets, "a") == 0
    clock.advance(0.1)
    assert left(buckets, "a") == 1
    clock.advance(4.0)
    assert left(buckets, "a") == 2
    clock.advance(1000.0)
    assert left(buckets, "a") == 3


def test_several_tokens_or_none(clock: ManualClock) -> None:
    """If there are not as many as wanted, none is taken."""
    buckets = rates(clock)
    assert buckets.spend("a", 2)
    assert not buckets.spend("a", 2)
    assert buckets.spend("a", 1)
    assert not buckets.spend("b", 4)
    assert left(buckets, "b") == 3


def test_fractions_lose_nothing(clock: ManualClock) -> None:
    """Whoever keeps to the rate is never refused, however odd its fractions are."""
    buckets = rates(clock, rate=1 / 3, burst=1)
    for _ in range(1000):
        assert buckets.spend("a")
        clock.advance(3.0)


def test_owing(clock: ManualClock) -> None:
    """What is taken beyond the tokens has to be waited for, and keeps others of the key waiting."""
    buckets = rates(clock)
    assert [buckets.owe("a") for _ in range(5)] == [0.0, 0.0, 0.0, 2.0, 4.0]
    assert buckets.debt("a") == 4.0
    assert not buckets.has("a")
    assert not buckets.spend("a")
    clock.advance(3.0)
    assert buckets.debt("a") == 1.0
    assert buckets.owe("a", 2) == 5.0
    clock.advance(5.0)
    assert buckets.debt("a") == 0.0
    assert not buckets.spend("a")
    assert buckets.debt("b") == 0.0
    assert len(buckets) == 1


def test_rate_of_nothing(clock: ManualClock) -> None:
    """Without a rate nothing comes back, and what is owed is owed for ever."""
    buckets = rates(clock, rate=0.0, burst=1)
    assert buckets.spend("a")
    clock.advance(1e6)
    assert not buckets.spend("a")
    assert buckets.owe("a") == math.inf
    assert not rates(clock, burst=0).spend("a")


def test_spent_in_vain(clock: ManualClock) -> None:
    """What is given back is there again, and never makes more than a full bucket."""
    buckets = rates(clock)
    assert buckets.spend("a", 3)
    buckets.repay("a", 2)
    assert left(buckets, "a") == 2
    buckets.repay("a", 100)
    assert len(buckets) == 0
    assert left(buckets, "a") == 3
    buckets.repay("never seen")
    assert len(buckets) == 1


def test_settings_change(clock: ManualClock) -> None:
    """Rate and burst count as they are at the time; what was spent stays spent."""
    settings = {"rate": 1.0, "burst": 2.0}
    buckets = Rates(clock, lambda: settings["rate"], lambda: settings["burst"])
    assert left(buckets, "a") == 2
    settings["burst"] = 5.0
    assert left(buckets, "a") == 3
    settings["rate"] = 10.0
    clock.advance(0.2)
    assert left(buckets, "a") == 2
    settings["burst"] = 1.0
    assert buckets.debt("a") == pytest.approx(0.4)


def test_many_keys_do_not_make_it_grow(clock: ManualClock) -> None:
    """Whoever comes from many addresses is forgotten, and then has a full bucket."""
    buckets = rates(clock, most=50)
    for number in range(1000):
        assert buckets.spend(f"a{number}", 3)
        assert len(buckets) <= 50
    assert left(buckets, "a999") == 0
    assert left(buckets, "a0") == 3


def test_full_buckets_are_forgotten_first(clock: ManualClock) -> None:
    """One that owes is kept while there are others that are full again."""
    buckets = rates(clock, most=10)
    buckets.owe("debtor", 10_003)
    for number in range(500):
        buckets.spend(f"a{number}")
        clock.advance(2.0)
    assert len(buckets) == 10
    assert buckets.debt("debtor") == 10_000 / 0.5 - 500 * 2.0


def test_what_is_used_is_kept(clock: ManualClock) -> None:
    """Among those that all owe, one that was used lately is kept."""
    buckets = rates(clock, most=10)
    for number in range(100):
        buckets.owe(f"a{number}", 100)
        buckets.owe("again and again")
    assert buckets.debt("again and again") == (100 - 3) / 0.5


def test_one_bucket_only(clock: ManualClock) -> None:
    """The smallest table holds whoever came last."""
    buckets = rates(clock, most=1)
    assert left(buckets, "a") == 3
    assert left(buckets, "b") == 3
    assert left(buckets, "b") == 0
    assert len(buckets) == 1


steps = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(1, 5), st.floats(0.0, 3.0)), max_size=60
)


@given(steps, st.integers(1, 6))
def test_forgetting_only_forgives(steps: list[tuple[str, int, float]], most: int) -> None:
    """With fewer buckets nobody ever owes more than with one for everybody."""
    clock = ManualClock()
    few, all_of_them = rates(clock, most=most), rates(clock)
    for key, count, seconds in steps:
        assert few.owe(key, count) <= all_of_them.owe(key, count) + 1e-6
        assert few.debt(key) <= all_of_them.debt(key) + 1e-6
        assert len(few) <= most
        clock.advance(seconds)


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0.0, 3.0)), max_size=60))
def test_never_more_than_allowed(steps: list[tuple[int, float]]) -> None:
    """In any time no more is spent than `burst` and what came back in it."""
    clock = ManualClock()
    buckets = rates(clock)
    began, spent = clock.now(), 0
    for count, seconds in steps:
        spent += count * buckets.spend("a", count)
        assert spent <= 3 + 0.5 * (clock.now() - began) + 1e-3
        clock.advance(seconds)


# --- connections ---------------------------------------------------------------------------------


def test_connections_of_an_address() -> None:
    """Only so many are open at once; each address by itself, and what is over is forgotten."""
    most = 2
    connections = Concurrent(lambda: most)
    assert connections.enter("a")
    assert connections.enter("a")
    assert not connections.enter("a")
    assert connections.enter("b")
    assert (connections.count("a"), connections.count("b"), connections.count("c")) == (2, 1, 0)
    connections.leave("a")
    assert connections.enter("a")
    most = 1
    connections.leave("a")
    assert not connections.enter("a")
    connections.leave("a")
    connections.leave("b")
    assert connections._counts == {}
    with pytest.raises(KeyError):
        connections.leave("a")
