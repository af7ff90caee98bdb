"""What an operator can do: on a server that runs, with effect at once, and where none runs."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import AccountError, ConfigError, StoreError
from kqq.server import Config, Listen
from kqq.server.accounts import HIGHEST_UIN, make_proof, password_md5
from kqq.server.admin import ACTIONS, SYSTEM, Admin, NoServer, perform
from kqq.server.config import Listen as Door
from kqq.server.profiles import CHOICES
from kqq.server.store import Store
from stage import (
    JULIET,
    MD5,
    PARIS,
    ROMEO,
    ManualClock,
    Stage,
    Wire,
    proof,
    request,
    sign_in_line,
)

FIRST = PARIS + 1
"""The first number that is free."""
OTHER = make_proof(password_md5("other"), b"salt")
HOST = "192.0.2.1"


class Operator:
    """Somebody who may do everything on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.admin = Admin(
            stage.config, stage.store, stage.clock, os.urandom, stage.server._services
        )

    async def do(self, name: str, /, **arguments: Any) -> Any:
        """Do something, and let everything happen that follows."""
        result = await perform(self.admin, name, arguments)
        await self.stage.idle()
        return result


@pytest.fixture
def operator(stage: Stage) -> Operator:
    """The operator of a server with Romeo and Juliet, who are friends, and Paris."""
    return Operator(stage)


@pytest.fixture
def alone(store: Store, tmp_path: Path) -> Admin:
    """The same people where no server runs."""
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))
    return Admin(config, store, ManualClock(), os.urandom)


async def refused_sign_in(stage: Stage, uin: int, password: str = MD5) -> str:
    """Return what somebody is told who is not let in."""
    wire = stage.connect()
    reply = await wire.ask(sign_in_line(uin, password=password))
    await wire.close()
    assert "&RS=0&" not in reply
    return reply


async def told(stage: Stage, wire: Wire) -> list[str]:
    """Return the lines that have come to somebody."""
    await stage.idle()
    return wire.waiting()


# --- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("dance", {}, "there is no action 'dance'; is the server older"),
        ("kick", {}, "kick: missing a required argument: 'uin'; is the server older"),
        ("kick", {"uin": ROMEO, "hard": True}, "unexpected keyword argument 'hard'"),
        ("kick", {"admin": ROMEO}, "multiple values for argument 'admin'"),
        ("kick", {"uin": "10001"}, "kick: uin is of the wrong type"),
        ("account.add", {"proof": "", "nick": "x", "uin": True}, "uin is of the wrong type"),
        ("account.set", {"uin": ROMEO, "values": {"face": 1}}, "values is of the wrong type"),
        ("account.set", {"uin": ROMEO, "values": ["face"]}, "values is of the wrong type"),
        ("announce", {"text": "x", "to": [ROMEO, "x"]}, "to is of the wrong type"),
        ("announce", {"text": "x", "to": "10001"}, "to is of the wrong type"),
        ("account.invite", {"days": "1"}, "days is of the wrong type"),
    ],
)
async def test_what_cannot_be_asked(
    operator: Operator, name: str, arguments: dict[str, Any], words: str
) -> None:
    """An action that is not there, or other arguments than it takes, are told in words."""
    with pytest.raises(ConfigError, match=words):
        await perform(operator.admin, name, arguments)


async def test_every_action_works_or_says_no_server_runs(alone: Admin) -> None:
    """Those that need a server say so before anything else; the others do not need one."""
    live = {name for name, action in ACTIONS.items() if action.live}
    assert live == {"sessions", "kick", "announce", "why", "status"}
    for name, arguments in (
        ("sessions", {}),
        ("kick", {"uin": ROMEO}),
        ("announce", {"text": "x"}),
        ("why", {"who": "10001"}),
        ("status", {}),
    ):
        with pytest.raises(NoServer, match=r"no server runs on .*; start `kqq serve`, or name"):
            await perform(alone, name, arguments)


# --- making accounts -----------------------------------------------------------------------------


async def test_adding(operator: Operator) -> None:
    """An account can be signed in to at once; what it lets others do is as the settings say."""
    added = await operator.do("account.add", uin=20000, nick="罗莎琳", proof=proof())
    assert added == {"uin": 20000, "nick": "罗莎琳", "face": 0}
    await operator.stage.sign_in(20000)
    await operator.do("account.add", nick="x", proof=proof(), who_may_add="nobody")
    await operator.do("account.add", nick="x", proof=proof(), who_may_write="anyone")
    choices = [(one.who_may_add, one.who_may_write) for one in operator.stage.store.accounts(PARIS)]
    assert choices == [("nobody", "friends"), ("ask", "anyone"), ("ask", "friends")]


