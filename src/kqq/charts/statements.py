"""What people do in a play, in a few words: the statements that are no lines."""

from dataclasses import dataclass

from kqq.charts.cast import Cast
from kqq.charts.times import duration
from kqq.errors import PlayError
from kqq.protocol.transcript import Statement, parse_play
from kqq.words import printable, status_name, status_word, tr

_STATUSES = {status_name(code): code for code in (10, 20, 30, 40, 50, 60, 70)}


@dataclass(frozen=True, slots=True)
class Done:
    """Something done: by `actor` towards the server, or the server towards the actor.

    `way` is ">", "<" or "" for what nobody says; `actor` is "" for what is about everybody.
    """

    actor: str
    way: str
    words: str


def done(source: str, cast: Cast) -> Done:
    """Return what a statement says is done; the people in it are met. Unreadable words stay."""
    try:
        play = parse_play(source)
    except PlayError:
        return Done("", "", printable(source))
    for name in play.actors:
        cast.appear(name)
    if not play.statements:
        return Done("", "", printable(source))
    return _done(play.statements[0])


def _done(one: Statement) -> Done:
    sent, got = _sent(one), _got(one)
    if sent or got:
        return Done(one.actor, ">" if sent else "<", sent or got)
    if one.verb == "clock":
        return Done("", "", tr("{duration} later").format(duration=duration(float(one.words))))
    other = {
        "disconnects": tr("disconnects"),
        "receives nothing": tr("receives nothing"),
        "speaks": tr("speaks {transport}").format(transport=one.words),
    }
    return Done(one.actor, "", other.get(one.verb, printable(one.source)))


def _sent(one: Statement) -> str:
    """Return what the actor says, "" if it is not the actor who says something."""
    status = _STATUSES.get(one.words)
    sign_in = tr("signs in") if not one.words else f"{tr('signs in')} ({_word(status, one.words)})"
    texts = {
        "signs in": sign_in,
        "signs out": tr("signs out"),
        "sends": tr("to {name}: “{text}”"),
        "asks": tr("asks {name} to be friends") + (": “{text}”" if one.text else ""),
        "refuses": tr("refuses {name}") + (": “{text}”" if one.text else ""),
        "accepts": tr("accepts {name}"),
    }
    return _filled(texts.get(one.verb, ""), one)


def _got(one: Statement) -> str:
    """Return what the actor is told, "" if nothing."""
    texts = {
        "receives": tr("from {name}: “{text}”"),
        "is asked by": tr("{name} asks to be friends: “{text}”"),
        "is refused by": tr("{name} refused to be friends: “{text}”"),
        "is accepted by": tr("{name} agreed to be friends"),
        "sees": tr("{name} is {status}"),
    }
    return _filled(texts.get(one.verb, ""), one)


def _word(status: int | None, words: str) -> str:
    return words if status is None else status_word(status)


def _filled(text: str, one: Statement) -> str:
    status = _word(_STATUSES.get(one.words), one.words)
    return text.format(name=one.other, text=one.text, status=status) if text else ""
