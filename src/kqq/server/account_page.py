"""The page on which people change their account: plain HTML that old phones can show.

It is served by the doors for phones at `/account`. The protocol has no command by which people say
who may add them or write to them, nor one for profiles and passwords. What is posted to this path
and is no form is a command as anywhere: phones may post to any path.

Whoever guesses passwords here is kept from it as at a sign-in, by the same counts. The page shows
no picture, so where one must be read first it is of no use until the person has signed in from the
same address, or some time has passed.
"""

import asyncio
import logging
from collections.abc import Mapping
from html import escape

from kqq.errors import AccountError, StoreError
from kqq.server import pages
from kqq.server.accounts import NoSuchAccount, Suspended, WrongPassword, password_md5, read_number
from kqq.server.captcha import Asked
from kqq.server.checks import TooBusy
from kqq.server.devices import find_device
from kqq.server.handlers import Context, Services
from kqq.server.handlers.sign_in import has_failed, is_known, limit_of
from kqq.server.journal import Step
from kqq.server.limits import address_key
from kqq.server.logs import event
from kqq.server.pages import Page, page
from kqq.server.profiles import LONGEST_ENTRY, check_value, set_values
from kqq.server.store import Account

logger = logging.getLogger("kqq.account")

PATH = "/account"
LONGEST_FORM = 16384
"""Bytes of a form; whatever fits into its fields is shorter."""
REMOVE = "-"
"""What is typed to remove an entry of the profile."""
_MOST_FIELDS = 20

_CHOICES = {
    "who_may_add": ("Who may add me", "谁可以加我", {
        "anyone": "anyone 任何人", "ask": "ask first 需要验证", "nobody": "nobody 不允许",
    }),
    "who_may_write": ("Who may write to me", "谁可以给我发消息", {
        "friends": "friends 好友", "anyone": "anyone 任何人",
    }),
    "sex": ("Sex", "性别", {"0": "male 男", "1": "female 女", REMOVE: "remove 删除"}),
}  # fmt: skip
"""Fields with few values: their names, and the values in words; 0 and 1 are those of `SX`."""
_TEXTS = {
    "nick": ("Nickname", "昵称", 64),
    "age": ("Age", "年龄", 32),
    "province": ("Province", "省份", 32),
    "city": ("City", "城市", 32),
    "about": ("About me", "个人说明", LONGEST_ENTRY),
}
"""Fields to type into: their names, and the most characters that browsers let in."""
_SECRETS = {"password", "new", "again"}
_FIELDS = {"uin", *_SECRETS, *_CHOICES, *_TEXTS}
_ENTRIES = {"age", "sex", "province", "city", "about"}
"""What belongs to the profile, and can be removed."""

_FORM = """<h3>Your account<br>您的帐号</h3>
{told}<form method="post" action="{path}">
<label>Number 号码<br><input name="uin" maxlength="10" value="{uin}"></label><br>
<label>Password 密码<br><input name="password" type="password"></label><br>
<p>An empty field changes nothing; {remove} removes what you say of yourself.<br>
留空则不修改，输入 {remove} 则删除该项资料。</p>
{fields}{advice}
<label>New password 新密码<br><input name="new" type="password"></label><br>
<label>Once more 再输一次<br><input name="again" type="password"></label><br>
<br><input type="submit" value="OK 确定">
</form>"""
_TEXT = """<label>{english} {chinese}<br><input name="{name}" maxlength="{most}" \
value="{value}"></label><br>
"""
_CHOICE = """<label>{english} {chinese}<br><select name="{name}">
{options}</select></label><br>
"""
_OPTION = """<option value="{value}"{selected}>{words}</option>
"""
_DONE = """<h3>Changed<br>已修改</h3>
<p>{changes}</p>"""

_BAD_NUMBER = "Type your number, digits only. 请输入号码，只用数字。"
_BAD_VALUE = "This cannot be taken: {english}. 无法使用：{chinese}。"
_NOTHING = "Say what to change. 请填写要修改的内容。"
_WRONG = "The number or the password is wrong. 号码或密码错误。"
_SUSPENDED = "This account is suspended. 该帐号已被停用。"
_DEVICE = (
    "The password of a phone cannot change the password; use your own. "
    "设备密码不能修改密码，请用您自己的密码。"
)
_SLOW_DOWN = "Too many tries; wait some minutes. 尝试太多，请过几分钟再试。"
_SIGN_IN_FIRST = (
    "Sign in with your phone from here first, then come back at once. "
    "请先从此处用手机登录，然后马上回来。"
)
_SIGN_IN_AGAIN = "Password 密码: sign in again with the new one 请用新密码重新登录"
_TOO_MANY = "too many sign-ins from this address failed"
_TOO_OFTEN = "too many commands of this account"
_NO_PICTURE = "a picture must be read first, and the page at /account cannot show one"


