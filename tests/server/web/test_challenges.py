"""Pictures for newcomers: one try each, a share for each address, and an end."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kqq.server import Config, picture
from kqq.server.web.challenges import (
    LONGEST_PASSWORD,
    Challenges,
    check_new_nick,
    check_new_password,
    needs_captcha,
)
from kqq.server.web.site import Refused
from stage import ManualClock

LETTERS = "ACEH"
LIFETIME = 180.0


def drawn(turn: Iterator[int]) -> Callable[[int], bytes]:
    """Return a source of randomness whose ids count up and whose letters are LETTERS."""

    def random(size: int) -> bytes:
        if size == picture.LETTERS:
            return bytes(map(picture.ALPHABET.index, LETTERS))
        return next(turn).to_bytes(size) if size > 1 else b"\x80"

    return random


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands."""
    return ManualClock()


@pytest.fixture
def challenges(clock: ManualClock) -> Challenges:
    """Room for 300 pictures, 3 of each address."""
    return Challenges(clock, drawn(itertools.count(1)), lifetime=lambda: LIFETIME, most=300)


def test_right_letters(challenges: Challenges) -> None:
    """A picture comes with an id; its letters are right once, in any case, amid blanks."""
    number, image = challenges.ask("192.0.2.1")
    assert image.startswith(b"\x89PNG")
    assert len(challenges) == 1
    assert challenges.answer(number, " aceh\t") is True
    assert challenges.answer(number, LETTERS) is None
    assert len(challenges) == 0


def test_wrong_letters(challenges: Challenges) -> None:
    """A wrong answer uses the picture up, too; what never was is told from it."""
    number, _ = challenges.ask("192.0.2.1")
    assert challenges.answer(number, "") is False
    assert challenges.answer(number, LETTERS) is None
    assert challenges.answer("", LETTERS) is None


def test_too_late(challenges: Challenges, clock: ManualClock) -> None:
    """After its lifetime a picture is gone, and only then."""
    early, _ = challenges.ask("192.0.2.1")
    clock.advance(LIFETIME - 1)
    late, _ = challenges.ask("192.0.2.1")
    clock.advance(1)
    assert challenges.answer(early, LETTERS) is None
    assert challenges.answer(late, LETTERS) is True
    challenges.ask("192.0.2.1")
    clock.advance(LIFETIME)
    challenges.answer("", "")
    assert len(challenges) == 0


def test_share_of_an_address(challenges: Challenges) -> None:
    """Who asks for many pushes out only the own ones, the oldest first."""
    mine, _ = challenges.ask("192.0.2.1")
    theirs = [challenges.ask("192.0.2.2")[0] for _ in range(10)]
    assert len(challenges) == 4
    assert challenges.answer(mine, LETTERS) is True
    assert [challenges.answer(one, LETTERS) for one in theirs] == [None] * 7 + [True] * 3


def test_room_of_all(challenges: Challenges) -> None:
    """Where all places are taken the oldest of all goes; nothing grows beyond that."""
    first, _ = challenges.ask("0")
    for address in range(1, 301):
        challenges.ask(str(address))
    assert len(challenges) == 300
    assert len(challenges._of_key) == 300
    assert challenges.answer(first, LETTERS) is None


@pytest.mark.parametrize(
    ("asked", "is_needed"), [("never", False), ("after-failures", True), ("always", True)]
)
def test_when_a_picture_is_needed(tmp_path: Path, asked: str, *, is_needed: bool) -> None:
    """Newcomers read one unless nobody ever does."""
    config = Config(data=tmp_path, captcha=asked)  # type: ignore[arg-type]
    assert needs_captcha(config) == is_needed


def test_what_can_be_chosen() -> None:
    """Nicknames and passwords are those of the domain; passwords have an end."""
    check_new_nick("罗密欧")
    check_new_password("密" * LONGEST_PASSWORD)
    for nick in ("", " a", "a" * 65, "a\x00", "\ud800"):
        with pytest.raises(Refused) as refused:
            check_new_nick(nick)
        assert (refused.value.status, refused.value.code) == (400, "nick")
    for password in ("", "\ud800", "a" * (LONGEST_PASSWORD + 1)):
        with pytest.raises(Refused) as refused:
            check_new_password(password)
        assert (refused.value.status, refused.value.code) == (400, "password")
        assert not password or password not in refused.value.why
