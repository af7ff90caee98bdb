"""The journal in words: what was attempted, and why somebody is most likely not signed in.

All of it is made from what `Attempt.as_object` gives, since the command line has it from a server
that may be another version.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any, Literal
from unicodedata import east_asian_width

from kqq.server.journal import ENDS, FIRST, Step

Language = Literal["en", "zh"]
"""English stands in `Step`, Chinese here."""

_CHINESE = {
    Step.CONNECTED: ("已连接", "之后什么也没有发来；请检查客户端的端口是否正确"),
    Step.DISCONNECTED: ("连接已断开：{reason}", "请重新登录"),
    Step.UNREADABLE: (
        "发来了无法识别的一行：{line}（{rule}）",
        "请看看这一行是什么；这里只能使用手机QQ的客户端",
    ),
    Step.UNKNOWN_NUMBER: ("没有这个号码", "请检查号码，或请管理员添加账号"),
    Step.WRONG_PASSWORD: ("密码错误", "请重新输入；管理员可以设置新密码"),
    Step.BUSY: ("等待验证的密码太多", "请一分钟后再试"),
    Step.SUSPENDED: ("账号已被停用：{reason}", "管理员可以恢复"),
    Step.CAPTCHA_SHOWN: ("看到了验证码", "请重新登录，并输入图片中的字母；有些客户端不能显示图片"),
    Step.CAPTCHA_WRONG: ("验证码错误", "请重新登录，换一张图片"),
    Step.CAPTCHA_EXPIRED: ("验证码输入得太晚", "请重新登录，并尽快输入"),
    Step.CAPTCHA_RIGHT: ("验证码正确", ""),
    Step.SIGNED_IN: ("已登录", ""),
    Step.ADMITTED: ("用浏览器登录了网页", ""),
    Step.REPLACED: (
        "已退出登录，因为同一个号码在 {address} 登录了",
        "一个号码只能在一处登录；如果那不是您，请修改密码",
    ),
    Step.SIGNED_OUT: ("已退出登录", "请重新登录"),
    Step.EXPIRED: ("太久没有消息，登录已过期", "请重新登录；客户端必须定时发送消息"),
    Step.LIMITED: ("超出了限制：{limit}", "请过几分钟再试"),
    Step.EARLY: (
        "没有登录就发来了 {command}",
        "请登录；客户端可能以为自己还在线，例如服务器重启之后",
    ),
    Step.NOT_KQQ: (
        "发来的 HTTP 请求不是 KQQ：{method} {path}",
        "这个端口只接收客户端发来的命令；浏览器、扫描程序和代理会发来别的",
    ),
    Step.TLS_FAILED: ("TLS 握手失败：{reason}", "旧手机不支持今天的 TLS；请使用不加密的端口"),
    Step.CLOSED: ("服务器关闭了连接：{reason}", "请看前面的步骤"),
    Step.KICKED: ("管理员结束了登录：{reason}", "请重新登录"),
    Step.NO_PICTURE: (
        "必须先输入验证码，但这个客户端不能显示图片",
        "请使用 1.4 版的客户端，或把设置改为 captcha=after-failures",
    ),
}
"""The words and the remedy of each step."""
_CHINESE_DETAILS = {
    "closed": "已关闭",
    "closed by the client": "客户端关闭了连接",
    "cut off": "被切断",
    "kicked by the operator": "管理员的操作",
    "suspended": "账号已被停用",
    "the account was deleted": "账号已被删除",
    "the password of a device was revoked": "设备密码已被撤销",
    "the password was changed": "密码已修改",
    "the server stops": "服务器停止运行",
    "too many commands of this account": "这个账号的操作太频繁",
    "too many connections from this address": "来自这个地址的连接太多",
    "too many lines that cannot be read or need a sign-in": "无法识别或需要登录的命令太多",
    "too many sign-ins from this address failed": "来自这个地址的登录失败太多",
    "too many sign-ins that failed": "登录失败太多",
    "too many sign-ins with this number failed, from wherever": "这个号码的登录失败太多",
}
"""What the server itself says in details; all else is what it is."""

_COLUMNS = 79  # and one more where a line ends in the midst of a wide sign
_MINOR = frozenset({Step.EARLY, Step.CAPTCHA_RIGHT, Step.CLOSED})
"""Steps that tell why somebody is not signed in only if nothing else does."""


def describe(attempt: Mapping[str, Any]) -> list[str]:
    """Return an attempt (from `Attempt.as_object`) in lines of 80 columns, in local time."""
    address = attempt["address"]
    address = f"[{address}]" if ":" in address else address
    runs = attempt["connections"]
    number = "no number" if attempt["uin"] is None else attempt["uin"]
    lines = _hang(
        "",
        f"{_day(attempt['begun'])} {_time(attempt['begun'])}  {number} from {address}:"
        f"{attempt['port']} over {attempt['over'].upper()}, door {attempt['door']}"
        + (f", {runs} connections" if runs > 1 else ""),
    )
    day = _day(attempt["begun"])
    for position, taken in enumerate(attempt["steps"]):
        if position == FIRST and attempt["left_out"]:
            lines.append(f"            … {attempt['left_out']} more steps, not kept")
        if _day(taken["last"]) != day:
            day = _day(taken["last"])
            lines.append(f"  {day}")
        lines += _hang(f"  {_time(taken['last'])}  ", _words(taken) + _times(taken))
    telling = _telling([attempt])
    if telling is not None and (remedy := _remedy(telling)):
        lines += _hang("  What to do: ", f"{remedy}.")
    return lines


def advice(attempts: Sequence[Mapping[str, Any]], language: Language = "en") -> str | None:
    """Return in a sentence why somebody is most likely not signed in now, None if they are.

    `attempts` are all that are known of them, from `Attempt.as_object`, begun last is last.
    """
    if not attempts:
        if language == "zh":
            return "服务器最近没有收到任何连接；请检查客户端里的地址和端口，以及中间是否有防火墙。"
        return (
            "Nothing has reached the server lately; look at the address and the port that the "
            "client has, and whether a firewall stands between."
        )
    telling = _telling(attempts)
    if telling is None:
        return None
    when = f"{_day(telling['last'])} {_time(telling['last'])}"
    if language == "zh":
        return f"{when}：{_chinese(telling)}。"
    remedy = _remedy(telling)
    return f"At {when} {_words(telling)}{_times(telling)}{f'; {remedy}' if remedy else ''}."


def _telling(attempts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the step that tells why nobody is signed in, None if somebody is.

    Browsers tell nothing of phones; they are looked at where there is nothing else.
    """
    attempts = [attempt for attempt in attempts if attempt["over"] != "web"] or attempts
    if any(attempt["signed_in"] for attempt in attempts):
        return None
    order = [
        ((taken.get("order", 0), taken["last"]), position, taken)  # an older server has no order
        for position, attempt in enumerate(attempts)
        for taken in attempt["steps"]
    ]
    order.sort(key=lambda item: item[0])
    was_in: set[int] = set()
    major = minor = None
    for _, position, taken in order:
        step = _step(taken)
        if step is Step.SIGNED_IN:
            was_in.add(position)
            major = minor = taken
        elif step in ENDS and position in was_in:
            was_in.remove(position)
            major = minor = taken
        elif step in _MINOR:
            minor = taken
        elif step in (Step.CONNECTED, Step.DISCONNECTED):
            minor = minor or taken
        elif step not in ENDS:
            major = taken
    return major or minor


