"""The page on which people make themselves an account: plain HTML that old phones can show.

It is served by the doors for phones at `/register`, unless registration is off. The protocol has no
command for it, and signing up was always done elsewhere.
"""

from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from kqq.errors import AccountError
from kqq.server.checks import TooBusy
from kqq.server.invitations import BadInvitation, Registration, RegistrationClosed, TooMany

PATH = "/register"
CONTENT_TYPE = "text/html; charset=UTF-8"
_LONGEST_FORM = 4096
_MOST_FIELDS = 10

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>KQQ</title></head><body>
{content}
</body></html>
"""
_FORM = """<h1>A number for you 申请号码</h1>
{told}<form method="post" action="{path}">
{code}<p>Nickname 昵称<br><input name="nick" maxlength="64" value="{nick}"></p>
<p>Password 密码<br><input name="password" type="password" maxlength="16"></p>
<p>Once more 再输一次<br><input name="again" type="password" maxlength="16"></p>
<p><input type="submit" value="OK 确定"></p>
</form>
<p>Phones send the password in a form that others on the way can read: take one that you use nowhere
else. 请不要使用您在别处用过的密码。</p>"""
_CODE = """<p>Invitation 邀请码<br><input name="code" maxlength="20" value="{code}"></p>
"""
_DONE = """<h1>{uin}</h1>
<p>{nick}, this is your number. Write it down; you sign in with it and your password.</p>
<p>这是您的号码，请记下来。</p>"""


@dataclass(frozen=True, slots=True)
class Page:
    """What to answer: an HTTP status and HTML."""

    status: int
    body: bytes


def form(policy: str, told: str = "", *, status: int = 200, nick: str = "", code: str = "") -> Page:
    """Return the empty form, or one that tells what was wrong with what was sent."""
    shown = f"<p><b>{escape(told)}</b></p>\n" if told else ""
    asks_code = _CODE.format(code=escape(code)) if policy == "invitation" else ""
    content = _FORM.format(told=shown, path=PATH, code=asks_code, nick=escape(nick))
    return Page(status, _PAGE.format(content=content).encode())


async def register(registration: Registration, policy: str, body: bytes, host: str) -> Page:
    """Make the account that a form sent from `host` asks for, and return the page that says so."""
    try:
        sent = parse_qs(
            body[:_LONGEST_FORM].decode(),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        return form(policy, "This form cannot be read. 无法读取。", status=400)
    fields = {name: values[0].strip() for name, values in sent.items()}
    nick, code = fields.get("nick", ""), fields.get("code", "")
    password = sent.get("password", [""])[0]
    if password != sent.get("again", [""])[0]:
        told = "The two passwords differ. 两次输入的密码不同。"
        return form(policy, told, status=400, nick=nick, code=code)
    try:
        account = await registration.register(code or None, nick, password, host)
    except RegistrationClosed:
        return Page(404, b"")
    except BadInvitation:
        told, status = "This invitation cannot be used. 邀请码无效。", 403
    except TooMany:
        told, status = "Too many from your address today. 今天申请太多。", 429
    except TooBusy:
        told, status = "The server is busy; try again. 服务器忙，请重试。", 503
    except AccountError as error:
        told, status = str(error), 400
    else:
        content = _DONE.format(uin=account.uin, nick=escape(account.nick))
        return Page(200, _PAGE.format(content=content).encode())
    return form(policy, told, status=status, nick=nick, code=code)