async def test_adding_without_a_number(operator: Operator) -> None:
    """The lowest free number is given; of many who ask at once each gets another."""
    new = {"nick": "x", "proof": proof()}
    asked = [perform(operator.admin, "account.add", new) for _ in range(4)]
    await asyncio.gather(*asked)
    given = [one.uin for one in operator.stage.store.accounts(PARIS)]
    assert given == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    await operator.do("account.delete", uin=FIRST + 1)
    assert (await operator.do("account.add", nick="x", proof=proof()))["uin"] == FIRST + 1


async def test_no_number_is_left(tmp_path: Path) -> None:
    """When all numbers from the first on are taken, that is told."""
    async with Stage(tmp_path, lowest_number=HIGHEST_UIN) as stage:
        admin, new = Operator(stage).admin, {"nick": "x", "proof": proof()}
        asked = [perform(admin, "account.add", new) for _ in range(2)]
        made, refused = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(made, dict)
        assert made["uin"] == HIGHEST_UIN
        assert str(refused) == "all numbers from 4294967295 to 4294967295 are taken"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"uin": ROMEO}, "there is an account 10001 already"),
        ({"uin": SYSTEM}, "cannot be a number"),
        ({"uin": 0}, "cannot be a number"),
        ({"uin": HIGHEST_UIN + 1}, "cannot be a number"),
        ({"nick": " x"}, "cannot be a nickname"),
        ({"who_may_add": "me"}, "who_may_add=me cannot be; take anyone or ask or nobody"),
        ({"who_may_write": "ask"}, "who_may_write=ask cannot be; take friends or anyone"),
    ],
)
async def test_what_cannot_be_added(alone: Admin, arguments: dict[str, Any], words: str) -> None:
    """What will not do is refused in words, and nothing is added."""
    with pytest.raises(AccountError, match=words):
        await perform(alone, "account.add", {"nick": "x", "proof": proof(), **arguments})
    assert alone.store.count_accounts() == 3


# --- many at once --------------------------------------------------------------------------------


def one(uin: int, nick: str = "x") -> dict[str, Any]:
    """Return an account to import."""
    return {"uin": uin, "nick": nick, "proof": proof()}


async def test_importing(operator: Operator) -> None:
    """Accounts and friendships, also with those who are there; friends see each other at once."""
    romeo = await operator.stage.sign_in(ROMEO)
    paris = await operator.stage.sign_in(PARIS)
    done = await operator.do(
        "account.import",
        accounts=[one(FIRST, "小波"), one(FIRST + 1)],
        friends=[(FIRST, FIRST + 1), (ROMEO, FIRST), (ROMEO, PARIS), (ROMEO, JULIET)],
    )
    assert done == {"accounts": 2, "friends": 3}
    assert operator.stage.store.friends(FIRST) == [ROMEO, FIRST + 1]
    assert await told(operator.stage, romeo) == [
        "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10003"
    ]
    assert len(await told(operator.stage, paris)) == 1
    assert await operator.do("account.which", uins=[1, ROMEO, FIRST]) == [
        {"uin": ROMEO},
        {"uin": FIRST},
    ]


@pytest.mark.parametrize(
    ("accounts", "friends", "words"),
    [
        ([one(FIRST), one(ROMEO)], [], "there is an account 10001 already"),
        ([one(FIRST), one(FIRST)], [], "there is an account 10004 already"),
        ([one(FIRST), one(SYSTEM)], [], "cannot be a number"),
        ([one(FIRST), one(20000, "")], [], "cannot be a nickname"),
        ([one(FIRST)], [(FIRST, 20000)], "there is no account 20000"),
        ([one(FIRST)], [(FIRST, FIRST)], "cannot be a friend of itself"),
        ([one(FIRST)], [(ROMEO, ROMEO)], "cannot be a friend of itself"),
    ],
)
async def test_all_of_a_part_or_nothing(
    alone: Admin, accounts: list[dict[str, Any]], friends: list[tuple[int, int]], words: str
) -> None:
    """If anything in a part cannot be, nothing of it is done."""
    with pytest.raises(AccountError, match=words):
        await perform(alone, "account.import", {"accounts": accounts, "friends": friends})
    assert alone.store.count_accounts() == 3
    assert alone.store.friends(ROMEO) == [JULIET]


