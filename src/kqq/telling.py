"""What happens to somebody who is signed in, told to people in lines and to programs as objects."""

from collections.abc import Mapping
from typing import Any

from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    FriendLeft,
    Lost,
    Message,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RequestSettled,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.state import State
from kqq.errors import ConfigError
from kqq.words import display_name, printable, say, status_name, status_word, tr

_HIGHEST_UIN = 4294967295


def called(state: State, uin: int) -> str:
    """Return what to call somebody: nickname and number, or the number of somebody unknown."""
    name = display_name(state.person(uin).nick, uin)
    return name if name == str(uin) else f"{name} ({uin})"


def number_of(who: str) -> int | None:
    """Return the number that somebody typed, None if it is no number of an account."""
    is_number = who.isascii() and who.isdecimal() and len(who) <= len(str(_HIGHEST_UIN))
    return int(who) if is_number and 0 < int(who) <= _HIGHEST_UIN else None


def person(state: State, who: str) -> int:
    """Return the number of somebody named by number or by nickname.

    Raises ConfigError if nobody known, or more than one, has this nickname.
    """
    number = number_of(who)
    if number is None:
        number = one_called({one.uin: one.nick for one in state.people.values()}, who)
    if number is None:
        raise stranger(who)
    return number


def one_called(names: Mapping[int, str], who: str) -> int | None:
    """Return whose nickname this is, None if it is nobody's; the case counts only if it must.

    Raises ConfigError if it is that of more than one.
    """
    exact = [uin for uin, nick in names.items() if nick == who]
    found = exact or [uin for uin, nick in names.items() if nick.casefold() == who.casefold()]
    if not who or not found:
        return None
    if len(found) > 1:
        words = tr("{who} is the name of {numbers}; say which number")
        raise ConfigError(words.format(who=who, numbers=", ".join(map(str, sorted(found)))))
    return found[0]


def stranger(who: str) -> ConfigError:
    """Return the error that says that nobody known is called so."""
    if not who:
        return ConfigError(tr("Whom? Say a number, or the nickname of a friend."))
    words = tr("{who} is no friend of yours; say a number, or the nickname")
    return ConfigError(words.format(who=who))


def told_message(state: State, message: Message) -> str:
    """Return a message of somebody else in lines, further ones below the first."""
    return f"{called(state, message.uin)}: {indented(message.text)}"


def indented(text: str) -> str:
    """Return a text that is safe to show, its further lines indented."""
    return printable(text, lines=True).replace("\n", "\n    ")


def told(event: Event, state: State) -> str:  # noqa: C901, PLR0911  # a case for each event
    """Return an event in words, "" for one that tells nobody anything.

    `state` has taken it in.
    """
    match event:
        case Received(message):
            return told_message(state, message)
        case Written(message):
            return _told_own(message, state)
        case PresenceChanged(uin, status):
            if uin == state.uin:
                return tr("You are {status}.").format(status=status_word(status))
            words = tr("{name} is {status}.")
            return words.format(name=called(state, uin), status=status_word(status))
        case Requested(uin, text):
            words = tr("{name} wants to be your friend: {text}")
            return words.format(name=called(state, uin), text=indented(text))
        case RequestAnswered(uin, is_accepted, text):
            if is_accepted:
                return tr("{name} is your friend now.").format(name=called(state, uin))
            if not text.strip():
                words = tr("{name} does not want to be your friend.")
                return words.format(name=called(state, uin))
            words = tr("{name} does not want to be your friend: {text}")
            return words.format(name=called(state, uin), text=indented(text))
        case SignedIn(uin, address, status):
            words = tr("{uin} is signed in at {server}: {status}.")
            return words.format(uin=uin, server=address, status=status_word(status))
        case Lost(why, again_in):
            if again_in is None:
                return say(why)
            words = tr("{why} Trying again in {seconds} s.")
            return words.format(why=say(why), seconds=f"{again_in:.0f}")
        case Odd(why):
            return tr("Something is odd: {why}").format(why=printable(why))
        case Connecting(address):
            return tr("Connecting to {server}.").format(server=address)
        case _:
            return ""


def _told_own(message: Message, state: State) -> str:
    name, text = called(state, message.uin), indented(message.text)
    match message.fate:
        case Fate.SENT:
            return tr("Sent to {name}: {text}").format(name=name, text=text)
        case Fate.REFUSED:
            words = tr("Not sent to {name}: {text}\n    The server did not take it: {why}")
            return words.format(name=name, text=text, why=printable(message.why))
        case Fate.UNKNOWN:
            words = tr("Perhaps not sent to {name}: {text}\n    Nobody knows: {why}")
            return words.format(name=name, text=text, why=printable(message.why))
        case _:
            return ""


def as_object(event: Event, state: State) -> dict[str, Any]:  # noqa: C901, PLR0911  # as above
    """Return an event as JSON has it; `type` says what it is."""
    match event:
        case Received(message):
            return {"type": "message", "from": message.uin, **_said(message, state)}
        case Written(message):
            told = {"fate": message.fate.value, "why": message.why}
            return {"type": "own-message", "to": message.uin, **_said(message, state), **told}
        case PresenceChanged(uin, status):
            return {"type": "status", **_who(uin, state), **_status(status)}
        case Requested(uin, text):
            return {"type": "request", **_who(uin, state), "text": text}
        case RequestAnswered(uin, is_accepted, text):
            answer = {"accepted": is_accepted, "text": text}
            return {"type": "request-answered", **_who(uin, state), **answer}
        case RequestSettled(uin):
            return {"type": "request-settled", **_who(uin, state)}
        case RosterCame():
            return {"type": "roster", "friends": friends(state)}
        case FriendLeft(uin):
            return {"type": "friend-left", **_who(uin, state)}
        case SignedIn(uin, address, status):
            return {"type": "signed-in", "uin": uin, "server": address, **_status(status)}
        case Lost(why, again_in):
            return {"type": "lost", "why": str(why), "again_in": again_in}
        case Connecting(address):
            return {"type": "connecting", "server": address}
        case Odd(why):
            return {"type": "odd", "why": why}


def friends(state: State) -> list[dict[str, Any]]:
    """Return the friends as JSON has them, in the order of the server."""
    return [
        {"uin": one.uin, "nick": one.nick, "face": one.face, **_status(one.status)}
        for one in state.people.values()
        if one.is_friend
    ]


def _who(uin: int, state: State) -> dict[str, Any]:
    return {"uin": uin, "nick": state.person(uin).nick}


def _said(message: Message, state: State) -> dict[str, Any]:
    nick = state.person(message.uin).nick
    return {"nick": nick, "text": message.text, "at": round(message.at, 3), "key": message.key}


def _status(code: int) -> dict[str, Any]:
    return {"status": status_name(code), "code": code}
