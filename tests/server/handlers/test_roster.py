"""Friend lists and statuses: exact replies, pages to the last friend, hidden people offline."""

import pytest

from kqq.protocol import LAST_PAGE, SimpleInfo2, Status
from stage import JULIET, PARIS, ROMEO, Stage, Wire, add_person, request, sign_in_line


def crowd(stage: Stage, count: int) -> list[int]:
    """Give Paris so many friends; return their numbers."""
    numbers = list(range(20001, 20001 + count))
    stage.store._database.execute("BEGIN")
    for uin in numbers:
        add_person(stage.store, uin)
        stage.store.add_friends(PARIS, uin)
    stage.store._database.execute("COMMIT")
    return numbers


def old(command: str, uin: int, fields: str = "", *, ver: str = "1.1", seq: int = 77) -> str:
    """Return a line as clients of 2005 wrote it."""
    more = f"&{fields}" if fields else ""
    return f"VER={ver}&CMD={command}&SEQ={seq}&UIN={uin}{more}"


def listed(items: list[int]) -> str:
    """Return a list as it is on the wire."""
    return "".join(f"{item}," for item in items)


async def statuses(wire: Wire, uin: int) -> str:
    """Return what somebody is told of the statuses of their friends."""
    answer = await wire.ask(request("Query_Stat2", uin, "CM=2&UN=0"))
    assert "&FN=1&" in answer
    return answer.partition("&SN=")[2]


# --- List ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ver", ["1.0", "1.1", "1.4"])
async def test_list(stage: Stage, ver: str) -> None:
    """`UN` is last, with a comma after each number; UN of the request has no effect (HACK)."""
    romeo = await stage.sign_in(ROMEO)
    for start in (0, 20000):
        assert await romeo.ask(old("List", ROMEO, f"TN=160&UN={start}", ver=ver)) == (
            "VER=1.1&CMD=LIST&SEQ=77&UIN=10001&RES=0&FN=1&SN=1&UN=10002,"
        )


@pytest.mark.parametrize("fields", ["", "TN=0&UN=0", "TN=&UN="])
async def test_list_without_a_number(stage: Stage, fields: str) -> None:
    """Without `TN` there is only the count (HACK); 1.4 gets the numbers, too (SETM)."""
    romeo = await stage.sign_in(ROMEO)
    only_count = "VER=1.1&CMD=LIST&SEQ=77&UIN=10001&RES=0&FN=1"
    assert await romeo.ask(old("List", ROMEO, fields)) == only_count
    assert await romeo.ask(old("List", ROMEO, fields, ver="1.4")) == f"{only_count}&SN=1&UN=10002,"


async def test_list_of_nobody(stage: Stage) -> None:
    """All fields are there, and the list is empty."""
    paris = await stage.sign_in(PARIS)
    assert await paris.ask(old("List", PARIS, "TN=160&UN=0")) == (
        "VER=1.1&CMD=LIST&SEQ=77&UIN=10003&RES=0&FN=0&SN=0&UN="
    )


@pytest.mark.parametrize(("wanted", "given"), [(160, 120), (120, 120), (3, 3), (10**19, 120)])
async def test_list_of_many(stage: Stage, wanted: int, given: int) -> None:
    """At most 120 numbers come, the lowest (CS11); the count is of all."""
    numbers = crowd(stage, 130)
    paris = await stage.sign_in(PARIS)
    assert await paris.ask(old("List", PARIS, f"TN={wanted}&UN=0")) == (
        f"VER=1.1&CMD=LIST&SEQ=77&UIN=10003&RES=0&FN=130&SN={given}&UN={listed(numbers[:given])}"
    )


# --- Query_Stat ----------------------------------------------------------------------------------


