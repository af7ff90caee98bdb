"""`kqq history`."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from command import kqq, objects
from kqq.client.events import Fate, Message
from kqq.client.history import Diary, History
from terminals import open_terminal

ANNA, BO, CY = 10001, 10002, 10003
SERVER = "tcp://kqq.example:14000"
NOON = 1_772_798_400.0  # Friday, 2026-03-06, 12:00 UTC
DAY = 86_400.0
Ask = Callable[..., Result]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dates are in local time; here that is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history is."""
    return tmp_path / "history.db"


@pytest.fixture
def ask(path: Path, tmp_path: Path) -> Ask:
    """`kqq history` with this history and no settings."""
    settings = str(tmp_path / "client.toml")

    def run(*arguments: str, typed: str | None = None, **env: str) -> Result:
        return kqq(
            "history",
            *arguments,
            typed=typed,
            **{
                "KQQ_HISTORY": str(path),
                "KQQ_CLIENT_CONFIG": settings,
                "KQQ_LANG": "en",
                **env,
            },
        )

    return run


def fill(diary: Diary) -> None:
    """Have Anna talk with 小波 on Friday and Saturday, and hear from Cy."""
    diary.remember_names({BO: "小波", CY: "Cy"})
    said = [
        Message("a", BO, "一起吃饺子吗？", NOON, Fate.RECEIVED),
        Message("b", BO, "Yes!\nWhen?", NOON + 60, Fate.SENT),
        Message("c", CY, "\x1b[31mhello\u202e", NOON + 120, Fate.RECEIVED),
        Message("d", BO, "six", NOON + DAY, Fate.RECEIVED),
        Message("e", BO, "good", NOON + DAY + 60, Fate.REFUSED, "RES=1"),
    ]
    for message in said:
        diary.add(message)


@pytest.fixture
def diary(path: Path) -> Iterator[Diary]:
    """Anna's diary with a few messages."""
    with History.open(path) as history:
        diary = history.diary(ANNA, SERVER)
        fill(diary)
        yield diary


@pytest.fixture
def _diary(diary: Diary) -> None:
    """The same, for who does not ask for it by name."""


def keys(result: Result) -> str:
    """Return the keys of messages shown as JSON."""
    assert result.exit_code == 0, result.output
    return "".join(str(one["key"]) for one in objects(result))


# --- showing -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_diary")
def test_the_last_messages_are_shown(ask: Ask) -> None:
    """By day, with whom, safe for the terminal, and what became of one's own."""
    assert ask().stdout == (
        "Friday, 2026-03-06\n"
        "12:00  小波: 一起吃饺子吗？\n"
        "12:01  You to 小波: Yes!\n"
        "         When?\n"
        "12:02  Cy: \\x1b[31mhello\\u202e\n"
        "Saturday, 2026-03-07\n"
        "12:00  小波: six\n"
        "12:01  You to 小波: good (refused: RES=1)\n"
    )


@pytest.mark.usefixtures("_diary")
def test_it_speaks_chinese(ask: Ask) -> None:
    """Where the person does."""
    assert "星期六" in ask("--most", "1", KQQ_LANG="zh_CN.UTF-8").stdout


@pytest.mark.usefixtures("_diary")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "abcde"),
        (("饺子",), "a"),
        (("YES", "when"), "b"),
        (("yes", "饺子"), ""),
        (("--with", "Cy"), "c"),
        (("--with", "cy"), "c"),
        (("--with", "小波"), "abde"),
        (("--with", "10003"), "c"),
        (("--with", "10009"), ""),
        (("--since", "2026-03-07"), "de"),
        (("--until", "2026-03-06"), "abc"),
        (("--since", "2026-03-06 12:01", "--until", "2026-03-06T12:01"), "b"),
        (("--since", "2026-03", "--until", "2026-03"), "abcde"),
        (("--since", "2026-04"), ""),
        (("--until", "2026-02"), ""),
        (("--since", "2026", "--until", "2026"), "abcde"),
        (("--since", "2027"), ""),
        (("--since", "today"), ""),
        (("--until", "yesterday"), "abcde"),
        (("--most", "2"), "de"),
        (("--with", "小波", "--most", "1", "o"), "e"),
    ],
)
def test_messages_are_chosen(ask: Ask, arguments: tuple[str, ...], found: str) -> None:
    """By words, person, date and number; --json has them as objects."""
    assert keys(ask("--json", *arguments)) == found


