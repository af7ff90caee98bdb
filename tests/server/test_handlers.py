"""Every command that is handled: its exact reply, fields in order; what is not handled is named."""

import re

import pytest

from kqq.protocol import LAST_PAGE, SimpleInfo2, Status
from kqq.protocol.declare import REQUESTS
from kqq.server import presence
from kqq.server.handlers import HANDLERS, NOT_YET
from stage import JULIET, MD5, PARIS, ROMEO, Stage, add_person, request, sign_in_line


def test_every_request_is_handled_or_named() -> None:
    """Each request of the catalogue has a handler or is among those to come, not both."""
    catalogued = {spec.cls for spec in REQUESTS.values()}
    assert set(HANDLERS) | set(NOT_YET) == catalogued
    assert not set(HANDLERS) & set(NOT_YET)


def test_statuses_have_one_name_on_both_sides() -> None:
    """Each status of the wire is one of the domain, by name."""
    assert {status.name for status in Status} == {status.name for status in presence.Status}


# --- sign-in -------------------------------------------------------------------------------------


async def test_sign_in_1_4(stage: Stage) -> None:
    """1.4 gets SG, 64 hex digits, zeros at 9 to 16, and SSG, a number of 32 bits; new each time."""
    seen = set()
    for _ in range(3):
        reply = await stage.connect().ask(sign_in_line(ROMEO, seq=245))
        found = re.fullmatch(
            r"VER=1\.1&CMD=Login&SEQ=245&UIN=10001&RES=0&RS=0&HI=60&LI=300"
            r"&SG=([0-9a-f]{8}00000000[0-9a-f]{48})&SSG=(\d{10})",
            reply,
        )
        assert found is not None, reply
        assert int(found[2]) < 2**32
        seen.add(found[1])
    assert len(seen) == 3


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
async def test_sign_in_before_1_4(stage: Stage, version: str) -> None:
    """Older versions get COMP."""
    line = f"VER={version}&CMD=Login&SEQ=4321&UIN=10001&PS={MD5.lower()}&M5=1&LC=9326B87B234E7235"
    assert await stage.connect().ask(line) == (
        "VER=1.1&CMD=Login&SEQ=4321&UIN=10001&RES=0&RS=0&HI=60&LI=300&COMP=NOKIA8F3A18D6E27"
    )


async def test_sign_in_refused(stage: Stage) -> None:
    """A wrong password is RS=1 with SET_MQQ's words, nobody's number RES=5."""
    wire = stage.connect()
    wrong = sign_in_line(ROMEO, seq=7, password="0" * 32)
    assert await wire.ask(wrong) == (
        "VER=1.1&CMD=Login&SEQ=7&UIN=10001&RES=0&RS=1&RA=Password error"
    )
    assert await wire.ask(sign_in_line(99, seq=8)) == "VER=1.1&CMD=Login&SEQ=8&UIN=99&RES=5"


async def test_sign_in_when_too_many_wait(stage: Stage) -> None:
    """When too many passwords wait to be checked, a sign-in is refused."""
    stage.server._accounts._most_waiting = 0
    assert await stage.connect().ask(sign_in_line(ROMEO, seq=7)) == (
        "VER=1.1&CMD=Login&SEQ=7&UIN=10001&RES=1"
    )


async def test_sign_in_on_a_connection_that_ended(stage: Stage) -> None:
    """Who is gone before the password was checked is not signed in."""
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO))
    await stage.password_is_being_checked()
    wire.link.reset()
    await stage.idle()
    assert len(stage.server._services.sessions) == 0


@pytest.mark.parametrize(
    ("fields", "seen"),
    [("LG=0", 10), ("LG=40", 20), ("LG=0&ST=30", 30), ("LG=0&ST=40", 20), ("LG=40&ST=10", 20),
     ("LG=0&ST=11", 10)],
)  # fmt: skip
async def test_status_to_begin_with(stage: Stage, fields: str, seen: int) -> None:
    """LG=40 hides, ST names a status, anything else is online."""
    juliet = await stage.sign_in(JULIET)
    reply = await stage.connect().ask(sign_in_line(ROMEO).replace("LG=0", fields))
    assert "&RS=0&" in reply
    await stage.idle()
    juliet.waiting()
    assert await juliet.ask(request("Query_Stat2", JULIET, "CM=2&UN=0")) == (
        f"VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10002&RES=0&FN=1&SN=1&ST={seen},&UN=10001,"
    )


