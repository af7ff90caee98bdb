"""Files of accounts: what is read, what is refused, and how far an import came."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from command import kqq, objects
from kqq.cli import accounts_file
from kqq.cli.accounts_file import check_rows, proofs, read_rows, write_rows
from kqq.cli.reach import do
from kqq.errors import AccountError, KQQError, StoreError
from kqq.server.accounts import check_proof, password_md5
from terminals import open_terminal

HEAD = "uin,nick,password,friends\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "people.csv"


def read(file: Path, raw: str | bytes, known: set[int] | None = None, *, skip: bool = False) -> Any:
    """Return what is to be added of a file that says `raw`."""
    file.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    rows, wrong = read_rows(file)
    return check_rows(file, rows, wrong, known or set(), skip_existing=skip)


def mistakes(file: Path, raw: str | bytes, known: set[int] | None = None) -> list[str]:
    """Return what is told of a file that cannot be used."""
    with pytest.raises(AccountError) as caught:
        read(file, raw, known)
    first, *others = str(caught.value).splitlines()
    if others:
        assert first == f"nothing of {file} was added, since"
    return [line.strip() for line in others] or [first]


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + "10001,Anna,secret,10002\n10002,小波,,\n",
        "\ufeff" + HEAD + "10001,Anna,secret,10002\n10002,小波,,\n",
        (HEAD + "10001,Anna,secret,10002\n10002,小波,,").replace("\n", "\r\n"),
        HEAD + '\n"10001","Anna","secret","10002"\n\n10002,小波,"",""\n\n',
        "friends, nick ,uin,password\n10002,Anna, 10001 ,secret\n,小波,10002,\n",
        HEAD + "10001,Anna,secret,10002\n10002,小波,,10001 10001\n",
    ],
)
def test_the_same_file_in_many_forms(file: Path, raw: str) -> None:
    """With a mark of Windows, its line ends, quotes, empty lines, columns in another order."""
    checked = read(file, raw)
    assert [(row.uin, row.nick, row.password) for row in checked.new] == [
        (10001, "Anna", "secret"),
        (10002, "小波", ""),
    ]
    assert checked.pairs == [(10001, 10002)]


def test_what_quotes_hold(file: Path) -> None:
    """Commas, quotes and blanks of a password are its own."""
    checked = read(file, HEAD + '10001,"A, ""B""", p,""\n10002,x," a,""b ",\n')
    assert [(row.nick, row.password) for row in checked.new] == [
        ('A, "B"', " p"),
        ("x", ' a,"b '),
    ]


def test_nobody_sees_a_password(file: Path) -> None:
    """It is not shown with its row."""
    assert "secret" not in repr(read(file, HEAD + "10001,Anna,secret,\n"))


