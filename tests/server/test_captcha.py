"""Who must read a picture before signing in, and what waits for the letters."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kqq.errors import ConfigError
from kqq.server import picture
from kqq.server.captcha import Asked, CaptchaRules, Captchas
from stage import JULIET, PARIS, ROMEO, ManualClock

HOME, WORK = "192.0.2.1", "198.51.100.7"
TIMES = {"window": 900.0, "lifetime": 180.0, "grace": 600.0}


class Desk:
    """Captchas whose rules, time and letters a test has in its hands."""

    def __init__(self, asked: Asked = Asked.AFTER_FAILURES, *, most: int = 10_000) -> None:
        self.clock = ManualClock()
        self.rules = CaptchaRules(asked=asked)
        self.given: list[bytes] = []
        self._dice = random.Random(1)
        self.captchas: Captchas[str] = Captchas(
            self.clock, self._random, rules=lambda: self.rules, most=most
        )

    def _random(self, size: int) -> bytes:
        self.given.append(self._dice.randbytes(size))
        return self.given[-1]

    def ask(self, uin: int, host: str = HOME, held: str = "held") -> str:
        """Show a picture and return the letters that a person would read in it."""
        self.given.clear()
        png = self.captchas.ask(uin, host, held)
        taken = iter(list(self.given))
        letters = picture.pick_letters(lambda _: next(taken))
        assert png == picture.draw(letters, lambda _: next(taken))
        return letters

    def fail(self, times: int, uin: int, host: str = HOME) -> None:
        """Type a wrong password so many times."""
        for _ in range(times):
            self.captchas.failed(uin, host)


@pytest.fixture
def desk() -> Desk:
    """A desk that asks after failures, by the rules as they are unless told otherwise."""
    return Desk()


def wrong(letters: str) -> str:
    """Return letters that are not these."""
    return letters[:-1] + ("A" if letters[-1] != "A" else "C")


# --- who must read one ---------------------------------------------------------------------------


def test_policies_are_written_in_a_configuration() -> None:
    """The values are words that a configuration may say."""
    assert Asked("never") is Asked.NEVER
    assert Asked("after-failures") is Asked.AFTER_FAILURES
    assert Asked("always") is Asked.ALWAYS


@pytest.mark.parametrize("name", ["failures", "window", "lifetime", "grace"])
def test_rules_that_cannot_be(name: str) -> None:
    """A picture would never or always be wanted, or be too old; only grace may be 0."""
    least: dict[str, Any] = {name: 1}
    assert getattr(CaptchaRules(**least), name) == 1
    for value in (-1,) if name == "grace" else (0, -1):
        wrong: dict[str, Any] = {name: value}
        with pytest.raises(ConfigError, match=f"captcha {name}={value} cannot be"):
            CaptchaRules(**wrong)


def test_never() -> None:
    """Nobody reads a picture, whatever happened."""
    desk = Desk(Asked.NEVER)
    desk.fail(100, ROMEO)
    assert not desk.captchas.wanted(ROMEO, HOME)


@pytest.mark.parametrize(
    ("asked", "is_wanted"), [(Asked.AFTER_FAILURES, False), (Asked.ALWAYS, True)]
)
def test_whose_password_is_known_guesses_nothing(asked: Asked, *, is_wanted: bool) -> None:
    """After failures of others nothing is asked of them; only what is asked of everybody is."""
    desk = Desk(asked)
    desk.fail(100, ROMEO, WORK)
    assert desk.captchas.wanted(ROMEO, HOME)
    assert desk.captchas.wanted(ROMEO, HOME, is_known=True) is is_wanted


def test_always_but_for_who_just_signed_in() -> None:
    """A client that signs in before every call (SETM) reads one picture, not one a call."""
    desk = Desk(Asked.ALWAYS)
    assert desk.captchas.wanted(ROMEO, HOME)
    desk.captchas.succeeded(ROMEO, HOME)
    for _ in range(3):
        desk.clock.advance(TIMES["grace"] - 1)
        assert not desk.captchas.wanted(ROMEO, HOME)
        desk.captchas.succeeded(ROMEO, HOME)
    assert desk.captchas.wanted(ROMEO, WORK)
    assert desk.captchas.wanted(JULIET, HOME)
    desk.clock.advance(TIMES["grace"])
    assert desk.captchas.wanted(ROMEO, HOME)


def test_who_read_one_needs_no_other_until_a_wrong_password() -> None:
    """Letters prove a person, once: a password guessed wrong costs another picture."""
    desk = Desk(Asked.ALWAYS)
    letters = desk.ask(ROMEO)
    assert desk.captchas.wanted(ROMEO, HOME)
    desk.captchas.answer(ROMEO, HOME, letters)
    assert not desk.captchas.wanted(ROMEO, HOME)
    assert desk.captchas.wanted(ROMEO, WORK)
    desk.captchas.failed(ROMEO, HOME)
    assert desk.captchas.wanted(ROMEO, HOME)


def test_after_failures_for_a_number_from_anywhere(desk: Desk) -> None:
    """Three wrong passwords for a number, from wherever, and all must read a picture for it."""
    desk.fail(2, ROMEO, HOME)
    assert not desk.captchas.wanted(ROMEO, HOME)
    desk.fail(1, ROMEO, WORK)
    for host in (HOME, WORK, "elsewhere"):
        assert desk.captchas.wanted(ROMEO, host)
        assert not desk.captchas.wanted(JULIET, host)


def test_after_failures_from_a_host_for_any_number(desk: Desk) -> None:
    """Whoever tries one password with many numbers must read pictures for all of them."""
    for uin in range(10101, 10109):
        desk.fail(1, uin)
    assert not desk.captchas.wanted(ROMEO, HOME)
    desk.fail(1, 10109)
    assert desk.captchas.wanted(ROMEO, HOME)
    assert desk.captchas.wanted(10101, HOME)
    assert not desk.captchas.wanted(10101, WORK)


def test_wrong_passwords_count_for_a_while(desk: Desk) -> None:
    """Each counts for the window, by itself."""
    desk.fail(1, ROMEO)
    desk.clock.advance(TIMES["window"] / 2)
    desk.fail(2, ROMEO)
    desk.clock.advance(TIMES["window"] / 2 - 1)
    assert desk.captchas.wanted(ROMEO, HOME)
    desk.clock.advance(1)
    assert not desk.captchas.wanted(ROMEO, HOME)


def test_signing_in_forgets_the_wrong_passwords_of_this_host(desk: Desk) -> None:
    """The owner is free again; who guesses elsewhere is not, and gains nothing from it."""
    desk.fail(3, ROMEO, HOME)
    desk.fail(3, ROMEO, WORK)
    desk.fail(6, PARIS, HOME)
    assert desk.captchas.wanted(JULIET, HOME)
    desk.captchas.succeeded(ROMEO, HOME)
    assert not desk.captchas.wanted(ROMEO, HOME)
    assert not desk.captchas.wanted(JULIET, HOME)
    assert desk.captchas.wanted(PARIS, HOME)
    assert desk.captchas.wanted(ROMEO, WORK)
    desk.captchas.succeeded(ROMEO, WORK)
    assert not desk.captchas.wanted(ROMEO, "elsewhere")


def test_own_account_frees_nobody_who_guesses(desk: Desk) -> None:
    """Signing in with one's own number between guesses does not help with the others."""
    desk.fail(2, ROMEO)
    desk.captchas.succeeded(PARIS, HOME)
    desk.fail(1, ROMEO)
    assert desk.captchas.wanted(ROMEO, HOME)
    assert not desk.captchas.wanted(PARIS, HOME)


