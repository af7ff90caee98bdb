"""Every play is performed wherever it makes sense: in memory and in a process, TCP and HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kqq.protocol.declare import REQUESTS
from places import PLACES, Shared
from plays import commands, perform, places, read_play

SCENARIOS = Path(__file__).parent / "scenarios"
PLAYS = {path.stem: read_play(path) for path in sorted(SCENARIOS.glob("*.kqq"))}
PERFORMANCES = [(name, where) for name, play in PLAYS.items() for where in places(play)]


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    """A server process for the plays that need none of their own."""
    shared = Shared()
    yield shared
    shared.close()


@pytest.mark.parametrize(("name", "where"), PERFORMANCES)
async def test_play(name: str, where: str, shared: Shared) -> None:
    """The play goes as written."""
    await perform(SCENARIOS / f"{name}.kqq", where, shared)


@pytest.mark.parametrize("name", PLAYS)
def test_play_says_what_it_shows(name: str) -> None:
    """A play begins with a comment in words, and can be performed somewhere."""
    assert len(PLAYS[name].doc.split()) > 3
    assert places(PLAYS[name])


@pytest.mark.parametrize("where", ["tcp", "http"])
@pytest.mark.parametrize("command", sorted(REQUESTS))
def test_every_command_is_in_a_play(command: str, where: str) -> None:
    """Each request of the catalogue is written out in a play over TCP and in one over HTTP."""
    assert [
        name for name, play in PLAYS.items() if command in commands(play) and where in places(play)
    ]


@pytest.mark.parametrize("where", ["memory", "http-memory"])
@pytest.mark.parametrize(
    ("play", "complaint"),
    [
        (
            'Romeo signs in\nJuliet signs in\nRomeo sends Juliet "a"\nJuliet receives Romeo "b"',
            "'b'",
        ),
        ("Romeo signs in\nRomeo > CMD=Logout\nRomeo < CMD=LOGOUT RES=1", "RES=1"),
        ("Romeo signs in\nRomeo > CMD=Logout\nRomeo receives nothing", "CMD=LOGOUT"),
        ("Romeo signs in\nRomeo < CMD=LOGOUT RES=1", "nothing came"),
        ("Romeo signs in\nJuliet signs in\nRomeo sees Juliet away", "30"),
        ("Romeo signs in\nRomeo > CMD=Logout", "more than is told"),
        (
            'Romeo signs in\nJuliet signs in\nRomeo sends Juliet "a"\nRomeo signs out',
            "than is told",
        ),
        ('Romeo > CMD=Logout\nRomeo < "VER=1.1&CMD=LOGOUT&SEQ=1&UIN=1&RES=0"', "expected VER"),
        ('Romeo signs in\nRomeo asks Juliet "a"', "no request is wanted"),
        ("Romeo signs in\nRomeo speaks TCP", "has spoken already"),
        ("server account Romeo shoes=41", "has no shoes"),
        ("server burns", "burns"),
    ],
)
async def test_wrong_play(tmp_path: Path, play: str, complaint: str, where: str) -> None:
    """A play that goes otherwise fails with its file, its line and the difference."""
    path = tmp_path / "wrong.kqq"
    path.write_text(f"server friends Romeo, Juliet\n{play}\n")
    with pytest.raises((AssertionError, ValueError)) as failed:
        await perform(path, where)
    assert complaint in str(failed.value)
    assert f"wrong.kqq:{len(play.splitlines()) + 1}" in str(failed.value)


@pytest.mark.parametrize(
    ("play", "where", "complaint"),
    [
        ("Romeo signs in\nserver dies\nRomeo < CMD=LOGOUT RES=0", "memory", "no connection"),
        ("Romeo signs in\nRomeo < CMD=Server_Msg ...", "http-memory", "Only over TCP"),
        ("Romeo signs in\nRomeo disconnects", "http-memory", "Only over TCP"),
    ],
)
async def test_play_in_the_wrong_place(
    tmp_path: Path, play: str, where: str, complaint: str
) -> None:
    """What only one way of speaking has says so."""
    path = tmp_path / "wrong.kqq"
    path.write_text(f"server friends Romeo, Juliet\n{play}\n")
    with pytest.raises(ValueError, match=complaint):
        await perform(path, where)


def test_every_place_is_somewhere() -> None:
    """No place is left without plays."""
    assert {where for _, where in PERFORMANCES} == set(PLACES)
