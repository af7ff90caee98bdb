"""Operators: roles, the first administrator, tokens, deeds."""

import asyncio
import json
import math
import os
from typing import Any

import pytest

from kqq.errors import AccountError
from kqq.server import operators as module
from kqq.server.database import Database
from kqq.server.operators import MOST_TOKENS, Deed, Operators, Role
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO, ManualClock

DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    """A clock that is moved by hand."""
    return ManualClock()


@pytest.fixture
def operators(database: Database, store: Store, clock: ManualClock) -> Operators:
    """The operators of a store with Romeo, Juliet and Paris; nobody is one yet."""
    return Operators(database, clock, os.urandom)


# --- roles ---------------------------------------------------------------------------------------


def test_each_role_covers_those_before() -> None:
    """And itself."""
    covered = [[other.value for other in Role if role.covers(other)] for role in Role]
    assert covered == [
        ["observer"],
        ["observer", "moderator"],
        ["observer", "moderator", "administrator"],
    ]


async def test_roles(operators: Operators, clock: ManualClock) -> None:
    """Roles are given, changed and taken away; a role keeps the date since when it is."""
    assert operators.role_of(ROMEO) is None
    began = clock.date()
    await operators.add(ROMEO, Role.ADMINISTRATOR)
    await operators.add(JULIET, Role.OBSERVER)
    clock.advance(5.0)
    await operators.add(ROMEO, Role.ADMINISTRATOR)
    await operators.add(JULIET, Role.MODERATOR)
    assert operators.role_of(JULIET) is Role.MODERATOR
    assert [(one.uin, one.nick, one.role, one.since) for one in operators.all()] == [
        (ROMEO, "Romeo", Role.ADMINISTRATOR, began),
        (JULIET, "Juliet", Role.MODERATOR, began + 5.0),
    ]
    await operators.remove(JULIET)
    assert operators.role_of(JULIET) is None
    with pytest.raises(AccountError, match="10002 is no operator"):
        await operators.remove(JULIET)
    with pytest.raises(AccountError, match="there is no account 10009"):
        await operators.add(10009, Role.OBSERVER)


async def test_last_administrator_stays(operators: Operators, store: Store) -> None:
    """Nothing takes the last one away who is not suspended; of two at once, one stays."""
    await operators.add(ROMEO, Role.ADMINISTRATOR)
    words = "10001 is the last administrator; make somebody else one first, with `kqq operator add`"
    with pytest.raises(AccountError, match=words):
        await operators.remove(ROMEO)
    with pytest.raises(AccountError, match=words):
        await operators.add(ROMEO, Role.MODERATOR)
    with pytest.raises(AccountError, match=words):
        async with operators.parting(ROMEO):
            raise AssertionError("nobody comes here")
    await operators.add(JULIET, Role.ADMINISTRATOR)
    both = await asyncio.gather(
        operators.remove(ROMEO), operators.remove(JULIET), return_exceptions=True
    )
    assert both[0] is None
    assert "10002 is the last administrator" in str(both[1])
    await operators.add(ROMEO, Role.ADMINISTRATOR)
    async with operators.parting(ROMEO):
        await store.change_account(ROMEO, suspended="a duel")
    with pytest.raises(AccountError, match="10002 is the last administrator"):
        await operators.remove(JULIET)
    assert operators.role_of(ROMEO) is Role.ADMINISTRATOR
    await operators.remove(ROMEO)


async def test_role_goes_with_the_account(operators: Operators, store: Store) -> None:
    """Who takes the number later has none."""
    await operators.add(PARIS, Role.MODERATOR)
    await store.delete_account(PARIS)
    assert operators.all() == []
    assert operators.role_of(PARIS) is None


# --- the first -----------------------------------------------------------------------------------


async def test_first_administrator(operators: Operators) -> None:
    """A code makes one, as long as there is none; then it is worth nothing."""
    code = operators.first_code()
    assert code is not None
    assert len(code) == 24
    assert operators.first_code() == code
    for wrong in ("", code[:-1], code.upper(), "\udcff"):
        assert not operators.use_first_code(wrong)
    assert operators.use_first_code(code)
    assert not operators.has_administrator()
    assert not await operators.add_first(10009)
    first, second = await asyncio.gather(operators.add_first(ROMEO), operators.add_first(JULIET))
    assert (first, second) == (True, False)
    assert operators.has_administrator()
    assert operators.first_code() is None
    assert not operators.use_first_code(code)
    (deed,) = operators.deeds()
    assert (deed.who, deed.action, deed.arguments) == (
        "first link",
        "operator.add",
        {"uin": ROMEO, "role": "administrator"},
    )


async def test_code_is_another_each_time(operators: Operators, store: Store) -> None:
    """Where the only administrator was suspended by other means, the link of then is of no use."""
    code = operators.first_code()
    assert await operators.add_first(ROMEO)
    await store.change_account(ROMEO, suspended="")
    assert operators.first_code() not in {None, code}
    assert await operators.add_first(JULIET)


# --- tokens --------------------------------------------------------------------------------------


async def test_tokens(operators: Operators, clock: ManualClock, database: Database) -> None:
    """A token is shown once, has a role, ends some day, and is revoked by name."""
    made, secret = await operators.add_token("watch", Role.OBSERVER, 1.0)
    assert secret.startswith("kqq_")
    assert len(secret) == 44
    assert (made.name, made.role, made.created) == ("watch", Role.OBSERVER, clock.date())
    assert made.expires == clock.date() + DAY
    assert operators.find_token(secret) == made
    assert operators.tokens() == [made]
    for wrong in ("", "kqq_", secret[:-1], secret.upper(), "kqq_\udcff", "kqq_é"):
        assert operators.find_token(wrong) is None
    assert secret not in str(database.fetch("SELECT * FROM token"))
    clock.advance(DAY)
    assert operators.find_token(secret) is None
    assert [one.name for one in operators.tokens()] == ["watch"]
    await operators.revoke_token("watch")
    assert operators.tokens() == []
    with pytest.raises(AccountError, match="there is no token 'watch'"):
        await operators.revoke_token("watch")