async def test_number_taken_while_importing(operator: Operator) -> None:
    """Who comes first has the number; the others are there, and it is told."""
    new = {"nick": "first", "proof": proof()}
    adding = asyncio.create_task(perform(operator.admin, "account.add", new))
    await asyncio.sleep(0)
    many = {"accounts": [one(FIRST), one(20000)], "friends": []}
    with pytest.raises(AccountError, match="somebody else took 10004 meanwhile; the rest was"):
        await perform(operator.admin, "account.import", many)
    await adding
    assert [one.nick for one in operator.stage.store.accounts(PARIS)] == ["first", "x"]


# --- changing ------------------------------------------------------------------------------------


async def test_new_password(operator: Operator) -> None:
    """The old one signs in no more, though it was remembered; whoever is in is out at once."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    wire.waiting()
    assert await operator.do("account.passwd", uin=ROMEO, proof=OTHER) == {"uin": ROMEO}
    assert "UN=10001" in (await told(stage, juliet))[-1]
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    assert "RA=Password error" in await refused_sign_in(stage, ROMEO)
    reply = await wire.ask(sign_in_line(ROMEO, password=password_md5("other")))
    assert "&RS=0&" in reply


async def test_new_password_leaves_devices(operator: Operator) -> None:
    """A phone with a password of its own is signed out, too, but can come back."""
    made = await operator.do("device.add", uin=ROMEO, name="6230")
    await operator.do("account.passwd", uin=ROMEO, proof=OTHER)
    wire = operator.stage.connect()
    md5 = password_md5(made["password"])
    assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO, password=md5))


async def test_setting(operator: Operator) -> None:
    """Names, faces, permissions and profiles change, and others see it with their next question."""
    values = {
        "nick": "罗密欧",
        "face": "24",
        "who_may_add": "nobody",
        "about": "a&b=c%2c",
        "age": "16",
    }
    changed = await operator.do("account.set", uin=ROMEO, values=values)
    assert changed == {"uin": ROMEO, "nick": "罗密欧", "face": 24}
    juliet = await operator.stage.sign_in(JULIET)
    shown = await juliet.ask(request("GetInfo", JULIET, f"LV=3&UN={ROMEO}"))
    assert "罗密欧" in shown
    assert "16" in shown
    await operator.do("account.set", uin=ROMEO, values={"age": "", "who_may_write": "anyone"})
    found = await operator.do("account.show", uin=ROMEO)
    assert found["profile"] == {"about": "a&b=c%2c"}
    assert (found["who_may_add"], found["who_may_write"]) == ("nobody", "anyone")
    assert await operator.do("account.set", uin=ROMEO, values={}) == changed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nick": ""}, "cannot be a nickname"),
        ({"face": "-1"}, "face=-1 cannot be; take a number up to 65535"),
        ({"face": "65536"}, "take a number up to 65535"),
        ({"face": "9" * 5000}, "take a number up to 65535"),
        ({"face": "²"}, "take a number up to 65535"),
        ({"who_may_add": ""}, "who_may_add= cannot be; take anyone or ask or nobody"),
        ({"proof": "x"}, "'proof' cannot be set; take nick, face, who_may_add, who_may_write or"),
        ({"suspended": "x"}, "'suspended' cannot be set"),
        ({"about": "a\nb"}, r"about='a\\nb' cannot be; take up to 256 printable"),
        ({"about": "a" * 257}, "take up to 256 printable"),
    ],
)
async def test_what_cannot_be_set(alone: Admin, values: dict[str, str], words: str) -> None:
    """If one value will not do, none is taken."""
    with pytest.raises(AccountError, match=words):
        await perform(alone, "account.set", {"uin": ROMEO, "values": {"age": "16", **values}})
    assert alone.store.profile(ROMEO) == {}


async def test_choices_are_those_of_the_settings() -> None:
    """What an account can choose is what the settings can say for new ones."""
    for name, choices in CHOICES.items():
        for choice in choices:
            given: dict[str, Any] = {name: choice}
            assert getattr(Config(data=Path(), **given), name) == choice


# --- friends -------------------------------------------------------------------------------------


async def test_friends_see_each_other_at_once(operator: Operator) -> None:
    """They learn who is online when they become friends, and see each other go when they part."""
    romeo = await operator.stage.sign_in(ROMEO)
    paris = await operator.stage.sign_in(PARIS)
    pair = {"uin": ROMEO, "other": PARIS}
    assert await operator.do("account.friend", **pair) == {**pair, "new": True}
    assert "&ST=10&UN=10003" in (await told(operator.stage, romeo))[0]
    assert "&ST=10&UN=10001" in (await told(operator.stage, paris))[0]
    assert await operator.do("account.friend", **pair) == {**pair, "new": False}
    assert await told(operator.stage, paris) == []
    assert await operator.do("account.unfriend", **pair) == pair
    assert "&ST=20&UN=10003" in (await told(operator.stage, romeo))[0]
    assert "&ST=20&UN=10001" in (await told(operator.stage, paris))[0]
    with pytest.raises(AccountError, match="10001 and 10003 are not friends"):
        await operator.do("account.unfriend", **pair)


async def test_hidden_stays_hidden(operator: Operator) -> None:
    """A new friend does not learn that somebody is there who does not want to be seen."""
    romeo = await operator.stage.sign_in(ROMEO)
    await operator.stage.sign_in(PARIS, lg=40)
    await operator.do("account.friend", uin=ROMEO, other=PARIS)
    await operator.do("account.delete", uin=PARIS)
    assert await told(operator.stage, romeo) == []


async def test_friendship_answers_requests(operator: Operator) -> None:
    """Nobody waits for an answer of a friend, so the two can part and ask again."""
    paris = await operator.stage.sign_in(PARIS)
    await paris.ask(request("Ack_AddToList", PARIS, f"UN={ROMEO}&CD=2&RS=hello"))
    await operator.stage.idle()
    assert (await operator.do("account.show", uin=ROMEO))["asked_by"] == [PARIS]
    assert (await operator.do("account.show", uin=PARIS))["has_asked"] == [ROMEO]
    await operator.do("account.friend", uin=ROMEO, other=PARIS)
    shown = await operator.do("account.show", uin=ROMEO)
    assert (shown["asked_by"], shown["friends"]) == ([], [JULIET, PARIS])


@pytest.mark.parametrize(
    ("name", "pair", "words"),
    [
        ("account.friend", (ROMEO, ROMEO), "a friend of itself"),
        ("account.friend", (ROMEO, FIRST), "there is no account 10004"),
        ("account.unfriend", (FIRST, ROMEO), "there is no account 10004"),
        ("account.unfriend", (ROMEO, FIRST), "are not friends"),
    ],
)
async def test_who_cannot_be_friends(
    alone: Admin, name: str, pair: tuple[int, int], words: str
) -> None:
    """With oneself or with nobody there is no friendship."""
    with pytest.raises(AccountError, match=words):
        await perform(alone, name, {"uin": pair[0], "other": pair[1]})


# --- suspended, deleted --------------------------------------------------------------------------


async def test_suspending(operator: Operator) -> None:
    """The session ends at once and none can begin, until it is resumed; nothing is lost."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    wire.waiting()
    await operator.do("account.suspend", uin=ROMEO, reason="a duel")
    assert "&ST=20&UN=10001" in (await told(stage, juliet))[0]
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    assert "RA=Account suspended" in await refused_sign_in(stage, ROMEO)
    assert "RA=Password error" in await refused_sign_in(stage, ROMEO, password_md5("other"))
    await juliet.ask(request("CLTMSG", JULIET, f"UN={ROMEO}&MG=where are you"))
    assert (await operator.do("account.show", uin=ROMEO))["suspended"] == "a duel"
    assert await operator.do("account.resume", uin=ROMEO) == {"uin": ROMEO}
    wire = await stage.sign_in(ROMEO)
    assert "where are you" in (await told(stage, wire))[-1]
    with pytest.raises(AccountError, match="10001 is not suspended"):
        await operator.do("account.resume", uin=ROMEO)


