"""Profiles, the search for people, and groups, of which there are none."""

import pytest

from stage import JULIET, PARIS, ROMEO, Stage, request

ENTRIES = {
    "address": "Piazza, 1", "age": "16", "blood": "1", "constellation": "5", "city": "维罗纳",
    "cv": "c", "country": "Italy", "email": "a=b@example.com", "home_page": "http://example.com/?a&b",
    "id": "i", "job": "lover", "mobile": "1", "mt": "m", "mv": "v", "postcode": "37121",
    "phone": "2", "about": "O me,\nO my", "province": "2", "real_name": "Romeo M.", "school": "s",
    "zodiac": "7", "sex": "0",
}  # fmt: skip


async def told(stage: Stage, level: str, uin: int = JULIET) -> str:
    """Return what Romeo is told of somebody, after the head."""
    romeo = await stage.sign_in(ROMEO)
    answer = await romeo.ask(f"VER=1.1&CMD=GetInfo&SEQ=302&UIN=10001{level}&UN={uin}")
    head = "VER=1.1&CMD=GETINFO&SEQ=302&UIN=10001&"
    assert answer.startswith(head), answer
    return answer.removeprefix(head)


async def test_brief(stage: Stage) -> None:
    """Level 1 is little more than the nickname, which SET_MQQ cuts out by name."""
    stage.store.change_profile(JULIET, ENTRIES)
    assert await told(stage, "&LV=1") == "RES=0&LV=1&UN=10002&NK=n10002"


@pytest.mark.parametrize(("level", "shown"), [("&LV=2", 2), ("", 2), ("&LV=7", 7), ("&LV=0", 0)])
async def test_usual(stage: Stage, level: str, shown: int) -> None:
    """Level 2 has exactly the fields that CS11 counts; so has one that nobody knows."""
    stage.store.change_profile(JULIET, ENTRIES)
    await stage.store.change_account(JULIET, nick="茱, 丽叶", face=270)
    assert await told(stage, level) == (
        "RES=0&AD=Piazza%2c 1&AG=16&EM=a=b@example.com&FC=270&HP=http://example.com/?a%26b&JB=lover"
        f"&LV={shown}&PC=37121&PH=2&PR=O me%2c%0aO my&PV=2&RN=Romeo M.&SC=s&SX=0&UN=10002"
        "&NK=茱%2c 丽叶"
    )


async def test_usual_without_entries(stage: Stage) -> None:
    """All fields are there when nothing was said."""
    assert await told(stage, "&LV=2") == (
        "RES=0&AD=&AG=&EM=&FC=0&HP=&JB=&LV=2&PC=&PH=&PR=&PV=&RN=&SC=&SX=&UN=10002&NK=n10002"
    )


async def test_everything(stage: Stage) -> None:
    """Level 3 has all fields in the order of the alphabet, nickname last."""
    await stage.store.change_profile(ROMEO, ENTRIES)
    answer = await told(stage, "&LV=3", ROMEO)
    assert answer == (
        "RES=0&AD=Piazza%2c 1&AG=16&BT=1&CO=5&CT=维罗纳&CV=c&CY=Italy&EM=a=b@example.com&FC=0"
        "&HP=http://example.com/?a%26b&ID=i&JB=lover&LV=3&MO=1&MT=m&MV=v&PC=37121&PH=2"
        "&PR=O me%2c%0aO my&PV=2&RN=Romeo M.&SC=s&SH=7&SX=0&UN=10001&NK=n10001"
    )
    keys = [part.partition("=")[0] for part in answer.split("&")[1:-1]]
    assert keys == sorted(keys)


@pytest.mark.parametrize("uin", [99, 10000, 10**19])
async def test_nobody(stage: Stage, uin: int) -> None:
    """A number nobody has is RES=5 and nothing after it, that of the system, too."""
    assert await told(stage, "&LV=2", uin) == "RES=5"


async def test_strangers_have_profiles_and_no_status(stage: Stage) -> None:
    """Anybody is told of anybody, but not whether they are there."""
    before = await told(stage, "&LV=3", PARIS)
    await stage.sign_in(PARIS)
    assert await told(stage, "&LV=3", PARIS) == before


async def test_finger(stage: Stage) -> None:
    """Those with all that is wanted, without oneself: parallel lists, as QUERY_STAT has them."""
    stage.store.change_profile(ROMEO, {"age": "16", "sex": "0"})
    stage.store.change_profile(JULIET, {"age": "16", "sex": "1"})
    await stage.store.change_profile(PARIS, {"age": "16", "sex": "0", "province": "2"})
    await stage.store.change_account(PARIS, nick="P, aris", face=3)
    romeo = await stage.sign_in(ROMEO)
    head = "VER=1.1&CMD=FINGER&SEQ=201&UIN=10001&RES=0"
    for wanted in ("AG=16&SX=0&PV=2", "AG=&SX=0&PV=", "AG= 16 &SX=0", "PV=2"):
        assert await romeo.ask(request("Finger", ROMEO, wanted)) == (
            f"{head}&FC=3,&FN=1&SN=1&UN=10003,&NK=P%2c aris,"
        )
    assert await romeo.ask(request("Finger", ROMEO, "AG=99&SX=&PV=")) == (
        f"{head}&FC=&FN=1&SN=0&UN=&NK="
    )
    for wanted in ("", "AG=&SX=&PV=", "AG= "):
        assert await romeo.ask(request("Finger", ROMEO, wanted)) == (
            f"{head}&FC=0,3,&FN=1&SN=2&UN=10002,10003,&NK=n10002,P%2c aris,"
        )


async def test_finger_for_what_cannot_be(stage: Stage) -> None:
    """Nobody says of themselves what is no UTF-8, or a number beyond all."""
    romeo = await stage.sign_in(ROMEO)
    answer = await romeo.ask(request("Finger", ROMEO, "AG=%ff%fe"))
    assert answer.endswith("&RES=0&FC=&FN=1&SN=0&UN=&NK=")


async def test_finger_finds_so_many(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A page has as many as one of friends; FN says whether that is all."""
    async with Stage(tmp_path_factory.mktemp("data"), friends_per_page=2) as stage:
        stage.add(ROMEO, JULIET, PARIS)
        romeo = await stage.sign_in(ROMEO)
        assert "&FN=1&SN=2&UN=10002,10003,&" in await romeo.ask(request("Finger", ROMEO))
        stage.add(10004)
        assert "&FN=0&SN=2&UN=10002,10003,&" in await romeo.ask(request("Finger", ROMEO))


async def test_groups_are_not_supported(stage: Stage) -> None:
    """GROUP_CMD is refused, not left without an answer, and counted."""
    romeo = await stage.sign_in(ROMEO)
    for fields in ("LV=2&UN=5", ""):
        assert await romeo.ask(request("GROUP_CMD", ROMEO, fields)) == (
            "VER=1.1&CMD=GROUP_CMD&SEQ=201&UIN=10001&RES=1"
        )
    assert stage.server._services.metrics.refused["not_supported"] == 2
