"""The log as words and as JSON, and that no secret is in it."""

import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.errors import ConfigError
from kqq.server.logs import LEVELS, Form, configure, event

HASH = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
DAY = 1_400_000_000.25  # 2014-05-14 in China
logger = logging.getLogger("kqq.phones")


class Stream(io.StringIO):
    """What is logged to; perhaps a terminal, perhaps not for all signs."""

    def __init__(self, *, terminal: bool = False, encoding: str | None = None) -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return self._terminal

    @property
    def encoding(self) -> str | None:  # type: ignore[override]
        """What the signs become."""
        return self._encoding

    def lines(self) -> list[str]:
        """Return what was logged, and forget it."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        assert not text or text.endswith("\n")
        return text.splitlines()

    def objects(self) -> list[dict[str, Any]]:
        """Return what was logged as JSON, and forget it."""
        return [json.loads(line) for line in self.lines()]


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let everything be logged at the same moment in China, and leave no handler behind."""
    root, ours = logging.getLogger(), logging.getLogger("kqq")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    make = logging.getLogRecordFactory()

    def then(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.created = DAY
        return record

    logging.setLogRecordFactory(then)
    yield
    logging.setLogRecordFactory(make)
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    monkeypatch.undo()
    time.tzset()


def logged(form: Form, level: str = "debug", **kind: Any) -> Stream:
    """Return the stream to which the log now goes."""
    stream = Stream(**kind)
    configure(form, level, stream)
    return stream


# --- words


def test_event_in_words() -> None:
    """A line has time, level, who, what, and the fields in their order."""
    stream = logged("words")
    event(logger, logging.INFO, "signed in", peer="127.0.0.1:5", uin=10001)
    event(logging.getLogger("kqq.dispatch"), logging.WARNING, "closed", why="too many lines")
    assert stream.lines() == [
        "00:53:20 INFO  phones  signed in peer=127.0.0.1:5 uin=10001",
        '00:53:20 WARN  dispatch closed why="too many lines"',
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("罗密欧😀", "罗密欧😀"),
        ("line\nINFO forged", '"line\\x0aINFO forged"'),
        ("\x1b[2J\x9b\u202e", "\\x1b[2J\\x9b\\u202e"),
        ("not UTF-8: \udcff", '"not UTF-8: \\xff"'),
        (b"VER=1.4&PS=x\r\n", '"VER=1.4&PS=***\\x0d\\x0a"'),
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        ([1, "a", None], "1,a,-"),
        ((), '""'),
        ({"tcp": 1, "http": 2}, "tcp:1,http:2"),
        (Path("a/b"), "a/b"),
        (Enum("Color", "RED").RED, "Color.RED"),  # type: ignore[attr-defined]
    ],
)
def test_fields_in_words(value: object, shown: str) -> None:
    """Blanks are quoted, wide signs stay, and nothing steers the terminal or forges a line."""
    stream = logged("words")
    event(logger, logging.INFO, "said", it=value)
    assert stream.lines() == [f"00:53:20 INFO  phones  said it={shown}"]


def test_text_of_others_in_words() -> None:
    """Records that were logged as text look the same; further lines stand below."""
    stream = logged("words")
    logger.info("signed in peer=%s uin=%s", "127.0.0.1:5", 10001)
    logging.getLogger("asyncio").error("Task failed\nfuture: %s", "\x1b[2J")
    logging.getLogger("kqq").critical("no fields")
    assert stream.lines() == [
        "00:53:20 INFO  phones  signed in peer=127.0.0.1:5 uin=10001",
        "00:53:20 ERROR asyncio Task failed",
        "    future: \\x1b[2J",
        "00:53:20 FATAL kqq     no fields",
    ]


def refuse(words: str) -> None:
    """Raise."""
    raise ValueError(words)


def fail(words: str) -> Exception:
    """Return an exception that was raised."""
    try:
        refuse(words)
    except ValueError as error:
        return error
    raise AssertionError


def test_exceptions_in_words() -> None:
    """A traceback stands below its line, indented; a stack does, too."""
    stream = logged("words")
    event(logger, logging.ERROR, "failed", error=fail("bad\n\x1b[2J"), id="1f")
    first, *others = stream.lines()
    assert first == "00:53:20 ERROR phones  failed id=1f"
    assert others[0] == "    Traceback (most recent call last):"
    assert others[-2:] == ["    ValueError: bad", "    \\x1b[2J"]
    assert all(line.startswith("    ") for line in others)
    logger.info("here", stack_info=True, exc_info=sys.exc_info())  # nothing is being handled
    first, *others = stream.lines()
    assert first.endswith("here")
    assert others[0] == "    Stack (most recent call last):"