def _step(taken: Mapping[str, Any]) -> Step | None:
    """Return the step that was taken, None for one of a newer server."""
    return Step.__members__.get(taken["step"].upper())


class _Gaps(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def _words(taken: Mapping[str, Any]) -> str:
    step, details = _step(taken), taken["details"]
    if step is not None:
        return step.words.format_map(_Gaps(details))
    return " ".join([taken["step"], *(f"{name}={value}" for name, value in details.items())])


def _remedy(taken: Mapping[str, Any]) -> str:
    step = _step(taken)
    if step is Step.CONNECTED:
        return "nothing followed; look whether the client's port is meant for what it speaks"
    return "" if step is None else step.remedy


def _chinese(taken: Mapping[str, Any]) -> str:
    """Return a step in Chinese, how often it was taken, and what to do."""
    step = _step(taken)
    if step is None:  # of a newer server
        return _words(taken)
    words, remedy = _CHINESE[step]
    details = {name: _CHINESE_DETAILS.get(value, value) for name, value in taken["details"].items()}
    since = f"（自 {_since(taken)} 起共 {taken['count']} 次）" if taken["count"] > 1 else ""
    return f"{words.format_map(_Gaps(details))}{since}{f'；{remedy}' if remedy else ''}"


def _times(taken: Mapping[str, Any]) -> str:
    return "" if taken["count"] == 1 else f" ({taken['count']} times since {_since(taken)})"


def _since(taken: Mapping[str, Any]) -> str:
    first, last = taken["first"], taken["last"]
    return _time(first) if _day(first) == _day(last) else f"{_day(first)} {_time(first)}"


def _local(date: float) -> datetime:
    return datetime.fromtimestamp(date, tz=UTC).astimezone()


def _day(date: float) -> str:
    return f"{_local(date):%Y-%m-%d}"


def _time(date: float) -> str:
    return f"{_local(date):%H:%M:%S}"


def _hang(left: str, text: str) -> list[str]:
    """Return `text` after `left`, its further lines below it; wide signs take two columns.

    Much of it is what strangers sent, so nothing in it may steer a terminal.
    """
    signs = [sign if sign.isprintable() else _escape(sign) for sign in text]
    padded = "".join(sign + "\0" if east_asian_width(sign[0]) in "WF" else sign for sign in signs)
    lines = wrap(
        padded,
        _COLUMNS,
        initial_indent=left,
        subsequent_indent=" " * (len(left) or 4),
        break_on_hyphens=False,
    )
    return [line.replace("\0", "") for line in lines]


def _escape(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 256 else f"\\u{ord(sign):04x}"
