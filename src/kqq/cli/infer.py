"""`kqq infer`: a protocol nobody knows, guessed from its lines."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from kqq.cli.group import json_option, main, print_json
from kqq.cli.inferred import tell, tell_comparison
from kqq.cli.noticed import Veil
from kqq.errors import CaptureError
from kqq.words import Exit, printable

if TYPE_CHECKING:
    from kqq.infer import Fact, Field, Findings, MessageKind
    from kqq.infer.against import Comparison
    from kqq.infer.sample import StreamEvent

_MIB = 1 << 20
_EXAMPLES = 5


@main.command(short_help="Guess an unknown protocol from a capture.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--against-catalogue",
    "against",
    is_flag=True,
    help="Show, too, what our catalogue of the protocol says otherwise or does not explain.",
)
@click.option("--port", "ports", type=int, multiple=True, help="Only connections with this port.")
@click.option("--stream", "streams", type=int, multiple=True, help="Only this connection.")
@click.option(
    "--lines",
    is_flag=True,
    help="FILE is text, a message a line; those after `< ` are the server's.",
)
@click.option(
    "--sample",
    type=click.FloatRange(0.01, 64),
    default=4.0,
    show_default=True,
    metavar="MIB",
    help="Look at so much; of what is larger, whole connections are chosen.",
)
@click.option("--secrets", is_flag=True, help="Show passwords and keys, too.")
@json_option
def infer(
    file: str,
    *,
    against: bool,
    ports: tuple[int, ...],
    streams: tuple[int, ...],
    lines: bool,
    sample: float,
    secrets: bool,
    as_json: bool,
) -> None:
    """Find out how the messages in FILE are made, as if nobody knew the protocol.

    FILE is a capture, a log or a play, as for `kqq decode`; `-` is standard input. Each step is
    told with its evidence: where messages end, what they are made of, which field names their
    kind, which reply answers what, and what every field holds.

    Exit code 1 if nothing was found that messages are made of.
    """
    from kqq.infer import infer as find_out
    from kqq.infer.against import compare

    if lines:
        try:
            with click.open_file(file, "rb") as opened:
                findings = find_out(_plain(opened), budget=int(sample * _MIB))
        except OSError as error:
            reason = error.strerror or str(error)
            raise CaptureError(f"{printable(file)} cannot be opened: {reason}") from error
    else:
        from kqq.capture.sources import read_streams

        events = read_streams(file)
        try:
            findings = find_out(_chosen(events, ports, streams), budget=int(sample * _MIB))
        except CaptureError as error:
            if not _looks_like_text(file):
                raise
            raise CaptureError(f"{error}; --lines takes each line of it for a message") from error
    comparison = compare(findings) if against else None
    veil = Veil(secrets=secrets)
    if as_json:
        for one in objects(findings, veil, comparison):
            print_json(one)
    else:
        for text in tell(findings, veil):
            click.echo(text)
        for text in tell_comparison(comparison, veil) if comparison is not None else ():
            click.echo(text)
    sys.exit(Exit.DONE if findings.found_something else Exit.REFUSED)


def _chosen(
    events: "Iterable[StreamEvent]", ports: tuple[int, ...], streams: tuple[int, ...]
) -> "Iterator[StreamEvent]":
    """Yield what belongs to the connections wanted."""
    from kqq.capture.events import Note

    for event in events:
        if isinstance(event, Note):
            continue
        stream = event.stream
        is_there = not ports or any(end.port in ports for end in stream.ends)
        if is_there and (not streams or stream.number in streams):
            yield event


def _looks_like_text(file: str) -> bool:
    """Return whether something that is no capture may be a conversation that was copied."""
    path = Path(file)
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        start = opened.read(1 << 12)
    return bool(start) and b"\0" not in start


def _plain(file: IO[bytes]) -> "Iterator[StreamEvent]":
    """Yield the lines of a text as what was said on one connection, a second after each other."""
    from kqq.capture.events import Data, End, Opened, Stream

    stream = Stream(1, (End("client", 0), End("server", 0)), 0)
    yield Opened(stream, 0.0, 0)
    for number, line in enumerate(iter(lambda: file.readline(_MIB), b""), 1):
        way = int(line.startswith(b"< "))
        text = line[2:] if line.startswith((b"> ", b"< ")) else line
        if text.strip():
            ended = text if text.endswith(b"\n") else text + b"\n"
            yield Data(stream, way, float(number), number, ended)


# --- for machines --------------------------------------------------------------------------------


def objects(
    findings: "Findings", veil: Veil, comparison: "Comparison | None"
) -> Iterator[dict[str, Any]]:
    """Yield all findings as objects, in the order of the steps; see docs/infer.md."""
    sample, framed, divided = findings.sample, findings.framed, findings.divided
    yield {
        "finding": "sample",
        "connections": sample.connections,
        "bytes": sample.whole,
        "looked_at": {"connections": len(sample.talks), "bytes": sample.size},
        "http": framed.http,
        "left_out": {str(number): why for number, why in framed.misfits.items()},
        "messages": len(divided.messages),
        "broken": framed.broken,
        "unfit": divided.unfit,
    }
    for who, framing in framed.framings.items():
        yield {"finding": "framing", "end": ("client", "server")[who], **_framing(framing)}
    notation = divided.notation
    yield {
        "finding": "division",
        "how": type(notation).__name__.lower(),
        **notation._asdict(),
        "encoding": divided.encoding,
        "junk_before": findings.junk[0],
        "junk_is_length": findings.junk[1],
    }
    naming = findings.naming
    yield {
        "finding": "naming",
        "client": naming.fields[0],
        "server": naming.fields[1],
        "by_echo": naming.by_echo,
        "tried": [
            {"name": name, "tells": round(score, 3), "values": values}
            for name, score, values in naming.tried
        ],
    }
    if findings.pairing is not None:
        pairing = findings.pairing
        yield {
            "finding": "pairing",
            "field": pairing.field,
            "agree": pairing.agree,
            "of": pairing.of,
            "tried": {name: round(share, 3) for name, share in pairing.tried},
        }
    for role, fields in findings.shared.items():
        yield from (_field(role, None, field, veil) for field in fields)
    for kind in findings.kinds:
        yield _message(kind, veil)
        name = veil.value(kind.named_by, kind.name)
        yield from (_field(kind.role, name, field, veil) for field in kind.fields)
    if comparison is not None:
        yield from _comparison(comparison, veil)


def _framing(framing: Any) -> dict[str, Any]:
    if framing is None:
        return {"how": None}
    values = {name: getattr(framing, name) for name in framing.__slots__}
    shown = {
        name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()
    }
    return {"how": type(framing).__name__.lower(), **shown}


def _message(kind: "MessageKind", veil: Veil) -> dict[str, Any]:
    return {
        "finding": "message",
        "role": kind.role,
        "message": veil.value(kind.named_by, kind.name),
        "spellings": [
            [veil.value(kind.named_by, name), count]
            for name, count in kind.spellings.most_common(_EXAMPLES)
        ],
        "count": kind.count,
        "in_order": kind.in_order,
        "answers": [
            [veil.value(kind.named_by, name), count] for name, count in kind.answers.most_common()
        ],
        "seconds": kind.seconds,
        "example": veil.text(kind.example),
    }


def _field(role: str, message: str | None, field: "Field", veil: Veil) -> dict[str, Any]:
    proposal = field.proposal
    show: Callable[[str], str] = lambda value: veil.value(field.name, value)[:200]  # noqa: E731
    return {
        "finding": "field",
        "role": role,
        "message": message,
        "name": field.name,
        "seen": field.seen,
        "of": field.of,
        "kind": proposal.kind,
        "agree": proposal.agree,
        "values": proposal.of,
        "different": len(field.values),
        "facts": [
            {
                "fact": fact.name,
                "agree": fact.agree,
                "of": fact.of,
                **_detail(fact, show, veil),
            }
            for fact in field.facts
        ],
        "examples": [show(value) for value, _ in field.values.most_common(_EXAMPLES)],
    }


def _detail(fact: "Fact", show: Callable[[str], str], veil: Veil) -> dict[str, Any]:
    """Return the detail of a fact, its values as they may be shown."""
    shown = dict(fact.detail)
    if "value" in shown:
        shown["value"] = show(shown["value"])
    for key in ("values", "others"):
        if isinstance(shown.get(key), dict):
            shown[key] = [[show(value), count] for value, count in shown[key].items()]
    if isinstance(shown.get("values"), list) and "field" in shown:
        shown["values"] = [veil.value(shown["field"], value) for value in shown["values"]]
    return shown


def _comparison(comparison: "Comparison", veil: Veil) -> Iterator[dict[str, Any]]:
    yield {
        "finding": "rediscovered",
        "agree": len(comparison.compared) - len(comparison.misses),
        "of": len(comparison.compared),
        "share": round(comparison.share, 4),
    }
    for one in comparison.compared:
        shown = [veil.value(one.key, value)[:200] for value in one.values]
        yield {"finding": "compared", **one._asdict(), "values": shown, "agrees": one.agrees}
    for kind in comparison.unknown_kinds:
        name = veil.value(kind.named_by, kind.name)
        yield {"finding": "unexplained", "what": "message", "where": kind.role, "key": name,
               "count": kind.count}  # fmt: skip
    for what, rows in (
        ("field", comparison.unknown_fields),
        ("value", comparison.unreadable),
        ("code", comparison.other_codes),
    ):
        for where, key, values in rows:
            shown = [veil.value(key, value)[:200] for value in values]
            yield {"finding": "unexplained", "what": what, "where": where, "key": key,
                   "values": shown}  # fmt: skip
    for role, command in comparison.absent:
        yield {"finding": "absent", "role": role, "message": command}
