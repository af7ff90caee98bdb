"""Conversations written down: nothing is lost, and no stranger's text does harm."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client.archive import Archive, Chapter, chapters, visible
from kqq.client.events import Fate, Message
from kqq.client.history import History

BO, CY = 10002, 10003
NOON = 1_772_798_400.0  # Friday, 2026-03-06, 12:00 UTC
ARCHIVE = Archive(uin=10001, names={BO: "小波"}, zone=UTC)
VOID = {"meta", "br"}
HOSTILE = "</p><script>alert(\"1\")</script><a href='x'>&lt; \x1b[31m\u202eevil\r\ntwo\x00 \udcff"


def heard(text: str, at: float = NOON, uin: int = BO, key: str = "k") -> Message:
    """Return a message of somebody else."""
    return Message(key, uin, text, at, Fate.RECEIVED)


def own(text: str, fate: Fate = Fate.SENT, why: str = "", at: float = NOON) -> Message:
    """Return a message of one's own."""
    return Message("k", BO, text, at, fate, why)


def one(*messages: Message, uin: int = BO) -> list[Chapter]:
    """Return a single conversation."""
    return [Chapter(uin, len(messages), messages)]


class Page(HTMLParser):
    """What a browser makes of a page: elements in order, each with its attributes and text."""

    def __init__(self, pieces: Iterator[str]) -> None:
        super().__init__()
        self.source = "".join(pieces)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[int] = []
        self.feed(self.source)
        self.close()
        assert not self._open, "an element was left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        """End the one that was begun last."""
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        """Take text, which belongs to all elements that are open."""
        for place in self._open:
            self.texts[place] += data

    def all(self, tag: str, **attributes: str) -> list[str]:
        """Return the texts of elements."""
        return [
            text
            for (name, known), text in zip(self.elements, self.texts, strict=True)
            if name == tag and attributes.items() <= known.items()
        ]


def page(conversations: Sequence[Chapter], archive: Archive = ARCHIVE) -> Page:
    """Return a page as a browser reads it."""
    return Page(archive.as_html(conversations))


# --- HTML ----------------------------------------------------------------------------------------


def test_a_page_has_conversations_by_day() -> None:
    """Each with a heading, with days, and with one's own words told from those of others."""
    talk = one(heard("hi"), own("你好", at=NOON + 60), heard("again", at=NOON + 86400))
    found = page([*talk, *one(heard("who?", uin=CY), uin=CY)])
    assert found.all("title") == found.all("h1") == ["Conversations of 10001"]
    assert found.all("header")[0].endswith("\nMessages: 4\n")
    assert found.all("li") == ["小波 3", "10003 1"]
    assert found.all("a", href="#p10002") == ["小波"]
    assert found.all("h2", id="p10002") == ["小波 10002↑"]
    assert found.all("h2", id="p10003") == ["10003 ↑"]
    assert found.all("h3") == ["Friday, 2026-03-06", "Saturday, 2026-03-07", "Friday, 2026-03-06"]
    assert found.all("div") == ["hi12:00", "你好12:01", "again12:00", "who?12:00"]
    assert found.all("div", **{"class": "said mine"}) == ["你好12:01"]
    assert found.all("time", datetime="2026-03-06T12:01:00+00:00") == ["12:01"]


def test_a_page_with_one_conversation_needs_no_contents() -> None:
    """With none it is a page all the same."""
    assert page(one(heard("hi"))).all("nav") == []
    assert page(one(heard("hi"))).all("a") == []
    assert page([]).all("h1") == ["Conversations of 10001"]