# --- JSON


def test_event_as_json() -> None:
    """An object a line: time with zone, level, logger, event, then the fields as they are."""
    stream = logged("json")
    event(logger, logging.INFO, "signed in", peer="127.0.0.1:5", uin=10001, hidden=False, sid=None)
    line = stream.getvalue()
    assert stream.objects() == [
        {
            "time": "2014-05-14T00:53:20.250+08:00",
            "level": "info",
            "logger": "kqq.phones",
            "event": "signed in",
            "peer": "127.0.0.1:5",
            "uin": 10001,
            "hidden": False,
            "sid": None,
        }
    ]
    assert line.index('"time"') < line.index('"event"') < line.index('"peer"')
    assert datetime.fromisoformat("2014-05-14T00:53:20.250+08:00").timestamp() == DAY


def test_fields_as_json() -> None:
    """Lists and mappings stay what they are; what JSON has not is text."""
    stream = logged("json")
    event(logger, logging.INFO, "said", names=("a", 1), counts={"tcp": 2, 5: {3}}, ratio=0.5,
          much=float("inf"), folder=Path("a"), raw=b"\xff\n")  # fmt: skip
    (said,) = stream.objects()
    assert said["names"] == ["a", 1]
    assert said["counts"] == {"tcp": 2, "5": [3]}
    assert (said["ratio"], said["much"]) == (0.5, "inf")
    assert (said["folder"], said["raw"]) == ("a", "\\xff\\x0a")


def test_fields_do_not_hide_what_every_line_has() -> None:
    """Fields may have any name, those of our own arguments and of the line as well."""
    stream = logged("json")
    event(logger, logging.INFO, "said", time=1, level=2, logger=3, event=4)
    (said,) = stream.objects()
    assert (said["level"], said["event"], said["time_"], said["level_"]) == ("info", "said", 1, 2)
    assert (said["logger_"], said["event_"]) == (3, 4)


def test_json_is_text_that_cannot_do_harm() -> None:
    """Chinese is readable; signs that steer a terminal, and broken UTF-8, are escaped."""
    stream = logged("json")
    event(logger, logging.INFO, "said", text="罗密欧\x1b\x9b\u202e\u2028\udcff")
    (line,) = stream.lines()
    assert "罗密欧\\u001b\\u009b\\u202e\\u2028\\\\xff" in line
    assert json.loads(line)["text"] == "罗密欧\x1b\x9b\u202e\u2028\\xff"


def test_json_on_a_stream_that_knows_few_signs() -> None:
    """Where the stream cannot take all signs, JSON has only those of ASCII."""
    stream = logged("json", encoding="latin-1")
    event(logger, logging.INFO, "said", text="é😀")
    (line,) = stream.lines()
    assert line.isascii()
    assert json.loads(line)["text"] == "é😀"
    stream = logged("json", encoding="UTF-8")
    event(logger, logging.INFO, "said", text="é😀")
    assert "é😀" in stream.lines()[0]


def test_text_of_others_and_exceptions_as_json() -> None:
    """Text is the event; a traceback is the text of `error`."""
    stream = logged("json")
    logging.getLogger("asyncio").warning("slow: %.1f s\n%s", 1.25, "more")
    event(logger, logging.ERROR, "failed", error=fail("bad"), uin=10001)
    text, failed = stream.objects()
    assert (text["logger"], text["event"]) == ("asyncio", "slow: 1.2 s\nmore")
    assert "error" not in text
    assert failed["uin"] == 10001
    assert failed["error"].startswith("Traceback (most recent call last):\n")
    assert failed["error"].endswith("\nValueError: bad")


# --- secrets


