"""The log: events with fields, as words for people or as JSON for machines.

    event(logger, logging.INFO, "signed in", peer="127.0.0.1:5", uin=10001)

    19:03:12 INFO  phones  signed in peer=127.0.0.1:5 uin=10001
    {"time": "2014-05-13T19:03:12.345+08:00", "level": "info", "logger": "kqq.phones",
     "event": "signed in", "peer": "127.0.0.1:5", "uin": 10001}

Records that were logged as text, by us or others, have no fields and come out the same way. In all
of them passwords and session keys are masked; who logs leaves them out in the first place.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal, TextIO

from kqq.errors import ConfigError
from kqq.protocol.wire import mask, show
from kqq.words import printable

Form = Literal["auto", "words", "json"]

LEVELS = ("debug", "info", "warning", "error")

_SHORT = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_INDENT = "\n    "
_SECRET = re.compile(r"PS|SG|SSG|(\w+_)?(password|secret|token)(_\w+)?", re.IGNORECASE)
"""Names of fields whose values are not shown."""
_HASH = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}")
"""As of passwords; whatever else looks like this is no loss."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s"=]|^$')


class _Event:
    """What `event` logs, as the message of a record; handlers of others show it as words."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: dict[str, object]) -> None:
        self.name = name
        self.fields = fields

    def __str__(self) -> str:
        words = [printable(_masked(self.name))]
        for name, value in self.fields.items():
            words.append(f"{name}={_quoted(_in_words(_plain(name, value)))}")
        return " ".join(words)


def event(
    logger: logging.Logger,
    level: int,
    name: str,
    /,
    *,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Log that something happened; `error` is shown with its traceback.

    Nothing is done with the fields unless the level is on.
    """
    if logger.isEnabledFor(level):
        logger.log(level, _Event(name, fields), exc_info=error, stacklevel=2)


def configure(form: Form, level: str, stream: TextIO) -> None:
    """Have the log of the whole process go to `stream`; of others than kqq, warnings and worse.

    `auto` is words on a terminal and JSON elsewhere. `level` is one of LEVELS. May be called
    again. Raises ConfigError for another level.
    """
    if level.lower() not in LEVELS:
        raise ConfigError(f"{level!r} is no level of the log; take one of {', '.join(LEVELS)}")
    if form == "auto":
        form = "words" if stream.isatty() else "json"
    handler = _Handler(stream)
    handler.setFormatter(_Words() if form == "words" else _Json(ascii_only=not _takes_all(stream)))
    root = logging.getLogger()
    for other in [other for other in root.handlers if isinstance(other, _Handler)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("kqq").setLevel(level.upper())
    logging.captureWarnings(capture=True)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that it can be found again."""


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, _Event):
            text = str(record.msg)
        else:
            text = printable(_masked(record.getMessage()), lines=True)
        if trouble := _trouble(self, record):
            text += "\n" + printable(_masked(trouble), lines=True)
        level = _SHORT.get(record.levelname, record.levelname)
        name = printable(record.name.removeprefix("kqq."))
        start = f"{_date(record):%H:%M:%S} {level:<5} {name:<7} "
        return start + text.rstrip("\n").replace("\n", _INDENT)


class _Json(logging.Formatter):
    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        shown: dict[str, Any] = {
            "time": _date(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, _Event):
            shown["event"] = _text(record.msg.name)
            for name, value in record.msg.fields.items():
                shown[f"{name}_" if name in _OURS else name] = _plain(name, value)
        else:
            shown["event"] = _text(record.getMessage())
        if trouble := _trouble(self, record):
            shown["error"] = _text(trouble)
        text = json.dumps(shown, ensure_ascii=self._ascii_only)
        if text.isprintable():
            return text
        return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


_OURS = frozenset({"time", "level", "logger", "event", "error"})
"""Names that fields cannot have in JSON; one that does gets `_` at its end."""


def _date(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC).astimezone()


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return traceback and stack of a record, "" without."""
    parts = []
    if record.exc_info and record.exc_info[1] is not None:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _takes_all(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "") == "utf8"


def _masked(text: str) -> str:
    return _HASH.sub("***", mask(text) if "=" in text else text)


def _text(text: str) -> str:
    """Return `text` masked, and without what no JSON may hold: bytes that are not UTF-8."""
    return _SURROGATE.sub(lambda found: printable(found[0]), _masked(text))


def _plain(name: str, value: object) -> Any:
    """Return the value of a field as JSON has it, secrets masked."""
    if value is None or type(value) in (bool, int):
        return value
    if type(value) is float:
        return value if isfinite(value) else str(value)
    if _SECRET.fullmatch(name):
        return "***"
    if isinstance(value, bytes | bytearray | memoryview):
        return show(bytes(value))
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(name, inner) for inner in value]
    return _text(str(value))


def _in_words(value: Any) -> str:
    """Return what `_plain` returned, for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ",".join(f"{key}:{_in_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ",".join(map(_in_words, value))
    return str(value)


def _quoted(text: str) -> str:
    text = printable(text)
    if not _NEEDS_QUOTES.search(text):
        return text
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
