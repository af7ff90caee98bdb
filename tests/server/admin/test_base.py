"""What can be asked of an operator's actions, by whom, and what is noted of it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

import pytest

from kqq.errors import AccountError, ConfigError, StoreError
from kqq.server.admin import ACTIONS, Action, Admin, NoServer, WrongArguments, perform
from kqq.server.admin.base import Between, bare, bounds_of, misfit
from kqq.server.operators import NotAllowed, Role
from kqq.server.operators import Operator as Who
from operating import Operator
from stage import JULIET, PARIS, ROMEO, Stage, request

OBSERVER = Who("10003", Role.OBSERVER, PARIS)
MODERATOR = Who("token watch", Role.MODERATOR)
ADMINISTRATOR = Who("10001", Role.ADMINISTRATOR, ROMEO)


def deeds(admin: Admin) -> list[tuple[str, str, dict[str, Any], str]]:
    """Return what was noted, the oldest first."""
    return [
        (one.who, one.action, one.arguments, one.outcome)
        for one in reversed(admin.operators.deeds())
    ]


# --- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("kick", {}, "kick: uin is missing; is the server older than this command?"),
        ("kick", {"uin": ROMEO, "hard": True}, "kick: it takes no hard; is the server older"),
        ("kick", {"uin": ROMEO, "admin": 1}, "kick: it takes no admin; is"),
        ("kick", {"uin": "10001"}, "kick: uin='10001' is of the wrong type"),
        ("kick", {"uin": None}, "kick: uin=None is of the wrong type"),
        ("kick", {"uin": 0}, "kick: uin=0 cannot be; take 1 to 4294967295$"),
        ("kick", {"uin": ROMEO, "reason": "x" * 201}, "cannot be; take 0 to 200 characters"),
        ("account.add", {"proof": "", "nick": "x"}, "account.add: proof cannot be; take 1 to"),
        ("account.add", {"proof": "x", "nick": "x", "uin": True}, "uin=True is of the wrong type"),
        ("account.set", {"uin": ROMEO, "values": {"face": 1}}, "is of the wrong type"),
        ("account.set", {"uin": ROMEO, "values": ["face"]}, "is of the wrong type"),
        ("announce", {"text": "x", "to": [ROMEO, "x"]}, "is of the wrong type"),
        ("announce", {"text": "x", "to": "10001"}, "to='10001' is of the wrong type"),
        ("announce", {"text": "x", "to": []}, r"to=\[\] cannot be; take 1 to 1000 of them"),
        ("account.invite", {"days": "1"}, "days='1' is of the wrong type"),
        ("operator.add", {"uin": ROMEO, "role": "king"}, "take observer, moderator or admin"),
    ],
)
async def test_what_cannot_be_asked(
    operator: Operator, name: str, arguments: dict[str, Any], words: str
) -> None:
    """Other arguments than an action takes are told in words, and noted as tried."""
    with pytest.raises(WrongArguments, match=words) as raised:
        await perform(operator.admin, name, arguments)
    await operator.stage.idle()
    ((who, action, _, outcome),) = deeds(operator.admin)
    assert (who, action, outcome) == ("command line", name, str(raised.value))


async def test_no_such_action(operator: Operator) -> None:
    """That is told in words, and is no deed."""
    with pytest.raises(ConfigError, match="there is no action 'dance'; is the server older"):
        await perform(operator.admin, "dance", {})
    assert deeds(operator.admin) == []


async def test_every_action_works_or_says_no_server_runs(alone: Admin) -> None:
    """Those that need a server say so before anything else; the others do not need one."""
    live = {name for name, action in ACTIONS.items() if action.live}
    assert live == {
        "sessions", "kick", "announce", "why", "status", "trends", "limits.show", "limits.set",
    }  # fmt: skip
    for name in live:
        with pytest.raises(NoServer, match=r"no server runs on .*; start `kqq serve`, or name"):
            await perform(alone, name, {})
    assert deeds(alone) == []


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Any, [None, 1, {}], []),
        (int, [1], [1.0, True, "1", None]),
        (float, [1, 1.5], [True, "1"]),
        (int | None, [1, None], ["1"]),
        (Annotated[int, Between(1, 3)] | None, [1, 3, None], [0, 4, "1"]),
        (Annotated[float, Between(0.5, 3)], [0.5, 3], [0.4, float("nan")]),
        (Annotated[str, "words"], [""], [1]),
        (Literal["a", "b"], ["a"], ["c", 1, ["a"]]),
        (Role, ["observer", Role.OBSERVER], ["", "OBSERVER", 1, []]),
        (Sequence[int], [[1], (1,), []], ["1", [1, "1"], {}, None]),
        (Annotated[Sequence[int], Between(1, 2)], [[1]], [[], [1, 2, 3], ["1"]]),
        (Sequence[Any], [[1, None]], [None, {}, "a"]),
        (Mapping[str, str], [{}, {"a": "b"}], [[], {"a": 1}, "a"]),
        (Mapping[str, Any], [{}, {"a": None}], [None, [], "a"]),
    ],
)
def test_types(kind: Any, right: list[object], wrong: list[object]) -> None:
    """A value fits its type and its bounds, or it is told why not."""
    assert [one for one in right if misfit(one, kind)] == []
    assert [one for one in wrong if not misfit(one, kind)] == []


def test_what_a_type_is_and_has() -> None:
    """Without notes and None; bounds, if there are any."""
    assert bare(Annotated[int, Between(1, 2)] | None) is int
    assert bare(str) is str
    assert bounds_of(Annotated[int, "words", Between(1, 2)]) == Between(1, 2)
    assert bounds_of(Annotated[int, "words"]) is None
    assert bounds_of(int) is None


# --- who may do it -------------------------------------------------------------------------------


def test_roles_of_actions() -> None:
    """Who looks is an observer at least; a moderator keeps order; all else is administrators'."""
    by_role = {role: {n for n, one in ACTIONS.items() if one.role is role} for role in Role}
    assert by_role[Role.MODERATOR] == {
        "kick", "account.suspend", "account.resume", "account.invite", "announce",
    }  # fmt: skip
    assert all(not ACTIONS[name].changes for name in by_role[Role.OBSERVER])
    assert all(ACTIONS[name].changes for name in by_role[Role.ADMINISTRATOR])
    assert {name for name, one in ACTIONS.items() if one.local} == {"account.import"}


