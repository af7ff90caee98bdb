"""The page about every command."""

import re

import click

from command import kqq
from kqq.cli import main
from kqq.cli.reference import reference


def paths(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return how each command is called, without `kqq`."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        here = (*path, name)
        found += paths(command, here) if isinstance(command, click.Group) else [here]
    return found


def test_every_command_is_there_with_its_options() -> None:
    """What `--help` lists, the page lists."""
    sections = dict(
        re.findall(r"^## kqq (.+?)$(.*?)(?=^## |\Z)", reference(), re.MULTILINE | re.DOTALL)
    )
    assert sections.keys() == {" ".join(path) for path in paths(main)}
    assert len(sections) > 30
    for path in paths(main):
        told = kqq(*path, "--help").stdout
        for option in re.findall(r"--[a-z-]+", told.partition("Options:")[2]):
            if option == "--help":
                continue
            assert option in sections[" ".join(path)], (path, option)


def test_the_page_has_a_sentence_a_line() -> None:
    """As all pages have; tables and usage stand apart."""
    assert "Let UIN sign in no more, and end its session; nothing of it is lost.\n" in reference()
    assert "| `--reason TEXT` | For the operator; the account is not told. |" in reference()
