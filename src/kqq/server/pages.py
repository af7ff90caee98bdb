"""What the pages for browsers have in common: the frame, and how a form is read.

They are plain HTML that the browsers of old phones can show: no script, no style, and at most what
fits on a small screen.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from kqq.errors import AccountError
from kqq.protocol import Line
from kqq.server.accounts import check_password

CONTENT_TYPE = "text/html; charset=UTF-8"
LONGEST_PASSWORD = 16
"""Characters that the password fields of phones took."""

UNREADABLE = "This form cannot be read. 无法读取。"
BAD_NICK = "Take a nickname of 1 to 64 characters. 昵称须为1至64个字符。"
BUSY = "The server is busy; try again. 服务器忙，请重试。"
FAILED = "The server failed; try again later. 服务器出错，请稍后再试。"
ADVICE = f"""<p>Phones send the password in a form that others on the way can read: take one that
you use nowhere else, of letters and digits, {LONGEST_PASSWORD} at most.<br>
手机发送密码时可能被他人读取：请用您在别处没有用过的密码，字母和数字，最多{LONGEST_PASSWORD}位。</p>"""
_BAD_PASSWORD = (
    f"Take a password of 1 to {LONGEST_PASSWORD} characters. 密码须为1至{LONGEST_PASSWORD}位。"
)
_DIFFERENT = "The two passwords differ. 两次输入的密码不同。"
_FRAME = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>KQQ</title></head><body>
{content}
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What to answer: an HTTP status and HTML; `limit` says which limit refused it, "" is none."""

    status: int
    body: bytes
    limit: str = ""


def page(status: int, content: str, limit: str = "") -> Page:
    """Return a page with this content, which is HTML."""
    return Page(status, _FRAME.format(content=content).encode(), limit)


def told(words: str) -> str:
    """Return what was wrong, as it stands above a form; "" for nothing."""
    return f"<p><b>{escape(words)}</b></p>\n" if words else ""


def is_form(body: bytes, fields: AbstractSet[str]) -> bool:
    """Return whether what was posted has any of the `fields` of a form, and no command of KQQ.

    Such a body must never be read as a line: what cannot be read is logged, and it has a password.
    """
    sent = Line.decode(body).values().keys()
    return "CMD" not in sent and not fields.isdisjoint(sent)


def read_form(body: bytes, longest: int, most: int) -> dict[str, str]:
    """Return the fields of a form, at most `most` in `longest` bytes. Raises ValueError."""
    if len(body) > longest:
        raise ValueError(f"a form has {len(body)} bytes, which is more than {longest}")
    sent = parse_qs(
        body.decode().strip(), keep_blank_values=True, max_num_fields=most, errors="strict"
    )
    return {name: values[0] for name, values in sent.items()}


def password_mistake(password: str, again: str) -> str:
    """Return what is wrong with a new password that was typed twice, "" if nothing is."""
    if password != again:
        return _DIFFERENT
    try:
        check_password(password)
    except AccountError:
        return _BAD_PASSWORD
    return _BAD_PASSWORD if len(password) > LONGEST_PASSWORD else ""