class _Refused(Exception):
    """Nothing is changed; `told` and `status` say why, `limit` which limit it was, "" is none."""

    def __init__(self, told: str, status: int, limit: str = "") -> None:
        super().__init__(told)
        self.told = told
        self.status = status
        self.limit = limit


def is_form(body: bytes) -> bool:
    """Return whether what was posted is the form, and no command of KQQ."""
    return pages.is_form(body, _FIELDS)


def form(told: str = "", sent: Mapping[str, str] | None = None, *, status: int = 200) -> Page:
    """Return the empty form, or what was sent and what was wrong with it; passwords stay out."""
    typed = sent or {}
    fields = "".join(
        _choice(name, typed.get(name, "")) for name in ("who_may_add", "who_may_write")
    )
    for name in ("nick", "age", "sex", "province", "city", "about"):
        value = typed.get(name, "")
        fields += _choice(name, value) if name in _CHOICES else _text(name, value)
    content = _FORM.format(
        told=pages.told(told), path=PATH, uin=escape(typed.get("uin", "")), remove=REMOVE,
        fields=fields, advice=pages.ADVICE,
    )  # fmt: skip
    return page(status, content)


async def change(context: Context, body: bytes) -> Page:
    """Change what a form asks for, and return the page that says so.

    All is on disk then; with a new password the session is over. What becomes of it is noted in the
    attempt of the number, which is `context.attempt` from then on.
    """
    host, uin = context.peer.host, None
    sent: dict[str, str] = {}
    try:
        try:
            sent = pages.read_form(body, LONGEST_FORM, _MOST_FIELDS)
        except ValueError:
            raise _Refused(pages.UNREADABLE, 400) from None
        sent = {name: text if name in _SECRETS else text.strip() for name, text in sent.items()}
        uin, values, password = _number(sent), _values(sent), sent.get("new", "")
        context.attempt = context.attempt.is_of(uin)
        md5 = password_md5(sent.get("password", ""))
        account = await _authenticate(context, uin, md5)
        proof = await _new_proof(context, account, md5, password) if password else None
        # Who goes away must still be signed out once the password is changed.
        await asyncio.shield(_store(context.services, uin, values, proof))
    except _Refused as error:
        told, status, limit = error.told, error.status, error.limit
    except StoreError as error:
        event(logger, logging.ERROR, "cannot change", host=host, uin=uin, why=error)
        told, status, limit = pages.FAILED, 503, ""
    else:
        names = " ".join([*values, *(["new password"] if proof else [])])
        event(logger, logging.INFO, "account changed", host=host, uin=uin, what=names)
        changes = [_told(name, value) for name, value in values.items()]
        if proof is not None:
            changes.append(_SIGN_IN_AGAIN)
        return page(200, _DONE.format(changes="<br>\n".join(changes)))
    event(logger, logging.INFO, "change refused", host=host, uin=uin, status=status)
    if limit:
        context.attempt.add(Step.LIMITED, limit=limit)
    return form(told, sent, status=status)


def _number(sent: Mapping[str, str]) -> int:
    """Return whose account it is. Raises _Refused if that is no number."""
    uin = read_number(sent.get("uin", ""))
    if uin is None:
        raise _Refused(_BAD_NUMBER, 400)
    return uin


