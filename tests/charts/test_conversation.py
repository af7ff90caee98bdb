"""What was said, line by line."""

import re
import struct

import pytest

from kqq.charts import conversation as module
from kqq.charts.conversation import conversation, is_small_png
from kqq.charts.figures import Figures
from kqq.protocol import Role
from sayings import LOGIN, PNG, Sayings, evening, hostile


def told(talk: Sayings, most: int = 1000) -> str:
    """Return the conversation."""
    return "".join(conversation(Figures(most).take_all(talk.items)) or [])


def line(page: str, number: int) -> str:
    """Return one line of it."""
    found = re.search(rf'<details [^>]*id="l{number}">.*?</details>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_every_line_is_explained() -> None:
    """In short words, as it was sent, and field by field with the evidence."""
    page = told(evening())
    assert page.count("<details ") == 19
    message = line(page, 9)
    assert '<details class="said request"' in message
    assert "<bdi>10001</bdi> → <bdi>server</bdi>" in message
    assert '<span class="command">CLTMSG</span> <bdi>to 小波: “今晚去看电影吗？”</bdi>' in message
    assert 'datetime="2014-05-14T11:02:14.280+00:00">11:02:14.280<' in message
    assert "<code>VER=1.4&amp;CON=1&amp;CMD=CLTMSG" in message
    assert "<td>the words</td>" in message
    assert "A: SEED WEI ZN GO" in message
    answer = line(page, 10)
    assert 'The answer to line <a href="#l9">9</a>.' in answer
    assert '<span class="took">300 µs</span>' in answer
    posted = line(page, 13)
    assert '<span class="tag">HTTP</span>' in posted
    assert '<span class="warn" title="odd">' in posted
    assert "<li><bdi>2 bytes before VER= are skipped: 00 4f</bdi></li>" in posted
    assert '<p class="day">2014-05-14</p>' in page
    assert "<code>RS=0</code>" in line(page, 4)


def test_secrets_are_not_there() -> None:
    """Neither passwords nor keys, in known fields or in unknown ones."""
    talk = evening()
    talk.line(Role.CLIENT, f"VER=1.4&CMD=Dance&SEQ=1&UIN=10001&X={LOGIN['PS']}&PS={LOGIN['PS']}")
    page = told(talk)
    for secret in (str(LOGIN["PS"]), "ab" * 32, "12345<"):
        assert secret not in page
    assert page.count("***") > 5


def test_the_picture_of_a_captcha_is_shown() -> None:
    """If it is a small PNG; only so many of them."""
    page = told(evening())
    assert page.count("<img ") == 1
    assert "data:image/png;base64,iVBORw0KGgo" in line(page, 2)
    assert "… and" not in line(page, 2)
    talk = Sayings()
    for _ in range(30):
        talk.ask(10001, "Login", **LOGIN)
        talk.answer("VERIFYCODE", SC=1, NT="", VC=PNG)
    talk.answer("VERIFYCODE", SC=1, NT="", VC="00" * 99)
    page = told(talk)
    assert page.count("<img ") == 20
    assert "… and 102 more characters" in page


def png(wide: int, high: int) -> bytes:
    """Return the beginning of a PNG of this size."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", wide, high) + b"\0" * 9


@pytest.mark.parametrize(
    ("image", "is_small"),
    [
        (png(100, 40), True),
        (png(1000, 1000), True),
        (png(1001, 10), False),
        (png(10, 1001), False),
        (png(0, 10), False),
        (png(100, 40) + b"\0" * 65536, False),
        (png(100, 40)[:30], False),
        (b"GIF89a" + b"\0" * 50, False),
        (png(100, 40).replace(b"IHDR", b"IDAT"), False),
    ],
)
def test_small_pictures(image: bytes, *, is_small: bool) -> None:
    """A browser must not work for a stranger's picture."""
    assert is_small_png(image) is is_small


def test_long_things_are_cut() -> None:
    """Values, lines, and lines of many fields; how much is missing is told."""
    talk = Sayings()
    talk.ask(10001, "CLTMSG", UN=10002, MG="x" * 1001)
    talk.line(Role.CLIENT, "VER=1.4&CMD=Dance&" + "&".join(f"A{n}=1" for n in range(150)))
    strange = "&".join(f"{n}{'x' * 30}=1" for n in range(1500))
    talk.ask(10001, "CLTMSG", UN=10002, MG="hi")
    talk.line(Role.CLIENT, f"VER=1.4&CMD=List&SEQ=3&UIN=10001&{strange}")
    page = told(talk)
    assert "… and 1 more character<" in line(page, 1)
    assert "<p>… 52</p>" in line(page, 2)
    assert "<li>… 1,4" in line(page, 4)
    assert len(page) < 100_000


def test_what_is_left_out_is_told() -> None:
    """In the middle, and between odd lines."""
    talk = Sayings()
    for place in range(100):
        talk.ask(10001, "GetMsgEx").odd = ("odd",) if place == 50 else ()
    page = told(talk, 10)
    assert "89 lines from the middle are not shown." in page
    assert "… 45 lines left out …" in page
    assert "… 44 lines left out …" in page
    for place in range(2):
        few = Sayings()
        for _ in range(3):
            few.ask(10001, "GetMsgEx")
        assert ("… 1 line left out …" in told(few, 2)) is True, place


def test_an_answer_to_a_line_that_is_not_shown() -> None:
    """Its number is told, but no link leads anywhere."""
    talk = Sayings()
    for _ in range(5):
        talk.ask(10001, "GetMsgEx")
    talk.answer("GETMSGEX", MN=0)
    assert "The answer to line 5." in told(talk, 2)


def test_without_times() -> None:
    """There is no day and no clock."""
    page = told(evening(times=False))
    assert "<time" not in page
    assert 'class="day"' not in page


def test_nothing() -> None:
    """No conversation."""
    assert conversation(Figures()) is None


def test_texts_of_strangers_stay_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No element comes from them, and nothing that steers."""
    page = told(hostile())
    names = set(re.findall(r"<([a-zA-Z]+)", page))
    assert names <= set(module.__dict__) | {
        "p", "details", "summary", "span", "time", "bdi", "div", "code", "table", "thead", "tbody",
        "tr", "th", "td", "ul", "li", "a"}  # fmt: skip
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", page)
    page.encode()
