"""The page about every command, made from what `--help` says."""

from collections.abc import Iterator

import click

from kqq.cli.group import main

_INTRODUCTION = """# Every command

This page is made from what the commands say of themselves (`--help`); `scripts/docs` writes it.
What an operator does with them is told in [operating.md](operating.md).

Exit codes are 0 for done, 1 for refused or unreadable, 2 for wrong usage or settings, \
3 for no connection, and 130 for interrupted.
"""


def reference() -> str:
    """Return the page, as Markdown."""
    return _INTRODUCTION + "".join(_section(path, command) for path, command in _commands(main))


def _commands(group: click.Group, path: str = "kqq") -> Iterator[tuple[str, click.Command]]:
    for name in sorted(group.commands):
        command = group.commands[name]
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(path: str, command: click.Command) -> str:
    """Return a heading, the usage, the words and the options of a command."""
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    words = " ".join((command.help or "").replace("\b", "").split())
    sentences = words.replace(". ", ".\n")
    records = [one.get_help_record(context) for one in command.params]
    rows = [record for record in records if record is not None and record[1]]
    table = "\n".join(f"| `{_cell(left)}` | {_cell(right)} |" for left, right in rows)
    options = f"\n| option | meaning |\n| --- | --- |\n{table}\n" if rows else ""
    return f"\n## {path}\n\n```text\n{usage}\n```\n\n{sentences}\n{options}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