def test_a_page_lets_nothing_in() -> None:
    """It says of itself that it needs nothing remote and no script, and allows its style alone."""
    found = page([*one(heard(HOSTILE)), *one(heard("http://x.example/", uin=CY), uin=CY)])
    policy = next(
        attributes["content"]
        for tag, attributes in found.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(found.all("style")[0].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
    )
    assert ("meta", {"charset": "utf-8"}) in found.elements
    assert not re.search(r"url\(|@import", found.all("style")[0])
    assert ".said, h2 bdi, nav a { overflow: hidden }" in found.all("style")[0]
    tags = {tag for tag, _ in found.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "form"}
    for _, attributes in found.elements:
        assert not {"src", "style"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_hostile_text_is_shown_as_it_is() -> None:
    """Nothing in it is markup; what could turn or break the page is a code; it cannot get out."""
    names = {BO: f'{HOSTILE} " >'}
    why = own("text", Fate.REFUSED, HOSTILE)
    found = page(one(heard(HOSTILE), why), Archive(uin=10001, names=names, zone=UTC))
    shown = HOSTILE.replace("\r\n", "\n")
    for sign, code in (
        ("\x1b", r"\x1b"),
        ("\u202e", r"\u202e"),
        ("\0", r"\x00"),
        ("\udcff", r"\xff"),
    ):
        shown = shown.replace(sign, code)
    assert found.all("p", dir="auto") == [shown, "text"]
    assert found.all("b") == [f"refused: {shown}"]
    assert found.all("bdi") == [f'{shown.replace(chr(10), " ")} " >', f"refused: {shown}"]
    found.source.encode()


def test_signs_of_direction_that_people_need_stay() -> None:
    """Hebrew and Arabic are written with them; a paragraph of its own holds them."""
    text = "שלום\u200f (טוב) العربية\u061c"
    assert page(one(heard(text))).all("p", dir="auto") == [text]


def test_json_shows_what_hides() -> None:
    """Signs without width, and tags, which can carry a whole text."""
    hidden = "a\u200bb\u2060c\ufeffd\U000e0041e\x7f"
    (line,) = ARCHIVE.as_json_lines([heard(hidden)])
    assert json.loads(line)["text"] == hidden
    assert r"a\u200bb\u2060c\ufeffd\udb40\udc41e\u007f" in line


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_no_text_breaks_a_page(text: str) -> None:
    """Whatever it is, the page has the same elements, and can be stored."""
    archive = Archive(uin=10001, names={BO: text}, zone=UTC)
    found = page(one(heard(text), own(text, Fate.UNKNOWN, text)), archive)
    plain = page(one(heard("a"), own("a", Fate.UNKNOWN, "a")))
    count = [tag for tag, _ in found.elements].count("small")
    is_nameless = count < [tag for tag, _ in plain.elements].count("small")
    assert is_nameless == (archive.name(BO) == "10002")
    if not is_nameless:
        assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert found.source.encode().decode() == found.source


def test_a_page_may_be_in_another_language() -> None:
    """Every word of ours goes through the translation."""
    words: list[str] = []

    def tr(text: str) -> str:
        words.append(text)
        return f"<{text}>"

    archive = Archive(uin=10001, tr=tr, language="zh", zone=UTC)
    talk = one(own("hi", Fate.WAITING), own("ho", Fate.UNKNOWN, "cut"))
    found = page([*talk, *one(heard("x", uin=10000), uin=10000)], archive)
    assert dict(found.elements)["html"] == {"lang": "zh"}
    assert found.all("h1") == ["<Conversations of 10001>"]
    assert found.all("h3")[0] == "<<Friday>, 2026-03-06>"
    assert found.all("b") == ["<not sent yet>", "<not known whether it arrived>: cut"]
    assert found.all("h2", id="p10000") == ["<The server> 10000↑"]
    assert {"Contents", "To the top", "Messages: {count}"} <= set(words)


# --- text ----------------------------------------------------------------------------------------


def test_text_has_conversations_by_day() -> None:
    """Further lines are indented, so that nobody can put words into another's mouth."""
    talk = one(
        heard("hi\n12:01  You: I owe you 100"),
        own("no", Fate.REFUSED, "RES=1", at=NOON + 60),
        heard("\x1b[2J", at=NOON + 86400),
    )
    found = "".join(ARCHIVE.as_text([*talk, *one(own("what?"), uin=CY)]))
    assert found == (
        "小波 (10002)\n"
        "========================================\n"
        "\n"
        "Friday, 2026-03-06\n"
        "12:00  小波: hi\n"
        "       12:01  You: I owe you 100\n"
        "12:01  You: no (refused: RES=1)\n"
        "\n"
        "Saturday, 2026-03-07\n"
        "12:00  小波: \\x1b[2J\n"
        "\n"
        "\n"
        "10003\n"
        "========================================\n"
        "\n"
        "Friday, 2026-03-06\n"
        "12:00  You: what?\n"
    )


@pytest.mark.parametrize(
    ("nick", "shown"),
    [
        ("You", "You (10002)"),
        ("you ", "you (10002)"),
        ("a\nb\u2028c", "a b c"),
        (" \n", "10002"),
        ("x" * 24, "x" * 24),
        ("x" * 25, "x" * 23 + "…"),
    ],
)
def test_nobody_looks_like_oneself(nick: str, shown: str) -> None:
    """Names are on one line, short enough, and have the number where they could be mistaken."""
    archive = Archive(uin=10001, names={BO: nick}, zone=UTC)
    assert f"12:00  {shown}: hi\n" in "".join(archive.as_text(one(heard("hi"))))


def test_text_can_be_made_safe_in_another_way() -> None:
    """The command line knows more about terminals than this module."""
    archive = Archive(uin=10001, names={BO: "Bo"}, zone=UTC, printable=str.upper)
    assert "12:00  BO: HI\n" in "".join(archive.as_text(one(heard("hi"))))


def test_what_is_visible_stays_so() -> None:
    """Codes stand for controls, for signs that turn the line, and for bytes that were no UTF-8."""
    assert visible("a\tb\r\nc\rd\n你😄é") == "a\tb\nc\nd\n你😄é"
    assert visible("\x07\x9b\u2066\udcfe\u200f") == r"\x07\x9b\u2066\xfe\u200f"


# --- JSON ----------------------------------------------------------------------------------------


def test_json_has_everything() -> None:
    """In the names that other commands use; who wrote is the type."""
    lines = list(ARCHIVE.as_json_lines([heard("hi"), own("ho", Fate.REFUSED, "no")]))
    common = {"nick": "小波", "at": NOON, "date": "2026-03-06T12:00:00+00:00", "key": "k"}
    assert [json.loads(line) for line in lines] == [
        {"type": "message", "from": BO, "text": "hi", **common},
        {"type": "own-message", "to": BO, "text": "ho", **common, "fate": "refused", "why": "no"},
    ]
    assert "小波" in lines[0]


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_json_gives_back_any_text(text: str) -> None:
    """On one line that is safe to print and to store."""
    (line,) = ARCHIVE.as_json_lines([heard(text)])
    found: dict[str, Any] = json.loads(line)
    assert found["text"] == text
    assert line.splitlines(keepends=True) == [line]
    assert visible(line) == line
    line.encode()


# --- all forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "date"),
    [
        (NOON + 43_200, "2026-03-07T08:00:00+08:00"),
        (-1e300, "1970-01-02T08:00:00+08:00"),
        (1e300, "9999-12-30T08:00:00+08:00"),
    ],
)
def test_dates_are_in_the_time_zone(at: float, date: str) -> None:
    """A clock that was wrong prevents nothing."""
    archive = Archive(uin=10001, zone=timezone(timedelta(hours=8)))
    (line,) = archive.as_json_lines([heard("hi", at=at)])
    assert json.loads(line)["date"] == date


def test_nothing_is_read_before_it_is_written() -> None:
    """A million messages need no more room than one."""
    read = 0

    def messages() -> Iterator[Message]:
        nonlocal read
        for number in range(10**9):
            read = number + 1
            yield heard("hi", key=str(number))

    for give in (ARCHIVE.as_html, ARCHIVE.as_text):
        pieces = give([Chapter(BO, 10**9, messages())])
        while read < 3:
            assert len(next(pieces)) < 5000
        read = 0
    next(ARCHIVE.as_json_lines(messages()))
    assert read == 1


def test_a_diary_is_written_down_by_person(tmp_path: Path) -> None:
    """Who spoke last comes first; words and dates choose."""
    with History.open(tmp_path / "history.db") as history:
        diary = history.diary(10001, "tcp://kqq.example:14000")
        for number, (text, uin) in enumerate([("ab", BO), ("bc", CY), ("ab", CY), ("bc", BO)]):
            diary.add(heard(text, number, uin, key=str(number)))
        found = [(one.uin, one.count, list(one.messages)) for one in chapters(diary, "b")]
        assert [(uin, count) for uin, count, _ in found] == [(BO, 2), (CY, 2)]
        assert [message.key for message in found[0][2]] == ["0", "3"]
        (only,) = chapters(diary, "ab", since=1, until=3)
        assert (only.uin, only.count, [message.key for message in only.messages]) == (CY, 1, ["2"])
        assert [one.uin for one in chapters(diary, uin=CY)] == [CY]
        assert chapters(diary, "nothing") == []
