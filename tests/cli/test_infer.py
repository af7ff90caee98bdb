"""`kqq infer`."""

import asyncio
import gzip
import io
from pathlib import Path

import pytest
from rich.cells import cell_len

from command import kqq, objects
from traffic import StreamEvent, as_capture, town_traffic
from unknown import captured, chat_lines, counted, forms, noise

CODE = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
"""What a password becomes on the wire."""


def saved(events: list[StreamEvent], path: Path) -> str:
    """Write a capture, and return where it is."""
    with path.open("wb") as file:
        as_capture(events, file)
    return str(path)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A capture of a town."""
    return saved(asyncio.run(town_traffic(rounds=2)), tmp_path_factory.mktemp("town") / "t.pcap")


def test_each_step_is_told_with_its_evidence(town: str) -> None:
    """In 80 columns, from the pauses to the fields."""
    result = kqq("infer", town)
    assert (result.exit_code, result.stderr) == (0, "")
    places = [result.stdout.index(words) for words in (
        "WHAT WAS LOOKED AT", "WHERE A MESSAGE ENDS", "0a (LF) stands before", "0d (CR)",
        "WHAT A MESSAGE IS MADE OF", "With `&` between parts and `=` after a name",
        "Messages are pairs of names and values", "WHICH FIELD NAMES THE KIND", "=> It is CMD.",
        "WHICH REPLY BELONGS", "the same SEQ", "FIELDS THAT REQUESTS SHARE",
        "GETMSGEX  [reply]", "says how many items there are in MT, UN, MG", "KINDS",
    )]  # fmt: skip
    assert places == sorted(places)
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    assert CODE not in result.stdout
    assert "answers Login, VERIFYCODE" in result.stdout


def test_beside_the_catalogue(town: str) -> None:
    """Only if asked for; what it says otherwise, and what it does not explain."""
    plain = kqq("infer", town).stdout
    result = kqq("infer", "--against-catalogue", town)
    assert result.stdout.startswith(plain)
    more = result.stdout[len(plain) :]
    assert "have the kind that the catalogue gives them" in more
    assert "(all) CON: the catalogue says TEXT, these lines say UINT" in more
    assert "codes of XP have no name" in more


def test_everything_as_json(town: str) -> None:
    """An object for each finding, in the same order, secrets hidden unless wanted."""
    result = kqq("infer", "--json", "--against-catalogue", town)
    found = objects(result)
    kinds = list(dict.fromkeys(one["finding"] for one in found))
    assert kinds == [
        "sample", "framing", "division", "naming", "pairing", "field", "message", "rediscovered",
        "compared", "unexplained",
    ]  # fmt: skip
    client = next(one for one in found if one["finding"] == "framing")
    assert (client["end"], client["how"], client["sign"], client["maybe"]) == (
        "client", "ends", "0a", "0d"
    )  # fmt: skip
    seq = next(one for one in found if one.get("name") == "SEQ")
    assert (seq["role"], seq["message"], seq["kind"]) == ("request", None, "DIGITS")
    assert {"fact", "agree", "of"} <= set(seq["facts"][0])  # type: ignore[index]
    password = next(one for one in found if one.get("name") == "PS")
    assert password["examples"] == ["***"] * 3
    share = next(one for one in found if one["finding"] == "rediscovered")
    assert float(str(share["share"])) >= 0.9
    assert CODE not in result.stdout
    assert CODE in kqq("infer", "--json", "--secrets", town).stdout


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_sources_of_all_sorts(town: str, tmp_path: Path) -> None:
    """Compressed, from standard input, and a play."""
    plain = kqq("infer", town).stdout
    data = Path(town).read_bytes()
    packed = tmp_path / "t.pcap.gz"
    packed.write_bytes(gzip.compress(data))
    assert kqq("infer", str(packed)).stdout == plain
    assert kqq("infer", "-", typed=data).stdout == plain
    play = tmp_path / "p.kqq"
    play.write_text("Romeo > CMD=Query_Stat2 CM=2 UN=0\n" * 9, encoding="utf-8")
    assert "Query_Stat2" in kqq("infer", str(play)).stdout


def test_nothing_found_is_said_and_is_1(tmp_path: Path) -> None:
    """Random bytes, and a capture in which nobody says anything."""
    result = kqq("infer", saved(noise(), tmp_path / "noise.pcap"))
    assert result.exit_code == 1
    assert "Nothing can be said of how these messages are made." in result.stdout
    empty = kqq("infer", saved([], tmp_path / "empty.pcap"))
    assert empty.exit_code == 1
    assert "nothing here that could be taken apart" in empty.stdout
    assert kqq("infer", "--json", str(tmp_path / "empty.pcap")).exit_code == 1


def test_no_capture_is_an_error(tmp_path: Path) -> None:
    """As for `kqq decode`."""
    result = kqq("infer", str(tmp_path / "missing"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "missing" in result.stderr
    assert kqq("infer").exit_code == 2
    missing = kqq("infer", "--lines", str(tmp_path / "missing"))
    assert missing.exit_code == 1
    assert "missing cannot be opened: No such file" in " ".join(missing.stderr.split())


def test_a_text_without_our_lines_says_how_to_read_it(tmp_path: Path) -> None:
    """A conversation that was copied from somewhere; of other files nothing is said."""
    path = tmp_path / "copied.txt"
    path.write_text("hello you\n")
    result = kqq("infer", str(path))
    assert result.exit_code == 1
    words = " ".join(result.stderr.split())
    assert "it starts 'hello you\\x0a'" in words
    assert words.endswith("--lines takes each line of it for a message")
    for other in (b"", b"\x7fELF\0"):
        path.write_bytes(other)
        assert "--lines" not in kqq("infer", str(path)).stderr


def test_some_connections_only(tmp_path: Path) -> None:
    """By port or number; a capture often holds more than one protocol."""
    others = captured([[(0, 0.0, b"GO 1\n"), (1, 1.0, b"OK 1\n")]] * 6)
    for event in others:
        event.stream.number += 100
        event.stream.ends = event.stream.ends[0], event.stream.ends[1]._replace(port=9)
    path = saved([*counted(), *dict.fromkeys(others)], tmp_path / "both.pcap")
    assert "4 connections with" in kqq("infer", "--port", "7000", path).stdout
    assert "1 connection with" in kqq("infer", "--stream", "2", path).stdout
    assert "0 connections with" in kqq("infer", "--port", "7000", "--stream", "99", path).stdout


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_a_sample_of_what_is_large(tmp_path: Path) -> None:
    """It is said that it is one, and how to have more."""
    path = saved(captured([[(0, float(n), b"a=%d&b=1\n" % n) for n in range(900)]] * 40),
                 tmp_path / "large.pcap")  # fmt: skip
    result = kqq("infer", "--sample", "0.05", path)
    assert "That is a sample" in result.stdout
    assert kqq("infer", "--sample", "0", path).exit_code == 2


def test_lines_of_text(tmp_path: Path) -> None:
    """Whoever has copied a conversation somewhere can use it, with signs for who speaks."""
    path = tmp_path / "lines.txt"
    path.write_bytes(b"".join(b"> ASK %d\n< TOLD %d\n\n" % (n, n) for n in range(20)) + b"> ASK 9")
    result = kqq("infer", "--lines", "--json", str(path))
    found = objects(result)
    assert result.exit_code == 0
    assert [(one["role"], one["count"]) for one in found if one["finding"] == "message"] == [
        ("request", 21), ("reply", 20)
    ]  # fmt: skip
    typed = kqq("infer", "--lines", "-", typed=b"a=1&b=2\n" * 9)
    assert "9 of clients" in typed.stdout


@pytest.mark.parametrize("events", [chat_lines(), forms(), counted()])
def test_other_protocols_in_words_and_as_json(events: list[StreamEvent], tmp_path: Path) -> None:
    """All of them can be told."""
    path = saved(events, tmp_path / "x.pcap")
    result = kqq("infer", "--against-catalogue", path)
    assert result.exit_code == 0
    assert "None of these messages is in the catalogue" in result.stdout
    found = objects(kqq("infer", "--json", "--against-catalogue", path))
    whats = [(one["finding"], one.get("what")) for one in found]
    assert ("unexplained", "message") in whats
    assert ("absent", None) in whats


def test_hostile_names_and_values_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """They are shown as codes; and a password shows nowhere, even as the name of a kind."""
    plain = b"&".join(b"%c=1" % letter for letter in b"efghijklm")
    rows = [
        b"a=%d&b=\x1b[2J&%s&k\x1b[2J=%d&\xe2\x80\xaeb={0}" % (n, plain, n % 3)
        + (b"&d\xff=1" if n == 7 else b"")
        + b"&d=1" * (n % 2)
        + b"\n"
        for n in range(40)
    ]
    path = saved(captured([[(n % 2, float(n), row) for n, row in enumerate(rows)]] * 2),
                 tmp_path / "h.pcap")  # fmt: skip
    for options in ([], ["--json"], ["--against-catalogue"]):
        result = kqq("infer", *options, path)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
    secret = [b"PS=%s&a=1%s\n" % ((b"juliet", b"romeo")[n % 2], b"&b=1" * (n % 2))
              for n in range(40)]  # fmt: skip
    path = saved(captured([[(n % 2, float(n), row) for n, row in enumerate(secret)]] * 2),
                 tmp_path / "s.pcap")  # fmt: skip
    for options in ([], ["--json"], ["--against-catalogue"], ["--json", "--against-catalogue"]):
        shown = kqq("infer", *options, path).stdout
        assert "***" in shown
        assert "juliet" not in shown
        assert "romeo" not in shown
    assert "juliet" in kqq("infer", "--secrets", path).stdout


def test_a_capture_can_be_piped(town: str) -> None:
    """As other tools write it."""
    with io.BytesIO(Path(town).read_bytes()) as file:
        assert "It is CMD" in kqq("infer", "-", typed=file.getvalue()).stdout
