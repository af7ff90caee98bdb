"""What people call the codes of the wire."""

from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from kqq.language import use_language
from kqq.names import (
    blood_name,
    constellation_name,
    display_name,
    face_name,
    profile_rows,
    sex_name,
    status_mark,
    status_name,
    status_word,
    zodiac_name,
)
from kqq.protocol import GetInfoReply, Status


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Texts are compared in English unless a test says otherwise."""
    use_language("en")
    yield
    use_language(None)


@pytest.mark.parametrize(
    ("code", "name"),
    [(10, "online"), (30, "away"), (60, "call-me"), (70, "do-not-disturb"), (99, "99")],
)
def test_statuses_have_names_for_scripts(code: int, name: str) -> None:
    """A known code has the name people type, an unknown one is a number, in all languages."""
    assert status_name(code) == name
    use_language("zh")
    assert status_name(code) == name


@pytest.mark.parametrize(
    ("status", "english", "chinese"),
    [
        (Status.ONLINE, "● online", "● 在线"),
        (Status.CALL_ME, "◉ call me", "◉ Q我吧"),
        (Status.AWAY, "◐ away", "◐ 离开"),
        (Status.BUSY, "◑ busy", "◑ 忙碌"),
        (Status.DO_NOT_DISTURB, "⊖ do not disturb", "⊖ 请勿打扰"),
        (Status.HIDDEN, "◌ hidden", "◌ 隐身"),
        (Status.OFFLINE, "○ offline", "○ 离线"),
        (99, "? 99", "? 99"),
    ],
)
def test_statuses_have_words_and_marks_for_people(status: int, english: str, chinese: str) -> None:
    """Each has a word in the language and a mark of its own, so colour is not all there is."""
    assert f"{status_mark(status)} {status_word(status)}" == english
    use_language("zh")
    assert f"{status_mark(status)} {status_word(status)}" == chinese


def test_no_status_is_forgotten() -> None:
    """All have the names of the catalogue, different marks, one cell wide, and different words."""
    for one in Status:
        assert status_name(one) == one.name.lower().replace("_", "-")
    assert len({status_mark(one) for one in Status}) == len(Status)
    assert {cell_len(status_mark(one)) for one in Status} == {1}
    assert len({status_word(one) for one in Status}) == len(Status)
    assert not [one for one in Status if status_word(one).isdigit()]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (270, "face 91"),
        ("270", "face 91"),
        (0, "face 1"),
        (3, "face 2"),
        ("pretty\x1b", r"pretty\x1b"),
    ],
)
def test_faces_are_known_by_the_number_of_their_picture(code: int | str, name: str) -> None:
    """The code is three times what the picture is, counted from 1 (HACK)."""
    assert face_name(code) == name
    use_language("zh")
    assert face_name(270) == "头像 91"


def test_codes_of_profiles_have_names() -> None:
    """Codes become words; 0 and nothing are nothing, but for the sex (PHPQ, CS11)."""
    assert [sex_name(code) for code in ("0", "1", None, "")] == ["male", "female", "", ""]
    assert [constellation_name(code) for code in (0, 1, 12)] == ["", "Aquarius", "Capricorn"]
    assert [zodiac_name(code) for code in ("0", "1", "12")] == ["", "rat", "pig"]
    assert [blood_name(code) for code in range(6)] == [
        "",
        "A",
        "B",
        "O",
        "AB",
        "another blood type",
    ]
    use_language("zh")
    assert [sex_name(0), constellation_name(11), zodiac_name(5)] == ["男", "射手座", "龙"]


@pytest.mark.parametrize("value", ["13", "-1", "²", "fish\u202e", "9" * 5000])
def test_what_is_no_code_stays_as_it_is(value: str) -> None:
    """Some clients send words where others send codes; nothing of it can do harm."""
    assert zodiac_name(value) == value.replace("\u202e", r"\u202e")


@pytest.mark.parametrize(
    ("nick", "shown"),
    [
        ("小波", "小波"),
        ("  a\r\nb ", "a b"),
        ("", "10002"),
        ("\u3000\u2003 \n", "10002"),
        ("\u200b", r"\u200b"),
        ("x\x1b[2J", r"x\x1b[2J"),
    ],
)
def test_a_nickname_is_something_to_be_seen(nick: str, shown: str) -> None:
    """Whoever has a blank name is shown by number, and what hides in a name is seen."""
    assert display_name(nick, 10002) == shown


def test_a_profile_is_told_in_words() -> None:
    """What is filled in, in the order of people, with words for codes."""
    profile = GetInfoReply(
        seq="1",
        uin=10001,
        number=10002,
        nick="小波",
        face="270",
        sex="1",
        age="0",
        blood="4",
        constellation="0",
        city="Vienna\x1b",
        about="two\r\nlines",
        mt="7",
    )
    assert profile_rows(profile) == [
        ("Nickname", "小波"),
        ("Number", "10002"),
        ("Face", "face 91"),
        ("Sex", "female"),
        ("Blood type", "AB"),
        ("City", r"Vienna\x1b"),
        ("About", "two\nlines"),
        ("MT", "7"),
    ]
    use_language("zh")
    assert profile_rows(profile)[:2] == [("昵称", "小波"), ("号码", "10002")]
    assert profile_rows(GetInfoReply(seq="1", uin=10001, nick="")) == []


def test_no_entry_of_a_profile_is_forgotten() -> None:
    """Whatever a server may tell is shown, but for the level that was asked for."""
    entries = {spec.attribute for spec in GetInfoReply.spec.fields} - {"number", "level"}
    values = {name: f"<{name}>" for name in entries}
    profile = GetInfoReply(seq="1", uin=10001, number=10002, **values)  # type: ignore[arg-type]
    assert {value for _, value in profile_rows(profile)} == {*values.values(), "10002"}