async def test_when_a_token_was_seen(operators: Operators, clock: ManualClock) -> None:
    """That is noted once a minute."""
    _, secret = await operators.add_token("watch", Role.OBSERVER, 1.0)

    async def use() -> float | None:
        operators.find_token(secret)
        await operators.note("watch", "x", {})  # takes the other along
        (found,) = operators.tokens()
        return found.seen

    first = clock.date()
    assert await use() == first
    clock.advance(59.0)
    assert await use() == first
    clock.advance(1.0)
    assert await use() == first + 60.0


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("", 1.0, "'' cannot be a token's name; take 1 to 32 printable characters"),
        (" x", 1.0, "without blanks around them"),
        ("x" * 33, 1.0, "cannot be a token's name"),
        ("a\nb", 1.0, "cannot be a token's name"),
        ("x", 0.0, "days=0.0 cannot be; take up to 3650"),
        ("x", math.nan, "days=nan cannot be"),
        ("x", 3651.0, "days=3651.0 cannot be"),
        ("old", 1.0, "there is a token 'old' already; choose another name"),
    ],
)
async def test_token_that_will_not_do(
    operators: Operators, name: str, days: float, words: str
) -> None:
    """A name that cannot be shown or is taken, or a token for ever, is refused."""
    await operators.add_token("old", Role.OBSERVER, 1.0)
    with pytest.raises(AccountError, match=words):
        await operators.add_token(name, Role.OBSERVER, days)
    assert len(operators.tokens()) == 1


async def test_too_many_tokens(operators: Operators) -> None:
    """There is an end to them."""
    for number in range(MOST_TOKENS):
        await operators.add_token(str(number), Role.OBSERVER, 1.0)
    with pytest.raises(AccountError, match="there are 100 tokens; revoke one that is not used"):
        await operators.add_token("x", Role.OBSERVER, 1.0)


# --- deeds ---------------------------------------------------------------------------------------


async def test_deeds(operators: Operators, clock: ManualClock) -> None:
    """What was done, the newest first, in pages, of somebody, of an action."""
    for number in range(3):
        await operators.note("command line", "kick", {"uin": number}, "no" if number else "")
        clock.advance(1.0)
    await operators.note("token a", "announce", {})
    everything = operators.deeds()
    assert [one.id for one in everything] == [4, 3, 2, 1]
    assert everything[-1] == Deed(1, clock.date() - 3.0, "command line", "kick", {"uin": 0}, "")
    assert operators.deeds(before=3, most=1) == [everything[2]]
    assert operators.deeds(who="token a") == [everything[0]]
    assert operators.deeds(action="kick", who="command line", before=2) == [everything[3]]
    assert operators.deeds(action="kick", who="token a") == []


async def test_only_the_newest_deeds_are_kept(
    operators: Operators, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log does not grow without end."""
    monkeypatch.setattr(module, "KEPT", 5)
    for number in range(12):
        await operators.note("x", "kick", {"uin": number})
    assert [one.arguments["uin"] for one in operators.deeds()] == [11, 10, 9, 8, 7]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"uin": 1, "proof": "x", "password": "x", "code": "x", "token": "x"}, {"uin": 1}),
        ({"values": {"age": "16", "proof": "x"}}, {"values": {"age": "16"}}),
        ({"text": "x" * 201}, {"text": "x" * 200 + "…"}),
        ({"to": [1, 2]}, {"to": [1, 2]}),
        ({"to": list(range(51))}, {"to": "51 of them"}),
        ({"accounts": [{"proof": "x"}], "friends": [[1, 2]]},
         {"accounts": "1 of them", "friends": "1 of them"}),
        ({"a": {"b": {"c": {"d": {"e": 1}, "f": [1]}}}},
         {"a": {"b": {"c": {"d": "1 of them", "f": "1 of them"}}}}),
        ({"x" * 65: 1}, {"x" * 64 + "…": 1}),
        ({str(number): 1 for number in range(60)}, {str(number): 1 for number in range(50)}),
        ({"days": math.nan, "more": math.inf}, {"days": "nan", "more": "inf"}),
        ({"a": None, "b": True, "c": 1.5, "d": "\udcff"}, {"a": None, "b": True, "c": 1.5,
                                                           "d": "\udcff"}),
    ],
)  # fmt: skip
async def test_what_is_kept_of_arguments(
    operators: Operators, arguments: dict[str, Any], shown: dict[str, Any]
) -> None:
    """No secrets, and nothing long."""
    await operators.note("x", "kick", arguments, "a\udcffb" + "c" * 600)
    (deed,) = operators.deeds()
    assert deed.arguments == shown
    assert deed.outcome.startswith(r"a\udcffbc")
    assert len(deed.outcome) < 510
    json.dumps(deed.arguments, allow_nan=False)


def test_refusals_that_are_noted(operators: Operators, clock: ManualClock) -> None:
    """Some at once, then one a minute, of each operator."""
    assert sum(operators.notes_refusal("a") for _ in range(50)) == 30
    assert operators.notes_refusal("b")
    clock.advance(60.0)
    assert sum(operators.notes_refusal("a") for _ in range(5)) == 1
