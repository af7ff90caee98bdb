"""A diagram as SVG."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kqq.charts.sequence import sequence
from kqq.charts.svg import DARK_VARIABLES, VARIABLES, sequence_svg
from kqq.protocol import CltMsg
from kqq.words import use_language
from sayings import HOSTILE, Sayings, evening, hostile

SVG = "{http://www.w3.org/2000/svg}"


def drawn(talk: Sayings, **how: object) -> ET.Element:
    """Return the picture, parsed."""
    return ET.fromstring(sequence_svg(sequence(talk.items, **how)))  # type: ignore[arg-type]


def texts(root: ET.Element, name: str) -> list[str]:
    """Return the texts of one class."""
    found = (one for one in root.iter(f"{SVG}text") if name in one.get("class", "").split())
    return ["".join(one.itertext()) for one in found]


def test_a_picture_says_what_it_is() -> None:
    """Title and description for those who cannot see it, and a size."""
    root = drawn(evening(), title="An evening")
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "An evening"
    words = "A sequence diagram with 19 lines between 10001, server, 小波."
    assert root.findtext(f"{SVG}desc") == words
    _, _, wide, high = map(float, (root.get("viewBox") or "").split())
    assert 600 < wide < 1000
    assert 800 < high < 1600


def test_everything_stands_in_the_picture() -> None:
    """Names, times, labels, remarks, footnotes; nothing beyond the edges."""
    root = drawn(evening(), title="An evening")
    assert texts(root, "name")[:3] == ["10001", "server", "小波"]
    assert texts(root, "detail")[:3] == ["192.0.2.1", "198.51.100.7:14000, 80", "10002"]
    labels = " ".join(texts(root, "label"))
    for words in ("Login signs in", "to 小波: “今晚去看电影吗？”", "HTTP  GetMsgEx any messages?",
                  "CLTMSG accepted · 300 µs", "OK!” ①"):  # fmt: skip
        assert words in labels, words
    assert texts(root, "remark") == ["connects", "2 min 5 s later", "connection closed"]
    assert texts(root, "time")[0] == "11:00:00.040"
    assert "2 bytes before VER= are skipped: 00 4f" in texts(root, "faint")
    assert {"request", "reply", "sent unasked", "refusal", "2014-05-14"} <= set(
        texts(root, "faint")
    )
    assert "unreadable" not in texts(root, "faint")
    _, _, wide, high = map(float, (root.get("viewBox") or "").split())
    for one in root.iter(f"{SVG}text"):
        assert 0 < float(one.get("x", "-1")) < wide
        assert 0 < float(one.get("y", "-1")) < high


def test_arrows_go_from_who_says_it() -> None:
    """Requests have a filled head; every arrow tells itself when pointed at."""
    root = drawn(evening())
    arrows = [one for one in root.iter(f"{SVG}g") if "arrow" in one.get("class", "").split()]
    first, second = arrows[:2]
    assert first.findtext(f"{SVG}title") == "10001 → server: Login signs in"
    assert second.findtext(f"{SVG}title", "").startswith("server → 10001: VERIFYCODE read this")
    tips = [
        next(one.get("d", "") for one in arrow.iter(f"{SVG}path") if one.get("class") == "tip")
        for arrow in (first, second)
    ]
    assert [tip.endswith("Z") for tip in tips] == [True, False]
    x = [float(found) for found in re.findall(r"[ML]([\d.]+)", tips[0])]
    assert x[0] < x[1]


def test_texts_of_strangers_stay_texts() -> None:
    """No element comes from them, and nothing is fetched or run."""
    svg = sequence_svg(sequence(hostile().items, title=HOSTILE[0]))
    root = ET.fromstring(svg)
    names = {one.tag.removeprefix(SVG) for one in root.iter()}
    assert names == {"svg", "title", "desc", "style", "rect", "path", "g", "text", "tspan",
                     "circle"}  # fmt: skip
    attributes = {name for one in root.iter() for name in one.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    assert "url(" not in svg
    assert "@import" not in svg
    for sign in ("\u202e", "\x1b", "\x00"):
        assert sign not in svg
    svg.encode()


@given(st.text(max_size=60), st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_makes_a_picture(said: str, title: str) -> None:
    """Whatever Unicode has, and what it has not."""
    talk = Sayings()
    odd = talk.ask(10001, "CLTMSG", UN=10002, MG="x")
    odd.message = CltMsg(seq="1", uin=10001, to=10002, text=said)
    odd.odd = (said,)
    talk.note("cut", said)
    drawn(talk, title=title)


def test_long_texts_are_cut() -> None:
    """No label makes the picture wider than a page."""
    root = drawn(hostile(), most_people=2)
    assert float(root.get("width", "0")) < 1000
    assert any(label.endswith("…”") or "…" in label for label in texts(root, "label"))


def test_many_lines_have_their_heads_again() -> None:
    """At the end, and in between."""
    talk = Sayings()
    for _ in range(100):
        talk.ask(10001, "GetMsgEx")
    assert texts(drawn(talk, most=10), "name") == ["10001", "server"]
    assert texts(drawn(talk, most=21), "name") == ["10001", "server"] * 2
    assert texts(drawn(talk, most=100), "name") == ["10001", "server"] * 4
    assert texts(drawn(talk, most=10), "remark") == ["… 90 more lines"]


def test_neighbours_have_room_for_their_labels() -> None:
    """And those far apart need no more."""
    talk = Sayings()
    for uin in (10001, 10002, 10003, 10004):
        talk.ask(uin, "CLTMSG", UN=10009, MG="a text of some length that fills a line")
    chart = sequence(talk.items)
    near = sequence_svg(chart)
    assert "a text of some length" in near
    assert float(ET.fromstring(near).get("width", "0")) < 1200


def test_a_picture_without_times_counts_lines() -> None:
    """Numbers stand where times would."""
    root = drawn(evening(times=False))
    assert texts(root, "time")[:3] == ["1", "2", "3"]
    assert not [text for text in texts(root, "faint") if text.startswith("2014")]


def test_a_picture_of_nothing() -> None:
    """It is still one."""
    root = drawn(Sayings())
    assert root.findtext(f"{SVG}desc") == "A sequence diagram with 0 lines between ."
    talk = Sayings()
    talk.note("cut", "the capture ends in a packet")
    assert drawn(talk).get("role") == "img"


def test_a_play_in_words_of_its_own() -> None:
    """Arrows without a command, remarks on both sides."""
    talk = Sayings(times=False)
    for words in ("Romeo signs in", "Juliet signs in", "Juliet disconnects", "Romeo disconnects"):
        talk.note("statement", words)
    root = drawn(talk)
    assert texts(root, "label") == ["signs in", "signs in"]
    assert texts(root, "end") == ["disconnects"]
    assert texts(root, "start") == ["disconnects"]
    assert texts(root, "time") == ["", ""]


def test_a_command_alone() -> None:
    """It fills its line, and what is longer is cut."""
    talk = Sayings()
    said = talk.ask(10001, "W" * 90)
    said.odd = ("odd",)
    label = texts(drawn(talk), "label")[0]
    assert "…" in label
    assert "W" * 25 not in label


def test_the_legend_has_as_many_rows_as_it_needs() -> None:
    """All five kinds beside each other are too wide for two people."""
    talk = evening()
    talk.line(next(iter(talk.said)).sender, b"\xff", stream=1)
    assert "unreadable" in texts(drawn(talk, most=40), "faint")
    use_language("zh")
    assert drawn(talk) is not None


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG has it."""
    full = colour if len(colour) == 7 else "#" + "".join(sign * 2 for sign in colour[1:])
    parts = (int(full[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("variables", [VARIABLES, DARK_VARIABLES], ids=["day", "night"])
def test_texts_can_be_read(variables: str) -> None:
    """All colours of texts have a contrast of 4.5 with what they stand on."""
    colours = dict(re.findall(r"--([\w-]+):(#\w+)", variables))
    pairs = [(name, "paper") for name in
             ("ink", "faint", "request", "reply", "push", "bad", "odd")]  # fmt: skip
    for text, ground in [*pairs, ("ink", "head"), ("faint", "head"), ("on-server", "server")]:
        light, dark = sorted((luminance(colours[one]) for one in (text, ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, text