async def test_suspending_over_http(operator: Operator) -> None:
    """A session over HTTP ends as well, though it has no connection."""
    stage = operator.stage
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))
    await operator.do("account.suspend", uin=ROMEO)
    assert "&RES=20" in await stage.post(request("List", ROMEO))


@pytest.mark.parametrize("reason", ["a" * 201, "a\nb", "a\u202eb"])
async def test_reason_that_will_not_do(alone: Admin, reason: str) -> None:
    """A reason is a line that can be shown."""
    with pytest.raises(AccountError, match="take up to 200 printable characters"):
        await perform(alone, "account.suspend", {"uin": ROMEO, "reason": reason})
    assert alone.store.account(ROMEO).suspended is None  # type: ignore[union-attr]


async def test_deleting(operator: Operator) -> None:
    """All that belongs to an account is gone, at once; its friends see it leave."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    await wire.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=farewell"))
    await told(stage, juliet)
    wire.waiting()
    await operator.do("device.add", uin=ROMEO, name="6230")
    await operator.do("account.set", uin=ROMEO, values={"age": "16"})
    deleted = await operator.do("account.delete", uin=ROMEO)
    assert deleted == {"uin": ROMEO, "nick": "n10001", "face": 0}
    assert await told(stage, juliet) == [
        "VER=1.1&CMD=update_stat&SEQ=1&UIN=10002&RES=0&ST=20&UN=10001"
    ]
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    assert "&RES=5" in await refused_sign_in(stage, ROMEO)
    assert "&RES=5" in await juliet.ask(request("GetInfo", JULIET, f"LV=1&UN={ROMEO}"))
    assert "&SN=0" in await juliet.ask(request("List", JULIET))
    for table in ("account", "friend", "device", "profile"):
        assert not stage.server._database.fetch(f"SELECT 1 FROM {table} WHERE uin = ?", ROMEO)
    for name in ("account.delete", "account.show", "account.suspend", "account.resume"):
        with pytest.raises(AccountError, match="there is no account 10001"):
            await operator.do(name, uin=ROMEO)


async def test_signing_in_while_being_deleted(operator: Operator) -> None:
    """Who signs in between is out as well: there is no session without an account."""
    stage = operator.stage
    await stage.sign_in(ROMEO)
    wire = stage.connect()
    deleting = asyncio.create_task(perform(operator.admin, "account.delete", {"uin": ROMEO}))
    await wire.say(sign_in_line(ROMEO))
    await deleting
    await stage.idle()
    assert stage.server._services.sessions.of(ROMEO) is None


async def test_message_outlives_its_sender(operator: Operator) -> None:
    """What somebody sent before being deleted still arrives."""
    wire = await operator.stage.sign_in(ROMEO)
    await wire.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=farewell"))
    await operator.do("account.delete", uin=ROMEO)
    juliet = await operator.stage.sign_in(JULIET)
    assert "farewell" in (await told(operator.stage, juliet))[0]


# --- looking -------------------------------------------------------------------------------------


async def test_showing(operator: Operator) -> None:
    """Everything but passwords is shown, with the session if there is one."""
    await operator.do("device.add", uin=ROMEO, name="6230")
    shown = await operator.do("account.show", uin=ROMEO)
    date = operator.stage.clock.date()
    assert shown == {
        "uin": ROMEO,
        "nick": "n10001",
        "face": 0,
        "suspended": None,
        "last_seen": None,
        "who_may_add": "ask",
        "who_may_write": "friends",
        "friends": [JULIET],
        "asked_by": [],
        "has_asked": [],
        "waiting": 0,
        "devices": [{"name": "6230", "created": date, "last_seen": None}],
        "profile": {},
        "session": None,
    }
    await operator.stage.sign_in(ROMEO, lg=40)
    operator.stage.clock.advance(61.0)
    assert (await operator.do("account.show", uin=ROMEO))["session"] == {
        "uin": ROMEO,
        "nick": "n10001",
        "over": "tcp",
        "peer": "unknown:0",
        "status": "hidden",
        "seconds": 61.0,
        "silent": None,
    }


@pytest.mark.parametrize("name", ["account.list", "account.export"])
async def test_pages(alone: Admin, name: str) -> None:
    """Accounts come in order of number, all or in pages."""

    async def page(**arguments: int) -> list[int]:
        found = await perform(alone, name, arguments)
        assert isinstance(found, list)
        return [one["uin"] for one in found]

    assert await page() == [ROMEO, JULIET, PARIS]
    assert await page(most=2) == [ROMEO, JULIET]
    assert await page(after=JULIET, most=2) == [PARIS]
    assert await page(after=PARIS, most=2) == []


async def test_list_and_export_say(alone: Admin) -> None:
    """What is in them; never a password."""
    await perform(alone, "account.suspend", {"uin": JULIET, "reason": ""})
    assert (await perform(alone, "account.list", {"after": ROMEO, "most": 1})) == [
        {"uin": JULIET, "nick": "Juliet", "face": 0, "suspended": "", "last_seen": None}
    ]
    assert (await perform(alone, "account.export", {"most": 1})) == [
        {"uin": ROMEO, "nick": "Romeo", "friends": [JULIET]}
    ]


# --- devices, invitations ------------------------------------------------------------------------


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
        ({"uses": 0}, "uses=0 days=14 cannot be an invitation; take up to 100000 uses and 3650"),
        ({"uses": 100_001}, "cannot be an invitation"),
        ({"days": 0}, "cannot be an invitation"),
        ({"days": float("nan")}, "cannot be an invitation"),
        ({"days": float("inf")}, "cannot be an invitation"),
        ({"note": "a" * 201}, "note='a+' cannot be; take up to 200"),
    ],
)
async def test_invitation_that_will_not_do(
    alone: Admin, arguments: dict[str, Any], words: str
) -> None:
    """An invitation for nobody, for all or for ever is refused."""
    with pytest.raises(AccountError, match=words):
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
    config = Config(data=tmp_path, listen=listen, advertise=advertise, certificate=tmp_path,
                    key=tmp_path)  # fmt: skip
    admin = Admin(config, store, ManualClock(), os.urandom)
    made = await perform(admin, "account.invite", {})
    assert isinstance(made, dict)
    assert made["page"] == page


# --- a server that runs --------------------------------------------------------------------------


@pytest.fixture
async def open_stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with a door."""
    async with Stage(tmp_path / "data", listen=(Listen("127.0.0.1", 0),)) as stage:
        stage.add(ROMEO, JULIET)
        yield stage