@pytest.mark.usefixtures("_diary")
def test_days_are_local() -> None:
    """Midnight is where the person is; tests above are at Greenwich."""
    # A day of 23 hours: clocks in Berlin went forward on 2026-03-29.
    work = """
from kqq.cli.history import _when
begin, end = _when("2026-03-29")
print(begin, end - begin)
"""
    env = {**os.environ, "TZ": "Europe/Berlin"}
    done = subprocess.run([sys.executable, "-c", work], env=env, check=True, capture_output=True)
    assert done.stdout.split() == [b"1774738800.0", b"82800.0"]


@pytest.mark.usefixtures("_diary")
@pytest.mark.parametrize("date", ["soon", "2026-13-01", "9999", "0001-01-01 00:00x", ""])
def test_a_date_that_is_none(ask: Ask, date: str) -> None:
    """It says which option, and how dates are written."""
    result = ask("--since", date)
    assert result.exit_code == 2
    assert "Invalid value for '--since'" in result.stderr
    assert "write 2026-03-05, 2026-03-05T18:30, 2026-03, 2026, today or yesterday" in result.stderr


def test_long_lines_are_broken(ask: Ask, diary: Diary) -> None:
    """In 80 columns, of which a Chinese sign takes two; with one person, no name is needed."""
    diary.add(Message("f", BO, "长" * 50, NOON + 2 * DAY, Fate.SENT))
    diary.add(Message("g", BO, "word " * 20, NOON + 2 * DAY, Fate.RECEIVED))
    assert ask("--with", "小波", "--since", "2026-03-08").stdout == (
        "Sunday, 2026-03-08\n"
        f"12:00  You: {'长' * 34}\n"
        f"         {'长' * 16}\n"
        f"12:00  小波: {'word ' * 13}".rstrip()
        + f"\n         {'word ' * 7}".rstrip()
        + "\n"
    )


def test_nobody_looks_like_oneself(ask: Ask, diary: Diary) -> None:
    """Who is called You has a number."""
    diary.remember_names({CY: "You to 小波"})
    assert "12:02  You to 小波 (10003): \\x1b" in ask("hello").stdout


def test_more_is_there_than_is_shown(ask: Ask, diary: Diary) -> None:
    """Fifty by default; who has not said how many is told."""
    for number in range(60):
        diary.add(Message(f"n{number}", CY, "again", NOON, Fate.RECEIVED))
    shown = ask("again")
    assert len(shown.stdout.splitlines()) == 51
    assert shown.stderr == "these are the last 50; --most shows more\n"
    assert ask("again", "--most", "10").stderr == ""
    assert len(objects(ask("again", "--json"))) == 60


@pytest.mark.usefixtures("_diary")
def test_nothing_is_found(ask: Ask) -> None:
    """Standard output stays empty; a person is told."""
    result = ask("tomorrow")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no such message\n")


def on_a_terminal(*arguments: str, **env: str) -> str:
    """Return what a command prints on a terminal."""
    theirs, ours = open_terminal()
    command = [sys.executable, "-m", "kqq", *arguments]
    subprocess.run(
        command, check=False, stdin=ours, stdout=ours, stderr=ours, env={**os.environ, **env}
    )
    os.close(ours)
    shown = b""
    try:
        while piece := os.read(theirs, 65536):
            shown += piece
    except OSError:
        pass  # that is how a terminal ends
    os.close(theirs)
    return shown.decode()


@pytest.mark.usefixtures("_diary")
def test_what_was_sought_is_marked_on_a_terminal(path: Path) -> None:
    """Wherever it is, but not in a pipe; a page is not for a terminal at all."""
    env = {"KQQ_HISTORY": str(path), "KQQ_LANG": "en"}
    shown = on_a_terminal("history", "饺子", **env)
    assert "小波: 一起吃\x1b[1m\x1b[4m饺子\x1b[0m吗？" in shown
    assert "a page is not for a terminal; add --output FILE" in on_a_terminal(
        "history", "--export", "html", **env
    )