async def test_who_is_online(stage: Stage) -> None:
    """Those who are not offline, nor hidden: faces before FN, nicknames last (CS11)."""
    for number, (nick, face) in enumerate([("A, & B", 270), ("茱丽叶", 3), ("C", 0), ("D", 0)]):
        add_person(stage.store, 20001 + number, nick, face)
        stage.store.add_friends(PARIS, 20001 + number)
    for uin, lg, status in ((20001, 0, 10), (20002, 0, 30), (20003, 40, 0)):
        wire = await stage.sign_in(uin, lg=lg)
        if status:
            await wire.ask(request("Change_Stat", uin, f"ST={status}"))
    paris = await stage.sign_in(PARIS)
    assert await paris.ask(old("Query_Stat", PARIS, "TN=50&UN=0", ver="1.0")) == (
        "VER=1.1&CMD=QUERY_STAT&SEQ=77&UIN=10003&RES=0&FC=270,3,&FN=1&SN=2&ST=10,30,"
        "&UN=20001,20002,&NK=A%2c %26 B,茱丽叶,"
    )


async def test_nobody_is_online(stage: Stage) -> None:
    """All six fields are there; `SN=0` says that there is nobody (PHPQ)."""
    paris = await stage.sign_in(PARIS)
    empty = "VER=1.1&CMD=QUERY_STAT&SEQ=77&UIN=10003&RES=0&FC=&FN=1&SN=0&ST=&UN=&NK="
    assert await paris.ask(old("Query_Stat", PARIS, "TN=50&UN=0")) == empty
    crowd(stage, 10)
    assert await paris.ask(old("Query_Stat", PARIS, "TN=50&UN=0")) == empty


async def test_pages_of_who_is_online(stage: Stage) -> None:
    """A page has what was wanted, 50 at most; the next goes on after its last number."""
    numbers = crowd(stage, 620)
    presence = stage.server._services.presence
    online = numbers[1::5]  # 124 of them, so that all friends are not read in one go
    for uin in online:
        presence._statuses[uin] = type(presence.seen(uin)).ONLINE
    paris = await stage.sign_in(PARIS)
    for wanted, most in ((50, 50), (160, 50), (0, 50), (20, 20)):
        seen: list[int] = []
        start, is_last = 0, False
        while not is_last:
            answer = await paris.ask(old("Query_Stat", PARIS, f"TN={wanted}&UN={start}"))
            page = [int(number) for number in answer.split("&")[9][3:-1].split(",")]
            assert len(page) <= most
            assert f"&SN={len(page)}&ST={'10,' * len(page)}&UN=" in answer
            seen += page
            start, is_last = page[-1], "&FN=1&" in answer
            assert is_last or len(page) == most
        assert seen == online
    answer = await paris.ask(old("Query_Stat", PARIS, f"TN=50&UN={10**19}"))
    assert answer.endswith("&FC=&FN=1&SN=0&ST=&UN=&NK=")


# --- SimpleInfo2 and Query_Stat2 -----------------------------------------------------------------


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
    crowd(stage, 120)
    paris = await stage.sign_in(PARIS)
    for start, following, first, count in ((0, 50, 20001, 50), (50, 100, 20051, 50),
                                           (100, LAST_PAGE, 20101, 20), (120, LAST_PAGE, 0, 0),
                                           (LAST_PAGE, LAST_PAGE, 0, 0),
                                           (10**19, LAST_PAGE, 0, 0)):  # fmt: skip
        line = await paris.ask(request("SimpleInfo2", PARIS, f"UN={start}&TO=0"))
        numbers = list(range(first, first + count))
        assert line == (
            f"VER=1.1&CMD=SIMPLEINFO2&SEQ=201&UIN=10003&RES=0&NP={following}&SN={count}"
            f"&UN={listed(numbers)}&FC={'0,' * count}&NK={''.join(f'n{n},' for n in numbers)}"
        )
    for start, last, first, count in ((0, 0, 20001, 50), (20050, 0, 20051, 50),
                                      (20100, 1, 20101, 20), (20120, 1, 0, 0),
                                      (10**19, 1, 0, 0)):  # fmt: skip
        line = await paris.ask(request("Query_Stat2", PARIS, f"CM=2&UN={start}"))
        assert line == (
            f"VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10003&RES=0&FN={last}&SN={count}"
            f"&ST={'20,' * count}&UN={listed(list(range(first, first + count)))}"
        )


