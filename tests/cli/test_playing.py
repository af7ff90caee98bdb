"""Who is who, which server and which play: what `kqq replay` and its kin are told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from command import kqq
from kqq.words import Exit
from talking import QUIET, mocked, play

ACCOUNTS = '[Anna]\nuin = 10001\nfriends = ["Bo"]\n[Bo]\nuin = 10002\n'


def test_accounts_in_a_file(tmp_path: Path, address: str) -> None:
    """People have the numbers, passwords and friends that are told there."""
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS + 'password = "wrong one"\n[Cai]\nuin = 3\n')
    name = play(tmp_path, "Anna signs in\nBo signs in\n")
    result = kqq("replay", name, "--against", address, *QUIET, "--accounts", str(file))
    assert "line 2: Bo signs in" in result.stdout
    assert "the sign-in is refused" in result.stdout
    assert "wrong one" not in result.output
    name = play(tmp_path, "server friends Anna, Cai\n")
    result = kqq("replay", name, "--against", address, "--accounts", str(file))
    assert "Anna and Cai are no friends" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{play}", "--against", "127.0.0.1:9"), Exit.NO_CONNECTION, "cannot connect"),
        (("{play}", "--against", "nowhere"), Exit.USAGE, "is not an address"),
        (("{play}", "--against", "a:1", "--account", "Romeo"), Exit.USAGE, "write NAME=NUMBER"),
        (("{folder}/none.kqq", "--against", "a:1"), Exit.USAGE, "No such file"),
        (("{folder}/bytes", "--against", "a:1"), Exit.USAGE, "is not UTF-8; `kqq decode --play`"),
        (("{folder}/log", "--against", "a:1"), Exit.USAGE, "makes a play of a capture or a log"),
        (("{folder}/nothing", "--against", "a:1"), Exit.USAGE, "has no statements"),
        (("{folder}/broken", "--against", "a:1"), Exit.USAGE, "line 2: 'what?' is no statement"),
        (
            ("{play}", "--against", "kqqs://a:1", "--ca", "{folder}/broken"),
            Exit.USAGE,
            "cannot trust",
        ),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], code: Exit, words: str) -> None:
    """It is told in words."""
    name = play(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "broken").write_text("Anna signs in\nwhat?\n")
    (tmp_path / "log").write_text("19:03 -> VER=1.4&CON=1&CMD=List&SEQ=1&UIN=10001\n")
    (tmp_path / "nothing").write_text("# Nothing happens.\n")
    given = [one.replace("{play}", name).replace("{folder}", str(tmp_path)) for one in arguments]
    result = kqq("replay", *given)
    assert result.exit_code == code
    assert words in " ".join(result.stderr.split())


def test_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal may read a picture; nobody else is asked."""
    asked: list[int] = []

    def reader(uin: int) -> Callable[[bytes], object]:
        async def read(picture: bytes) -> str:
            asked.append(uin)
            return "abcd"

        return read

    monkeypatch.setattr("kqq.cli.session.reader_of_letters", reader)
    monkeypatch.setattr("kqq.at_terminal.is_typed", lambda: True)
    captcha = (
        "Anna > CMD=Login PS={password}\nAnna < CMD=VERIFYCODE RES=0 SC=1 NT= VC={any}\n"
        "Anna > CMD=VERIFYCODE SC=2 VC={letters}\nAnna < CMD=Login RES=0 RS=0\n"
    )
    name = play(tmp_path, captcha)
    with mocked(captcha) as server:
        assert kqq("replay", name, "--against", server, *QUIET).exit_code == Exit.DONE
    assert asked == [10001]
