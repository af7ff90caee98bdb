"""A report: one page that needs nothing else."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from kqq.charts import page as module
from kqq.charts.figures import Figures
from kqq.charts.page import report_page
from kqq.charts.style import STYLE
from kqq.words import use_language
from sayings import HOSTILE, LOGIN, Sayings, evening, hostile

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Checks that elements are nested right, and gathers them and their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.names.add(tag)
        values = dict(attrs)
        self.attributes |= set(values)
        if values.get("id"):
            self.ids.append(values["id"] or "")
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG."""
        self.handle_starttag(tag, attrs)
        self.open.remove(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one opened."""
        assert self.open.pop() == tag


def page_of(talk: Sayings, title: str = "evening.pcap") -> str:
    """Return the page about a conversation."""
    return "".join(report_page(Figures().take_all(talk.items), title=title))


def read(page: str) -> Reader:
    """Return what is in a page; it is well-formed."""
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    return reader


@pytest.mark.parametrize(
    "talk", [evening(), evening(times=False), hostile(), Sayings()],
    ids=["evening", "untimed", "hostile", "nothing"],
)  # fmt: skip
def test_a_page_is_whole_and_harmless(talk: Sayings) -> None:
    """Well-formed; all links lead somewhere; nothing is fetched, nothing runs."""
    page = page_of(talk, HOSTILE[0])
    reader = read(page)
    assert all(link.removeprefix("#") in reader.ids for link in reader.links)
    assert not reader.names & {"script", "link", "iframe", "object", "form", "base", "style2"}
    assert not [name for name in reader.attributes if name.startswith("on") or name == "style"]
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("#", "data:image/")) for source in sources)
    page.encode()


def test_a_policy_forbids_all_else() -> None:
    """Only the one style sheet, and pictures that are in the page."""
    page = page_of(evening())
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert page.count("<style>") == 1
    assert f"<style>{STYLE}</style>" in page
    assert (
        "content=\"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'sha256-{digest}'\"" in page
    )


def test_sections() -> None:
    """Each that has something to tell, named at the top."""
    page = page_of(evening())
    sections = ["who", "when", "presence", "commands", "times", "odd", "diagram", "lines"]
    assert re.findall(r'<section id="(\w+)">', page) == sections
    assert re.findall(r'<li><a href="#(\w+)">', page) == sections
    assert "2014-05-14 11:00:00 – 11:02:14 · 16 lines over TCP · 3 lines over HTTP" in page
    tiles = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert tiles == {
        "Lines": "19",
        "People": "2",
        "Messages sent": "2",
        "Connections": "2",
        "Time": "2 min 15 s",
        "Median answer": "40 ms",
        "Odd lines": "1",
    }


def test_a_page_without_times() -> None:
    """It says so, and counts lines."""
    page = page_of(evening(times=False))
    assert "The source has no times, so the axis counts lines." in page
    assert 'id="times"' not in page
    assert "<dt>Time</dt>" not in page


def test_a_page_about_nothing() -> None:
    """It says so."""
    page = page_of(Sayings())
    assert "Nothing of the protocol is in it." in page
    assert "<section" not in page


def test_days_are_told() -> None:
    """Where the end is on another one."""
    talk = Sayings()
    talk.ask(10001, "GetMsgEx")
    talk.ask(10001, "GetMsgEx", how={"after": 86400.0})
    assert "2014-05-14 11:00:00 – 2014-05-15 11:00:00" in page_of(talk)


def test_a_page_in_chinese() -> None:
    """It says in which language it is."""
    use_language("zh")
    page = page_of(evening())
    assert '<html lang="zh">' in page
    assert "在线" in page


def test_no_secret_is_in_a_page() -> None:
    """Also not in the picture."""
    page = page_of(evening())
    pictures = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
    assert len(pictures) == 2
    whole = page + "".join(base64.b64decode(one).decode("utf-8", "replace") for one in pictures)
    for secret in (str(LOGIN["PS"]), "ab" * 32):
        assert secret not in whole


def test_only_so_many_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who sign in here first; what is left out is told."""
    monkeypatch.setattr(module, "_LANES", 1)
    page = page_of(evening())
    assert page.count('<svg class="lane"') == 2
    assert 'aria-label="10001: 11:00:09 online, 11:02:14 offline"' in page
    assert "2 more are not shown." in page


def test_a_page_of_a_long_capture_is_short() -> None:
    """However many lines there were."""
    talk = Sayings()
    for place in range(3000):
        talk.ask(10001 + place % 7, "CLTMSG", UN=10002, MG="hello")
    figures = Figures(100).take_all(talk.items)
    page = "".join(report_page(figures, title="long"))
    assert page.count("<details ") == 100
    assert len(page) < 400_000
    read(page)
