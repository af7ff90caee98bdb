"""Settings that may change while the server runs: limits, and what people may do."""

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from math import isfinite
from typing import Annotated, Any, Literal, NotRequired, TypedDict, get_args, get_origin

from kqq.errors import ConfigError
from kqq.server.admin.base import Admin, action
from kqq.server.config import Config, allowed, how, plain, toml
from kqq.server.operators import Role
from kqq.server.settings import groups, with_values

GROUPS = ("people", "captcha", "messages and lists", "limits against floods")
"""The groups of settings that can be changed so."""
_FIELDS = {one.name: one for one in fields(Config)}
_KINDS: dict[Any, Literal["whole", "number", "truth", "text"]] = {
    int: "whole",
    float: "number",
    bool: "truth",
    str: "text",
}

Values = Annotated[Mapping[str, Any], "Settings by name, as limits.show has them."]


class Setting(TypedDict):
    """A setting: what it is, what it would be by default, and what it may be.

    `low`, `high` and `choices` are there where there are such bounds; `allowed` says it in words.
    """

    name: str
    group: str
    kind: Literal["whole", "number", "choice", "truth", "text"]
    value: Any
    default: Any
    low: NotRequired[float]
    high: NotRequired[float]
    choices: NotRequired[list[str]]
    allowed: str
    help: str
    live: bool


class Changed(TypedDict):
    """Which settings are others now; `toml` is what to write into the file to keep them."""

    changed: list[str]
    toml: str


@action("limits.show", role=Role.OBSERVER, changes=False, live=True)
async def limits_show(admin: Admin) -> list[Setting]:
    """Return the settings that can be changed while the server runs, as they are now."""
    return [_setting(admin.config, name, *of) for name, of in _texts().items()]


@action("limits.set", role=Role.ADMINISTRATOR, changes=True, live=True)
async def limits_set(admin: Admin, values: Values) -> Changed:
    """Change settings until the server starts again, or reads its settings again.

    If one cannot be, none is changed. To keep them, write the lines of `toml` into the file.
    """
    for name in values:
        if name not in _texts():
            raise ConfigError(
                f"{name} cannot be changed so; take one of {', '.join(sorted(_texts()))}"
            )
    changed, _ = admin.config.take_over(with_values(admin.config, values))
    lines = [f"{name} = {toml(getattr(admin.config, name))}" for name in values]
    return {"changed": changed, "toml": "\n".join(lines)}


@cache
def _texts() -> dict[str, tuple[str, str]]:
    """Return group and description of each setting that can be changed so."""
    return {
        name: (group, " ".join(text.split()))
        for group, settings in groups().items()
        if group in GROUPS
        for name, text in settings.items()
        if how(_FIELDS[name]).live
    }


def _setting(config: Config, name: str, group: str, text: str) -> Setting:
    one = _FIELDS[name]
    declared, choices = how(one), get_args(one.type) if get_origin(one.type) is Literal else ()
    found: Setting = {
        "name": name,
        "group": group,
        "kind": "choice" if choices else _kind(one),
        "value": plain(getattr(config, name)),
        "default": plain(one.default),
        "allowed": allowed(one),
        "help": text,
        "live": declared.live,
    }
    if choices:
        found["choices"] = list(choices)
    if isfinite(declared.low):
        found["low"] = declared.low
    if isfinite(declared.high):
        found["high"] = declared.high
    return found


def _kind(one: Field[Any]) -> Literal["whole", "number", "truth", "text"]:
    return _KINDS[one.type]