async def test_somebody_else_on_the_connection(stage: Stage) -> None:
    """Who signs in on another's connection takes it over; the other is signed out."""
    juliet = await stage.sign_in(JULIET)
    wire = await stage.sign_in(ROMEO)
    juliet.waiting()
    assert "&RS=0&" in await wire.ask(sign_in_line(PARIS))
    assert await juliet.hear() == ("VER=1.1&CMD=update_stat&SEQ=2&UIN=10002&RES=0&ST=20&UN=10001")
    assert await wire.ask(request("Query_Stat2", ROMEO)) == (
        "VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10001&RES=20"
    )


async def test_sign_out(stage: Stage) -> None:
    """Signing out is answered alike with and without a session, and for another's number."""
    wire = await stage.sign_in(ROMEO)
    assert await wire.ask(request("Logout", PARIS)) == (
        "VER=1.1&CMD=LOGOUT&SEQ=201&UIN=10003&RES=0"
    )
    assert len(stage.server._services.sessions) == 1
    for _ in range(2):
        assert await wire.ask(request("Logout", ROMEO)) == (
            "VER=1.1&CMD=LOGOUT&SEQ=201&UIN=10001&RES=0"
        )
        assert len(stage.server._services.sessions) == 0


# --- friends -------------------------------------------------------------------------------------


async def test_empty_list(stage: Stage) -> None:
    """All fields are there when nobody is."""
    paris = await stage.sign_in(PARIS)
    assert await paris.ask(request("SimpleInfo2", PARIS, "UN=0&TO=0")) == (
        "VER=1.1&CMD=SIMPLEINFO2&SEQ=201&UIN=10003&RES=0&NP=65535&SN=0&UN=&FC=&NK="
    )
    assert await paris.ask(request("Query_Stat2", PARIS, "CM=2&UN=0")) == (
        "VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10003&RES=0&FN=1&SN=0&ST=&UN="
    )


async def test_one_page(stage: Stage) -> None:
    """Numbers, faces and nicknames in the order of numbers, escaped, a comma after each."""
    for uin, nick, face in ((20002, "B, & C", 270), (20001, "罗密欧", 3)):
        add_person(stage.store, uin, nick, face)
        stage.store.add_friends(PARIS, uin)
    paris = await stage.sign_in(PARIS)
    assert await paris.ask(request("SimpleInfo2", PARIS, "UN=0&TO=0", seq=144)) == (
        "VER=1.1&CMD=SIMPLEINFO2&SEQ=144&UIN=10003&RES=0&NP=65535&SN=2"
        "&UN=20001,20002,&FC=3,270,&NK=罗密欧,B%2c %26 C,"
    )


async def test_pages_of_120_friends(stage: Stage) -> None:
    """SIMPLEINFO2 pages by offset, QUERY_STAT2 by the last number of the page before."""
    stage.store._database.execute("BEGIN")
    for uin in range(20001, 20121):
        add_person(stage.store, uin)
        stage.store.add_friends(PARIS, uin)
    stage.store._database.execute("COMMIT")
    paris = await stage.sign_in(PARIS)
    for start, following, first, count in ((0, 50, 20001, 50), (50, 100, 20051, 50),
                                           (100, LAST_PAGE, 20101, 20), (120, LAST_PAGE, 0, 0),
                                           (10**19, LAST_PAGE, 0, 0)):  # fmt: skip
        line = await paris.ask(request("SimpleInfo2", PARIS, f"UN={start}&TO=0"))
        numbers = range(first, first + count)
        assert line == (
            f"VER=1.1&CMD=SIMPLEINFO2&SEQ=201&UIN=10003&RES=0&NP={following}&SN={count}"
            f"&UN={''.join(f'{n},' for n in numbers)}&FC={'0,' * count}"
            f"&NK={''.join(f'n{n},' for n in numbers)}"
        )
    for start, last, first, count in ((0, 0, 20001, 50), (20050, 0, 20051, 50),
                                      (20100, 1, 20101, 20), (20120, 1, 0, 0),
                                      (10**19, 1, 0, 0)):  # fmt: skip
        line = await paris.ask(request("Query_Stat2", PARIS, f"CM=2&UN={start}"))
        numbers = range(first, first + count)
        assert line == (
            f"VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10003&RES=0&FN={last}&SN={count}"
            f"&ST={'20,' * count}&UN={''.join(f'{n},' for n in numbers)}"
        )