async def test_status(open_stage: Stage) -> None:
    """What the server is and how much it has to do."""
    await open_stage.sign_in(ROMEO)
    await open_stage.post(sign_in_line(JULIET))
    found = await Operator(open_stage).do("status")
    port = open_stage.server.listening[0].port
    assert found.pop("version")
    assert found.pop("since") == open_stage.clock.date()
    assert found == {
        "data": str(open_stage.config.data),
        "doors": [f"kqq://127.0.0.1:{port}"],
        "advertise": "",
        "registration": "off",
        "accounts": 2,
        "sessions": {"connection": 1, "http": 1},
        "connections": 1,
    }
    made = await Operator(open_stage).do("account.invite")
    assert made["page"] == f"http://127.0.0.1:{port}/register"


async def test_sessions(operator: Operator) -> None:
    """Who is signed in, how, since when; in order of number, all or in pages."""
    stage = operator.stage
    assert await operator.do("sessions") == []
    await stage.post(sign_in_line(JULIET), "2001:db8::1")
    stage.clock.advance(10.0)
    await stage.sign_in(ROMEO)
    stage.clock.advance(5.0)
    await stage.post(request("Change_Stat", JULIET, "ST=30"), "2001:db8::1")
    found = await operator.do("sessions")
    assert [one["uin"] for one in found] == [ROMEO, JULIET]
    assert found[1] == {
        "uin": JULIET,
        "nick": "n10002",
        "over": "http",
        "peer": "[2001:db8::1]:50000",
        "status": "away",
        "seconds": 15.0,
        "silent": 0.0,
    }
    assert await operator.do("sessions", most=1) == found[:1]
    assert await operator.do("sessions", after=ROMEO, most=1) == found[1:]
    assert await operator.do("sessions", after=JULIET, most=1) == []


