"""What plays need, and who plays whom."""

import pytest

from kqq.conformance.casting import Needs, Uncast, cast, needs
from kqq.conformance.company import Company, parse_company, usual_company
from kqq.conformance.published import entries
from kqq.protocol.transcript import parse_play


def of(text: str) -> Needs:
    """Return what a play needs."""
    return needs(parse_play(text))


def company(*tables: str) -> Company:
    """Return accounts, each written `Name number more`."""
    rows = [table.partition(" ")[0::2] for table in tables]
    text = ""
    for name, rest in rows:
        uin, _, more = rest.partition(" ")
        text += f"[{name}]\nuin = {uin}\npassword = 'secret'\n{more}\n"
    return parse_company(text, "here")


def names(text: str, *tables: str) -> dict[str, str]:
    """Return who plays whom in a play, by the names of accounts."""
    return {part: player.name for part, player in cast(of(text), company(*tables)).items()}


def test_what_a_play_needs() -> None:
    """Parts with what they must have, pairs of friends, guests, settings, and what comes later."""
    found = of(
        "server set captcha=always\n"
        "server friends Romeo, Juliet, Nurse\n"
        "server stranger Paris\n"
        'server account Juliet age=13 nick="Lady J" who_may_add=ask face=0\n'
        "Phone > CMD=Login UIN={Juliet} PS={password}\n"
        "Phone > CMD=Login UIN={Paris} PS={password}\n"
        "Script > CMD=Dance\n"
        "Juliet < CMD=SIMPLEINFO2 UN={Romeo},{Nurse}, NK=Romeo,Nurse,\n"
        "server restarts\n"
        "server friends Paris, Juliet\n"
    )
    assert [part.name for part in found.parts] == ["Romeo", "Juliet", "Nurse", "Paris"]
    assert [dict(part.settings) for part in found.parts] == [
        {}, {"age": "13", "nick": "Lady J"}, {}, {},
    ]  # fmt: skip
    assert [part.is_named for part in found.parts] == [True, False, True, False]
    assert found.friends == {
        frozenset(pair) for pair in [("Romeo", "Juliet"), ("Romeo", "Nurse"), ("Juliet", "Nurse")]
    }
    assert found.others == {"Phone": "Juliet"}
    assert found.settings == ("captcha=always",)
    assert found.server == ("restarts", "friends Paris, Juliet")
    assert found.shows_order


def test_namesakes_come_first() -> None:
    """Then who has the nickname, then anybody who can."""
    text = "server friends Romeo, Juliet"
    assert names(text, "Juliet 1", "Romeo 2") == {"Romeo": "Romeo", "Juliet": "Juliet"}
    assert names(text, "Anna 1", "Bo 2 nick='Romeo'") == {"Romeo": "Bo", "Juliet": "Anna"}
    assert names(text, "Anna 1", "Bo 2") == {"Romeo": "Anna", "Juliet": "Bo"}


def test_a_name_that_is_seen_must_be_right() -> None:
    """Where a play shows nicknames, others will not do."""
    text = "server friends Romeo, Juliet\nRomeo < CMD=SIMPLEINFO2 NK=Juliet,"
    assert names(text, "Anna 1", "Bo 2 nick='Juliet'") == {"Romeo": "Anna", "Juliet": "Bo"}
    with pytest.raises(Uncast, match="needs an account for Juliet with nick=Juliet"):
        names(text, "Anna 1", "Bo 2")


def test_settings_must_be_just_these() -> None:
    """Neither more nor less."""
    text = "server stranger Romeo\nserver account Juliet who_may_add=anyone age=13"
    tables = ["Romeo 1", "A 2 age=13", "B 3 who_may_add='anyone'"]
    with pytest.raises(Uncast, match="account for Juliet with who_may_add=anyone, age=13"):
        names(text, *tables)
    found = names(text, *tables, "C 4 who_may_add='anyone'\nage=13")
    assert found == {"Romeo": "Romeo", "Juliet": "C"}


def test_a_nickname_that_is_asked_for() -> None:
    """It is what the account must have, seen or not."""
    text = 'server account Juliet nick="Lady J"'
    assert names(text, "A 1", "B 2 nick='Lady J'") == {"Juliet": "B"}
    with pytest.raises(Uncast, match="nick=Lady J"):
        names(text, "Juliet 1")


def test_numbers_ascend_where_lists_are_seen() -> None:
    """Servers give lists in the order of numbers."""
    friends = "server friends Romeo, Juliet, Nurse\n"
    shown = f"{friends}Romeo < CMD=LIST UN={{Juliet}},{{Nurse}},"
    tables = ["Romeo 5", "Juliet 9", "Nurse 7", "Anna 8"]
    assert names(friends, *tables) == {"Romeo": "Romeo", "Juliet": "Juliet", "Nurse": "Nurse"}
    assert names(shown, *tables) == {"Romeo": "Romeo", "Juliet": "Nurse", "Nurse": "Juliet"}
    with pytest.raises(
        Uncast, match="needs 3 accounts, with numbers in this order: Romeo with age=13, J"
    ):
        names(f"server account Romeo age=13\n{shown}", "Romeo 9 age=13", "Juliet 8", "Nurse 7")


def test_too_few() -> None:
    """Nobody plays two parts."""
    with pytest.raises(Uncast, match="needs 2 accounts: Romeo, Juliet"):
        names("server friends Romeo, Juliet", "Romeo 1")


def test_the_example_can_play_everything() -> None:
    """No play of the suite is skipped for want of an account, except those of a special server."""
    for one in entries():
        wanted = needs(one.play)
        if not wanted.settings:
            found = cast(wanted, usual_company())
            assert set(found) == {part.name for part in wanted.parts}


def test_five_accounts_can_play_most() -> None:
    """A handful is enough for three quarters of the plays."""
    five = usual_company()[:5]
    able = 0
    for one in entries():
        try:
            cast(needs(one.play), five)
        except Uncast:
            continue
        able += 1
    assert able >= 0.75 * len(entries())
