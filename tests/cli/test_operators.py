"""`kqq operator` and `kqq token`, on a folder where no server runs."""

import re
from pathlib import Path

import pytest
from click.testing import Result

from command import kqq, objects
from serving import serving

ANNA, BO = "10001", "10002"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A folder with Anna and 小波; no server runs on it."""
    folder = str(tmp_path / "data")
    for nick in ("Anna", "小波"):
        options = ("--nick", nick, "--password", "secret", "--data", folder)
        assert kqq("account", "add", *options).exit_code == 0
    return folder


def said(result: Result) -> str:
    """Return what was said of what was done."""
    assert result.exit_code == 0, result.output
    return result.stdout


def test_roles(data: str) -> None:
    """They are given, listed, taken away; the last administrator keeps it."""
    none = kqq("operator", "list", "--data", data)
    assert (none.stdout, none.stderr) == ("", "no account is an operator\n")
    assert said(kqq("operator", "add", ANNA, "--data", data)) == "10001 is administrator\n"
    given = kqq("operator", "add", BO, "--role", "observer", "--json", "--data", data)
    assert objects(given) == [{"uin": 10002, "role": "observer"}]
    listed = said(kqq("operator", "list", "--data", data)).splitlines()
    assert re.fullmatch(r"10001  administrator  since \d{4}-\d\d-\d\d \d\d:\d\d  Anna", listed[0])
    assert listed[1].endswith("  小波")
    assert objects(kqq("operator", "list", "--json", "--data", data))[0]["role"] == "administrator"
    removed = kqq("operator", "remove", BO, "--data", data)
    assert said(removed) == "10002 is no operator any more\n"
    for arguments in (("operator", "remove", ANNA), ("account", "suspend", ANNA),
                      ("account", "delete", "--yes", ANNA),
                      ("operator", "add", ANNA, "--role", "moderator")):  # fmt: skip
        refused = kqq(*arguments, "--data", data)
        assert refused.exit_code == 2
        assert "10001 is the last administrator; make somebody else one first" in refused.stderr
    assert kqq("operator", "add", BO, "--role", "king", "--data", data).exit_code == 2


def test_log(data: str) -> None:
    """What was done, the newest last; what failed says why, and nothing is secret."""
    kqq("account", "set", ANNA, "age=16", "about=", "--data", data)
    kqq("account", "unfriend", ANNA, BO, "--data", data)
    kqq("account", "passwd", ANNA, "--password", "another", "--data", data)
    lines = said(kqq("operator", "log", "--data", data)).splitlines()
    assert [re.sub(r"^[-0-9]+ [:0-9]+  ", "", line) for line in lines] == [
        "command line: account.add nick=Anna",
        "command line: account.add nick=小波",
        "command line: account.set uin=10001 values=age=16,about=",
        "command line: account.unfriend uin=10001 other=10002",
        "                  not done: 10001 and 10002 are not friends",
        "command line: account.passwd uin=10001",
    ]
    (last,) = said(kqq("operator", "log", "--most", "1", "--data", data)).splitlines()
    assert last.endswith("command line: account.passwd uin=10001")
    (failed,) = objects(
        kqq("operator", "log", "--action", "account.unfriend", "--json", "--data", data)
    )
    assert failed["outcome"] == "10001 and 10002 are not friends"
    assert failed["who"] == "command line"
    nobody = kqq("operator", "log", "--who", "10001", "--data", data)
    assert (nobody.stdout, nobody.stderr) == ("", "nothing was done\n")


def test_log_of_lists(tmp_path: Path) -> None:
    """Lists have commas between, and a long line is broken."""
    folder = tmp_path / "data"
    with serving(folder, "Anna", "小波"):
        to = [word for _ in range(20) for word in ("--to", ANNA)]
        assert kqq("announce", "hello", *to, "--data", str(folder)).exit_code == 0
        log = kqq("operator", "log", "--data", str(folder))
    lines = said(log).splitlines()
    assert lines[0].endswith("  command line: announce text=hello to=10001,10001,10001,10001,")
    assert lines[1].startswith(" " * 18 + "10001,10001,")


def test_tokens(data: str) -> None:
    """They are made, shown once, listed and revoked."""
    made = kqq("token", "add", "watch", "--data", data)
    assert re.fullmatch(r"kqq_[a-z2-7]{40}\n", said(made))
    assert "A program says `Authorization: Bearer` and this, until " in made.stderr
    (other,) = objects(
        kqq("token", "add", "写", "--role", "moderator", "--days", "1", "--json", "--data", data)
    )
    assert other["role"] == "moderator"
    lines = said(kqq("token", "list", "--data", data)).splitlines()
    assert re.fullmatch(r"observer   until \S+ \S+  used never  watch", lines[0])
    assert lines[1].endswith("  写")
    assert len(objects(kqq("token", "list", "--json", "--data", data))) == 2
    revoked = kqq("token", "revoke", "watch", "--data", data)
    assert said(revoked) == "revoked the token watch\n"
    again = kqq("token", "revoke", "watch", "--data", data)
    assert (again.exit_code, again.stderr) == (2, "kqq: there is no token 'watch'\n")
    kqq("token", "revoke", "写", "--data", data)
    assert kqq("token", "list", "--data", data).stderr == "there are no tokens\n"


def test_first_token_makes_the_folder(tmp_path: Path) -> None:
    """A server can be set up by programs from the beginning."""
    made = kqq("token", "add", "setup", "--role", "administrator", "--data", str(tmp_path / "new"))
    assert said(made).startswith("kqq_")
