"""What was said, line by line, each explained field by field: the long part of a report."""

import base64
import re
import struct
from collections.abc import Iterator
from html import escape

from kqq.capture.events import Said
from kqq.charts.figures import Figures, Kept
from kqq.charts.sequence import kind_of, oddities
from kqq.charts.short import command_word, short_words
from kqq.charts.tables import marked_up
from kqq.charts.times import clock, day, duration, iso
from kqq.protocol.catalogue import CaptchaChallenge
from kqq.protocol.explain import ExplainedField, explain
from kqq.protocol.messages import Role
from kqq.protocol.wire import mask, mask_broken, mask_broken_bytes, show
from kqq.words import printable, tr, tr_n

_LINE = 1500  # signs of a line as sent
_VALUE = 1000  # signs of one value
_FIELDS = 100
_HEX = re.compile("[0-9A-Fa-f]*")
_LONG_HEX = 96
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURE = 65536  # bytes
_SIDE = 1000  # pixels
_PICTURES = 20


def conversation(figures: Figures) -> Iterator[str] | None:
    """Give the lines that were kept as HTML; None if there is none."""
    return _Told(figures).parts() if figures.kept() else None


class _Told:
    """A conversation being written."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.lines = figures.kept()
        self.there = {one.said.number for one in self.lines}
        self.pictures = 0

    def parts(self) -> Iterator[str]:
        left_out = self.figures.lines - len(self.lines)
        about = tr("Open a line to see it as it was sent, and what each field means.")
        if left_out:
            text = tr_n(
                "{count} line from the middle is not shown.",
                "{count} lines from the middle are not shown.",
                left_out,
            )
            about += " " + text.format(count=f"{left_out:,}")
        yield f'<p class="about">{escape(about)}</p>\n'
        last_day, last_number = "", 0
        for kept in self.lines:
            said = kept.said
            if last_number and said.number > last_number + 1:
                yield self._gap(last_number + 1, said.number - 1)
            today = day(said.time) if said.time is not None else ""
            if today != last_day:
                yield f'<p class="day">{escape(today)}</p>\n'
            last_day, last_number = today, said.number
            yield self._said(kept)

    def _gap(self, first: int, last: int) -> str:
        count = last - first + 1
        text = tr_n("… {count} line left out …", "… {count} lines left out …", count)
        return f'<p class="gap">{escape(text.format(count=f"{count:,}"))}</p>\n'

    def _said(self, kept: Kept) -> str:
        cast = self.figures.cast
        said, client, server = kept
        ends = (client, server) if said.sender is Role.CLIENT else (server, client)
        who = " → ".join(f"<bdi>{escape(cast.name(end))}</bdi>" for end in ends)
        odd = oddities(said)
        http = ' <span class="tag">HTTP</span>' if said.over == "http" else ""
        warning = f' <span class="warn" title="{escape(tr("odd"))}">⚠︎</span>' if odd else ""
        took = "" if said.seconds is None else escape(duration(said.seconds))
        when = "<span></span>"
        if said.time is not None:
            when = f'<time datetime="{escape(iso(said.time))}">{escape(clock(said.time))}</time>'
        words = short_words(said, cast.called)
        return (
            f'<details class="said {kind_of(said).value}" '
            f'id="l{said.number}"><summary><span class="id">{said.number}</span>{when}'
            f'<span class="ends">{who}</span><span class="words"><span class="command">'
            f"{escape(command_word(said))}</span>{http} <bdi>{escape(words)}</bdi>{warning}</span>"
            f'<span class="took">{took}</span></summary>\n<div class="inside">'
            f"{self._inside(said, odd)}</div></details>\n"
        )

    def _inside(self, said: Said, odd: list[str]) -> str:
        explanation = explain(said.line)
        parts = [f"<code>{escape(_shown(said))}</code>"]
        if explanation.summary:
            parts.append(f'<p class="about">{marked_up(explanation.summary)}</p>')
        if said.request is not None:
            parts.append(f'<p class="about">{self._answer(said.request)}</p>')
        rows = "".join(map(_field, explanation.fields[:_FIELDS]))
        if rows:
            head = "".join(
                f'<th scope="col">{escape(words)}</th>'
                for words in (tr("Key"), tr("Value"), tr("Meaning"), tr("Evidence"))
            )
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        if len(explanation.fields) > _FIELDS:
            parts.append(f"<p>… {len(explanation.fields) - _FIELDS:,}</p>")
        parts.append(self._picture(said))
        problems = list(dict.fromkeys([*odd, *explanation.problems]))
        if problems:
            items = [
                f"<li><bdi>{escape(printable(mask_broken(one[:_VALUE])))}</bdi></li>"
                for one in problems[:_FIELDS]
            ]
            if len(problems) > _FIELDS:
                items.append(f"<li>… {len(problems) - _FIELDS:,}</li>")
            parts.append(f"<ul>{''.join(items)}</ul>")
        return "".join(parts)

    def _answer(self, request: Said) -> str:
        number = request.number
        link = f'<a href="#l{number}">{number}</a>' if number in self.there else str(number)
        return escape(tr("The answer to line {number}.")).replace("{number}", link)

    def _picture(self, said: Said) -> str:
        """Return the picture of a captcha, if it is a small PNG; not more than 20 of them."""
        if not isinstance(said.message, CaptchaChallenge) or self.pictures >= _PICTURES:
            return ""
        image = said.message.image
        if not is_small_png(image):
            return ""
        self.pictures += 1
        data = base64.b64encode(image).decode()
        words = tr("The picture whose letters were wanted")
        return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'


def is_small_png(image: bytes) -> bool:
    """Return whether these bytes say to be a PNG that a browser can draw without effort."""
    if not image.startswith(_PNG) or not 33 <= len(image) <= _PICTURE or image[12:16] != b"IHDR":
        return False
    wide, high = struct.unpack(">II", image[16:24])
    return bool(0 < wide <= _SIDE and 0 < high <= _SIDE)


def _shown(said: Said) -> str:
    return printable(show(mask_broken_bytes(said.line.encode()), _LINE))


def _field(one: ExplainedField) -> str:
    value = mask(one.value)
    if not one.name:
        value = mask_broken(f"={value}")[1:] if one.key else mask_broken(value)
    if one.secret and value:
        value = "***"
    most = _LONG_HEX if _HEX.fullmatch(value) else _VALUE
    if len(value) > most:
        rest = len(value) - most
        text = tr_n("… and {count} more character", "… and {count} more characters", rest)
        value = value[:most] + text.format(count=f"{rest:,}")
    evidence = f"{one.confidence}: {' '.join(one.evidence)}" if one.evidence else one.confidence
    return (
        f"<tr><td><code>{escape(printable(one.key))}</code></td>"
        f"<td><bdi>{escape(printable(value, lines=True))}</bdi></td>"
        f"<td>{marked_up(one.meaning or tr('not a field we know'))}</td>"
        f'<td class="faint">{escape(evidence)}</td></tr>'
    )