async def test_kick(operator: Operator) -> None:
    """The session ends; they can sign in again."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    kicked = await operator.do("kick", uin=ROMEO, reason="a break")
    assert kicked == {"uin": ROMEO, "reason": "a break"}
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    with pytest.raises(AccountError, match="10001 is not signed in"):
        await operator.do("kick", uin=ROMEO)
    with pytest.raises(AccountError, match="there is no account 10004"):
        await operator.do("kick", uin=FIRST)
    assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))


async def test_announcement_for_everybody(operator: Operator) -> None:
    """It is pushed to who is there and waits for who is not; the suspended get none."""
    stage = operator.stage
    romeo = await stage.sign_in(ROMEO)
    await operator.do("account.suspend", uin=PARIS)
    assert await operator.do("announce", text="维护：今晚\n十点") == {"sent": 2}
    (line,) = await told(stage, romeo)
    assert "&UN=10000&MG=维护：今晚" in line
    assert (await operator.do("account.show", uin=JULIET))["waiting"] == 1
    assert (await operator.do("account.show", uin=PARIS))["waiting"] == 0


async def test_announcement_for_some(operator: Operator) -> None:
    """Only those who are named get it, each once."""
    stage = operator.stage
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    sent = await operator.do("announce", text="hello", to=[PARIS, JULIET, PARIS])
    assert sent == {"sent": 2}
    assert len(await told(stage, paris)) == 1
    assert await told(stage, romeo) == []
    assert (await operator.do("account.show", uin=JULIET))["waiting"] == 1


async def test_announcement_that_will_not_do(tmp_path: Path) -> None:
    """No text, too long a text, nobody, a full inbox: nothing is sent to anybody."""
    async with Stage(tmp_path / "data", inbox_limit=1, text_limit=10) as stage:
        stage.add(ROMEO, JULIET)
        operator = Operator(stage)
        await operator.do("announce", text="x" * 10, to=[JULIET])
        for arguments, words in (
            ({"text": ""}, "the text has 0 characters; take 1 to 10"),
            ({"text": "x" * 11}, "the text has 11 characters; take 1 to 10"),
            ({"text": "\udcff"}, "the text is no UTF-8"),
            ({"text": "x", "to": [ROMEO, FIRST]}, "there is no account 10004"),
            ({"text": "x", "to": [ROMEO, JULIET]}, "the inbox of 10002 is full; nothing was sent"),
        ):
            with pytest.raises(AccountError, match=words):
                await operator.do("announce", **arguments)
        assert (await operator.do("account.show", uin=ROMEO))["waiting"] == 0
        assert await operator.do("announce", text="x") == {"sent": 1}


# --- why -----------------------------------------------------------------------------------------


class Doubts:
    """Somebody who asks why, about Romeo or where he comes from."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.stage = operator.stage

    async def ask(self, who: str = str(ROMEO), **arguments: int) -> Any:
        """Return all that is found."""
        return await self.operator.do("why", who=who, **arguments)

    async def advice(self, who: str = str(ROMEO)) -> str:
        """Return the sentence."""
        found = await self.ask(who)
        assert isinstance(found["advice"], str)
        return found["advice"]

    async def say(self, *lines: str) -> Wire:
        """Say lines on a connection from Romeo's address, and wait for an answer to each."""
        wire = self.stage.connect((HOST, 50001))
        for line in lines:
            await wire.ask(line)
        return wire