# --- which account -------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_was_kept_yet(ask: Ask, path: Path, is_there: bool) -> None:
    """That is no error; and asking makes no file."""
    if is_there:
        History.open(path).close()
    result = ask("--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"no messages are kept in {path} yet\n"
    assert path.exists() == is_there


def test_the_file_may_be_named(tmp_path: Path, ask: Ask, diary: Diary) -> None:
    """By the option, too; one that cannot be used is told."""
    assert keys(ask("--history", str(tmp_path / "history.db"), "--json", KQQ_HISTORY="")) == "abcde"
    other = tmp_path / "other"
    other.write_text("no database " * 50)
    result = ask("--history", str(other))
    assert result.exit_code == 2
    assert "file is not a database; move it away" in result.stderr


@pytest.fixture
def _several(path: Path, diary: Diary) -> None:
    """Anna on another server, too, and Bo."""
    with History.open(path) as history:
        for key, uin, server in [("x", ANNA, "tcp://other.example:14000"), ("y", BO, SERVER)]:
            history.diary(uin, server).add(Message(key, CY, "hi", NOON, Fate.RECEIVED))


SETTINGS = """
[accounts.anna]
uin = 10001
servers = ["http://kqq.example:14000", "tcp://other.example:14000"]
[accounts.bo]
uin = 10002
[accounts.dan]
uin = 10004
"""


@pytest.mark.usefixtures("_several")
@pytest.mark.parametrize(
    ("arguments", "env", "found"),
    [
        (("--uin", "10002"), {}, "y"),
        ((), {"KQQ_UIN": "10002"}, "y"),
        (("--uin", "10001", "--server", "tcp://other.example:14000"), {}, "x"),
        (("--server", "http://other.example:14000/"), {"KQQ_UIN": "10001"}, "x"),
        (("--account", "anna"), {}, "abcde"),
        (("--account", "bo"), {}, "y"),
        (("--account", "anna", "--server", "tcp://other.example:14000"), {}, "x"),
        (("--account", "anna"), {"KQQ_UIN": "10002"}, "abcde"),
        (("--uin", "10002"), {"KQQ_ACCOUNT": "anna"}, "y"),
        (("--uin", "10001", "--account", "anna"), {}, "abcde"),
        ((), {"KQQ_UIN": "10001", "KQQ_ACCOUNT": "anna"}, "abcde"),
    ],
)
def test_an_account_is_chosen(
    ask: Ask, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], found: str
) -> None:
    """By number, server, or name in the settings; what is typed counts more than variables."""
    (tmp_path / "client.toml").write_text(SETTINGS)
    assert keys(ask("--json", *arguments, **env)) == found


@pytest.mark.usefixtures("_several")
def test_the_default_account_is_chosen(ask: Ask, tmp_path: Path) -> None:
    """If the history has several and nothing is said."""
    (tmp_path / "client.toml").write_text('default = "bo"\n' + SETTINGS)
    assert keys(ask("--json")) == "y"


KNOWN = "10001 at kqq.example:14000, 10001 at other.example:14000, 10002 at kqq.example:14000"


