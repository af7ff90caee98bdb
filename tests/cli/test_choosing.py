"""The options that choose among lines."""

import click
import pytest
from click.testing import CliRunner

from kqq.capture.filters import Filter, Moment
from kqq.cli.choosing import filter_options


@click.command
@click.argument("name")
@filter_options
def look(name: str, *, wanted: Filter) -> None:
    """Say what is wanted."""
    click.echo(f"{name} {wanted!r}")


def chosen(*options: str) -> str:
    """Return what a command is told."""
    return CliRunner().invoke(look, ["it", *options]).output.strip()


def test_nothing_said_is_everything() -> None:
    """A command without options gets a filter that takes all."""
    assert chosen() == f"it {Filter()!r}"


def test_all_options() -> None:
    """Each says its part."""
    options = (
        "--uin 1 --uin 2 --command CltMsg --since 19:03 --until 5000000000 --text a --stream 3"
    )
    assert chosen(*options.split(), "--odd") == "it " + repr(
        Filter(
            frozenset({1, 2}),
            frozenset({"cltmsg"}),
            Moment(68580.0, is_clock=True),
            Moment(5000000000.0),
            "a",
            frozenset({3}),
            odd=True,
        )
    )
    assert chosen("--from", "19:03") == chosen("--since", "19:03")


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_time_is_told(option: str) -> None:
    """With the name of the option."""
    assert f"Invalid value for {option}: 'soon' is no time" in chosen(option, "soon")


def test_the_command_keeps_its_words() -> None:
    """Its help says what it did, and the options."""
    shown = CliRunner().invoke(look, ["--help"]).output
    assert "Say what is wanted." in shown
    assert shown.index("--uin") < shown.index("--command") < shown.index("--odd")
