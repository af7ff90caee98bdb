"""What actions are made of: what they work with, what they take and return, who may do them."""

import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import EnumType
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from kqq.errors import AccountError, ConfigError, ConnectionLost, KQQError, StoreError
from kqq.server.accounts import HIGHEST_UIN
from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.handlers import Services
from kqq.server.logs import event
from kqq.server.operators import COMMAND_LINE, NotAllowed, Operator, Operators, Role
from kqq.server.store import Account, Store
from kqq.server.trends import Trends
from kqq.server.visits import Visits

logger = logging.getLogger("kqq.admin")

LONGEST_NOTE = 200
"""Characters of a reason, or of a note."""
LARGEST_PAGE = 1000
"""Entries of a list that are returned at once."""
_LONGEST_SHOWN = 100
_UNKNOWN = "it was interrupted; whether it was done is not known"

Result = dict[str, Any] | list[dict[str, Any]]
Function = Callable[..., Awaitable[Any]]
"""What it returns is annotated: a TypedDict, or a list of them."""
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds in an Annotated type: of a number, of the characters of a text, of a list's length."""

    low: float
    high: float


Date = Annotated[float, "A date: seconds since 1970 in UTC."]
Seconds = Annotated[float, "Seconds."]
Uin = Annotated[int, Between(1, HIGHEST_UIN), "The number of an account."]
Uins = Annotated[Sequence[Uin], Between(1, LARGEST_PAGE), "Numbers of accounts."]
After = Annotated[int, Between(0, HIGHEST_UIN), "The last number of the page before; 0 begins."]
Most = Annotated[int, Between(0, LARGEST_PAGE), "How many entries to return at most."]
Proof = Annotated[str, Between(1, 1000), "What is stored of a password."]
Note = Annotated[str, Between(0, LONGEST_NOTE), "Printable characters."]


class NoServer(ConnectionLost):
    """No server runs there, and only a running one can do what was asked for."""


class WrongArguments(ConfigError):
    """An action does not take these arguments."""


@dataclass(frozen=True, slots=True)
class Admin:
    """What actions work with; `live` is the running server, None if none runs.

    `visits` are its browsers and `trends` its figures, if it has them.
    """

    config: Config
    store: Store
    clock: Clock
    random: Callable[[int], bytes]
    operators: Operators
    live: Services | None = None
    visits: Visits | None = None
    trends: Trends | None = None
    started: float = field(init=False)
    """The date since when it has been so."""

    def __post_init__(self) -> None:
        """Note the time."""
        object.__setattr__(self, "started", self.clock.date())

    @property
    def services(self) -> Services:
        """The running server, for actions that need one."""
        assert self.live is not None, "perform sees to it"
        return self.live

    def account(self, uin: int) -> Account:
        """Return an account. Raises AccountError if there is none."""
        account = self.store.account(uin)
        if account is None:
            raise AccountError(f"there is no account {uin}")
        return account

    def kick(self, uin: int, reason: str) -> None:
        """End the session of an account, if it has one."""
        if self.live is not None:
            self.live.sessions.kick(uin, reason)

    async def sign_out(self, uin: int, reason: str) -> None:
        """End the session of an account, and sign its browsers out."""
        self.kick(uin, reason)
        if self.visits is not None:
            await self.visits.end_all(uin)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an action takes: `kind` is its type hint, with what Annotated says of it."""

    name: str
    kind: Any
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Action:
    """`changes` says whether it changes anything, `live` whether it needs a running server.

    `role` may do it. `local` actions are for the command line alone.
    """

    function: Function
    changes: bool
    live: bool
    role: Role = Role.ADMINISTRATOR
    local: bool = False
    parameters: dict[str, Parameter] = field(init=False)
    result: Any = field(init=False)
    """The type of what it returns."""

    def __post_init__(self) -> None:
        """Look at the signature."""
        kinds = get_type_hints(self.function, include_extras=True)
        found = list(inspect.signature(self.function).parameters.values())[1:]
        parameters = {one.name: Parameter(one.name, kinds[one.name], one.default) for one in found}
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "result", kinds["return"])


ACTIONS: dict[str, Action] = {}


def action(
    name: str, *, role: Role, changes: bool, live: bool = False, local: bool = False
) -> Callable[[F], F]:
    """Make the decorated function the action `name`."""

    def register(function: F) -> F:
        ACTIONS[name] = Action(function, changes, live, role, local)
        return function

    return register


async def perform(
    admin: Admin,
    name: str,
    arguments: Mapping[str, Any],
    who: Operator = COMMAND_LINE,
    *,
    new_proof: Callable[[str], Awaitable[str]] | None = None,
) -> Result:
    """Do what `name` says, and note who did it, or could not, if it changes anything.

    With `new_proof` the argument `proof` is a password yet, and that makes the proof of it.
    Raises AccountError, ConfigError, StoreError or NoServer, in words for people; NotAllowed if the
    role of `who` is too low.
    """
    found = ACTIONS.get(name)
    if found is None:
        raise ConfigError(f"there is no action {name!r}; is the server older than this command?")
    if admin.live is None:
        check_server(name, admin.config)
    if not found.changes:
        return await _do(admin, name, arguments, who, new_proof)
    outcome, is_noted = _UNKNOWN, True
    try:
        result = await _do(admin, name, arguments, who, new_proof)
        outcome = ""
    except Exception as error:
        is_ours = isinstance(error, KQQError)
        outcome = str(error) if is_ours else f"the server failed: {type(error).__name__}"
        is_noted = who is COMMAND_LINE or admin.operators.notes_refusal(who.name)
        raise
    finally:
        noted = admin.operators.note(who.name, name, arguments, outcome) if is_noted else None
    if noted is not None:
        with suppress(StoreError):  # it is in the log, and what was asked for is done
            await noted
    return result


def check_server(name: str, config: Config) -> None:
    """Raise NoServer if an action needs a running server; for where there is none."""
    if name in ACTIONS and ACTIONS[name].live:
        raise NoServer(
            f"no server runs on {config.data}; start `kqq serve`, or name its folder with --data"
        )


async def _do(
    admin: Admin,
    name: str,
    arguments: Mapping[str, Any],
    who: Operator,
    new_proof: Callable[[str], Awaitable[str]] | None,
) -> Result:
    found = ACTIONS[name]
    _check_role(admin, name, arguments, who)
    check_arguments(name, arguments)
    if new_proof is not None and "proof" in arguments:
        arguments = {**arguments, "proof": await new_proof(arguments["proof"])}
    result = cast(Result, await found.function(admin, **arguments))
    whom = {key: arguments[key] for key in ("uin", "other") if key in arguments}
    level = logging.INFO if found.changes else logging.DEBUG
    event(logger, level, "operator", action=name, who=who.name, **whom)
    return result


def _check_role(admin: Admin, name: str, arguments: Mapping[str, Any], who: Operator) -> None:
    """Raise NotAllowed if somebody may not do it, or not to that account."""
    found = ACTIONS[name]
    if not who.role.covers(found.role):
        raise NotAllowed(f"{name} is for the role {found.role}; {who.name} is {who.role}")
    uin = arguments.get("uin")
    if found.changes and who.role is not Role.ADMINISTRATOR and type(uin) is int:
        theirs = admin.operators.role_of(uin)
        if theirs is not None and theirs.covers(who.role):
            raise NotAllowed(f"{uin} is {theirs}; that is for an administrator to do")


# --- arguments -----------------------------------------------------------------------------------


def check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Raise WrongArguments unless an action takes these."""
    wanted = ACTIONS[name].parameters
    missing = [one.name for one in wanted.values() if one.is_required and one.name not in arguments]
    unknown = [key for key in arguments if key not in wanted]
    if missing or unknown:
        what = f"{missing[0]} is missing" if missing else f"it takes no {unknown[0]}"
        raise WrongArguments(f"{name}: {what}; is the server older than this command?")
    for key, value in arguments.items():
        if why := misfit(value, wanted[key].kind):
            shown = "" if key == "proof" else f"={_short(value)}"
            raise WrongArguments(f"{name}: {key}{shown} {why}")


