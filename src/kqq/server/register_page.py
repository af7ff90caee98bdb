"""The page on which people make themselves an account: plain HTML that old phones can show.

It is served by the doors for phones at `/register`, unless registration is off. The protocol has no
command for it, and signing up was always done elsewhere. What is posted to this path and is no form
is a command as anywhere: phones may post to any path.
"""

import logging
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from kqq.errors import AccountError, StoreError
from kqq.protocol import Line
from kqq.server.accounts import check_nick, check_password
from kqq.server.checks import TooBusy
from kqq.server.invitations import BadInvitation, Registration, RegistrationClosed, TooMany
from kqq.server.logs import event

logger = logging.getLogger("kqq.register")

PATH = "/register"
CONTENT_TYPE = "text/html; charset=UTF-8"
LONGEST_FORM = 4096
"""Bytes of a form; whatever fits into its fields is shorter."""
_FIELDS = {"code", "nick", "password", "again"}
_MOST_FIELDS = 10
_LONGEST_PASSWORD = 16
"""Characters that the password fields of phones took."""

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>KQQ</title></head><body>
{content}
</body></html>
"""
_FORM = """<h3>A number for you 申请号码</h3>
{told}<form method="post" action="{path}">
{code}<p>Nickname 昵称<br><input name="nick" maxlength="64" value="{nick}"></p>
<p>Password 密码<br><input name="password" type="password"></p>
<p>Once more 再输一次<br><input name="again" type="password"></p>
<p><input type="submit" value="OK 确定"></p>
</form>
<p>Phones send the password in a form that others on the way can read: take one that you use nowhere
else, of letters and digits, {longest} at most.<br>
手机发送密码时可能被他人读取：请用您在别处没有用过的密码，字母和数字，最多{longest}位。</p>"""
_CODE = """<p>Invitation 邀请码<br><input name="code" maxlength="20" value="{code}"></p>
"""
_DONE = """<h3>Your number 您的号码</h3>
<h1>{uin}</h1>
<p>{nick}: write it down. You sign in with this number and your password.<br>
请记下来，用这个号码和密码登录。</p>"""

_UNREADABLE = "This form cannot be read. 无法读取。"
_BAD_NICK = "Take a nickname of 1 to 64 characters. 昵称须为1至64个字符。"
_BAD_PASSWORD = (
    f"Take a password of 1 to {_LONGEST_PASSWORD} characters. 密码须为1至{_LONGEST_PASSWORD}位。"
)
_DIFFERENT = "The two passwords differ. 两次输入的密码不同。"
_BAD_INVITATION = "This invitation cannot be used. 邀请码无效。"
_TOO_MANY = "Too many from your address today. 今天从您的地址申请太多。"
_BUSY = "The server is busy; try again. 服务器忙，请重试。"
_FAILED = "The server failed; try again later. 服务器出错，请稍后再试。"


@dataclass(frozen=True, slots=True)
class Page:
    """What to answer: an HTTP status and HTML; `limit` says which limit refused it, "" is none."""

    status: int
    body: bytes
    limit: str = ""


def is_form(body: bytes) -> bool:
    """Return whether what was posted has fields of the form, and no command of KQQ.

    Such a body must never be read as a line: what cannot be read is logged, and it has a password.
    """
    fields = Line.decode(body).values().keys()
    return "CMD" not in fields and not _FIELDS.isdisjoint(fields)


def form(policy: str, told: str = "", *, status: int = 200, nick: str = "", code: str = "") -> Page:
    """Return the empty form, or one that tells what was wrong with what was sent."""
    shown = f"<p><b>{escape(told)}</b></p>\n" if told else ""
    asks_code = _CODE.format(code=escape(code)) if policy == "invitation" else ""
    content = _FORM.format(
        told=shown, path=PATH, code=asks_code, nick=escape(nick), longest=_LONGEST_PASSWORD
    )
    return Page(status, _PAGE.format(content=content).encode())


async def register(registration: Registration, policy: str, body: bytes, host: str) -> Page:
    """Make the account that a form sent from `host` asks for, and return the page that says so."""
    if policy == "off":
        return Page(404, b"")
    try:
        sent = _read(body)
    except ValueError:
        return form(policy, _UNREADABLE, status=400)
    nick, code = sent.get("nick", "").strip(), sent.get("code", "").strip()
    password, limit = sent.get("password", ""), ""
    try:
        if (told := _mistake(nick, password, sent.get("again", ""))) is not None:
            return form(policy, told, status=400, nick=nick, code=code)
        account = await registration.register(code or None, nick, password, host)
    except RegistrationClosed:
        return Page(404, b"")
    except BadInvitation:
        told, status = _BAD_INVITATION, 403
    except TooMany:
        told, status, limit = _TOO_MANY, 429, "too many accounts made from this address today"
    except TooBusy:
        told, status, limit = _BUSY, 503, "too many passwords were waiting"
    except (AccountError, StoreError) as error:
        event(logger, logging.ERROR, "cannot register", host=host, why=error)
        told, status = _FAILED, 503
    else:
        event(logger, logging.INFO, "registered", host=host, uin=account.uin)
        content = _DONE.format(uin=account.uin, nick=escape(account.nick))
        return Page(200, _PAGE.format(content=content).encode())
    event(logger, logging.INFO, "registration refused", host=host, status=status)
    page = form(policy, told, status=status, nick=nick, code=code)
    return Page(page.status, page.body, limit)


def _read(body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises ValueError if it is none, or too long for one."""
    if len(body) > LONGEST_FORM:
        raise ValueError
    sent = parse_qs(
        body.decode().strip(),
        keep_blank_values=True,
        max_num_fields=_MOST_FIELDS,
        errors="strict",
    )
    return {name: values[0] for name, values in sent.items()}


def _mistake(nick: str, password: str, again: str) -> str | None:
    """Return what is wrong with what was typed, None if nothing is."""
    try:
        check_nick(nick)
    except AccountError:
        return _BAD_NICK
    if password != again:
        return _DIFFERENT
    try:
        check_password(password)
    except AccountError:
        return _BAD_PASSWORD
    return _BAD_PASSWORD if len(password) > _LONGEST_PASSWORD else None
