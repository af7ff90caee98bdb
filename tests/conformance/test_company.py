"""The file of accounts: what it says, and what is wrong with it."""

from pathlib import Path

import pytest

from kqq.conformance.company import example, parse_company, read_company, usual_company
from kqq.errors import ConfigError


def test_the_example() -> None:
    """It has five plain accounts, and others, each with its number."""
    company = usual_company()
    plain = [player.name for player in company if not player.settings]
    assert plain == ["Romeo", "Juliet", "Mercutio", "Benvolio", "Nurse"]
    assert len({player.uin for player in company}) == len(company) == 15
    assert {player.account.password for player in company} == {"secret"}
    assert [player.name for player in company if not player.may_sign_in] == ["SuspendedTybalt"]


def test_it_is_written_as_its_numbers_go(tmp_path: Path) -> None:
    """A file is read as the example is."""
    path = tmp_path / "accounts.toml"
    path.write_text(example(), encoding="utf-8")
    assert read_company(path) == usual_company()


def test_an_account() -> None:
    """Whatever is usual is nothing said; the name of the table is the nickname."""
    text = """
        [Anna]
        uin = 10001
        password = "geheim"
        friends = ["Bo"]
        face = 0
        who_may_add = "ask"
        [Bo]
        uin = 10002
        password = "secret"
        nick = "小波"
        age = 13
        who_may_write = "anyone"
    """
    anna, bo = parse_company(text, "here")
    assert (anna.name, anna.nick, anna.uin, anna.settings) == ("Anna", "Anna", 10001, {})
    assert anna.account.friends == {"Bo"}
    assert (bo.nick, bo.settings) == ("小波", {"age": "13", "who_may_write": "anyone"})
    assert "geheim" not in repr(anna)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no accounts"),
        ("uin = 1", "uin is not in a table"),
        ("[A]\npassword = 'x'", "[A] needs its number"),
        ("[A]\nuin = true\npassword = 'x'", "[A] needs its number"),
        ("[A]\nuin = 0\npassword = 'x'", "[A] needs its number"),
        ("[A]\nuin = 1\npassword = ''", "[A] needs its password"),
        ("[A]\nuin = 1", "[A] needs its password"),
        ("[A]\nuin = 1\npassword = 'x'\nfriends = 'B'", "names of tables"),
        ("[A]\nuin = 1\npassword = 'x'\nfriends = ['B']", "has a friend 'B' who has none"),
        ("[A]\nuin = 1\npassword = 'x'\nage = [13]", "[A] age is neither"),
        ("[A]\nuin = 1\npassword = 'x'\nnick = true", "[A] nick is neither"),
        ("[A]\nuin = 1\npassword = 'x'\n[B]\nuin = 1\npassword = 'x'", "has the number of [A]"),
        ("[A]\npassword = geheim", "is not TOML"),
    ],
)
def test_what_cannot_be(text: str, complaint: str) -> None:
    """It is said where, and no password is shown."""
    with pytest.raises(ConfigError) as refused:
        parse_company(text, "here")
    assert complaint in str(refused.value)
    assert str(refused.value).startswith("here")
    assert "geheim" not in str(refused.value)


def test_a_broken_file(tmp_path: Path) -> None:
    """A file that is not there, or no text, says so."""
    path = tmp_path / "accounts.toml"
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        read_company(path)
    path.write_bytes(b"[A]\n\xff")
    with pytest.raises(ConfigError, match="not in UTF-8"):
        read_company(path)