def _values(sent: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be set, as the store has it. Raises _Refused for what will not do."""
    values = {}
    for name, (english, chinese, *_) in {**_CHOICES, **_TEXTS}.items():
        if text := sent.get(name, ""):
            values[name] = "" if text == REMOVE and name in _ENTRIES else text
            try:
                check_value(name, values[name])
            except AccountError:
                told = _BAD_VALUE.format(english=english, chinese=chinese)
                raise _Refused(pages.BAD_NICK if name == "nick" else told, 400) from None
    new, again = sent.get("new", ""), sent.get("again", "")
    if (new or again) and (told := pages.password_mistake(new, again)):
        raise _Refused(told, 400)
    if not values and not new:
        raise _Refused(_NOTHING, 400)
    return values


async def _authenticate(context: Context, uin: int, md5: str) -> Account:
    """Return the account whose password this is. Raises _Refused.

    The gates are those of a sign-in (kqq.server.handlers.sign_in), in the same order.
    """
    services, attempt, place = context.services, context.attempt, _place(context)
    _check_limits(context, uin, md5)
    try:
        account = await services.accounts.authenticate(uin, md5, context.peer.host)
    except asyncio.CancelledError:
        has_failed(context, uin)  # or checks would cost nothing
        raise
    except (NoSuchAccount, WrongPassword):
        has_failed(context, uin)
        services.captchas.failed(uin, place)
        attempt.add(Step.WRONG_PASSWORD)
        raise _Refused(_WRONG, 403) from None
    except TooBusy:
        attempt.add(Step.BUSY)
        raise _Refused(pages.BUSY, 503) from None
    except Suspended as error:
        attempt.add(Step.SUSPENDED, reason=error.reason)
        raise _Refused(_SUSPENDED, 403) from None
    services.captchas.succeeded(uin, place)
    if not services.limits.commands.spend(uin):
        raise _Refused(_SLOW_DOWN, 429, _TOO_OFTEN)
    return account


def _check_limits(context: Context, uin: int, md5: str) -> None:
    """Raise _Refused if the password may not even be looked at."""
    services, address, place = context.services, address_key(context.peer.host), _place(context)
    limits, captchas = services.limits, services.captchas
    if not services.store.account_exists(uin):
        captchas.failed(uin, place)
        if not limits.failures.spend(address):
            raise _Refused(_SLOW_DOWN, 429, _TOO_MANY)
        context.attempt.add(Step.UNKNOWN_NUMBER)
        raise _Refused(_WRONG, 403)
    known, is_always = is_known(context, uin, md5), captchas.rules().asked is Asked.ALWAYS
    if (is_always or not known) and captchas.wanted(uin, place):
        raise _Refused(_SIGN_IN_FIRST if is_always else _SLOW_DOWN, 429, _NO_PICTURE)
    if not known and (limit := limit_of(context, uin)) is not None:
        raise _Refused(_SLOW_DOWN, 429, limit)


def _place(context: Context) -> str:
    """Return where captchas are found for it."""
    return address_key(context.peer.place)


async def _new_proof(context: Context, account: Account, md5: str, password: str) -> str:
    """Return the proof of the new password, which only the main password may set."""
    services, uin = context.services, account.uin
    if find_device(services.store, uin, md5) is not None:
        raise _Refused(_DEVICE, 403)
    try:
        proof = await services.accounts.new_proof(password, context.peer.host)
    except TooBusy:
        context.attempt.add(Step.BUSY)
        raise _Refused(pages.BUSY, 503) from None
    now = services.store.account(uin)  # an operator may have been quicker
    if now is None or now.proof != account.proof or now.suspended is not None:
        raise _Refused(_WRONG, 403)
    return proof


async def _store(services: Services, uin: int, values: dict[str, str], proof: str | None) -> None:
    """Write it, then end the session if the password is another."""
    await set_values(services.store, uin, values, proof=proof)
    if proof is not None:
        services.sessions.kick(uin, "the password was changed")


def _told(name: str, value: str) -> str:
    """Return what was changed in words of both languages, as HTML."""
    english, chinese, *_ = {**_CHOICES, **_TEXTS}[name]
    words = _CHOICES[name][2].get(value, value) if name in _CHOICES else value
    return f"{english} {chinese}: {escape(words) or 'removed 已删除'}"


def _text(name: str, value: str) -> str:
    english, chinese, most = _TEXTS[name]
    return _TEXT.format(english=english, chinese=chinese, name=name, most=most, value=escape(value))


def _choice(name: str, value: str) -> str:
    english, chinese, words = _CHOICES[name]
    options = "".join(
        _OPTION.format(value=one, words=told, selected=" selected" if one == value else "")
        for one, told in {"": "as it is 不变", **words}.items()
    )
    return _CHOICE.format(english=english, chinese=chinese, name=name, options=options)