def test_rules_change_while_it_runs(desk: Desk) -> None:
    """The next call goes by the new rules."""
    desk.fail(2, ROMEO)
    assert not desk.captchas.wanted(ROMEO, HOME)
    desk.rules = replace(desk.rules, failures=2)
    assert desk.captchas.rules() == desk.rules
    assert desk.captchas.wanted(ROMEO, HOME)
    desk.rules = replace(desk.rules, asked=Asked.NEVER)
    assert not desk.captchas.wanted(ROMEO, HOME)
    desk.ask(ROMEO)
    desk.clock.advance(50)
    assert desk.captchas.held(ROMEO, HOME) == "held"
    desk.rules = replace(desk.rules, asked=Asked.AFTER_FAILURES, lifetime=50, window=50)
    assert desk.captchas.held(ROMEO, HOME) is None
    assert not desk.captchas.wanted(ROMEO, HOME)


# --- the letters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["{}", "  {}\t", "\u3000{}"])
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_right_letters_give_back_what_waits(
    desk: Desk, typed: str, case: Callable[[str], str]
) -> None:
    """Blanks around and lower case are right as well; it is used up then."""
    letters = desk.ask(ROMEO)
    desk.ask(JULIET, held="juliet's")
    assert desk.captchas.held(ROMEO, HOME) == "held"
    assert desk.captchas.answer(ROMEO, HOME, typed.format(case(letters))) == "held"
    assert desk.captchas.held(ROMEO, HOME) is None
    assert desk.captchas.answer(ROMEO, HOME, letters) is None
    assert desk.captchas.held(JULIET, HOME) == "juliet's"


