"""Codes with which people make themselves accounts, as the operator makes them."""

from pathlib import Path
from typing import Any

import pytest

from kqq.errors import AccountError, ConfigError
from kqq.server.admin import Admin, perform
from kqq.server.config import Listen as Door
from kqq.server.store import Store
from operating import admin_alone
from stage import ManualClock


async def test_invitations(alone: Admin) -> None:
    """They are listed without their codes as long as they can be used."""
    made = await perform(alone, "account.invite", {"uses": 3, "days": 1, "note": "class of 2006"})
    assert isinstance(made, dict)
    assert len(made["code"]) == 14
    assert made["registration"] == "off"
    date = alone.clock.date()
    assert await perform(alone, "account.invitations", {}) == [
        {"note": "class of 2006", "created": date, "expires": date + 86400, "uses": 3}
    ]
    assert isinstance(alone.clock, ManualClock)
    alone.clock.advance(86400)
    assert await perform(alone, "account.invitations", {}) == []
    await perform(alone, "account.invite", {})
    assert len(alone.store.invitations()) == 2  # the date may have been wrong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"uses": 0}, "uses=0 cannot be; take 1 to 100000$"),
        ({"uses": 100_001}, "uses=100001 cannot be"),
        ({"days": 0}, "days=0 cannot be; take 0.01 to 3650$"),
        ({"days": float("nan")}, "days=nan cannot be"),
        ({"days": float("inf")}, "days=inf cannot be"),
        ({"note": "a" * 201}, "note='a+… cannot be; take 0 to 200 characters"),
        ({"note": "a\nb"}, "cannot be; take printable characters"),
    ],
)
async def test_invitation_that_will_not_do(
    alone: Admin, arguments: dict[str, Any], words: str
) -> None:
    """An invitation for nobody, for all or for ever is refused."""
    with pytest.raises((AccountError, ConfigError), match=words):
        await perform(alone, "account.invite", arguments)
    assert alone.store.invitations() == []


@pytest.mark.parametrize(
    ("listen", "advertise", "page"),
    [
        ((), "", "http://HOST:PORT/register"),
        ((Door("127.0.0.1", 0),), "", "http://127.0.0.1:PORT/register"),
        ((Door("0.0.0.0", 14000),), "", "http://HOST:14000/register"),
        ((Door("::", 14000),), "2001:db8::1", "http://[2001:db8::1]:14000/register"),
        ((Door("::1", 8000),), "", "http://[::1]:8000/register"),
        ((Door("0.0.0.0", 8000, "kqqs"),), "kqq.example", "https://kqq.example:8000/register"),
    ],
)
async def test_where_a_code_is_typed(
    store: Store, tmp_path: Path, listen: tuple[Door, ...], advertise: str, page: str
) -> None:
    """The page is named as far as it is known."""
    admin = admin_alone(
        store, tmp_path, listen=listen, advertise=advertise, certificate=tmp_path, key=tmp_path
    )
    made = await perform(admin, "account.invite", {})
    assert isinstance(made, dict)
    assert made["page"] == page
