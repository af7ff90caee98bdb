"""The report as a page: all of it is there, nothing is fetched, nothing of strangers is markup."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from kqq.conformance.page import page
from kqq.conformance.report import Report
from kqq.words import use_language
from results import AT_END, FAILED, LOST, PASSED, SKIPPED, report

ALL = report(PASSED, FAILED, *SKIPPED, LOST, AT_END)
_VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Reads a page: what tags there are, whether they are balanced, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


@pytest.fixture
def read() -> Reader:
    """The page of a report with everything in it."""
    return Reader(page(ALL))


def test_it_is_balanced(read: Reader) -> None:
    """Each tag is closed in its turn."""
    assert read.open == []


def test_it_fetches_nothing(read: Reader) -> None:
    """There is no script, no picture, no link to elsewhere, and the policy forbids them."""
    assert not read.tags & {"script", "img", "link", "iframe", "object", "form", "svg"}
    for key, value in read.attributes:
        assert not key.startswith("on")
        assert key not in {"src", "style", "action"}
        assert key != "href" or (value or "").startswith("#")
    text = page(ALL)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert "default-src 'none'" in text
    assert f"style-src 'sha256-{digest}'" in text
    assert "url(" not in style[1]


def test_what_strangers_say_is_text(read: Reader) -> None:
    """Markup is shown as such, and what could steer a terminal is a code."""
    for said in ("<script>\\x1b[31m", "MG=<b>hi</b>", "had <much> waiting", "tcp://<host>:14000"):
        assert said in read.text
    assert "<b>hi" not in page(ALL)
    assert "\x1b" not in page(ALL)


def test_what_is_in_it(read: Reader) -> None:
    """Counts, what failed and why, all plays in groups, what was skipped, and the sources."""
    for said in ("Conformance of", "What failed", "sign_in_1_1", "Line 4:", "another line came",
                 "accepted ≠ no number", "nothing", "What else had come", "Before it",
                 "What breaks a rule of the catalogue", "The last lines", "cannot connect",
                 "Romeo got more than is told", "Signing in", "Messages", "needs <settings>",
                 "pages TCP, pages HTTP", "Who says so", "research note on 1.1"):  # fmt: skip
        assert said in read.text, said


def test_links_lead_to_what_failed() -> None:
    """Each is the place of one."""
    text = page(ALL)
    links = re.findall(r'href="#([^"]+)"', text)
    assert set(links) == {"sign_in_1_1-tcp", "message_online-http", "not_published-http"}
    for link in links:
        assert f'id="{link}"' in text


def test_all_is_well() -> None:
    """Then there is nothing about failures and reasons."""
    found = Reader(page(report(PASSED)))
    assert "What failed" not in found.text
    assert "skipped, and why" not in found.text


def test_it_is_in_the_language_of_the_person() -> None:
    """Browsers are told which."""
    assert '<html lang="en">' in page(Report("here", "now", "kqq", [PASSED]))
    try:
        use_language("zh")
        assert '<html lang="zh' in page(report(PASSED))
    finally:
        use_language(None)
