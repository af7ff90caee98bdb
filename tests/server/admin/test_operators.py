"""What operators do to operators: roles, tokens, and the log of it."""

import pytest

from kqq.errors import AccountError
from kqq.server.admin import Admin, WrongArguments, perform
from kqq.server.operators import Operator, Role
from stage import JULIET, ROMEO, ManualClock


async def test_roles(alone: Admin) -> None:
    """They are given, listed and taken away."""
    given = {"uin": ROMEO, "role": "administrator"}
    assert await perform(alone, "operator.add", given) == given
    await perform(alone, "operator.add", {"uin": JULIET, "role": "observer"})
    date = alone.clock.date()
    assert await perform(alone, "operator.list", {}) == [
        {"uin": ROMEO, "nick": "Romeo", "role": "administrator", "since": date},
        {"uin": JULIET, "nick": "Juliet", "role": "observer", "since": date},
    ]
    assert await perform(alone, "operator.remove", {"uin": JULIET}) == {"uin": JULIET}
    with pytest.raises(AccountError, match="10001 is the last administrator"):
        await perform(alone, "operator.remove", {"uin": ROMEO})
    with pytest.raises(WrongArguments, match="take observer, moderator or administrator"):
        await perform(alone, "operator.add", {"uin": ROMEO, "role": "king"})


async def test_tokens(alone: Admin) -> None:
    """They are made, listed without what they are, and revoked."""
    made = await perform(alone, "token.add", {"name": "watch", "role": "observer", "days": 2})
    assert isinstance(made, dict)
    secret = made.pop("token")
    assert made == {
        "name": "watch",
        "role": "observer",
        "created": alone.clock.date(),
        "expires": alone.clock.date() + 2 * 86_400,
        "seen": None,
    }
    assert await perform(alone, "token.list", {}) == [made]
    found = alone.operators.find_token(secret)
    assert found is not None
    assert found.role is Role.OBSERVER
    assert await perform(alone, "token.revoke", {"name": "watch"}) == {"name": "watch"}
    assert alone.operators.find_token(secret) is None
    assert secret not in str(await perform(alone, "deeds", {}))


async def test_deeds(alone: Admin) -> None:
    """All that was done is told, the newest first; it can be asked for a part."""
    assert isinstance(alone.clock, ManualClock)
    moderator = Operator("10002", Role.MODERATOR, JULIET)
    await perform(alone, "account.suspend", {"uin": ROMEO, "reason": "a duel"}, moderator)
    began = alone.clock.date()
    alone.clock.advance(1.0)
    with pytest.raises(AccountError):
        await perform(alone, "account.resume", {"uin": JULIET})
    await perform(alone, "account.resume", {"uin": ROMEO}, moderator)
    everything = await perform(alone, "deeds", {})
    assert isinstance(everything, list)
    assert [(one["who"], one["action"], one["outcome"]) for one in everything] == [
        ("10002", "account.resume", ""),
        ("command line", "account.resume", "10002 is not suspended"),
        ("10002", "account.suspend", ""),
    ]
    assert everything[-1] == {
        "id": 1,
        "at": began,
        "who": "10002",
        "action": "account.suspend",
        "arguments": {"uin": ROMEO, "reason": "a duel"},
        "outcome": "",
    }
    for asked, wanted in (
        ({"most": 1}, everything[:1]),
        ({"before": everything[0]["id"]}, everything[1:]),
        ({"who": "10002", "action": "account.suspend"}, everything[2:]),
    ):
        assert await perform(alone, "deeds", asked) == wanted