@pytest.fixture
def doubts(operator: Operator) -> Doubts:
    """Somebody who asks why."""
    return Doubts(operator)


async def test_why_signed_in(doubts: Doubts) -> None:
    """Who is signed in is told of, by number and by address."""
    await doubts.say(sign_in_line(ROMEO))
    for who in ("10001", HOST, f"::ffff:{HOST}"):
        found = await doubts.ask(who)
        assert [one["peer"] for one in found["signed_in"]] == [f"{HOST}:50001"]
        assert found["advice"] is None
        assert [step["step"] for step in found["attempts"][0]["steps"]] == [
            "connected",
            "signed_in",
        ]


async def test_why_unknown_number(doubts: Doubts) -> None:
    """Nobody has the number, whether it was tried or not."""
    for _ in range(2):
        assert await doubts.advice("10004") == (
            "There is no account 10004; check the number, or add it with `kqq account add`."
        )
        await doubts.say(sign_in_line(FIRST))
    found = await doubts.ask("10004")
    assert (found["is_number"], found["exists"], len(found["attempts"])) == (True, False, 2)
    assert "nobody has this number" in await doubts.advice(HOST)


async def test_why_nothing_was_seen(doubts: Doubts) -> None:
    """Then it is the address, the port or a firewall; since when nothing came is told."""
    started = datetime.fromtimestamp(doubts.stage.clock.date()).astimezone()
    doubts.stage.clock.advance(100_000.0)
    for who in ("10001", HOST):
        told = await doubts.advice(who)
        assert told.startswith(f"Nothing is known of {who}: nothing of it has reached the server")
        assert f"since it started ({started:%Y-%m-%d %H:%M})" in told
        assert "whether a firewall stands between" in told


async def test_why_wrong_password(doubts: Doubts) -> None:
    """The password is wrong, and an operator can set a new one."""
    await doubts.say(sign_in_line(ROMEO, password=password_md5("other")))
    told = await doubts.advice()
    assert "the password is wrong; type it again; an operator can set a new one." in told


async def test_why_captcha(doubts: Doubts) -> None:
    """A picture was shown and nobody answered it."""
    wrong = sign_in_line(ROMEO, password=password_md5("other"))
    wire = await doubts.say(wrong, wrong, wrong)
    assert "CMD=VERIFYCODE" in await wire.ask(sign_in_line(ROMEO))
    assert "was shown a captcha; sign in again and type what the picture" in await doubts.advice()


