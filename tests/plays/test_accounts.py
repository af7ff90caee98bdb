"""Who people are: numbers, passwords, friends; from a file, given, or made up."""

from pathlib import Path

import pytest

from kqq.errors import ConfigError
from kqq.plays.accounts import Account, Accounts, people
from kqq.protocol.transcript import parse_play

GOOD = """
[Romeo]
uin = 10007
password = "another"
friends = ["Juliet"]

[Juliet]
uin = 10002
"""


def written(folder: Path, text: str) -> Path:
    """Return a file with this text."""
    file = folder / "accounts.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_read(tmp_path: Path) -> None:
    """A table is an account; who says no password has the usual one."""
    accounts = Accounts.read(written(tmp_path, GOOD))
    assert accounts["Romeo"] == Account("Romeo", 10007, "another", frozenset({"Juliet"}))
    assert accounts["Juliet"].password_md5 == "5EBE2294ECD0E0F08EAB7690D2A6EE69"
    assert accounts.knows_friends
    assert accounts.are_friends("Juliet", "Romeo")
    assert accounts.of_number(10002) is accounts["Juliet"]
    assert accounts.of_number(1) is None
    assert len(accounts) == 2


def test_password_is_not_shown() -> None:
    """It is in no text that somebody may print."""
    assert "another" not in repr(Account("Romeo", 10001, "another"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no accounts"),
        ("[Romeo", "is not TOML"),
        ("[Romeo]\npassword = 'hidden", "is not TOML"),
        ("Romeo = 10001", "is no table"),
        ("[Romeo]\nuin = 10001\nshoes = 41", "'shoes'; known are uin"),
        ("[Romeo]", "must have a uin"),
        ("[Romeo]\nuin = true", "must have a uin"),
        ("[Romeo]\nuin = 4294967296", "to 4294967295"),
        ("[Romeo]\nuin = 1\npassword = 12345678", "must have a password in quotes"),
        ("[Romeo]\nuin = 1\nfriends = 'Juliet'", "must have friends as a list"),
        ("[Romeo]\nuin = 1\nfriends = ['Juliet']", "a friend Juliet, who is not there"),
        ("[Romeo]\nuin = 1\n[Juliet]\nuin = 1", "Romeo and Juliet have the same number 1"),
    ],
)
def test_file_that_cannot_be_used(tmp_path: Path, text: str, complaint: str) -> None:
    """The error names the file, what is wrong, and never a password."""
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as failed:
        Accounts.read(file)
    assert complaint in str(failed.value)
    assert str(file) in str(failed.value)
    assert "hidden" not in str(failed.value)
    assert "12345678" not in str(failed.value)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """That is said in words."""
    with pytest.raises(ConfigError, match="No such file"):
        Accounts.read(tmp_path / "none.toml")


def test_made_up() -> None:
    """Numbers go up in order, around those that are given."""
    accounts = Accounts.invent(["Romeo", "Juliet", "Paris"], given={"Juliet": 10001})
    assert [account.uin for account in accounts.values()] == [10002, 10001, 10003]
    assert not accounts.knows_friends
    with pytest.raises(ConfigError, match="same number 7"):
        Accounts.invent(["Romeo", "Juliet"], given={"Romeo": 7, "Juliet": 7})


def test_other_numbers() -> None:
    """Somebody keeps the password with another number; who is new has the usual one."""
    accounts = Accounts([Account("Romeo", 10001, "another")]).with_numbers(
        {"Romeo": 7, "Juliet": 8}
    )
    assert accounts["Romeo"] == Account("Romeo", 7, "another")
    assert accounts["Juliet"] == Account("Juliet", 8)


def test_people() -> None:
    """Everybody who does something, or is named, if only in a line."""
    play = parse_play('Romeo > CMD=CLTMSG UN={Paris} MG={word}\nRomeo sends Juliet "a"')
    assert people(play) == ("Romeo", "Juliet", "Paris")