@pytest.mark.usefixtures("_several")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), f"the history has {KNOWN}; choose one with --uin and --server"),
        (("--uin", "10001"), f"the history has {KNOWN}; choose one"),
        (("--uin", "10009"), f"the history has nothing of this account; it has {KNOWN}"),
        (("--server", "tcp://x:1", "--uin", "10001"), "the history has nothing of this account"),
        (("--account", "dan"), "the history has nothing of this account"),
        (("--account", "eve"), "there is no account 'eve'"),
        (("--account", "bo", "--uin", "10001"), "bo is not 10001; leave either"),
        (("--server", "nowhere"), "'nowhere' is not an address"),
    ],
)
def test_no_account_is_chosen(
    ask: Ask, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    """It says which ones there are."""
    (tmp_path / "client.toml").write_text(SETTINGS)
    result = ask(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_a_name_may_mean_nobody_or_several(ask: Ask, diary: Diary) -> None:
    """Then the number is asked for; who has exactly this name counts more."""
    diary.remember_names({BO: "Cy", 10004: "cy"})
    for name, why in [
        ("Cy", "Cy is the name of 10002, 10003; say which number"),
        ("CY", "CY is the name of 10002, 10003, 10004; say which number"),
        ("Eve", "the history knows nobody called Eve; say the number"),
    ]:
        result = ask("--with", name)
        assert (result.exit_code, result.stderr) == (2, f"kqq: {why}\n")
    assert ask("--with", "cy").stderr == "no such message\n"


# --- writing down --------------------------------------------------------------------------------


@pytest.mark.usefixtures("_diary")
@pytest.mark.parametrize(
    ("name", "arguments", "begins"),
    [
        ("talk.html", (), "<!DOCTYPE html>\n"),
        ("talk.HTM", (), "<!DOCTYPE html>\n"),
        ("talk.txt", (), "小波 (10002)\n====="),
        ("talk.jsonl", (), '{"type": "message", "from": 10002, '),
        ("talk", ("--export", "html"), "<!DOCTYPE html>\n"),
        ("talk", ("--json",), '{"type": "message"'),
        ("talk.html", ("--export", "text"), "小波 (10002)\n====="),
    ],
)
def test_it_is_written_down(
    ask: Ask, tmp_path: Path, name: str, arguments: tuple[str, ...], begins: str
) -> None:
    """The name of the file says how, unless an option does; only the owner may read it."""
    file = tmp_path / name
    result = ask("--output", str(file), *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert file.read_text().startswith(begins)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("_diary")
def test_it_goes_through_a_pipe(ask: Ask) -> None:
    """In each form; --json and --export jsonl are the same."""
    assert ask("--export", "html").stdout.endswith("</html>\n")
    assert ask("--export", "jsonl").stdout == ask("--json", "--export", "jsonl").stdout
    text = ask("--export", "text").stdout
    assert "12:02  Cy: \\x1b[31mhello\\u202e\n" in text
    assert text.index("小波 (10002)") < text.index("Cy (10003)")


@pytest.mark.usefixtures("_diary")
def test_what_is_written_down_can_be_chosen(ask: Ask) -> None:
    """As what is shown; the last few messages, too, each with its conversation."""
    shown = ask("--export", "text", "--with", "Cy").stdout
    assert "Cy (10003)" in shown
    assert "小波" not in shown
    assert "six" not in ask("--export", "text", "饺子").stdout
    last = ask("--export", "text", "--most", "3").stdout
    assert [line for line in last.splitlines() if line[2:3] == ":"] == [
        "12:00  小波: six",
        "12:01  You: good (refused: RES=1)",
        "12:02  Cy: \\x1b[31mhello\\u202e",
    ]


@pytest.mark.usefixtures("_diary")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--output", "talk"), "say with --export how --output is to be written"),
        (("--json", "--export", "html"), "--json and --export html contradict each other"),
        (("--forget", "hello"), "--forget goes with --with, --since and --until only"),
        (("--forget", "--json"), "--forget goes with"),
        (("--forget", "--most", "3"), "--forget goes with"),
        (("--export", "text", "--output", "/proc/kqq"), "cannot write /proc/kqq: "),
    ],
)
def test_what_cannot_be_is_told(ask: Ask, arguments: tuple[str, ...], why: str) -> None:
    """Before anything is done."""
    result = ask(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


@pytest.mark.usefixtures("_diary")
def test_a_full_disk_is_told(ask: Ask) -> None:
    """Not all was written then."""
    result = ask("--export", "text", "--output", "/dev/full")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "kqq: cannot write /dev/full: No space left on device\n"


# --- forgetting ----------------------------------------------------------------------------------


def test_messages_are_forgotten_once_somebody_says_yes(ask: Ask, diary: Diary) -> None:
    """All, or what is chosen."""
    result = ask("--forget", "--with", "小波", "--until", "2026-03-06", typed="y\n")
    assert "Forget 2 messages of 10001 for good?" in result.stderr
    assert result.stdout == "2 messages are forgotten\n"
    assert keys(ask("--json")) == "cde"
    assert ask("--forget", "--with", "Cy", "--yes").stdout == "1 message is forgotten\n"
    assert ask("--forget", "--yes").stdout == "2 messages are forgotten\n"
    assert list(diary.search()) == []
    assert "no messages are kept" in ask("--forget").stderr


def test_nothing_is_forgotten_if_nobody_says_yes(ask: Ask, diary: Diary) -> None:
    """Whether somebody says no or nobody is there."""
    assert ask("--forget", typed="n\n").exit_code == 130
    result = ask("--forget", typed="")
    assert result.exit_code == 2
    assert "nobody is there to ask; --yes deletes without asking" in result.stderr
    assert len(list(diary.search())) == 5
    assert ask("--forget", "--since", "2027").stdout == "0 messages are forgotten\n"


def test_a_person_at_a_terminal_can_go_away(path: Path, diary: Diary) -> None:
    """Ctrl-D is no yes."""
    theirs, ours = open_terminal()
    os.write(theirs, b"\x04")
    command = [sys.executable, "-m", "kqq", "history", "--forget"]
    env = {**os.environ, "KQQ_HISTORY": str(path), "KQQ_LANG": "en"}
    done = subprocess.run(
        command, stdin=ours, stderr=subprocess.PIPE, env=env, check=False, text=True
    )
    for end in (theirs, ours):
        os.close(end)
    assert done.returncode == 130
    assert "kqq: interrupted" in done.stderr
    assert len(list(diary.search())) == 5


def test_a_program_reads_what_a_client_kept(ask: Ask, diary: Diary) -> None:
    """While a chat has the file open, what it adds is there at once."""
    diary.add(Message("z", CY, "new", NOON + 9 * DAY, Fate.RECEIVED))
    (line,) = ask("--json", "--most", "1").stdout.splitlines()
    assert json.loads(line) == {
        "type": "message",
        "from": CY,
        "nick": "Cy",
        "text": "new",
        "at": NOON + 9 * DAY,
        "date": "2026-03-15T12:00:00+00:00",
        "key": "z",
    }