async def test_a_full_page_exactly(stage: Stage) -> None:
    """A page that takes the last friend is the last one."""
    for uin in range(20001, 20051):
        add_person(stage.store, uin)
        stage.store.add_friends(PARIS, uin)
    async with stage.client() as client:
        await client.sign_in(PARIS, "secret")
        page = await client.call(SimpleInfo2(seq="1", uin=PARIS))
        assert (page.entries, page.next_page) == (50, LAST_PAGE)
        assert len(await client.friends()) == len(await client.statuses()) == 50


async def test_change_status(stage: Stage) -> None:
    """A known status is taken and told; another is refused."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    juliet.waiting()
    statuses = [status for status in Status if status is not Status.ONLINE]
    for number, status in enumerate([*statuses, Status.ONLINE], 2):
        assert await romeo.ask(request("Change_Stat", ROMEO, f"ST={status}", seq=number)) == (
            f"VER=1.1&CMD=CHANGE_STAT&SEQ={number}&UIN=10001&RES=0"
        )
        await stage.idle()
        seen = Status.OFFLINE if status is Status.HIDDEN else status
        assert juliet.waiting() == [
            f"VER=1.1&CMD=update_stat&SEQ={number}&UIN=10002&RES=0&ST={seen}&UN=10001"
        ]
    assert await romeo.ask(request("Change_Stat", ROMEO, "ST=11")) == (
        "VER=1.1&CMD=CHANGE_STAT&SEQ=201&UIN=10001&RES=1"
    )


# --- messages ------------------------------------------------------------------------------------


async def test_message(stage: Stage) -> None:
    """A message is acknowledged and pushed in the forms of the protocol."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    await juliet.hear()
    line = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hello%2C world%0D%0a=&x", seq=203)
    assert await romeo.ask(line) == "VER=1.1&CMD=CLTMSG&SEQ=203&UIN=10001&RES=0"
    assert await juliet.hear() == (
        "VER=1.1&CMD=Server_Msg&SEQ=2&UIN=10002&RES=0&MN=1&MT=9&UN=10001"
        "&MG=hello%2c world%0D%0a=%26x"
    )


@pytest.mark.parametrize(("to", "res"), [(PARIS, 1), (ROMEO, 1), (99, 5), (10**19, 5)])
async def test_message_to_no_friend(stage: Stage, to: int, res: int) -> None:
    """A stranger and oneself are refused, a number nobody has is RES=5."""
    romeo = await stage.sign_in(ROMEO)
    assert await romeo.ask(request("CLTMSG", ROMEO, f"UN={to}&MG=hi")) == (
        f"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES={res}"
    )


async def test_every_command_to_come_is_refused(stage: Stage) -> None:
    """What is known and not handled yet is answered RES=1."""
    romeo = await stage.sign_in(ROMEO)
    fields = "LV=2&UN=10002&ST=10&CD=0&RS=&SC=2&VC=ABCD&MG=hi"
    for command in sorted(cls.spec.command for cls in NOT_YET):
        assert await romeo.ask(request(command, ROMEO, fields)) == (
            f"VER=1.1&CMD={command.upper()}&SEQ=201&UIN=10001&RES=1"
        )
