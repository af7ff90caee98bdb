"""What people call the codes of the wire: statuses, faces, and what a profile tells.

Nothing of `kqq.protocol` is imported here: `kqq --help` would wait for the whole catalogue.
"""

from typing import TYPE_CHECKING

from kqq.language import tr
from kqq.signs import one_line, printable

if TYPE_CHECKING:
    from kqq.protocol import GetInfoReply

_FACES = 3  # a picture has three numbers, whatever for (HACK)
_STATUSES = {
    10: ("online", "●"),
    20: ("offline", "○"),
    30: ("away", "◐"),
    40: ("hidden", "◌"),
    50: ("busy", "◑"),
    60: ("call-me", "◉"),
    70: ("do-not-disturb", "⊖"),
}
"""The name and the sign of each `kqq.protocol.Status`."""
_NO_NICK_CELLS = 1000  # more than any nickname has


def status_name(code: int) -> str:
    """Return the name of a status in options and JSON, such as `away` or `do-not-disturb`.

    It is the same in all languages; `status_word` is for people.
    """
    return _STATUSES[code][0] if code in _STATUSES else str(code)


def status_word(code: int) -> str:
    """Return what people call a status, in their language; of an unknown one, its number."""
    words = {
        10: tr("online"),
        20: tr("offline"),
        30: tr("away"),
        40: tr("hidden"),
        50: tr("busy"),
        60: tr("call me"),
        70: tr("do not disturb"),
    }
    return words.get(code, str(code))


def status_mark(code: int) -> str:
    """Return one sign for a status, one cell wide. The fuller it is, the more is somebody there."""
    return _STATUSES[code][1] if code in _STATUSES else "?"


def face_name(code: int | str) -> str:
    """Return what people call a face; the code is three times what the picture is (HACK)."""
    number = _number(code)
    if number is None:
        return printable(str(code))
    return tr("face {number}").format(number=number // _FACES + 1)


def sex_name(value: int | str | None) -> str:
    """Return `male` or `female` for `SX` of a profile, "" for nothing said."""
    return _named(value, {0: tr("male"), 1: tr("female")})


def constellation_name(value: int | str | None) -> str:
    """Return the constellation for `CO` of a profile, "" for none."""
    names = {
        0: "",
        1: tr("Aquarius"),
        2: tr("Pisces"),
        3: tr("Aries"),
        4: tr("Taurus"),
        5: tr("Gemini"),
        6: tr("Cancer"),
        7: tr("Leo"),
        8: tr("Virgo"),
        9: tr("Libra"),
        10: tr("Scorpio"),
        11: tr("Sagittarius"),
        12: tr("Capricorn"),
    }
    return _named(value, names)


def zodiac_name(value: int | str | None) -> str:
    """Return the animal of the Chinese zodiac for `SH` of a profile, "" for none."""
    names = {
        0: "",
        1: tr("rat"),
        2: tr("ox"),
        3: tr("tiger"),
        4: tr("rabbit"),
        5: tr("dragon"),
        6: tr("snake"),
        7: tr("horse"),
        8: tr("goat"),
        9: tr("monkey"),
        10: tr("rooster"),
        11: tr("dog"),
        12: tr("pig"),
    }
    return _named(value, names)


def blood_name(value: int | str | None) -> str:
    """Return the blood type for `BT` of a profile, "" for none."""
    return _named(value, {0: "", 1: "A", 2: "B", 3: "O", 4: "AB", 5: tr("another blood type")})


def display_name(nick: str, uin: int) -> str:
    """Return a nickname on one line, with nothing hidden in it; the number if it is blank."""
    return one_line(nick, _NO_NICK_CELLS).strip() or str(uin)


def profile_rows(profile: "GetInfoReply") -> list[tuple[str, str]]:
    """Return what a profile tells: names of entries and printable values, without empty ones.

    Those of which nobody knows the meaning come last, under their keys.
    """
    face = profile.face or ""
    rows = [
        (tr("Nickname"), profile.nick),
        (tr("Number"), "" if profile.number is None else str(profile.number)),
        (tr("Face"), face and face_name(face)),
        (tr("Sex"), sex_name(profile.sex)),
        (tr("Age"), "" if profile.age == "0" else profile.age),
        (tr("Zodiac animal"), zodiac_name(profile.zodiac)),
        (tr("Constellation"), constellation_name(profile.constellation)),
        (tr("Blood type"), blood_name(profile.blood)),
        (tr("Country"), profile.country),
        (tr("Province"), profile.province),
        (tr("City"), profile.city),
        (tr("Real name"), profile.real_name),
        (tr("School"), profile.school),
        (tr("Job"), profile.job),
        (tr("Home page"), profile.home_page),
        (tr("E-mail"), profile.email),
        (tr("Phone"), profile.phone),
        (tr("Mobile phone"), profile.mobile),
        (tr("Address"), profile.address),
        (tr("Postcode"), profile.postcode),
        (tr("About"), profile.about),
        ("ID", profile.id),
        ("CV", profile.cv),
        ("MT", profile.mt),
        ("MV", profile.mv),
    ]
    return [(label, printable(value, lines=True)) for label, value in rows if value]


def _number(value: int | str) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _named(value: int | str | None, names: dict[int, str]) -> str:
    """Return the name of a code; what is no code is what somebody typed."""
    if value is None or value == "":
        return ""
    number = _number(value)
    return printable(str(value)) if number is None else names.get(number, str(value))