@pytest.mark.parametrize("count", [50, 51])
async def test_a_full_page_exactly(stage: Stage, count: int) -> None:
    """A page that takes the last friend is the last one."""
    crowd(stage, count)
    async with stage.client() as client:
        await client.sign_in(PARIS, "secret")
        page = await client.call(SimpleInfo2(seq="1", uin=PARIS))
        assert (page.entries, page.next_page) == (50, LAST_PAGE if count == 50 else 50)
        assert len(await client.friends()) == len(await client.statuses()) == count


# --- one's own status ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["Change_Stat", "Change_Stat2"])
async def test_change_status(stage: Stage, command: str) -> None:
    """A known status is taken and told once; another is refused; hidden is offline to others."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    juliet.waiting()
    codes = [status for status in Status if status is not Status.ONLINE]
    for number, status in enumerate([*codes, Status.ONLINE], 2):
        assert await romeo.ask(request(command, ROMEO, f"ST={status}", seq=number)) == (
            f"VER=1.1&CMD={command.upper()}&SEQ={number}&UIN=10001&RES=0"
        )
        await stage.idle()
        seen = Status.OFFLINE if status is Status.HIDDEN else status
        assert juliet.waiting() == [
            f"VER=1.1&CMD=update_stat&SEQ={number}&UIN=10002&RES=0&ST={seen}&UN=10001"
        ]
        await romeo.ask(request(command, ROMEO, f"ST={status}"))
        await stage.idle()
        assert juliet.waiting() == []
    for code in (0, 11, 80, 10**19):
        assert await romeo.ask(request(command, ROMEO, f"ST={code}")) == (
            f"VER=1.1&CMD={command.upper()}&SEQ=201&UIN=10001&RES=1"
        )
    assert await statuses(juliet, JULIET) == "1&ST=10,&UN=10001,"


async def test_who_reads_slowly_is_told_the_latest(stage: Stage) -> None:
    """Whatever happened while nothing was read: one push, and it is true."""
    juliet = await stage.sign_in(JULIET)
    juliet.link.stop_reading()
    romeo = await stage.sign_in(ROMEO)  # this is written, and not taken
    for status in (30, 50, 10, 70, 40, 30, 60):
        await romeo.ask(request("Change_Stat", ROMEO, f"ST={status}"))
    await stage.idle()
    juliet.link.start_reading()
    await stage.idle()
    told = [line.split("&", 5)[5] for line in juliet.waiting()]
    assert told == ["ST=10&UN=10001", "ST=60&UN=10001"]


async def test_hidden_is_offline_everywhere(stage: Stage) -> None:
    """To friends in every list and push, over TCP and HTTP; the hidden sees all the same."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    await romeo.ask(request("Change_Stat", ROMEO, "ST=40"))
    await stage.idle()
    assert [line.partition("&ST=")[2] for line in juliet.waiting()] == [
        "10&UN=10001",
        "20&UN=10001",
    ]
    assert await statuses(juliet, JULIET) == "1&ST=20,&UN=10001,"
    assert "&SN=0&" in await juliet.ask(old("Query_Stat", JULIET, "TN=50&UN=0"))
    assert await statuses(romeo, ROMEO) == "1&ST=10,&UN=10002,"
    assert "&RS=0&" in await stage.post(sign_in_line(JULIET))
    assert (await stage.post(old("GetMsgEx", JULIET))).endswith("&MN=0\r\n")
    await romeo.ask(request("Logout", ROMEO))
    await stage.idle()
    assert (await stage.post(old("GetMsgEx", JULIET))).endswith("&MN=0\r\n")
