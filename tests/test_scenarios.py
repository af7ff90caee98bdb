"""Every play is performed wherever it makes sense: in memory and in a process, TCP and HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kqq.conformance.published import SUITE
from kqq.protocol.declare import REQUESTS
from kqq.protocol.transcript import parse_play
from ours import CALLS, ours
from performing import commands, perform, places, read_play
from places import PLACES, Shared

FOLDERS = [Path(__file__).parent / "scenarios", Path(str(SUITE / "plays"))]
PATHS = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.kqq"))}
PLAYS = {name: read_play(path) for name, path in PATHS.items()}
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
    await perform(PATHS[name], where, shared)


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


def test_most_plays_go_through_our_client() -> None:
    """In three of five somebody uses our messenger, over TCP and over HTTP where that can be."""
    through = [name for name, play in PLAYS.items() if ours(play)]
    assert len(through) >= 50
    assert len(through) >= 0.6 * len(PLAYS)
    for kind in ("TCP", "HTTP"):
        here = [name for name, where in PERFORMANCES if PLACES[where].is_ours_over(kind)]
        assert len(set(here)) >= 40


@pytest.mark.parametrize("command", sorted(cls.spec.command for cls in CALLS))
def test_all_that_our_client_does_is_in_a_play(command: str) -> None:
    """For each method of the messenger that asks the server, somebody calls it for a line."""
    lines = [
        one.line
        for play in PLAYS.values()
        for one in play.statements
        if one.verb == ">" and one.actor in ours(play)
    ]
    assert [line for line in lines if ("CMD", command) in line.fields]


@pytest.mark.parametrize("where", ["client-memory", "client-http-memory"])
@pytest.mark.parametrize(
    ("play", "complaint"),
    [
        ('Romeo sends Juliet "a"\nJuliet signs in\nJuliet receives Romeo "b"', "'b'"),
        ("Juliet signs in\nRomeo sees Juliet away", "30"),
        ('Romeo sends Paris "a"', "NoSuchNumber"),
        ('Romeo asks Juliet "a"', "no request is wanted"),
        ('Juliet signs in\nJuliet sends Romeo "a"\nRomeo receives nothing', "'a'"),
        ('Juliet signs in\nJuliet sends Romeo "a"', "than is told"),
        ("Juliet signs in\nRomeo is accepted by Juliet", "nothing came"),
        ("Romeo > CMD=GetInfo LV=1 UN={Romeo}\nRomeo < CMD=GETINFO RES=0 LV=2 ...", "LV=2"),
        ("Romeo > CMD=GetInfo LV=1 UN={Romeo}\nRomeo receives nothing", "CMD=GETINFO"),
        ("Romeo > CMD=GetInfo LV=1 UN={Romeo}\nRomeo signs out", "than is told"),
        ("Romeo > CMD=Query_Stat2 CM=2 UN=7", "was to be said"),
        ("Romeo < CMD=GETINFO RES=0", "nothing came"),
        ("Romeo signs out\nRomeo signs out", "no connection"),
    ],
)
async def test_wrong_play_through_our_client(
    tmp_path: Path, play: str, complaint: str, where: str
) -> None:
    """What goes otherwise is seen there, too."""
    path = tmp_path / "wrong.kqq"
    path.write_text(f"server friends Romeo, Juliet\nRomeo signs in\n{play}\n")
    with pytest.raises((AssertionError, ValueError)) as failed:
        await perform(path, where)
    assert complaint in str(failed.value)
    assert "wrong.kqq:" in str(failed.value)


@pytest.mark.parametrize(
    ("play", "who"),
    [
        ("Romeo signs in", ["Romeo"]),
        ("# Not through our client: why.\nRomeo signs in", []),
        ("# Romeo not through our client: why.\nRomeo signs in\nJuliet signs in", ["Juliet"]),
        ("Romeo speaks TCP\nRomeo signs in", []),
        ('Romeo signs in\nRomeo sends Juliet ""', []),
        ("Romeo signs in\nRomeo > VER=1.1&CMD=GetInfo&SEQ=1&UIN={Romeo}&LV=1&UN=1", []),
        ("Romeo signs in\nRomeo > CMD=GetInfo VER=1.1 LV=1 UN=1", []),
        ("Romeo signs in\nRomeo > CMD=Group_Cmd", []),
        ("Romeo > CMD=GetInfo LV=1 UN=1", []),
    ],
)
def test_who_can_use_our_client(play: str, who: list[str]) -> None:
    """Who signs in by the verb, and says nothing that the messenger would not say."""
    assert ours(parse_play(play)) == who


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
        ('Romeo > CMD=Logout\nRomeo < "VER=1.1&CMD=LOGOUT&SEQ=1&UIN=1&RES=0"', "expected '1'"),
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
        ("Romeo signs in\nRomeo disconnects", "client-http-memory", "Only over TCP"),
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
