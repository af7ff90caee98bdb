"""The words of `kqq`: what the user interfaces need to say things, all from here.

The language is in `kqq.language`, text that cannot do harm in `kqq.signs`, names of codes in
`kqq.names`; here are errors and lines of the protocol in words, and exit codes.
"""

import re
from enum import IntEnum
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from kqq.errors import (
    AccountError,
    CaptchaWanted,
    CaptureError,
    CommandError,
    ConfigError,
    ConnectionLost,
    DiscoveryError,
    KQQError,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    PictureError,
    PlayError,
    RemoteProtocolError,
    SignInRefused,
    StoreError,
    TimedOut,
    UnexpectedReply,
)
from kqq.language import language, tr, tr_n, use_language
from kqq.names import (
    display_name,
    profile_rows,
    status_mark,
    status_name,
    status_word,
)
from kqq.signs import hanging, json_line, one_line, printable

if TYPE_CHECKING:
    from kqq.protocol.explain import ExplainedField, Explanation

__all__ = [
    "Exit",
    "display_name",
    "explanation_lines",
    "hanging",
    "json_line",
    "language",
    "one_line",
    "printable",
    "profile_rows",
    "say",
    "status_mark",
    "status_name",
    "status_word",
    "tr",
    "tr_n",
    "use_language",
]

_NARROWEST, _WIDEST = 60, 100  # columns; in fewer nothing could be read
_KEYS = 24  # columns for keys, at most; the longest known has 20
_VALUES = 18  # columns for values; wider ones have a line of their own
_HASH = re.compile("[0-9A-Fa-f]{32,}")
"""What may be a password's MD5, in a field that nobody knows."""
_PERHAPS = re.compile("[0-9A-Fa-f]{8,}")
"""What may be of a secret, where a line has lost its beginning."""


class Exit(IntEnum):
    """What the exit codes of `kqq` mean."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_CONNECTION = 3
    INTERRUPTED = 130  # as shells have it


def say(error: KQQError) -> str:
    """Return what went wrong in the language of the person, in one or two sentences.

    What the error says in English is in it where that tells more; whatever a server put into it is
    printable, and begins no line.
    """
    detail = hanging(str(error).rstrip("."))
    if isinstance(error, CommandError):
        return _say_refusal(error, detail)
    texts = {
        ConnectionLost: tr("There is no connection to the server: {detail}."),
        TimedOut: tr("The server did not answer in time: {detail}. Perhaps it did what was asked."),
        DiscoveryError: tr("The list of servers cannot be used: {detail}."),
        LocalProtocolError: tr("That cannot be said to a server: {detail}."),
        RemoteProtocolError: tr("The server breaks the rules of the protocol: {detail}."),
        UnexpectedReply: tr("The answer of the server makes no sense: {detail}."),
        PlayError: tr("The transcript cannot be read: {detail}."),
        CaptureError: tr("The capture fails: {detail}."),
        AccountError: tr("The account cannot be as it was asked for: {detail}."),
        ConfigError: tr("Something is not set up right: {detail}."),
        StoreError: tr("The database cannot be used: {detail}."),
        PictureError: tr("The picture cannot be shown: {detail}."),
        KQQError: tr("Something went wrong: {detail}."),
    }
    text = next(texts[kind] for kind in type(error).__mro__ if kind in texts)
    return text.format(detail=detail)


def _say_refusal(error: CommandError, detail: str) -> str:
    if isinstance(error, SignInRefused):
        text = tr("The server refuses the sign-in. It says: {reason}")
        return text.format(reason=hanging(error.reason))
    if isinstance(error, CaptchaWanted):
        return tr("To sign in, somebody must read the letters in a picture.")
    if isinstance(error, NotSignedIn):
        return tr("You are no longer signed in. Perhaps your number was used elsewhere.")
    if isinstance(error, NoSuchNumber):
        return tr("The server has no such number.")
    if error.command.upper() == "CLTMSG":
        return tr(
            "The server did not take the message. Perhaps you are not friends, the text is too "
            "long, or too many messages wait."
        )
    return tr("The server says no: {detail}.").format(detail=detail)


def explanation_lines(explanation: "Explanation", *, secrets: bool, columns: int = 80) -> list[str]:
    """Return a line in words, in so many columns; secrets are shown only if asked for."""
    columns = min(max(columns, _NARROWEST), _WIDEST)
    command = printable(explanation.command) or "(no command)"
    summary = f": {explanation.summary}" if explanation.summary else ""
    lines = _wrapped(columns, "", f"{command}, {explanation.kind}{summary}")
    fields = explanation.fields
    keys = min(max((cell_len(printable(field.key)) for field in fields), default=0), _KEYS)
    shown = [_value(field, columns - keys - 4, secrets=secrets) for field in fields]
    values = min(max(map(cell_len, shown), default=0), _VALUES)
    for value, field in zip(shown, fields, strict=True):
        left = f"  {set_cell_size(printable(field.key), keys)}  "
        if cell_len(value) > values:
            lines.append(f"{left}{value}")
            left = " " * (keys + 4 + values)
        else:
            left += set_cell_size(value, values)
        evidence = f" [{field.confidence}: {' '.join(field.evidence)}]" if field.evidence else ""
        lines += _wrapped(
            columns, f"{left}  ", printable(field.meaning or "not a field we know") + evidence
        )
    for problem in explanation.problems:
        lines += _wrapped(columns, "  ! ", printable(problem))
    return lines


def _value(field: "ExplainedField", room: int, *, secrets: bool) -> str:
    if field.secret and field.value and not secrets:
        return "***"
    if not (field.key or secrets) and _PERHAPS.fullmatch(field.value):
        return "***"
    value = printable(field.value if field.name or secrets else _HASH.sub("***", field.value))
    if cell_len(value) <= room:
        return value
    count = f"… ({len(value)} characters)"
    return set_cell_size(value, room - cell_len(count)).rstrip() + count


def _wrapped(columns: int, left: str, text: str) -> list[str]:
    """Return `text` after `left`, its further lines below it."""
    indent = cell_len(left)
    first, *others = wrap(text, columns - indent) or [""]
    return [f"{left}{first}".rstrip(), *(f"{' ' * indent}{line}" for line in others)]