@pytest.mark.parametrize(
    ("who", "name", "arguments", "words"),
    [
        (OBSERVER, "kick", {"uin": ROMEO}, "kick is for the role moderator; 10003 is observer"),
        (OBSERVER, "kick", {}, "kick is for the role moderator"),
        (MODERATOR, "account.delete", {"uin": PARIS}, "for the role administrator; token watch is"),
        (MODERATOR, "account.suspend", {"uin": ROMEO}, "10001 is administrator; that is for an"),
        (MODERATOR, "account.suspend", {"uin": JULIET}, "10002 is moderator; that is for an"),
    ],
)
async def test_who_may_not(
    operator: Operator, who: Who, name: str, arguments: dict[str, Any], words: str
) -> None:
    """A role lets do what it says, and a moderator nothing to those who may as much."""
    await operator.do("operator.add", uin=ROMEO, role="administrator")
    await operator.do("operator.add", uin=JULIET, role="moderator")
    with pytest.raises(NotAllowed, match=words):
        await operator.as_who(who, name, arguments)
    await operator.stage.idle()
    assert deeds(operator.admin)[-1][:3] == (who.name, name, arguments)
    assert words in deeds(operator.admin)[-1][3]


async def test_who_may(operator: Operator) -> None:
    """A moderator may do things to those who may less, an administrator to all."""
    await operator.do("operator.add", uin=ROMEO, role="administrator")
    await operator.do("operator.add", uin=JULIET, role="administrator")
    await operator.do("operator.add", uin=PARIS, role="observer")
    await operator.as_who(OBSERVER, "account.show", {"uin": ROMEO})
    await operator.as_who(MODERATOR, "account.suspend", {"uin": PARIS})
    await operator.as_who(ADMINISTRATOR, "account.suspend", {"uin": JULIET})
    assert [one.uin for one in operator.stage.store.accounts() if one.suspended is not None] == [
        JULIET,
        PARIS,
    ]


# --- what is noted -------------------------------------------------------------------------------


async def test_deeds(operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    """What changes something is noted and logged, done or not, and nothing that is secret."""
    caplog.set_level(logging.INFO, "kqq.admin")
    await operator.do("account.passwd", uin=ROMEO, proof="scrypt$secret")
    await operator.as_who(ADMINISTRATOR, "account.set", {"uin": PARIS, "values": {"age": "16"}})
    with pytest.raises(AccountError):
        await operator.as_who(MODERATOR, "kick", {"uin": PARIS, "reason": "a break"})
    await operator.do("account.list")
    assert deeds(operator.admin) == [
        ("command line", "account.passwd", {"uin": ROMEO}, ""),
        ("10001", "account.set", {"uin": PARIS, "values": {"age": "16"}}, ""),
        ("token watch", "kick", {"uin": PARIS, "reason": "a break"}, "10003 is not signed in"),
    ]
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        'operator action=account.passwd who="command line" uin=10001',
        "operator action=account.set who=10001 uin=10003",
    ]