def bare(kind: Any) -> Any:
    """Return a type without what Annotated says of it, and without that it may be None."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        (only,) = [part for part in get_args(kind) if part is not NoneType]
        return bare(only)
    return kind


def bounds_of(kind: Any) -> Between | None:
    """Return the bounds that an Annotated type has."""
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((one for one in notes if isinstance(one, Between)), None)


def misfit(value: object, kind: Any) -> str:
    """Return what is wrong with an argument of this type; "" is nothing."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return ""
    if origin is Annotated:
        return misfit(value, parts[0]) or _out_of(value, bounds_of(kind))
    if origin in {Union, UnionType}:
        wrongs = [misfit(value, part) for part in parts if part is not NoneType]
        return "" if value is None or "" in wrongs else wrongs[0]
    choices = list(kind) if isinstance(kind, EnumType) else list(parts) * (origin is Literal)
    if choices:
        *first, last = map(str, choices)
        is_one = isinstance(value, str) and value in choices
        return "" if is_one else f"cannot be; take {', '.join(first)} or {last}"
    if origin is Sequence and isinstance(value, list | tuple):
        return next(filter(None, (misfit(one, parts[0]) for one in value)), "")
    if origin is Mapping and isinstance(value, Mapping):
        return next(filter(None, (misfit(one, parts[1]) for one in value.values())), "")
    fits = type(value) is kind or (kind is float and type(value) is int)
    return "" if fits else "is of the wrong type"


def _out_of(value: object, bounds: Between | None) -> str:
    if bounds is None:
        return ""
    size = value if isinstance(value, int | float) else len(cast(Sequence[object], value))
    if bounds.low <= size <= bounds.high:
        return ""
    unit = "" if isinstance(value, int | float) else " characters"
    unit = " of them" if isinstance(value, list | tuple) else unit
    return f"cannot be; take {_number(bounds.low)} to {_number(bounds.high)}{unit}"


def _number(value: float) -> str:
    return str(int(value)) if value == math.floor(value) else str(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def check_note(name: str, text: str) -> None:
    """Raise AccountError if a reason or a note cannot be shown on a line."""
    if not text.isprintable():
        raise AccountError(f"{name}={text!r} cannot be; take printable characters")
