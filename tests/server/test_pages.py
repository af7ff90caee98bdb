"""What all pages for browsers have in common."""

import pytest

from kqq.server import pages
from kqq.server.pages import Page


def test_page() -> None:
    """A whole HTML page around the content, in UTF-8."""
    made = pages.page(403, "<p>{您好}</p>", "too many")
    assert (made.status, made.limit) == (403, "too many")
    text = made.body.decode()
    assert text.startswith("<!DOCTYPE html>\n<html>")
    assert text.endswith("<p>{您好}</p>\n</body></html>\n")
    assert pages.page(200, "") == Page(200, pages.page(200, "").body)


def test_told() -> None:
    """Words are no HTML; without words there is nothing."""
    assert pages.told("") == ""
    assert pages.told("a<b>&") == "<p><b>a&lt;b&gt;&amp;</b></p>\n"


@pytest.mark.parametrize(
    ("body", "is_form"),
    [
        (b"x=1", True),
        (b"a=1&b=2&y=", True),
        (b"x=1&CMD=Login", False),
        (b"z=1", False),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_what_is_a_form(body: bytes, is_form: bool) -> None:
    """It has a field of the form and no command."""
    assert pages.is_form(body, {"x", "y"}) == is_form


def test_form_is_read() -> None:
    """As browsers send it; of a field sent twice the first counts."""
    body = "a=%E5%B0%8F+b&c=&a=2&raw=波\r\n".encode()
    assert pages.read_form(body, 100, 4) == {"a": "小 b", "c": "", "raw": "波"}


@pytest.mark.parametrize("body", [b"a=" + b"b" * 99, b"a=1&b=2&c=3&d=4&e=5", b"a=%ff", b"a=\xff"])
def test_what_is_no_form(body: bytes) -> None:
    """Too long, too many fields, no UTF-8."""
    with pytest.raises(ValueError):  # noqa: PT011  # the words are those of urllib and codecs
        pages.read_form(body, 100, 4)


@pytest.mark.parametrize(
    ("password", "again", "told"),
    [
        ("secret", "secret", ""),
        ("密" * 16, "密" * 16, ""),
        ("secret", "Secret", "The two passwords differ."),
        ("", "", "Take a password of 1 to 16 characters."),
        ("a" * 17, "a" * 17, "Take a password of 1 to 16 characters."),
    ],
)
def test_new_passwords(password: str, again: str, told: str) -> None:
    """Typed twice the same, and short enough for the fields of phones."""
    found = pages.password_mistake(password, again)
    assert found.startswith(told)
    assert bool(found) == bool(told)