def test_wrong_letters_void_the_picture(desk: Desk) -> None:
    """A picture can be tried once; what waits is there for the next one."""
    first = desk.ask(ROMEO)
    assert desk.captchas.answer(ROMEO, HOME, wrong(first)) is None
    assert desk.captchas.answer(ROMEO, HOME, first) is None
    held = desk.captchas.held(ROMEO, HOME)
    assert held == "held"
    second = desk.ask(ROMEO, held=held)
    assert second != first
    assert desk.captchas.answer(ROMEO, HOME, second) == "held"


@pytest.mark.parametrize("typed", ["", " ", "null", "{}{}", "{:.3}", "{:.2} {:.2}"])
def test_what_are_not_the_letters(desk: Desk, typed: str) -> None:
    """Nothing, a part, twice the letters, blanks inside: all wrong."""
    letters = desk.ask(ROMEO)
    assert desk.captchas.answer(ROMEO, HOME, typed.format(letters, letters)) is None
    assert desk.captchas.wanted(ROMEO, HOME) is False
    assert desk.captchas.answer(ROMEO, HOME, letters) is None


def test_new_picture_replaces_the_one_before(desk: Desk) -> None:
    """Of two sign-ins with a number from a host, the later one waits."""
    first = desk.ask(ROMEO, held="first")
    second = desk.ask(ROMEO, held="second")
    assert first != second
    assert desk.captchas.answer(ROMEO, HOME, first) is None
    assert desk.captchas.held(ROMEO, HOME) == "second"


def test_nobody_answers_for_another(desk: Desk) -> None:
    """The letters are right for the number and the host that were shown the picture."""
    letters = desk.ask(ROMEO)
    assert desk.captchas.answer(ROMEO, WORK, letters) is None
    assert desk.captchas.answer(JULIET, HOME, letters) is None
    assert desk.captchas.held(ROMEO, WORK) is None
    assert desk.captchas.answer(ROMEO, HOME, letters) == "held"


def test_pictures_grow_old(desk: Desk) -> None:
    """After its lifetime a picture cannot be answered and what waited is gone; a new one can."""
    letters = desk.ask(ROMEO)
    late = desk.ask(JULIET)
    desk.clock.advance(TIMES["lifetime"] - 1)
    assert desk.captchas.answer(JULIET, HOME, late) == "held"
    assert desk.captchas.held(ROMEO, HOME) == "held"
    desk.clock.advance(1)
    assert desk.captchas.held(ROMEO, HOME) is None
    assert desk.captchas.answer(ROMEO, HOME, letters) is None
    assert desk.captchas.answer(ROMEO, HOME, desk.ask(ROMEO)) == "held"


def test_wrong_answer_does_not_make_it_last_longer(desk: Desk) -> None:
    """Only a new picture has a new lifetime."""
    letters = desk.ask(ROMEO)
    desk.clock.advance(TIMES["lifetime"] - 1)
    desk.captchas.answer(ROMEO, HOME, wrong(letters))
    held = desk.captchas.held(ROMEO, HOME)
    assert held is not None
    desk.clock.advance(1)
    assert desk.captchas.held(ROMEO, HOME) is None
    letters = desk.ask(ROMEO, held=held)
    desk.clock.advance(TIMES["lifetime"] - 1)
    assert desk.captchas.answer(ROMEO, HOME, letters) == "held"


def test_neither_letters_nor_what_waits_is_shown(desk: Desk) -> None:
    """What is printed of all that is remembered has no letters and no sign-in in it."""
    letters = desk.ask(ROMEO, held="secret")
    shown = repr(vars(desk.captchas))
    assert "Challenge" in shown
    assert letters not in shown
    assert "secret" not in shown


# --- what is bounded -----------------------------------------------------------------------------


def test_host_that_cycles_through_numbers_pushes_out_its_own() -> None:
    """One host has one part in a hundred of the pictures; a stranger's picture stays."""
    desk = Desk(most=500)
    letters = desk.ask(ROMEO, HOME)
    for uin in range(10101, 10101 + 20):
        desk.ask(uin, WORK)
    waiting = [uin for uin in range(10101, 10121) if desk.captchas.held(uin, WORK)]
    assert waiting == list(range(10116, 10121))
    desk.ask(10117, WORK)  # replaces its own
    assert desk.captchas.held(10116, WORK)
    assert desk.captchas.answer(ROMEO, HOME, letters) == "held"


def test_oldest_picture_goes_first_when_all_places_are_taken() -> None:
    """As many hosts as there are places take them all, and then the oldest goes."""
    desk = Desk(most=5)
    for number in range(5):
        desk.ask(ROMEO, f"host {number}")
    desk.ask(ROMEO, "host 0")  # is the newest now
    desk.ask(ROMEO, "host 5")
    waiting = [number for number in range(6) if desk.captchas.held(ROMEO, f"host {number}")]
    assert waiting == [0, 2, 3, 4, 5]


