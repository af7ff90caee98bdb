"""Messages written down for people and programs: as text, as JSON lines, as one HTML page.

    archive = Archive(uin=diary.uin, names=diary.names())
    with open("history.html", "w") as file:
        file.writelines(archive.as_html(chapters(diary)))

All of it comes in pieces, so that a million messages need no more memory than one. Texts are of
strangers: none can steer a terminal or a browser, or look like something said by somebody else.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape

from kqq.client.events import Fate, Message
from kqq.client.history import Diary
from kqq.protocol import SYSTEM_ACCOUNT

_IN_A_BROWSER = "\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_HARMFUL_THERE = re.compile(f"[{_IN_A_BROWSER}]")
"""Controls, signs that turn the direction of what follows, bytes that were no UTF-8."""
_HARMFUL = re.compile(f"[{_IN_A_BROWSER}\u061c\u200e\u200f\u2028\u2029]")
"""Those and what else terminals and programs may stumble over."""
_HIDDEN = re.compile(
    f"[{_HARMFUL.pattern[1:-1]}\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e0fff]"
)
"""Those and what nobody sees; in JSON it is the same if it is escaped."""
_LONG_NAME = 24  # signs of a name before each message of a text
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_128_000.0  # two days before the end of the year 9999, in any time zone
_STYLE = """
:root { --page: #f2f3f5; --ink: #1d2129; --faint: #667080; --line: #dcdfe4; --theirs: #ffffff;
  --mine: #cfe8ff; --bad: #b3261e; --link: #0b62b8 }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --ink: #e6e8eb; --faint: #98a1ad; --line: #343a42; --theirs: #24282e;
    --mine: #174a77; --bad: #ff9a8f; --link: #7cbcff } }
* { box-sizing: border-box }
html { background: var(--page); color: var(--ink); color-scheme: light dark;
  font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  -webkit-text-size-adjust: 100% }
body { max-width: 44rem; margin: 0 auto; padding: 1.25rem 1rem 4rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere }
header p, nav span, h2 small { color: var(--faint); font-size: .875rem; font-weight: normal }
header p { margin: 0 0 1.5rem }
a { color: var(--link); text-decoration: none }
a:hover, a:focus { text-decoration: underline }
nav { background: var(--theirs); border-radius: .75rem; margin: 0 0 2rem; padding: .25rem 1rem }
nav ol { list-style: none; margin: 0; padding: 0 }
nav li { display: flex; gap: 1rem; justify-content: space-between; padding: .625rem 0 }
nav li + li { border-top: 1px solid var(--line) }
nav a, h2 bdi { min-width: 0; overflow-wrap: anywhere }
nav span { flex: none }
h2 { background: var(--page); border-bottom: 1px solid var(--line); display: flex; gap: .625rem;
  align-items: baseline; font-size: 1.125rem; margin: 2.5rem 0 0; padding: .625rem 0;
  position: sticky; top: 0 }
h2 a { margin-left: auto }
.said, h2 bdi, nav a { overflow: hidden }
h3 { color: var(--faint); font-size: .8125rem; font-weight: 600; margin: 1.5rem 0 .75rem;
  text-align: center }
.said { background: var(--theirs); border-radius: .25rem 1rem 1rem; margin: .375rem 3rem 0 0;
  max-width: 34rem; padding: .4375rem .8125rem; width: fit-content }
.mine { background: var(--mine); border-radius: 1rem .25rem 1rem 1rem;
  margin: .375rem 0 0 auto; max-width: min(34rem, calc(100% - 3rem)) }
.said p { margin: 0; overflow-wrap: anywhere; unicode-bidi: isolate; white-space: pre-wrap }
.said small { color: var(--faint); display: block; font-size: .75rem; line-height: 1.4 }
.mine small { color: inherit; text-align: right }
.said small b { color: var(--bad); font-weight: 600 }
.mine time { opacity: .75 }
@media print { h2 { position: static } h2 a, nav { display: none } .said { break-inside: avoid } }
"""
"""What runs over is hidden: marks that pile up on a letter would cover what others have said."""
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
_HEAD = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body id="top">
<header>
<h1>{title}</h1>
<p>{summary}</p>
</header>
"""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A conversation to be written down: with whom, how many messages, and these, oldest first."""

    uin: int
    count: int
    messages: Iterable[Message]


def chapters(
    diary: Diary,
    *words: str,
    uin: int | None = None,
    since: float | None = None,
    until: float | None = None,
) -> list[Chapter]:
    """Return the conversations of a diary, who spoke last first, with what `search` finds there.

    The messages are read when they are asked for, and can be gone through once. Raises StoreError,
    then, too.
    """
    counts = diary.count(*words, uin=uin, since=since, until=until)
    return [
        Chapter(one, count, diary.search(*words, uin=one, since=since, until=until))
        for one, count in counts.items()
    ]


def visible(text: str) -> str:
    r"""Return text in which what could steer a terminal, or turn the line, is a code as `\x1b`."""
    return _HARMFUL.sub(_code, text.replace("\r\n", "\n").replace("\r", "\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """How the messages of one account are written down.

    `uin` is the number of the account, `names` are nicknames by number. `tr` translates from
    English, `language` is what it translates to, such as `zh`. `zone` is the time zone of dates,
    None is where the program runs. `printable` makes text of strangers safe for a terminal and
    keeps line feeds.
    """

    uin: int
    names: Mapping[int, str] = field(default_factory=dict)
    tr: Callable[[str], str] = str
    language: str = "en"
    zone: tzinfo | None = None
    printable: Callable[[str], str] = visible

    # --- words that all forms share

    def name(self, uin: int) -> str:
        """Return the nickname of somebody on one line, or the number; it may be any text."""
        tr = self.tr
        nick = " ".join(self.names.get(uin, "").split())
        return nick or (tr("The server") if uin == SYSTEM_ACCOUNT else str(uin))

    def speaker(self, uin: int, name: str) -> str:
        """Return a name of somebody, with the number if it could be taken for oneself."""
        tr = self.tr
        you = tr("You").casefold()
        return f"{name} ({uin})" if name.casefold().startswith(you) else name

    def day(self, at: float) -> str:
        """Return the day of a time, such as `Thursday, 2026-03-05`."""
        tr, date = self.tr, self._date(at)
        weekday = (
            tr("Monday"),
            tr("Tuesday"),
            tr("Wednesday"),
            tr("Thursday"),
            tr("Friday"),
            tr("Saturday"),
            tr("Sunday"),
        )[date.weekday()]
        return tr("{weekday}, {date}").format(weekday=weekday, date=date.date().isoformat())

    def clock(self, at: float) -> str:
        """Return the time of day, such as `09:05`."""
        return self._date(at).strftime("%H:%M")

    def trouble(self, message: Message) -> str:
        """Return why the receiver may not have a message of one's own, "" for all others."""
        tr = self.tr
        if message.fate in (Fate.RECEIVED, Fate.SENT):
            return ""
        words = {
            Fate.WAITING: tr("not sent yet"),
            Fate.REFUSED: tr("refused"),
            Fate.UNKNOWN: tr("not known whether it arrived"),
        }[message.fate]
        return f"{words}: {message.why}" if message.why else words

    # --- the forms

    def as_json_lines(self, messages: Iterable[Message]) -> Iterator[str]:
        """Give messages as JSON objects, one a line.

        `type` is `message` with `from` or `own-message` with `to`, a number; `nick` is the name of
        that person. `at` is in seconds since 1970, `date` is the same for people. `fate` and `why`
        say what became of one's own.
        """
        for message in messages:
            said: dict[str, object] = {
                "nick": self.names.get(message.uin, ""),
                "text": message.text,
                "at": round(message.at, 3),
                "date": self._date(message.at).isoformat(timespec="seconds"),
                "key": message.key,
            }
            if message.is_own:
                told = {"fate": message.fate.value, "why": message.why}
                said = {"type": "own-message", "to": message.uin, **said, **told}
            else:
                said = {"type": "message", "from": message.uin, **said}
            line = json.dumps(said, ensure_ascii=False)
            yield _HIDDEN.sub(_json_code, line) + "\n"

    def as_text(self, conversations: Sequence[Chapter]) -> Iterator[str]:
        """Give conversations as plain text, each under its name."""
        tr, gap = self.tr, ""
        for chapter in conversations:
            name = self.printable(self.name(chapter.uin))
            heading = name if name == str(chapter.uin) else f"{name} ({chapter.uin})"
            short = name if len(name) <= _LONG_NAME else f"{name[: _LONG_NAME - 1]}…"
            speaker = self.speaker(chapter.uin, short)
            yield f"{gap}{heading}\n{'=' * 40}\n"
            gap = "\n\n"
            for day, message in self._by_day(chapter.messages):
                if day:
                    yield f"\n{day}\n"
                who = tr("You") if message.is_own else speaker
                text = self.printable(message.text).replace("\n", "\n       ")
                why = self.printable(self.trouble(message)).replace("\n", " ")
                end = f" ({why})" if why else ""
                yield f"{self.clock(message.at)}  {who}: {text}{end}\n"

    def as_html(self, conversations: Sequence[Chapter]) -> Iterator[str]:
        """Give conversations as one HTML page that needs nothing else: no script, nothing remote.

        It must be stored as UTF-8.
        """
        tr = self.tr
        digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        total = sum(chapter.count for chapter in conversations)
        yield _HEAD.format(
            language=escape(self.language),
            policy=_POLICY.format(digest=digest),
            style=_STYLE,
            title=escape(tr("Conversations of {uin}").format(uin=self.uin)),
            summary=escape(tr("Messages: {count}").format(count=f"{total:,}")),
        )
        if len(conversations) > 1:
            yield f'<nav aria-label="{escape(tr("Contents"))}">\n<ol>\n'
            for one in conversations:
                link = f'<a href="#p{one.uin}">{self._name(one.uin)}</a>'
                yield f"<li>{link} <span>{one.count:,}</span></li>\n"
            yield "</ol>\n</nav>\n"
        yield "<main>\n"
        for chapter in conversations:
            yield from self._section(chapter, is_only=len(conversations) == 1)
        yield "</main>\n</body>\n</html>\n"

    def _section(self, chapter: Chapter, *, is_only: bool) -> Iterator[str]:
        tr, uin, top = self.tr, chapter.uin, ""
        if not is_only:
            top = f'<a href="#top" aria-label="{escape(tr("To the top"))}">↑</a>'
        number = f"<small>{uin}</small>" if self.name(uin) != str(uin) else ""
        yield f'<section>\n<h2 id="p{uin}">{self._name(uin)} {number}{top}</h2>\n'
        for day, message in self._by_day(chapter.messages):
            if day:
                yield f"<h3>{escape(day)}</h3>\n"
            yield self._bubble(message)
        yield "</section>\n"

    def _bubble(self, message: Message) -> str:
        date = self._date(message.at).isoformat(timespec="seconds")
        time = f'<time datetime="{date}">{self.clock(message.at)}</time>'
        why = self.trouble(message)
        trouble = f" <b><bdi>{_html(why)}</bdi></b>" if why else ""
        mine = " mine" if message.is_own else ""
        text = f'<p dir="auto">{_html(message.text)}</p>'  # a block is isolated as <bdi> is
        return f'<div class="said{mine}">{text}<small>{time}{trouble}</small></div>\n'

    def _name(self, uin: int) -> str:
        return f"<bdi>{_html(self.name(uin))}</bdi>"

    def _by_day(self, messages: Iterable[Message]) -> Iterator[tuple[str, Message]]:
        """Give each message with the day before the first of a day, with "" before the others."""
        last = None
        for message in messages:
            date = self._date(message.at).date()
            yield ("" if date == last else self.day(message.at)), message
            last = date

    def _date(self, at: float) -> datetime:
        """Return a time in the time zone; one that no calendar has is the nearest that is there."""
        seconds = min(max(at, 86400.0), _LAST)
        return (_EPOCH + timedelta(seconds=seconds)).astimezone(self.zone)


def _html(text: str) -> str:
    return escape(_HARMFUL_THERE.sub(_code, text.replace("\r\n", "\n").replace("\r", "\n")))


def _code(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # a byte that was no UTF-8
    return f"\\u{code:04x}" if code > 255 else f"\\x{code:02x}"


def _json_code(sign: re.Match[str]) -> str:
    return "\\u007f" if sign[0] == "\x7f" else json.dumps(sign[0])[1:-1]
