"""`kqq explain` and `kqq demo`: the protocol, looked at."""

import os
import shutil
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from kqq.cli.group import main, print_json
from kqq.words import Exit, explanation_lines

if TYPE_CHECKING:
    from kqq.protocol.explain import Explanation


@main.command(short_help="Explain a line field by field.")
@click.argument("line")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, secrets included.")
@click.option("--secrets", is_flag=True, help="Show passwords and session keys in words, too.")
def explain(line: str, *, as_json: bool, secrets: bool) -> None:
    """Explain LINE field by field, with evidence; `-` reads lines from standard input.

    Exit code 1 if a line cannot be read.
    """
    from kqq.protocol.explain import explain as explain_line
    from kqq.protocol.wire import Line

    all_readable = True
    for position, raw in enumerate(_lines(line)):
        explanation = explain_line(Line.decode(raw))
        all_readable = all_readable and explanation.readable
        if as_json:
            print_json(_explanation_object(explanation))
        else:
            if position:
                click.echo()
            columns = shutil.get_terminal_size().columns
            lines = explanation_lines(explanation, secrets=secrets, columns=columns)
            click.echo("\n".join(lines))
    sys.exit(Exit.DONE if all_readable else Exit.REFUSED)


def _lines(argument: str) -> Iterator[bytes]:
    if argument != "-":
        yield os.fsencode(argument)
        return
    stream: IO[bytes] = sys.stdin.buffer
    for raw in stream:
        if raw.strip(b"\r\n"):
            yield raw


def _explanation_object(explanation: "Explanation") -> dict[str, Any]:
    return {
        "command": explanation.command,
        "kind": explanation.kind,
        "summary": explanation.summary,
        "fields": [
            {
                "key": field.key,
                "value": field.value,
                "name": field.name,
                "meaning": field.meaning,
                "confidence": field.confidence,
                "evidence": list(field.evidence),
            }
            for field in explanation.fields
        ],
        "problems": list(explanation.problems),
    }


@main.command(short_help="See two people chat, and the wire.")
def demo() -> None:
    """Two people chat through a server of their own, beside the lines on the wire."""
    from kqq.demo import run_demo

    run_demo()
