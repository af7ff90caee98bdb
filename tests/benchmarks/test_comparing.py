"""The comparison of servers: what it says of figures, and one short run; nothing looks at times."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.comparing import picture, table
from benchmarks.comparing.figures import FIGURES, PAST, SMALL, Figures, verdicts
from benchmarks.comparing.loads import compiler
from benchmarks.comparing.machine import Unready
from benchmarks.comparing.peers import CONFIGURATIONS, PEERS, Peer, people_of_peers
from benchmarks.comparing.town import (
    BYSTANDER,
    FIRST,
    LOVED,
    LOVED_FRIENDS,
    SMALLEST,
    make_past,
    make_secrets,
    make_town,
)

from kqq.server.accounts import check_proof
from kqq.server.database import Database, database_path
from kqq.server.devices import find_device
from kqq.server.store import Store

ROOT = Path(__file__).resolve().parents[2]


def measured() -> Figures:
    """Return figures as they may come of a run."""
    figures = Figures()
    for server, rate in (("kqq", 90_000.0), ("relay", 200_000.0), ("ejabberd", 15_000.0)):
        figures.add("w32", server, rate * 0.9, rate * 1.2, rate)
    figures.add("p99", "kqq", 2.0)
    figures.add("p99", "ejabberd", 1.9)
    figures.add("memory", "kqq", 7.5)
    figures.add("loop", "kqq", 2.0, 11.0, 3.0)
    figures.add("w1", SMALL, 30_000.0)
    figures.add("w1", PAST, 28_000.0)
    figures.notes.append("prosody is left out: prosody is not installed")
    return figures


def test_goals_are_ratios_within_a_run() -> None:
    """Medians are compared; what was not measured is neither reached nor missed."""
    found = {(one.goal, one.what): one for one in verdicts(measured())}
    assert found[1, "32 in flight, against ejabberd"].measured == 6
    assert found[1, "32 in flight, against ejabberd"].holds
    assert found[1, "32 in flight, against Prosody"].measured is None
    assert found[1, "32 in flight, against Prosody"].holds is None
    assert found[1, "32 in flight, against Prosody"].reached is None
    assert found[3, "2,000/s: 99 %, against ejabberd"].holds is False
    assert found[4, "memory for an idle connection"].reached == pytest.approx(8 / 7.5)
    assert found[8, "long past against none, 1 in flight"].holds
    assert {one.goal for one in found.values()} == set(range(1, 9))


def test_how_long_the_loop_is_held_is_the_longest() -> None:
    """The goal says never, so the median is not what counts."""
    (held,) = [one for one in verdicts(measured(), [6]) if "5,000" in one.what]
    assert held.measured == 11
    assert held.holds is False


def test_the_table_fits_a_terminal() -> None:
    """80 columns, with medians, ranges, goals and who is left out."""
    figures = measured()
    text = table.as_text(figures, verdicts(figures))
    assert max(map(len, text.splitlines())) <= 80
    assert "90,000" in text
    assert "[81k-108k]" in text
    assert "prosody is left out" in text
    assert re.search(r"32 in flight, against ejabberd +6.00 x +>= 5 x +yes", text)
    assert re.search(r"32 in flight, against the relay +0.45 x +>= 0.3 x +yes", text)
    assert re.search(r"5,000 friends told: longest hold +11.0 ms +<= 10 ms +NO", text)


def test_every_figure_and_goal_fits_the_table() -> None:
    """Also with all servers, and values as large as they may get."""
    figures = Figures()
    for key in FIGURES:
        for server in ("kqq", "relay", "ejabberd", "prosody", "ngircd", "mosquitto", SMALL, PAST):
            figures.add(key, server, 1_234_567.8, 2_345_678.9)
    text = table.as_text(figures, verdicts(figures))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("value", "said", "shortly"),
    [(0, "0.00", "0.00"), (0.0712, "0.071", "0.07"), (0.5, "0.50", "0.50"), (7.25, "7.25", "7.2"),
     (42.42, "42.4", "42.4"), (512.3, "512", "512"), (4321, "4,321", "4.3k"),
     (98765.4, "98,765", "99k")],
)  # fmt: skip
def test_numbers_have_the_digits_that_count(value: float, said: str, shortly: str) -> None:
    """Three of them, and fewer in ranges."""
    assert table.number(value) == said
    assert table.short(value) == shortly


def test_json_has_every_value() -> None:
    """For whoever wants to count otherwise."""
    figures = measured()
    read = json.loads(table.as_json(figures, verdicts(figures)))
    (ours,) = [one for one in read["figures"] if (one["key"], one["server"]) == ("w32", "kqq")]
    assert ours["values"] == [81_000.0, 108_000.0, 90_000.0]
    assert ours["median"] == 90_000.0
    assert {"goal": 6, "what": "5,000 friends told: longest hold", "measured": 11.0, "unit": "ms",
            "at most": 10, "holds": False} in read["goals"]  # fmt: skip
    again = table.read_json(json.dumps(read))
    assert table.as_text(again, verdicts(again)) == table.as_text(figures, verdicts(figures))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": [{"key": "w99"}]}'])
def test_what_is_no_run_cannot_be_shown_again(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(Unready, match="not what --json has written"):
        table.read_json(text)


def test_the_picture_is_an_svg_by_day_and_by_night() -> None:
    """It can be parsed, has both colours, and says what was measured and whether goals hold."""
    figures = measured()
    text = picture.draw(figures, verdicts(figures))
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = "".join(root.itertext())
    assert "prefers-color-scheme:dark" in said
    assert "90,000" in said
    assert "6.00 x ✓" in said
    assert "11.0 ms ✗" in said
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for one in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(one.get("width", "0")) <= 960


def test_a_picture_of_nothing_is_one() -> None:
    """Also if nothing was measured."""
    assert ET.fromstring(picture.draw(Figures(), verdicts(Figures()))) is not None


async def test_a_town_has_its_people(tmp_path: Path) -> None:
    """Their phones can sign in, they have their friends, and some have a password of their own."""
    people = make_secrets(SMALLEST)
    (slow,) = make_town(tmp_path, people, chosen=1)
    database = Database(database_path(tmp_path))
    store = Store(database)
    assert find_device(store, people[0].uin, people[0].secret) is not None
    assert store.are_friends(FIRST, FIRST + 100)
    assert store.are_friends(FIRST + 100, FIRST)
    assert len(store.friends(FIRST + LOVED)) == LOVED_FRIENDS
    assert not store.friends(FIRST + BYSTANDER)
    account = store.account(slow.uin)
    assert account is not None
    assert check_proof(slow.secret, account.proof)
    assert find_device(store, slow.uin, slow.secret) is None
    await database.close()


def test_a_past_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has as many accounts and messages as were asked for; none waits for those who write."""
    people, data = make_secrets(SMALLEST), tmp_path / "past"
    make_past(data, people, SMALLEST + 50, 500)
    made = database_path(data).stat().st_mtime_ns
    with closing(sqlite3.connect(database_path(data))) as database:
        (accounts,) = database.execute("SELECT count(*) FROM account").fetchone()
        assert accounts == SMALLEST + 50
        rows = database.execute("SELECT min(receiver), max(receiver), count(*) FROM message")
        lowest, highest, count = rows.fetchone()
    assert FIRST + SMALLEST <= lowest <= highest < FIRST + SMALLEST + 50
    assert count == 500
    assert "500 of 500 messages" in capsys.readouterr().err
    make_past(data, people, SMALLEST + 50, 500)
    assert database_path(data).stat().st_mtime_ns == made
    assert "is there" in capsys.readouterr().err
    make_past(data, people, SMALLEST + 50, 501)
    assert "501 of 501 messages" in capsys.readouterr().err