@pytest.mark.parametrize("form", ["words", "json"])
def test_secrets_are_masked_wherever_they_are(form: Form) -> None:
    """In fields, text, arguments, tracebacks, stacks and names: no password, hash or key."""
    stream = logged(form)
    line = f"VER=1.4&CMD=Login&PS={HASH}&UIN=10001&SG=deadbeef&SSG=12345678"
    event(logger, logging.INFO, line, line=line, raw=line.encode(), many=[line], of={line: line})
    event(logger, logging.INFO, "made", password="hunter2", admin_token=b"hunter2", PS="hunter2")
    event(logger, logging.INFO, "hash", it=HASH, object=fail(f"is {HASH.lower()}"))
    event(logger, logging.ERROR, "failed", error=fail(line))
    logger.info("got %r", line)
    logger.info(f"got {line}", stack_info=True)  # noqa: G004
    text = stream.getvalue()
    assert text.count("***") >= 15
    for secret in (HASH, HASH.lower(), "deadbeef", "12345678", "hunter2"):
        assert secret not in text
    assert "UIN=10001" in text


def test_other_handlers_see_words_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that knows nothing of events shows them in words, masked."""
    with caplog.at_level(logging.INFO, "kqq"):
        event(logger, logging.INFO, "said", line="PS=hunter2", who="a b")
    assert caplog.messages == ['said line="PS=***" who="a b"']
    assert caplog.records[0].funcName == "test_other_handlers_see_words_without_secrets"


def test_numbers_are_no_secrets() -> None:
    """A count may have a name like that of a secret."""
    stream = logged("json")
    event(logger, logging.INFO, "said", password_count=3, has_token=True, token=None)
    (said,) = stream.objects()
    assert (said["password_count"], said["has_token"], said["token"]) == (3, True, None)


@given(
    st.text(), st.text(), st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), st.text())
)
def test_any_text_is_one_line(name: str, old: str, fields: dict[str, str]) -> None:
    """Whatever is logged, an event is one line in words, and each record one object in JSON."""
    stream = logged("words")
    event(logger, logging.INFO, name, **fields)  # type: ignore[arg-type]
    assert stream.getvalue().count("\n") == 1
    logger.info("%s", old)
    shown = stream.getvalue()
    assert all(sign == "\n" or category(sign) not in ("Cc", "Cs") for sign in shown)
    stream = logged("json")
    event(logger, logging.INFO, name, **fields)  # type: ignore[arg-type]
    logger.info("%s", old)
    assert stream.getvalue().isascii() or stream.getvalue().replace("\n", "").isprintable()
    assert len(stream.objects()) == 2


# --- what is logged at all


class Costly:
    """Something that must not be shown."""

    def __str__(self) -> str:
        raise AssertionError("was shown")


def test_what_is_off_costs_nothing() -> None:
    """Below the level nothing is made of the fields."""
    stream = logged("words", "Info")
    event(logger, logging.DEBUG, "connected", peer=Costly())
    assert stream.lines() == []
    event(logger, logging.INFO, "connected")
    assert stream.lines() == ["00:53:20 INFO  phones  connected"]


@pytest.mark.parametrize("level", LEVELS)
def test_levels(level: str) -> None:
    """The level is that of kqq; of others only warnings and worse are shown."""
    stream = logged("json", level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        event(logger, number, "ours")
        logging.getLogger("asyncio").log(number, "others")
    shown = [(said["event"], said["level"]) for said in stream.objects()]
    assert [was for what, was in shown if what == "ours"] == list(LEVELS[LEVELS.index(level) :])
    assert [was for what, was in shown if what == "others"] == ["warning", "error"]


def test_unknown_level() -> None:
    """A level nobody knows is an error that names those there are."""
    with pytest.raises(ConfigError, match="'loud' is no level of the log; take one of debug, info"):
        configure("auto", "loud", sys.stderr)


def test_auto_is_words_on_a_terminal_only() -> None:
    """People get words, files and pipes get JSON."""
    terminal = logged("auto", terminal=True)
    event(logger, logging.INFO, "said")
    assert terminal.lines() == ["00:53:20 INFO  phones  said"]
    pipe = logged("auto")
    event(logger, logging.INFO, "said")
    assert pipe.objects()[0]["event"] == "said"
    assert terminal.lines() == [], "configured again, the first stream gets nothing"


def test_warnings_of_python_are_logged() -> None:
    """What Python warns of comes through the log, so that each line has its form."""
    stream = logged("json", "error")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (said,) = stream.objects()
    assert said["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in said["event"]


def test_event_that_is_off_takes_no_time() -> None:
    """A level that is off costs well below a tenth of a millisecond, however slow the machine."""
    logged("json", "error")
    began = os.times().user
    for _ in range(10_000):
        event(logger, logging.DEBUG, "connected", peer="127.0.0.1:5", uin=10001)
    assert os.times().user - began < 1
