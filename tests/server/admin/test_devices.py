"""Passwords of phones, as the operator makes and revokes them."""

import pytest

from kqq.errors import AccountError
from kqq.server.accounts import password_md5
from operating import FIRST, Operator, refused_sign_in
from stage import ROMEO, request, sign_in_line


async def test_devices(operator: Operator) -> None:
    """A password for one phone signs in until it is revoked, and whoever is in is out then."""
    stage = operator.stage
    made = await operator.do("device.add", uin=ROMEO, name="my 6230")
    assert made["grouped"].replace(" ", "") == made["password"]
    md5 = password_md5(made["password"])
    wire = stage.connect()
    assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO, password=md5))
    await stage.advance(1)
    (listed,) = await operator.do("device.list", uin=ROMEO)
    assert listed["name"] == "my 6230"
    assert listed["last_seen"] == stage.clock.date() - 1
    assert await operator.do("device.revoke", uin=ROMEO, name="my 6230") == {
        "uin": ROMEO,
        "name": "my 6230",
    }
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    assert "RA=Password error" in await refused_sign_in(stage, ROMEO, md5)
    assert await operator.do("device.list", uin=ROMEO) == []
    with pytest.raises(AccountError, match="has no device 'my 6230'"):
        await operator.do("device.revoke", uin=ROMEO, name="my 6230")
    with pytest.raises(AccountError, match="there is no account 10004"):
        await operator.do("device.list", uin=FIRST)