def test_a_past_is_not_made_over_something_else(tmp_path: Path) -> None:
    """A folder that holds somebody's files is left alone."""
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(FileExistsError, match="not a past of ours"):
        make_past(tmp_path, make_secrets(1), 1, 1)
    assert (tmp_path / "letter").read_text() == "dear"


@pytest.mark.parametrize("kind", PEERS, ids=lambda kind: kind.name)
def test_every_peer_has_its_configuration(kind: type[Peer], tmp_path: Path) -> None:
    """With a place for the port, and what is asked for can be filled in."""
    assert (CONFIGURATIONS / kind.configuration).is_file()
    server = kind(tmp_path / "peer", people_of_peers(3))
    server.port = 12345
    made = server._configure(api=1, user=2, group=3)
    assert "12345" in made.read_text()
    assert "$" not in made.read_text()


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the comparison as `benchmarks/compare` does, with the Python of these tests."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.comparing", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--only", "9"), "there is no goal 9"), (("--servers", "icq"), "there is no server icq")],
)
def test_what_is_not_there_cannot_be_asked_for(options: tuple[str, str], said: str) -> None:
    """A slip is told at once."""
    done = run(*options)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
def test_our_server_is_measured(tmp_path: Path) -> None:
    """One short round of messages on our server: all arrive, and there is a table and a picture."""
    drawn = tmp_path / "picture.svg"
    done = run("--quick", "--only", "1", "--servers", "kqq", "--json", "--picture", str(drawn))
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert {one["key"] for one in read["figures"]} == {"w32", "w32 cpu"}
    assert all(one["median"] > 0 for one in read["figures"])
    assert all(one["holds"] is None for one in read["goals"])
    assert "kqq: pid " in done.stderr
    assert ET.parse(drawn).getroot() is not None
