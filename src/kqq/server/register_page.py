"""The page on which people make themselves an account: plain HTML that old phones can show.

It is served by the doors for phones at `/register`, unless registration is off. The protocol has no
command for it, and signing up was always done elsewhere. What is posted to this path and is no form
is a command as anywhere: phones may post to any path.
"""

import logging
from dataclasses import replace
from html import escape

from kqq.errors import AccountError, StoreError
from kqq.server import pages
from kqq.server.accounts import check_nick
from kqq.server.checks import TooBusy
from kqq.server.invitations import BadInvitation, Registration, RegistrationClosed, TooMany
from kqq.server.logs import event
from kqq.server.pages import (
    ADVICE,
    BAD_NICK,
    BUSY,
    FAILED,
    UNREADABLE,
    Page,
    page,
    password_mistake,
    read_form,
)

logger = logging.getLogger("kqq.register")

PATH = "/register"
LONGEST_FORM = 4096
"""Bytes of a form; whatever fits into its fields is shorter."""
_FIELDS = {"code", "nick", "password", "again"}
_MOST_FIELDS = 10

_FORM = """<h3>A number for you<br>申请号码</h3>
{told}<form method="post" action="{path}">
{code}<label>Nickname 昵称<br><input name="nick" maxlength="64" value="{nick}"></label><br>
{advice}
<label>Password 密码<br><input name="password" type="password"></label><br>
<label>Once more 再输一次<br><input name="again" type="password"></label><br>
<br><input type="submit" value="OK 确定">
</form>"""
_CODE = """<label>Invitation 邀请码<br><input name="code" maxlength="20" value="{code}"></label><br>
"""
_DONE = """<h3>Your number<br>您的号码</h3>
<h1>{uin}</h1>
<p>{nick}: write it down. You sign in with this number and your password.<br>
请记下来，用这个号码和密码登录。</p>"""

_BAD_INVITATION = "This invitation cannot be used. 邀请码无效。"
_TOO_MANY = "Too many from your address today. 今天从您的地址申请太多。"


def is_form(body: bytes) -> bool:
    """Return whether what was posted is the form, and no command of KQQ."""
    return pages.is_form(body, _FIELDS)


def form(policy: str, told: str = "", *, status: int = 200, nick: str = "", code: str = "") -> Page:
    """Return the empty form, or one that tells what was wrong with what was sent."""
    asks_code = _CODE.format(code=escape(code)) if policy == "invitation" else ""
    content = _FORM.format(
        told=pages.told(told), path=PATH, code=asks_code, nick=escape(nick), advice=ADVICE
    )
    return page(status, content)


async def register(registration: Registration, policy: str, body: bytes, host: str) -> Page:
    """Make the account that a form sent from `host` asks for, and return the page that says so."""
    if policy == "off":
        return Page(404, b"")
    try:
        sent = read_form(body, LONGEST_FORM, _MOST_FIELDS)
    except ValueError:
        return form(policy, UNREADABLE, status=400)
    nick, code = sent.get("nick", "").strip(), sent.get("code", "").strip()
    password, limit = sent.get("password", ""), ""
    try:
        if told := _mistake(nick, password, sent.get("again", "")):
            return form(policy, told, status=400, nick=nick, code=code)
        account = await registration.register(code or None, nick, password, host)
    except RegistrationClosed:
        return Page(404, b"")
    except BadInvitation:
        told, status = _BAD_INVITATION, 403
    except TooMany:
        told, status, limit = _TOO_MANY, 429, "too many accounts made from this address today"
    except TooBusy:
        told, status, limit = BUSY, 503, "too many passwords were waiting"
    except (AccountError, StoreError) as error:
        event(logger, logging.ERROR, "cannot register", host=host, why=error)
        told, status = FAILED, 503
    else:
        event(logger, logging.INFO, "registered", host=host, uin=account.uin)
        content = _DONE.format(uin=account.uin, nick=escape(account.nick))
        return page(200, content)
    event(logger, logging.INFO, "registration refused", host=host, status=status)
    refused = form(policy, told, status=status, nick=nick, code=code)
    return replace(refused, limit=limit)


def _mistake(nick: str, password: str, again: str) -> str:
    """Return what is wrong with what was typed, "" if nothing is."""
    try:
        check_nick(nick)
    except AccountError:
        return BAD_NICK
    return password_mistake(password, again)
