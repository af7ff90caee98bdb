"""What was said in a few words, as a label in a picture."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from kqq.capture.events import Said
from kqq.protocol.catalogue import (
    AckAddToList,
    AckAddToListReply,
    AddToList,
    AddToListReply,
    CaptchaAnswer,
    CaptchaChallenge,
    ChangeStat,
    ChangeStat2,
    ChangeStat2Reply,
    ChangeStatReply,
    CltMsg,
    CltMsgReply,
    DelFromList,
    DelFromListReply,
    Finger,
    FingerReply,
    GetInfo,
    GetInfoReply,
    GetMsgEx,
    GetMsgExReply,
    GroupCommand,
    GroupReply,
    List,
    ListReply,
    Login,
    LoginRedirect,
    LoginReply,
    Logout,
    LogoutReply,
    QueryStat,
    QueryStat2,
    QueryStat2Reply,
    QueryStatReply,
    ServerConfig,
    ServerMsg,
    SimpleInfo2,
    SimpleInfo2Reply,
    Status,
    UpdateStat,
)
from kqq.protocol.schema import HEADS, Failure, Message, Unreadable
from kqq.protocol.wire import Line, mask, mask_broken
from kqq.words import one_line, status_word, tr, tr_n

Called = Callable[[int], str]
_LABEL = 300  # cells; more no label has room for
_PLACE = re.compile(r"\{\w+\}")
_HEAD = frozenset(one.key for fields in HEADS.values() for one in fields)
_LISTED = 4  # people or messages named before "and so many more"


def short_words(said: Said, called: Called = str) -> str:
    """Return what was said in a few words, printable and on one line; the command is not in it.

    Secrets are never in it. `called` says what to call people.
    """
    message = said.message
    if isinstance(message, Unreadable):
        return one_line(tr("unreadable: {why}").format(why=mask_broken(str(message))), _LABEL)
    if isinstance(message, CaptchaChallenge | LoginRedirect) and _leaves_open(said):
        return one_line(_own_fields(said), _LABEL)
    plain = _PLAIN.get(type(message))
    words = plain(message) if plain else _NAMING[type(message)](message, called)
    return one_line(mask(words) if "=" in words else words, _LABEL)


def _leaves_open(said: Said) -> bool:
    """Return whether this is a line of a play that leaves open what came, such as `VC={any}`."""
    return bool(said.actor) and bool(_PLACE.search(said.line.text))


def _own_fields(said: Said) -> str:
    """Return the fields of a line that are not its head, as written."""
    pairs = Line(mask(said.line.text)).pairs
    return " ".join(f"{key}={value}" for key, value in pairs if key.strip() not in _HEAD)


def _named(numbers: Iterable[int], called: Called) -> str:
    return _some([called(one) for one in numbers])


def _some(names: list[str]) -> str:
    """Return names with commas, of many only the first."""
    if len(names) <= _LISTED + 1:
        return tr(", ").join(names)
    count = len(names) - _LISTED
    text = tr_n("{names} and {count} more", "{names} and {count} more", count)
    return text.format(names=tr(", ").join(names[:_LISTED]), count=count)


def _is_there(number: int, status: int, called: Called) -> str:
    return tr("{name} is {status}").format(name=called(number), status=status_word(status))


def _statuses(message: QueryStatReply | QueryStat2Reply, called: Called) -> str:
    people = [
        tr("{name} is {status}").format(name=called(number), status=status_word(status))
        for number, status in zip(message.numbers, message.statuses, strict=False)
    ]
    return _some(people) or tr("nobody")


def _friends(message: SimpleInfo2Reply | ListReply, called: Called) -> str:
    numbers = message.numbers or ()
    count = message.count if isinstance(message, ListReply) else len(numbers)
    if not count:
        return tr("no friends")
    if not numbers:
        return tr_n("{count} friend", "{count} friends", count).format(count=count)
    text = tr_n("{count} friend: {names}", "{count} friends: {names}", count)
    return text.format(count=count, names=_named(numbers, called))


def _found(message: FingerReply, called: Called) -> str:
    if not message.numbers:
        return tr("nobody")
    count = len(message.numbers)
    text = tr_n("{count} found: {names}", "{count} found: {names}", count)
    return text.format(count=count, names=_named(message.numbers, called))


def _message(kind: int, sender: int, text: str, called: Called) -> str:
    """Return a message that arrives, by its `MT` (HACK PHPQ CS11)."""
    texts = {
        2: tr("{name} asks to be friends: “{text}”"),
        3: tr("{name} agreed to be friends"),
        4: tr("{name} refused to be friends: “{text}”"),
        9: tr("from {name}: “{text}”"),
    }
    if kind == 99 and text.strip().isascii() and text.strip().isdigit() and len(text) < 9:
        return _is_there(sender, int(text), called)
    other = tr("from {name}, of type {type}: “{text}”")
    return texts.get(kind, other).format(name=called(sender), text=text, type=kind)


def _waiting(message: GetMsgExReply, called: Called) -> str:
    texts = message.texts or ()
    if not texts:
        return tr("nothing waits")
    kinds = message.types or (9,) * len(texts)
    came = [
        _message(kind, sender, text, called)
        for kind, sender, text in zip(kinds, message.numbers or (), texts, strict=False)
    ]
    if len(came) == 1:
        return came[0]
    text = tr_n("{count} message: {texts}", "{count} messages: {texts}", len(texts))
    return text.format(count=len(texts), texts=_some(came))


def _signed_in(message: LoginReply) -> str:
    if message.result == 0:
        return tr("signed in")
    return tr("refused: “{reason}”").format(reason=message.reason or "")


def _sign_in(message: Login) -> str:
    is_hidden = Status.HIDDEN in (message.login_status, message.status)
    return tr("signs in, hidden") if is_hidden else tr("signs in")


def _refused(message: Failure) -> str:
    texts = {
        1: tr("refused"),
        5: tr("refused: no such number"),
        20: tr("refused: not signed in"),
    }
    other = tr("refused, RES={code}").format(code=message.res)
    return texts.get(message.res, other)


def _answer(message: AckAddToList, called: Called) -> str:
    texts = {
        0: tr("accepts {name}"),
        1: tr("refuses {name}"),
        2: tr("asks {name} to be friends"),
    }
    other = tr("answers {name} with CD={code}")
    words = texts.get(message.answer, other).format(
        name=called(message.number), code=message.answer
    )
    return f"{words}: “{message.reason}”" if message.reason else words


def _added(message: AddToListReply) -> str:
    texts = {0: tr("added"), 1: tr("must be asked first")}
    return texts.get(message.outcome, tr("refused"))


def _picture(message: CaptchaChallenge) -> str:
    size = len(message.image)
    text = tr_n("read this picture ({size} byte)", "read this picture ({size} bytes)", size)
    return text.format(size=size)


def _servers(message: ServerConfig) -> str:
    return tr("servers: {addresses}").format(addresses=_some(list(message.addresses)))


def _profile(message: GetInfoReply) -> str:
    if message.number is None:
        return tr("called {nick}").format(nick=message.nick)
    return tr("{number} is called {nick}").format(number=message.number, nick=message.nick)


def _wants_status(message: ChangeStat | ChangeStat2) -> str:
    return tr("is now {status}").format(status=status_word(message.status))


_PLAIN: dict[type[Message], Callable[[Any], str]] = {
    Login: _sign_in,
    CaptchaAnswer: lambda said: tr("the letters: “{letters}”").format(letters=said.letters),
    Logout: lambda _: tr("signs out"),
    List: lambda _: tr("who are my friends?"),
    SimpleInfo2: lambda _: tr("what are my friends called?"),
    QueryStat: lambda _: tr("who is online?"),
    QueryStat2: lambda _: tr("who is online?"),
    ChangeStat: _wants_status,
    ChangeStat2: _wants_status,
    GetMsgEx: lambda _: tr("any messages?"),
    Finger: lambda _: tr("searches for people"),
    GroupCommand: lambda _: tr("asks for a group"),
    LoginReply: _signed_in,
    LoginRedirect: lambda said: tr("sign in at {server}:{port}").format(
        server=said.server, port=said.port
    ),
    CaptchaChallenge: _picture,
    LogoutReply: lambda _: tr("signed out"),
    ChangeStatReply: lambda _: tr("done"),
    ChangeStat2Reply: lambda _: tr("done"),
    CltMsgReply: lambda _: tr("accepted"),
    GetInfoReply: _profile,
    AddToListReply: _added,
    AckAddToListReply: lambda _: tr("passed on"),
    DelFromListReply: lambda _: tr("deleted"),
    GroupReply: lambda _: tr("done"),
    ServerConfig: _servers,
    Failure: _refused,
}
"""What names nobody."""
_NAMING: dict[type[Message], Callable[[Any, Called], str]] = {
    CltMsg: lambda said, called: tr("to {name}: “{text}”").format(
        name=called(said.to), text=said.text
    ),
    GetInfo: lambda said, called: tr("who is {name}?").format(name=called(said.number)),
    AddToList: lambda said, called: tr("adds {name}").format(name=called(said.number)),
    AckAddToList: _answer,
    DelFromList: lambda said, called: tr("deletes {name}").format(name=called(said.number)),
    ListReply: _friends,
    SimpleInfo2Reply: _friends,
    QueryStatReply: _statuses,
    QueryStat2Reply: _statuses,
    GetMsgExReply: _waiting,
    ServerMsg: lambda said, called: _message(said.type, said.sender, said.text, called),
    UpdateStat: lambda said, called: _is_there(said.number, said.status, called),
    FingerReply: _found,
}
"""What names people."""


def command_word(said: Said, most: int = 24) -> str:
    """Return the command as spelled in the line, printable, in `most` cells; a word for none."""
    if said.command:
        return one_line(said.command, most)
    if isinstance(said.message, Unreadable):
        return tr("junk")
    return said.message.spec.command
