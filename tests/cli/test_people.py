"""`kqq friends`, `add`, `accept`, `refuse`, `delete`, `profile` and `search`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from command import as_anna, kqq, objects
from kqq.cli.people import profile_object
from kqq.protocol import GetInfoReply
from serving import serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of the server."""
    return tmp_path / "data"


@pytest.fixture
def server(data: Path) -> Iterator[str]:
    """A server with two friends, and strangers named after what they say to being added."""
    with serving(data, "Anna", "小波") as running:
        for uin, nick, choice in (
            (10003, "Any", "anyone"),
            (10004, "Ask", "ask"),
            (10005, "No", "nobody"),
        ):
            _operator(data, "add", str(uin), "--nick", nick)
            _operator(data, "set", str(uin), f"who_may_add={choice}")
        yield running.address


def _operator(data: Path, command: str, *arguments: str) -> None:
    stdin = ("--password-stdin",) if command == "add" else ()
    result = kqq("account", command, *arguments, *stdin, "--data", str(data), typed="secret\n")
    assert result.exit_code == 0, result.stderr


def _as(uin: int, address: str, *arguments: str) -> Result:
    command, *rest = arguments
    return kqq(command, "--server", address, "--uin", str(uin), *rest, KQQ_PASSWORD="secret")


# --- friends


def test_friends_are_listed(address: str) -> None:
    """Number, status and name; as JSON with the code."""
    assert as_anna(address, "friends").stdout == "10002      offline         小波\n"
    assert objects(as_anna(address, "friends", "--json")) == [
        {"uin": 10002, "nick": "小波", "face": 0, "status": "offline", "code": 20}
    ]


def test_who_has_no_friends_is_told_how_to_find_some(server: str) -> None:
    """On standard error, so that who counts lines counts none."""
    result = _as(10003, server, "friends")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "kqq add NUMBER" in result.stderr


# --- the three answers


def test_somebody_is_added_at_once(server: str) -> None:
    """Who lets anybody add them is a friend then."""
    result = as_anna(server, "add", "10003")
    assert (result.exit_code, result.stdout) == (0, "10003 is your friend now.\n")
    assert "Any" in as_anna(server, "friends").stdout


def test_somebody_wants_to_be_asked(server: str) -> None:
    """Without words nothing happens, and how to go on is told; with words they are asked."""
    result = as_anna(server, "add", "10004")
    assert result.exit_code == 0
    assert result.stdout == "10004 wants to be asked: kqq add 10004 --say TEXT\n"
    assert _as(10004, server, "status").stderr == ""
    asked = as_anna(server, "add", "10004", "--say", "it's me", "--json")
    assert objects(asked) == [{"uin": 10004, "outcome": "asked"}]
    heard = _as(10004, server, "status").stderr
    assert heard == (
        "10001 wants to be your friend: it's me (say kqq accept 10001 or kqq refuse 10001)\n"
    )


def test_somebody_wants_nobody(server: str) -> None:
    """Exit code 1, as for whatever is refused."""
    result = as_anna(server, "add", "10005")
    assert (result.exit_code, result.stdout) == (1, "10005 wants to be added by nobody.\n")
    result = as_anna(server, "add", "10005", "--json")
    assert (result.exit_code, objects(result)) == (1, [{"uin": 10005, "outcome": "refused"}])


def test_nobody_has_the_number(server: str) -> None:
    """The server says no."""
    result = as_anna(server, "add", "10999")
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_request_is_accepted(server: str) -> None:
    """Both are friends then, and who asked is told."""
    as_anna(server, "add", "10004", "--say", "please")
    assert _as(10004, server, "accept", "10001").stdout == "10001 is your friend now.\n"
    assert "Ask (10004) is your friend now.\n" in as_anna(server, "friends").stderr
    assert "Anna" in _as(10004, server, "friends").stdout