async def test_why_suspended(doubts: Doubts) -> None:
    """That counts more than any attempt, and how to end it is told."""
    await doubts.operator.do("account.suspend", uin=ROMEO, reason="a duel")
    assert (
        await doubts.advice() == "10001 is suspended: a duel; `kqq account resume 10001` ends that."
    )
    await doubts.say(sign_in_line(ROMEO))
    await doubts.operator.do("account.suspend", uin=ROMEO)
    assert await doubts.advice() == "10001 is suspended; `kqq account resume 10001` ends that."
    assert "the account is suspended: a duel" in await doubts.advice(HOST)


async def test_why_replaced(doubts: Doubts) -> None:
    """Somebody else took the number, from where is told; the number itself is signed in."""
    await doubts.say(sign_in_line(ROMEO))
    other = doubts.stage.connect(("192.0.2.9", 1234))
    await other.ask(sign_in_line(ROMEO))
    assert "the same number signed in from 192.0.2.9:1234" in await doubts.advice(HOST)
    found = await doubts.ask()
    assert found["advice"] is None
    assert [one["peer"] for one in found["signed_in"]] == ["192.0.2.9:1234"]


async def test_why_unreadable(doubts: Doubts) -> None:
    """The line is shown without secrets, and the rule that it breaks."""
    line = sign_in_line(ROMEO).replace("VER=1.4", "VER=9.9")
    wire = doubts.stage.connect((HOST, 50001))
    await wire.say(line)
    await doubts.stage.idle()
    for who in ("10001", HOST):
        told = await doubts.advice(who)
        assert "VER=9.9" in told
        assert "PS=***" in told
        assert MD5 not in str(await doubts.ask(who))


async def test_why_a_limit(tmp_path: Path) -> None:
    """Which limit it was is told."""
    async with Stage(tmp_path, sign_ins_burst=1, captcha="never") as stage:
        stage.add(ROMEO)
        doubts = Doubts(Operator(stage))
        await doubts.say(*[sign_in_line(ROMEO, password=password_md5("other"))] * 2)
        told = await doubts.advice()
        assert "was refused by a limit: too many sign-ins from this address" in told


async def test_why_kicked(doubts: Doubts) -> None:
    """What the operator did is told, too."""
    await doubts.say(sign_in_line(ROMEO))
    await doubts.operator.do("kick", uin=ROMEO)
    assert "kicked by the operator" in await doubts.advice()


@pytest.mark.parametrize("who", ["2001:db8::1", "[2001:db8::1]", "2001:0DB8:0:0:0:0:0:1"])
async def test_why_by_address_of_ipv6(doubts: Doubts, who: str) -> None:
    """An address may be written in any way."""
    wire = doubts.stage.connect(("2001:db8::1", 50001, 0, 0))
    await wire.ask(sign_in_line(ROMEO, password=password_md5("other")))
    found = await doubts.ask(who)
    assert (found["who"], found["is_number"], found["exists"]) == ("2001:db8::1", False, False)
    assert "the password is wrong" in found["advice"]


@pytest.mark.parametrize("who", ["", "Romeo", "192.0.2.256", "[10001]", "9" * 5000, "192.0.2.1:5"])
async def test_why_about_nothing(doubts: Doubts, who: str) -> None:
    """What is neither a number nor an address is refused."""
    with pytest.raises(AccountError, match="is neither a number nor an address such as"):
        await doubts.ask(who)


async def test_why_so_many(doubts: Doubts) -> None:
    """The last few attempts, all, or none; what is told is made from all of them."""
    for _ in range(3):
        await doubts.say(sign_in_line(ROMEO, password=password_md5("other")))
        doubts.stage.clock.advance(1.0)
    everything = (await doubts.ask())["attempts"]
    assert len(everything) == 3
    assert (await doubts.ask(most=2))["attempts"] == everything[1:]
    none = await doubts.ask(most=0)
    assert none["attempts"] == []
    assert "the password is wrong" in none["advice"]


# --- when the disk is full -----------------------------------------------------------------------


async def test_full_disk(operator: Operator) -> None:
    """What could not be written has not happened, and no session ends for it."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    database = stage.server._database
    for verb in ("UPDATE", "DELETE"):
        database.execute(
            f"CREATE TRIGGER full_{verb} BEFORE {verb} ON account"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    for name in ("account.suspend", "account.delete"):
        with pytest.raises(StoreError, match="no room"):
            await operator.do(name, uin=ROMEO)
    assert "&RES=0&" in await wire.ask(request("List", ROMEO))
