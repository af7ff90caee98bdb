"""Every play is performed in memory and over TCP."""

from pathlib import Path

import pytest

from plays import PLACES, perform, read_play

SCENARIOS = Path(__file__).parent / "scenarios"
PLAYS = sorted(SCENARIOS.glob("*.kqq"))


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
async def test_play(path: Path, where: str) -> None:
    """The play goes as written."""
    await perform(path, where)


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_play_says_what_it_shows(path: Path) -> None:
    """A play begins with a comment in words."""
    assert len(read_play(path).doc.split()) > 3


@pytest.mark.parametrize(
    ("play", "complaint"),
    [
        (
            'Romeo signs in\nJuliet signs in\nRomeo sends Juliet "a"\nJuliet receives Romeo "b"',
            "'b'",
        ),
        ("Romeo signs in\nRomeo > CMD=Logout\nRomeo < CMD=LOGOUT RES=1", "RES=1"),
        ("Romeo signs in\nRomeo > CMD=Logout\nRomeo receives nothing", "CMD=LOGOUT"),
        ("Romeo signs in\nJuliet signs in\nRomeo sees Juliet away", "30"),
        ("Romeo signs in\nRomeo > CMD=Logout", "more than is told"),
        ('Romeo > CMD=Logout\nRomeo < "VER=1.1&CMD=LOGOUT&SEQ=1&UIN=1&RES=0"', "expected VER"),
        ("Romeo signs in\nserver dies\nRomeo < CMD=LOGOUT RES=0", "no connection"),
        ("server burns", "burns"),
    ],
)
async def test_wrong_play(tmp_path: Path, play: str, complaint: str) -> None:
    """A play that goes otherwise fails with its file, its line and the difference."""
    path = tmp_path / "wrong.kqq"
    path.write_text(f"server friends Romeo, Juliet\n{play}\n")
    with pytest.raises((AssertionError, ValueError)) as failed:
        await perform(path, "memory")
    assert complaint in str(failed.value)
    assert f"wrong.kqq:{len(play.splitlines()) + 1}" in str(failed.value)
