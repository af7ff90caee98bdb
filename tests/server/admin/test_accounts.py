"""What an operator does to accounts, on a server that runs, and where none runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import AccountError, StoreError
from kqq.server import Config
from kqq.server.accounts import HIGHEST_UIN, password_md5
from kqq.server.admin import SYSTEM, Admin, WrongArguments, accounts, perform
from kqq.server.profiles import CHOICES
from operating import FIRST, OTHER, Operator, refused_sign_in, told
from stage import JULIET, MD5, PARIS, ROMEO, Stage, proof, request, sign_in_line

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
        ({"uin": SYSTEM}, "uin=10000 cannot be; take 10001 to 4294967295"),
        ({"uin": 0}, "uin=0 cannot be; take 10001 to"),
        ({"uin": HIGHEST_UIN + 1}, "cannot be; take 10001 to"),
        ({"nick": " x"}, "cannot be a nickname"),
        ({"who_may_add": "me"}, "who_may_add='me' cannot be; take anyone, ask or nobody"),
        ({"who_may_write": "ask"}, "who_may_write='ask' cannot be; take friends or anyone"),
    ],
)
async def test_what_cannot_be_added(alone: Admin, arguments: dict[str, Any], words: str) -> None:
    """What will not do is refused in words, and nothing is added."""
    with pytest.raises((AccountError, WrongArguments), match=words):
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
    assert "RA=Password error" in await refused_sign_in(stage, ROMEO, MD5)
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
    assert "RA=Account suspended" in await refused_sign_in(stage, ROMEO, MD5)
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


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("a" * 201, "take 0 to 200 characters"),
        ("a\nb", "take printable characters"),
        ("a\u202eb", "take printable characters"),
    ],
)
async def test_reason_that_will_not_do(alone: Admin, reason: str, words: str) -> None:
    """A reason is a line that can be shown."""
    with pytest.raises((AccountError, WrongArguments), match=words):
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
    assert "&RES=5" in await refused_sign_in(stage, ROMEO, MD5)
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
        "role": None,
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


async def test_searching(alone: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how the number begins, or by a part of the nickname, whatever the case; in pages."""
    monkeypatch.setattr(accounts, "LARGEST_PAGE", 2)
    await perform(alone, "account.add", {"uin": 20001, "nick": "JULIA Straße", "proof": "x"})

    async def found(search: str, **more: int) -> list[int]:
        listed = await perform(alone, "account.list", {"search": search, **more})
        assert isinstance(listed, list)
        return [one["uin"] for one in listed]

    assert await found("juli") == [JULIET, 20001]
    assert await found("juli", most=1) == [JULIET]
    assert await found("juli", after=JULIET) == [20001]
    assert await found("STRASSE") == [20001]
    assert await found("1000") == [ROMEO, JULIET, PARIS]
    assert await found("0001") == []
    assert await found("juli", most=0) == []


# --- operators -----------------------------------------------------------------------------------


async def test_role_is_shown(alone: Admin) -> None:
    """Of an account that has one."""
    await perform(alone, "operator.add", {"uin": ROMEO, "role": "moderator"})
    shown = await perform(alone, "account.show", {"uin": ROMEO})
    assert isinstance(shown, dict)
    assert shown["role"] == "moderator"


@pytest.mark.parametrize("name", ["account.suspend", "account.delete"])
async def test_last_administrator_stays(alone: Admin, name: str) -> None:
    """Nobody would be left who could make another one."""
    await perform(alone, "operator.add", {"uin": ROMEO, "role": "administrator"})
    with pytest.raises(AccountError, match="10001 is the last administrator; make somebody else"):
        await perform(alone, name, {"uin": ROMEO})
    account = alone.store.account(ROMEO)
    assert account is not None
    assert account.suspended is None
    await perform(alone, "operator.add", {"uin": JULIET, "role": "administrator"})
    await perform(alone, name, {"uin": ROMEO})


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