def test_quotes_before_formulas() -> None:
    """They are put there and taken away, exactly; others are left alone."""
    nicks = ["=1", "'=1", "''=1", "'x", "'", "+x", "-x", "@x", "x=", "＝x", "'＝x"]
    out = io.StringIO()
    accounts = [{"uin": 10001 + n, "nick": nick, "friends": []} for n, nick in enumerate(nicks)]
    write_rows(out, accounts)
    written = [line.split(",")[1] for line in out.getvalue().splitlines()[1:]]
    assert written == [
        "'=1",
        "''=1",
        "'''=1",
        "'x",
        "'",
        "'+x",
        "'-x",
        "'@x",
        "x=",
        "'＝x",
        "''＝x",
    ]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("", "the first line must be uin,nick,password,friends, with commas between"),
        ("10001,Anna,secret,\n", "the first line must be uin,nick,password,friends, with"),
        ("uin;nick;password;friends\n", "with commas between; it is something else"),
        ("uin,nick,password\n", "the first line must be"),
        ("uin,nick,password,friends,mail\n", "the first line must be"),
        ("uin,nick,password,uin\n", "the first line must be"),
        (HEAD + '10001,"Anna\n', "line 2: unexpected end of data"),
        (HEAD + '10001,"Anna"x,,\n', "line 2: ',' expected after '\"'"),
        (HEAD.encode() + b"10001,Anna,,\n10002,\xd0\xa1\xb2\xa8,,\n",
         "line 3: 0xb2 is not UTF-8; save it as CSV UTF-8"),
        ("uin".encode("utf-16"), "line 1: 0xff is not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_such_file(file: Path, raw: str | bytes, told: str) -> None:
    """Another kind of file is refused, with the line."""
    (line,) = mistakes(file, raw)
    assert str(file) in line
    assert told in line
    assert "secret" not in line


def test_all_wrong_lines_are_told_at_once(file: Path) -> None:
    """Whatever is wrong with them; in order."""
    raw = HEAD + (
        "x,Anna,,\n"
        "10001,Anna,\n"
        "10002,Bo,,,\n"
        "10003,Cy,secret,10004 secret\n"
        "10000,Dee,,\n"
        "10005,,,10005\n"
        "10006,Fay,,10099 10007\n"
        "10007,Gil,,\n"
        "10007,Gil,,\n"
        "10008,Hal,,\n"
        "99999999999,Ida,,\n"
        "4294967296,Jo,,\n"
        "-10009,Kim,,\n"
        '"10010","L\nM",,\n'
    )
    nickname = "cannot be a nickname; take 1 to 64 printable characters, without blanks around them"
    assert mistakes(file, raw, {10008}) == [
        "line 2: uin 'x' is no number",
        "line 3: it has 3 values, not 4: uin,nick,password,friends",
        "line 4: it has 5 values, not 4: uin,nick,password,friends",
        "line 5: friends must be numbers with blanks between",
        "line 6: 10000 cannot be a number; take one from 10001 to 4294967295",
        f"line 7: '' {nickname}",
        "line 7: 10005 cannot be a friend of itself",
        "line 8: there is no account 10099 to be a friend",
        "line 10: 10007 is on line 9 already",
        "line 11: there is an account 10008 already (--skip-existing)",
        "line 12: uin '99999999999' is no number",
        "line 13: 4294967296 cannot be a number; take one from 10001 to 4294967295",
        "line 14: uin '-10009' is no number",
        rf"line 16: 'L\nM' {nickname}",
    ]


def test_very_many_wrong_lines(file: Path) -> None:
    """A mistake that was made everywhere is told a hundred times, not a thousand."""
    told = mistakes(file, HEAD + "1,x,,\n" * 1000)
    assert len(told) == 101
    assert told[-1] == "… and 1899 more"


def test_who_is_there_is_skipped(file: Path) -> None:
    """If wanted; friendships are made all the same, so that a half import can go on."""
    raw = HEAD + "10001,Anna,,10002\n10002,Bo,,\n10003,Cy,,10001\n"
    checked = read(file, raw, {10001, 10002}, skip=True)
    assert [row.uin for row in checked.new] == [10003]
    assert checked.pairs == [(10001, 10002), (10001, 10003)]


def test_nothing_is_added_if_one_line_is_wrong(file: Path, tmp_path: Path) -> None:
    """The command says so, exit code 2."""
    file.write_text(HEAD + "10001,Anna,secret,\n10002,,x,\n")
    data = str(tmp_path / "data")
    result = kqq("account", "import", str(file), "--data", data)
    assert result.exit_code == 2
    assert "line 3: '' cannot be a nickname" in result.stderr
    assert "secret" not in result.output
    assert kqq("account", "list", "--json", "--data", data).output == ""


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """What the system says is told."""
    with pytest.raises(AccountError, match=r"cannot read .*: No such file or directory"):
        read_rows(tmp_path / "nothing")


def test_empty_file_adds_nothing(file: Path, tmp_path: Path) -> None:
    """A head alone is a file, too."""
    file.write_text(HEAD)
    result = kqq("account", "import", str(file), "--json", "--data", str(tmp_path / "data"))
    assert objects(result) == [{"added": 0, "skipped": 0, "friendships": 0}]


# --- proofs --------------------------------------------------------------------------------------


def test_proofs(file: Path) -> None:
    """Each password gets its own; an empty one is that of nobody, not the empty one."""
    rows = read(file, HEAD + "10001,Anna,secret,\n10002,Bo,secret,\n10003,Cy,,\n").new
    made = list(proofs(rows))
    assert [one["uin"] for one in made] == [10001, 10002, 10003]
    assert len({one["proof"] for one in made}) == 3
    assert [check_proof(password_md5("secret"), one["proof"]) for one in made] == [
        True,
        True,
        False,
    ]
    assert not check_proof(password_md5(""), made[2]["proof"])


def test_proofs_end_early(file: Path) -> None:
    """Who takes no more of them does not wait for all."""
    rows = read(file, HEAD + "".join(f"{10001 + n},x,,\n" for n in range(500))).new
    made = proofs(rows)
    next(made)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 5


# --- how far it came -----------------------------------------------------------------------------


def test_import_that_ends_early(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far it came is told, and the same command goes on; then all is there, once."""
    monkeypatch.setattr(accounts_file, "_PART", 2)
    monkeypatch.setattr(accounts_file, "_PAGE", 2)
    left = 2

    def ends(data: Path, name: str, /, **arguments: Any) -> Any:
        nonlocal left
        if name == "account.import":
            if not left:
                raise StoreError("the server went away")
            left -= 1
        return do(data, name, **arguments)

    monkeypatch.setattr(accounts_file, "do", ends)
    file.write_text(HEAD + "".join(f"{10001 + n},x,,{10001 + (n + 1) % 5}\n" for n in range(5)))
    arguments = ("account", "import", str(file), "--data", str(tmp_path / "data"))

    def told(*more: str) -> Result:
        nonlocal left
        left = 2
        return kqq(*arguments, *more)

    first = told()
    assert (first.exit_code, first.stdout) == (2, "")
    how_far, why = first.stderr.splitlines()[-2:]
    assert how_far == (
        "kqq: 4 of 5 accounts and 0 friendships were added before it ended; run the same with "
        "--skip-existing to go on"
    )
    assert why == "kqq: the server went away"
    second = told("--skip-existing")
    assert "kqq: 1 of 1 account and 2 friendships were added before it ended" in second.stderr
    monkeypatch.setattr(accounts_file, "do", do)
    third = kqq(*arguments, "--skip-existing")
    assert third.stdout == "added 0 accounts and 3 friendships, skipped 5 accounts\n"
    exported = kqq("account", "export", "--data", str(tmp_path / "data")).stdout
    assert exported.splitlines()[1] == "10001,x,,10002 10005"


class Terminal:
    """`kqq account import` in a terminal of its own."""

    def __init__(self, file: Path, data: Path) -> None:
        self._ours, theirs = open_terminal()
        command = [sys.executable, "-m", "kqq", "account", "import", str(file), "--data", str(data)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True
        )
        os.close(theirs)
        self.seen = ""

    def until(self, words: str) -> None:
        """Return once these words were shown."""
        while words not in self.seen:
            self.seen += os.read(self._ours, 65536).decode()

    def end(self) -> int:
        """Return the exit code; everything that was shown is `seen`."""
        try:
            while piece := os.read(self._ours, 65536):
                self.seen += piece.decode()
        except OSError:  # the other end is closed
            pass
        os.close(self._ours)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(20)


def people(file: Path, count: int) -> None:
    """Write a file of so many."""
    file.write_text(HEAD + "".join(f"{10001 + n},x,secret,\n" for n in range(count)))


def test_progress_is_shown_at_a_terminal(file: Path, tmp_path: Path) -> None:
    """A bar that comes to its end."""
    people(file, 30)
    terminal = Terminal(file, tmp_path / "data")
    assert terminal.end() == 0
    assert "adding accounts" in terminal.seen
    assert "100%" in terminal.seen


def test_interrupt(file: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it soon, says how far it came and how to go on: exit code 130."""
    people(file, 2000)
    terminal = Terminal(file, tmp_path / "data")
    terminal.until("%")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "of 2000 accounts and 0 friendships were added before it ended" in terminal.seen
    assert "--skip-existing to go on" in terminal.seen
    assert terminal.seen.rstrip().endswith("kqq: interrupted")
    assert "Traceback" not in terminal.seen


def test_progress_in_this_process(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With friends there are two bars; without a terminal, or any standard error, none."""
    file.write_text(HEAD + "10001,x,,10002\n10002,x,,\n")
    rows, wrong = read_rows(file)
    checked = check_rows(file, rows, wrong, set(), skip_existing=False)
    (tmp_path / "data").mkdir()
    ours, theirs = open_terminal()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with pytest.raises(KQQError):
            accounts_file.add_rows(tmp_path / "data", checked)
        kqq("account", "add", "20000", "--nick", "x", "--password", "x",
            "--data", str(tmp_path / "data"))  # fmt: skip
        assert accounts_file.add_rows(tmp_path / "data", checked) == (2, 1)
        shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "adding accounts" in shown
    assert "making friends" in shown
    monkeypatch.setattr(sys, "stderr", None)
    again = check_rows(file, rows, wrong, {10001, 10002}, skip_existing=True)
    assert accounts_file.add_rows(tmp_path / "data", again) == (0, 0)