async def test_refusals_push_nothing_out(operator: Operator) -> None:
    """Who tries what they may not over and over is noted some times only."""
    for _ in range(40):
        with pytest.raises(NotAllowed):
            await operator.as_who(OBSERVER, "kick", {"uin": ROMEO})
    await operator.stage.idle()
    assert len(deeds(operator.admin)) == 30
    operator.stage.clock.advance(60.0)
    with pytest.raises(NotAllowed):
        await operator.as_who(OBSERVER, "kick", {"uin": ROMEO})
    await operator.stage.idle()
    assert len(deeds(operator.admin)) == 31


class Nothing(TypedDict):
    """What the actions of this test return."""


@pytest.fixture
def odd() -> Any:
    """Return what makes an action that does what a function does, for the time of a test."""
    made = []

    def make(function: Any) -> str:
        async def odd(admin: Admin) -> Nothing:
            await function()
            return {}

        ACTIONS["odd"] = Action(odd, changes=True, live=False)
        made.append("odd")
        return "odd"

    yield make
    for name in made:
        ACTIONS.pop(name, None)


async def test_failure_is_noted(operator: Operator, odd: Any) -> None:
    """What nobody foresaw is noted without its words, which may be anything."""

    async def fail() -> None:
        raise KeyError("PS=5EBE2294ECD0E0F08EAB7690D2A6EE69")

    with pytest.raises(KeyError):
        await operator.do(odd(fail))
    await operator.stage.idle()
    assert deeds(operator.admin) == [("command line", "odd", {}, "the server failed: KeyError")]


async def test_interruption_is_noted(operator: Operator, odd: Any) -> None:
    """Who is cancelled may have done it."""
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    doing = asyncio.create_task(operator.do(odd(wait)))
    await begun.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    await operator.stage.idle()
    ((*_, outcome),) = deeds(operator.admin)
    assert outcome == "it was interrupted; whether it was done is not known"


async def test_what_cannot_be_noted_is_done(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer says what became of it; that the log has a gap is in the server's log."""
    operator.stage.server._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON deed BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    assert await operator.do("account.resume", uin=(await suspended(operator))) == {"uin": PARIS}
    assert "no room" in caplog.text


async def suspended(operator: Operator) -> int:
    """Return the number of somebody who is suspended now."""
    await operator.stage.store.change_account(PARIS, suspended="a duel")
    return PARIS


async def test_password_becomes_a_proof(operator: Operator) -> None:
    """Where a password comes, its proof is made once it is known that it may be changed."""
    made = []

    async def new_proof(password: str) -> str:
        made.append(password)
        return "a proof"

    asked = {"uin": ROMEO, "proof": "a password"}
    await perform(operator.admin, "account.passwd", asked, ADMINISTRATOR, new_proof=new_proof)
    account = operator.stage.store.account(ROMEO)
    assert account is not None
    assert account.proof == "a proof"
    with pytest.raises(NotAllowed):
        await perform(operator.admin, "account.passwd", asked, MODERATOR, new_proof=new_proof)
    await perform(operator.admin, "kick", {"uin": await signed_in(operator.stage)},
                  new_proof=new_proof)  # fmt: skip
    assert made == ["a password"]
    assert "a password" not in str(deeds(operator.admin))


async def signed_in(stage: Stage) -> int:
    """Return the number of somebody who is signed in now."""
    await stage.sign_in(PARIS)
    return PARIS


async def test_sessions_and_browsers_end(operator: Operator) -> None:
    """Who is suspended, deleted, or has a new password is out, with the browser as well."""
    visits, stage = operator.stage.server._visits, operator.stage
    for name, more in (
        ("account.passwd", {"proof": "x"}),
        ("account.suspend", {}),
        ("account.delete", {}),
    ):
        ended: list[bool] = []
        visit, cookie = await visits.begin(PARIS, "192.0.2.1", "a browser")
        visits.watch(visit.id, lambda ended=ended: ended.append(True))  # type: ignore[misc]
        wire = await stage.sign_in(ROMEO)
        await operator.do(name, uin=PARIS, **more)
        assert ended == [True]
        assert visits.find(cookie) is None
        assert "&RES=0&" in await wire.ask(request("List", ROMEO))


async def test_store_error_is_noted(operator: Operator) -> None:
    """A disk that is full keeps nobody from hearing of it."""
    operator.stage.server._database.execute(
        "CREATE TRIGGER full BEFORE DELETE ON account BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(StoreError, match="no room"):
        await operator.do("account.delete", uin=PARIS)
    await operator.stage.idle()
    assert "no room" in deeds(operator.admin)[-1][3]
