"""The options that choose among lines, for every command that reads captures, logs and plays."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from kqq.errors import CaptureError

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("uin", "command", "since", "until", "text", "stream", "odd")


def filter_options(command: F) -> F:
    """Give a command the options that choose lines; it gets them as `wanted`, a `Filter`."""

    @wraps(command)
    def with_filter(*args: Any, **options: Any) -> Any:
        said = {name: options.pop(name) for name in _NAMES}
        return command(*args, wanted=_filter(said), **options)

    decorated: Any = with_filter
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _filter(said: dict[str, Any]) -> Any:
    from kqq.capture.filters import Filter, Moment

    moments = {}
    for name in ("since", "until"):
        try:
            moments[name] = None if said[name] is None else Moment.parse(said[name])
        except CaptureError as error:
            raise click.BadParameter(str(error), param_hint=f"--{name}") from None
    return Filter(
        uins=frozenset(said["uin"]),
        commands=frozenset(name.lower() for name in said["command"]),
        since=moments["since"],
        until=moments["until"],
        text=said["text"] or "",
        streams=frozenset(said["stream"]),
        odd=said["odd"],
    )


_OPTIONS = (
    click.option(
        "--uin",
        type=click.IntRange(min=0),
        multiple=True,
        metavar="NUMBER",
        help="Lines of this person, or about them; may be given several times.",
    ),
    click.option(
        "--command",
        multiple=True,
        metavar="NAME",
        help="Lines with this command, in any case, and their answers; may be given several times.",
    ),
    click.option(
        "--since",
        "--from",
        "since",
        metavar="TIME",
        help="Lines from then on: 2014-05-13, 2014-05-13T19:03:12, or 19:03 of any day.",
    ),
    click.option("--until", metavar="TIME", help="Lines up to then."),
    click.option("--text", metavar="WORDS", help="Lines with these words in them, in any case."),
    click.option(
        "--stream",
        type=click.IntRange(min=0),
        multiple=True,
        metavar="NUMBER",
        help="Lines of this connection; may be given several times.",
    ),
    click.option("--odd", is_flag=True, help="Only lines with something odd about them."),
)