def test_a_request_is_refused(server: str) -> None:
    """Who asked is told why."""
    as_anna(server, "add", "10004", "--say", "please")
    result = _as(10004, server, "refuse", "10001", "no\ntime", "--json")
    assert objects(result) == [{"uin": 10001}]
    assert as_anna(server, "friends").stderr == (
        "10004 does not want to be your friend: no\n    time\n"
    )


def test_a_friend_is_deleted(server: str) -> None:
    """By number or nickname, after asking."""
    result = as_anna(server, "delete", "小波", typed="n\n")
    assert result.exit_code == 130
    assert "Delete 小波 from your friends?" in result.stderr
    assert "小波" in as_anna(server, "friends").stdout
    result = as_anna(server, "delete", "小波", typed="y\n")
    assert result.stdout == "10002 is no friend any more.\n"
    assert as_anna(server, "friends").stdout == ""


def test_where_nobody_can_be_asked_deleting_must_be_meant(server: str) -> None:
    """A script says --yes."""
    result = as_anna(server, "delete", "10002", typed="")
    assert result.exit_code == 2
    assert "--yes deletes without asking" in result.stderr
    assert as_anna(server, "delete", "10002", "--yes").exit_code == 0


def test_ctrl_c_at_the_question_deletes_nobody(address: str) -> None:
    """It is no mistake in what was typed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kqq.cli.group.click.confirm", _interrupted)
        assert as_anna(address, "delete", "10002").exit_code == 130


def _interrupted(_words: str, *, err: bool) -> bool:
    """Do as the question does at a terminal when somebody presses Ctrl-C."""
    sys.stdin.isatty = lambda: True  # type: ignore[method-assign]
    raise click.Abort


# --- profiles and search


def test_a_profile_is_shown(server: str, data: Path) -> None:
    """Under names people know, in columns; long and foreign ones do not break them."""
    _operator(data, "set", "10002", "face=270", "age=13", "sex=1", "about=one two")
    result = as_anna(server, "profile", "小波")
    assert result.exit_code == 0
    assert result.stdout == (
        "Nickname  小波\n"
        "Number    10002\n"
        "Face      face 91\n"
        "Sex       female\n"
        "Age       13\n"
        "About     one two\n"
    )
    assert objects(as_anna(server, "profile", "10002", "--json")) == [
        {
            "uin": 10002,
            "age": "13",
            "face": "270",
            "about": "one two",
            "sex": "1",
            "nick": "小波",
            "picture": 91,
        }
    ]


def test_ones_own_profile_is_shown(server: str) -> None:
    """Without a number it is one's own."""
    assert as_anna(server, "profile").stdout.startswith("Nickname  Anna\nNumber    10001\n")
    assert as_anna(server, "profile", "10999").exit_code == 1


def test_a_face_that_is_no_number_has_no_picture() -> None:
    """Profiles are what people typed."""
    reply = GetInfoReply(seq="1", uin=10001, nick="Anna", face="me")
    assert profile_object(10002, reply) == {"uin": 10002, "nick": "Anna", "face": "me"}


def test_people_are_searched(server: str, data: Path) -> None:
    """By what their profiles say; nobody found is exit code 1."""
    _operator(data, "set", "10003", "age=13", "sex=1", "province=Paris")
    _operator(data, "set", "10004", "age=13", "sex=0")
    assert as_anna(server, "search", "--age", "13").stdout == "10003      Any\n10004      Ask\n"
    result = as_anna(server, "search", "--sex", "female", "--province", "Paris", "--json")
    assert objects(result) == [{"uin": 10003, "nick": "Any", "face": 0}]
    result = as_anna(server, "search", "--age", "99")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "nobody was found\n")


def test_a_nickname_nobody_has_is_wrong_usage(address: str) -> None:
    """So is one of several people."""
    result = as_anna(address, "profile", "Romeo")
    assert result.exit_code == 2
    assert "Romeo is no friend of yours" in result.stderr
