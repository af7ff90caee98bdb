"""Settings that an operator changes while the server runs."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import ConfigError
from kqq.server.admin.limits import GROUPS
from kqq.server.settings import load
from operating import Operator
from stage import ROMEO, Stage, request


async def shown(operator: Operator) -> dict[str, Any]:
    """Return what is shown, by name."""
    return {one["name"]: one for one in await operator.do("limits.show")}


async def test_showing(operator: Operator) -> None:
    """Each setting is told with what it is, may be, and is for."""
    found = await shown(operator)
    assert {one["group"] for one in found.values()} == set(GROUPS)
    assert found["messages_rate"] == {
        "name": "messages_rate",
        "group": "limits against floods",
        "kind": "number",
        "value": 10.0,
        "default": 10.0,
        "low": 0.01,
        "allowed": "a number from 0.01 on",
        "help": "Messages a second from one account; more are refused.",
        "live": True,
    }
    assert (found["text_limit"]["low"], found["text_limit"]["high"]) == (1, 16000)
    assert found["text_limit"]["kind"] == "whole"
    assert found["registration"]["choices"] == ["off", "invitation", "open"]
    assert found["registration"]["kind"] == "choice"
    assert "connections_limit" not in found, "it needs a restart"
    assert not {"data", "advertise", "log_level", "same_address"} & found.keys()


async def test_changing(operator: Operator) -> None:
    """What is changed counts at once, until the settings are read again."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    changed = await operator.do(
        "limits.set", values={"text_limit": 5, "registration": "open", "messages_rate": 3}
    )
    assert changed == {
        "changed": ["registration", "text_limit", "messages_rate"],
        "toml": 'text_limit = 5\nregistration = "open"\nmessages_rate = 3.0',
    }
    found = await shown(operator)
    assert (found["text_limit"]["value"], found["text_limit"]["default"]) == (5, 16000)
    assert "&RES=0" not in await wire.ask(request("CLTMSG", ROMEO, "UN=10002&MG=too long"))
    assert await operator.do("limits.set", values={"text_limit": 5}) == {
        "changed": [],
        "toml": "text_limit = 5",
    }
    stage.server.reload(replace(stage.config, text_limit=100))
    assert (await shown(operator))["text_limit"]["value"] == 100


async def test_lines_to_write_down(operator: Operator, tmp_path: Path) -> None:
    """They are such as a file with settings can have."""
    values = {one: about["value"] for one, about in (await shown(operator)).items()}
    changed = await operator.do("limits.set", values=values)
    assert changed["changed"] == []
    file = tmp_path / "kqq.toml"
    file.write_text(changed["toml"])
    assert load(file, {}).text_limit == 16000


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text_limit": 0}, "text_limit=0 cannot be; take a whole number from 1 to 16000"),
        ({"text_limit": 1.5}, "text_limit=1.5 cannot be; take a whole number"),
        ({"text_limit": True}, "text_limit=true cannot be; take a whole number"),
        ({"text_limit": None}, 'text_limit="" cannot be'),
        ({"text_limit": [1]}, "text_limit=[1] cannot be"),
        ({"text_limit": {"a": 1}}, "text_limit={ a = 1 } cannot be"),
        ({"messages_rate": float("inf")}, "messages_rate=inf cannot be"),
        ({"registration": "sometimes"}, "registration="),
        ({"data": "/tmp"}, "data cannot be changed so; take one of captcha"),
        ({"connections_limit": 5}, "connections_limit cannot be changed so"),
        ({"nonsense": 5}, "nonsense cannot be changed so"),
    ],
)
async def test_what_cannot_be_set(stage: Stage, values: dict[str, Any], words: str) -> None:
    """If one value will not do, none is taken, and why is told."""
    with pytest.raises(ConfigError, match=re.escape(words)):
        await Operator(stage).do("limits.set", values={"inbox_limit": 7, **values})
    assert stage.config.inbox_limit == 1000