def test_oldest_wrong_password_goes_first() -> None:
    """No more are remembered than may be, the latest ones."""
    desk = Desk(most=5)
    desk.fail(3, ROMEO, HOME)
    desk.fail(2, JULIET, WORK)
    assert desk.captchas.wanted(ROMEO, HOME)
    desk.fail(1, JULIET, WORK)
    assert not desk.captchas.wanted(ROMEO, HOME)
    assert desk.captchas.wanted(JULIET, WORK)


def test_oldest_who_needs_no_picture_goes_first() -> None:
    """Whoever is pushed out reads another picture, nothing worse."""
    desk = Desk(Asked.ALWAYS, most=3)
    for uin in (ROMEO, JULIET, PARIS, ROMEO, 10004):
        desk.captchas.succeeded(uin, HOME)
    wanted = [uin for uin in (ROMEO, JULIET, PARIS, 10004) if desk.captchas.wanted(uin, HOME)]
    assert wanted == [JULIET]


UINS = st.sampled_from([ROMEO, JULIET, PARIS])
HOSTS = st.sampled_from(["a", "b"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["failed", "failed", "succeeded"]), UINS, HOSTS),
        st.tuples(st.just("wait"), st.integers(1, 500), st.just("")),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(STEPS, st.sampled_from(list(Asked)))
def test_wanted_is_as_counted_by_hand(steps: list[tuple[str, int, str]], asked: Asked) -> None:
    """After whatever happened, who must read a picture is as a plain list of events says."""
    desk = Desk(asked)
    failures: list[tuple[float, int, str]] = []
    proved: dict[tuple[int, str], float] = {}
    for step, uin, host in steps:
        if step == "wait":
            desk.clock.advance(uin)
        elif step == "failed":
            desk.captchas.failed(uin, host)
            failures.append((desk.clock.now(), uin, host))
            proved.pop((uin, host), None)
        else:
            desk.captchas.succeeded(uin, host)
            failures = [failure for failure in failures if failure[1:] != (uin, host)]
            proved[uin, host] = desk.clock.now()
        now = desk.clock.now()
        counted = [failure for failure in failures if now - failure[0] < TIMES["window"]]
        for who in itertools.product((ROMEO, JULIET, PARIS), ("a", "b")):
            is_free = now - proved.get(who, -1e9) < TIMES["grace"]
            many = (
                sum(failure[1] == who[0] for failure in counted) >= 3
                or sum(failure[2] == who[1] for failure in counted) >= 9
            )
            expected = asked is Asked.ALWAYS or (asked is Asked.AFTER_FAILURES and many)
            assert desk.captchas.wanted(*who) == (expected and not is_free)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "right", "wrong", "failed", "succeeded", "wait"]),
            st.integers(10001, 10012),
            st.sampled_from("abcd"),
        ),
        max_size=80,
    )
)
@settings(max_examples=30)
def test_nothing_grows_and_each_answer_is_for_its_own(steps: list[tuple[str, int, str]]) -> None:
    """Whatever comes, places are bounded, and letters give back only what waited for them."""
    desk = Desk(most=6)
    shown: dict[tuple[int, str], str] = {}
    for number, (step, uin, host) in enumerate(steps):
        captchas, who = desk.captchas, (uin, host)
        if step == "ask":
            shown[who] = desk.ask(uin, host, held=f"{uin} {host}")
        elif step == "right":
            is_waiting = captchas.held(uin, host) is not None and who in shown
            answer = captchas.answer(uin, host, shown.pop(who, "none"))
            assert answer == (f"{uin} {host}" if is_waiting else None)
        elif step == "wrong":
            assert captchas.answer(uin, host, "wrong") is None
            shown.pop(who, None)
        elif step == "wait":
            desk.clock.advance(number)
        elif step == "failed":
            captchas.failed(uin, host)
        else:
            captchas.succeeded(uin, host)
        assert len(captchas._waiting) <= 6
        assert sum(map(len, captchas._waiting_at.values())) == len(captchas._waiting)
        assert all(len(here) == 1 for here in captchas._waiting_at.values())
        assert len(captchas._trusted) <= 6
        assert len(captchas._failures) <= 6
        assert all(captchas._failures._index.values())


def test_all_is_forgotten_in_the_end(desk: Desk) -> None:
    """Hours later nothing of what happened is in memory, once anybody comes by."""
    desk.fail(5, ROMEO)
    desk.captchas.succeeded(JULIET, WORK)
    desk.ask(ROMEO)
    desk.clock.advance(3600)
    assert not desk.captchas.wanted(PARIS, WORK)
    captchas = desk.captchas
    assert not captchas._waiting
    assert not captchas._waiting_at
    assert not captchas._trusted
    assert not captchas._failures._all
    assert not captchas._failures._index
