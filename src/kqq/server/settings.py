"""Settings as people write them: a TOML file, variables, `--set`; and the pages about them."""

import ast
import dataclasses
import difflib
import inspect
import ipaddress
import itertools
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_origin

from kqq.errors import ConfigError
from kqq.server import config
from kqq.server.config import (
    Config,
    Listen,
    MetricsAddress,
    Network,
    SmsEntry,
    allowed,
    default_data,
    how,
    not_allowed,
    plain,
    problem,
    toml,
)

FILE_NAME = "kqq.toml"
"""The file that is read if it is in the data folder and no other is named."""
OTHER_VARIABLES = frozenset({"KQQ_ACCOUNT", "KQQ_CA", "KQQ_CLIENT_CONFIG", "KQQ_CONFIG",
                             "KQQ_HISTORY", "KQQ_LANG", "KQQ_PASSWORD", "KQQ_PICTURES",
                             "KQQ_SERVER", "KQQ_UIN"})  # fmt: skip
"""Variables of ours that are no settings of a server."""
_FIELDS = {one.name: one for one in dataclasses.fields(Config)}
_TRUTH = {"true": True, "yes": True, "on": True, "1": True,
          "false": False, "no": False, "off": False, "0": False}  # fmt: skip
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADING = re.compile(r" {4}# --- (.+?) -+")
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")
_WIDTH = 80


class _Wrong(ConfigError):
    """A value that cannot be; `position` counts the tables of a list of them."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class _Given(NamedTuple):
    """A setting as somebody wrote it."""

    where: Callable[[int], str]
    """Tells where, from the position in a list of tables: file and line, the variable, `--set`."""
    key: str
    value: object
    """As TOML has it."""


def load(
    file: Path | None, environment: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> Config:
    """Return the settings of a file, over them variables, over them `key=value` of a command line.

    Raises ConfigError with the first thing that is wrong, and how many more there are.
    """
    chosen, problems = examine(file, environment, overrides)
    if chosen is None:
        more = len(problems) - 1
        told = f" (and {more} more; `kqq config check` shows all)" if more else ""
        raise ConfigError(problems[0] + told)
    return chosen


def examine(
    file: Path | None, environment: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> tuple[Config | None, list[str]]:
    """Return what `load` does, or else None and everything that is wrong, each in a line."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    given = itertools.chain(
        _of_file(file, problems) if file is not None else (),
        _of_environment(environment or {}, problems),
        _of_overrides(overrides, problems),
    )
    for where, key, value in given:
        try:
            values[key] = _read(_FIELDS[key], value)
        except _Wrong as error:
            problems.append(f"{where(error.position)}: {error}")
    if problems:
        return None, problems
    values["data"] = values.get("data") or default_data()
    try:
        return Config(**values), []
    except ConfigError as error:
        return None, [str(error)]


def changes(chosen: Config) -> dict[str, object]:
    """Return the settings that are not as they are by default, as TOML and JSON can have them."""
    usual = Config(data=default_data())
    values = {name: (getattr(chosen, name), getattr(usual, name)) for name in _FIELDS}
    return {name: plain(value) for name, (value, default) in values.items() if value != default}


def with_values(chosen: Config, values: Mapping[str, object]) -> Config:
    """Return these settings with others in place of some, as TOML and JSON have them.

    Raises ConfigError if one cannot be.
    """
    read = {}
    for key, value in values.items():
        if key not in _FIELDS:
            raise ConfigError(f"{key}: there is no such setting; {_nearest(key, _FIELDS)}")
        read[key] = _read(_FIELDS[key], value)
    return dataclasses.replace(chosen, **read)


def file_in_data(environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Path | None:
    """Return `kqq.toml` in the data folder that variables and `key=value` name, if it is there."""
    folders = [text for key, _, text in (one.partition("=") for one in overrides) if key == "data"]
    folder = [environment.get("KQQ_DATA", ""), *folders][-1]
    path = (Path(folder) if folder else default_data()) / FILE_NAME
    # What else is wrong with the folder is told by whoever opens the database in it.
    with suppress(OSError):
        if path.is_file():
            return path
    return None


# --- where settings are written ------------------------------------------------------------------


def _of_file(file: Path, problems: list[str]) -> Iterator[_Given]:
    try:
        raw = file.read_bytes()
        text = raw.decode()
        written = tomllib.loads(text)
    except OSError as error:
        problems.append(f"cannot read {file}: {error.strerror or error}")
        return
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(f"{file} line {line}: {raw[error.start]:#04x} is not UTF-8")
        return
    except ValueError as error:  # TOMLDecodeError, but also numbers of too many digits
        problems.append(f"{file}{_syntax(str(error), text)}")
        return
    for key, value in written.items():
        where = partial(_in_file, file, text, key)
        if key not in _FIELDS:
            near = _nearest(key, _FIELDS)
            problems.append(f"{where(0)}: {key}={toml(value)}: there is no such setting; {near}")
        elif _FIELDS[key].type in (Path, Path | None) and isinstance(value, str) and value:
            path = Path(value).expanduser() if value.startswith("~/") else Path(value)
            yield _Given(where, key, str(file.parent / path))
        else:
            yield _Given(where, key, value)


def _of_environment(environment: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    known = {f"KQQ_{key.upper()}": key for key in _FIELDS}
    for name, text in environment.items():
        if not name.startswith("KQQ_") or name in OTHER_VARIABLES or not text:
            continue
        if name in known:
            one = _FIELDS[known[name]]
            yield _Given(partial(_at, name), one.name, _of_text(one, text))
        else:  # its value may be a password, if the name is a slip
            near = _nearest(name, (*known, *OTHER_VARIABLES), prefix="KQQ_")
            problems.append(f"{name}: there is no such variable of kqq; {near}")


def _of_overrides(overrides: Sequence[str], problems: list[str]) -> Iterator[_Given]:
    for override in overrides:
        key, is_pair, text = override.partition("=")
        if not is_pair:
            problems.append(f"--set {override}: write key=value")
        elif key in _FIELDS:
            yield _Given(partial(_at, "--set"), key, _of_text(_FIELDS[key], text))
        else:
            near = _nearest(key, _FIELDS)
            problems.append(f"--set {override}: there is no such setting; {near}")


def _at(where: str, _position: int) -> str:
    return where


def _in_file(file: Path, text: str, key: str, position: int) -> str:
    return f"{file} line {_line(text, key, position)}"


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    names = [one.removeprefix(prefix) for one in known]
    near = difflib.get_close_matches(name.removeprefix(prefix), names, 1)
    return f"did you mean {prefix}{near[0]}?" if near else "`kqq config default` lists all"


def _syntax(message: str, text: str) -> str:
    """Return what tomllib says, with the place first."""
    place = _PLACE.search(message)
    if place is None:
        return f": {message}"
    *before, last = text.splitlines() or [""]
    line, column = place[1] or len(before) + 1, place[2] or len(last) + 1
    return f" line {line}, column {column}: {message[: place.start()]}"


def _line(text: str, key: str, position: int) -> int:
    """Return the number of the line where a key is, or its table with this position."""
    name = rf"\s*[\"']?{re.escape(key)}[\"']?\s*"
    lines = list(enumerate(text.splitlines(), 1))
    tables = [number for number, line in lines if re.match(rf"\s*\[\[{name}\]\]", line)]
    if position < len(tables):
        return tables[position]
    return next((number for number, line in lines if re.match(rf"\s*\[?{name}[=.\]]", line)), 1)


# --- values --------------------------------------------------------------------------------------


def _of_text(one: Field[Any], text: str) -> object:
    """Return a value as TOML would have it; what cannot be stays a text, and is refused later."""
    if one.type in (int, float):
        try:
            return int(text) if one.type is int else float(text)
        except ValueError:
            return text
    if one.type is bool:
        return _TRUTH.get(text.lower(), text)
    if get_origin(one.type) is tuple:
        return [word for word in re.split(r"[\s,]+", text) if word]
    return text


def _read(one: Field[Any], value: object) -> Any:  # whatever its type in Config is
    """Return a value of a file as Config has it. Raises _Wrong."""
    kind, read = one.type, value
    if isinstance(value, list) and kind in _ELEMENTS:
        read = tuple(_elements(one, value))
    elif isinstance(value, str) and kind in (Path, Path | None):
        read = Path(value) if value else None
    elif isinstance(value, str) and kind == MetricsAddress | None:
        read = _metrics(one, value) if value else None
    elif kind is float and type(value) is int:
        read = float(str(value))  # float(value) does not take numbers as long as TOML does
    elif type(value) is not (str if get_origin(kind) is Literal else kind):
        raise _Wrong(not_allowed(one, value))
    if why := problem(one, read):
        raise _Wrong(why)
    if how(one).file and isinstance(read, Path) and not read.is_file():
        raise _Wrong(f"{one.name}={toml(value)} cannot be; there is no such file")
    return read


def _metrics(one: Field[Any], value: str) -> MetricsAddress:
    try:
        return MetricsAddress.parse(value)
    except ConfigError as error:
        raise _Wrong(f"{one.name}: {error}") from error


def _elements(one: Field[Any], values: list[object]) -> Iterator[object]:
    for position, value in enumerate(values):
        try:
            yield _ELEMENTS[one.type](value)
        except ConfigError as error:
            raise _Wrong(f"{one.name}: {error}", position) from error
        except (TypeError, ValueError) as error:
            raise _Wrong(not_allowed(one, values)) from error


def _network(value: Any) -> Network:  # as TOML has it
    if not isinstance(value, str):
        raise TypeError  # ip_network takes numbers, too
    return ipaddress.ip_network(value)


def _text(value: Any) -> str:  # as TOML has it
    if not isinstance(value, str):
        raise TypeError
    return value


def _sms(value: Any) -> SmsEntry:  # as TOML has it
    keys = {one.name: one for one in dataclasses.fields(SmsEntry)}
    for key, text in dict(value).items():
        if key in _FIELDS:
            raise ConfigError(f"{key} is in a table [[sms]]; write it before the first of them")
        if key not in keys or not isinstance(text, str):
            raise ConfigError(
                f"{key}={toml(text)} cannot be; write name, address, text and help, each a text"
            )
    missing = [key for key, one in keys.items() if one.default is MISSING and key not in value]
    if missing:
        raise ConfigError(f"{missing[0]} is missing; write name, address, text and help")
    return SmsEntry(**value)


_ELEMENTS: dict[Any, Callable[[Any], object]] = {
    tuple[Listen, ...]: Listen.parse,
    tuple[Network, ...]: _network,
    tuple[SmsEntry, ...]: _sms,
    tuple[str, ...]: _text,
}


# --- pages ---------------------------------------------------------------------------------------


def sample() -> str:
    """Return a file with all settings as they are by default, each behind a `#`, with comments."""
    lines = [*_SAMPLE_HEAD]
    for heading, settings in groups().items():
        lines += ["", f"# --- {heading} ".ljust(_WIDTH, "-")]
        for name, text in settings.items():
            lines.append("")
            for paragraph in text.split("\n\n"):
                if paragraph.startswith(" "):
                    lines += ["#", *(f"# {line}" for line in paragraph.splitlines()), "#"]
                else:
                    lines += [f"# {line}" for line in _wrapped(paragraph)]
            restart = "" if how(_FIELDS[name]).live else "; needs a restart"
            words = f"Take {allowed(_FIELDS[name])}{restart}."
            lines += [f"# {line}" for line in _wrapped(words)]
            lines.append(f"# {name} = {_default(name)}")
    return "\n".join(lines) + "\n"


def reference() -> str:
    """Return the page about all settings, as Markdown."""
    lines = [*_REFERENCE_HEAD]
    for heading, settings in groups().items():
        lines += ["", f"## {heading[0].upper()}{heading[1:]}"]
        for name, text in settings.items():
            lines += ["", f"### `{name}`"]
            for paragraph in text.split("\n\n"):
                if paragraph.startswith(" "):
                    lines += ["", "```toml", *textwrap.dedent(paragraph).splitlines(), "```"]
                else:
                    lines += ["", *_SENTENCE_END.split(" ".join(paragraph.split()))]
            live = "on SIGHUP" if how(_FIELDS[name]).live else "with a restart only"
            lines += [
                "",
                f"- Allowed: {allowed(_FIELDS[name])}",
                f"- Default: `{_default(name)}`",
                f"- Changes: {live}",
                f"- Variable: `KQQ_{name.upper()}`" if name != "sms" else "- Variable: none",
            ]
    return "\n".join(lines) + "\n"


_SAMPLE_HEAD = """\
# The settings of `kqq serve`, as `kqq config default` prints them.
#
# A line with a setting takes effect without its #; what is there now is the
# default. Save this as kqq.toml in the data folder, or anywhere and name it:
# kqq serve --config FILE. Paths are as seen from the folder of the file.
#
# kqq config check FILE tells what is wrong, and what is not as by default.
# A server that gets the signal SIGHUP reads its file again, and takes over what
# has changed, save for what needs a restart.
""".splitlines()
_REFERENCE_HEAD = """\
# Settings of the server

`kqq config default` prints a file with all of this, which is also [kqq.toml](kqq.toml).
`kqq config check FILE` tells what is wrong with a file, and what in it is not as by default.

A setting is as it is said last in:

1. the defaults;
2. the file that `--config` of `kqq serve` names, or else the variable `KQQ_CONFIG`;
   without either, it is `kqq.toml` in the data folder, if it is there;
3. a variable such as `KQQ_TEXT_LIMIT`; an empty one does not count;
4. the options `--data` and `--listen`;
5. `--set key=value`, which may be given several times.

In variables and `--set`, elements of lists are separated by blanks or commas.
A path in the file is as seen from the folder of the file, and `~/` is the user's home.
Other paths are as seen from where the server was started.
A name that is not known is an error, also among the variables that begin with `KQQ_`.

A server that gets the signal SIGHUP reads its file again.
It takes over what may change while it runs, and logs each change, also of what needs a restart.
If something is wrong, all stays as it was, and the log says why.
""".splitlines()


def groups() -> dict[str, dict[str, str]]:
    """Return the docstring of each setting, by group."""
    source = inspect.getsource(config)
    marks = [
        (number, found[1])
        for number, line in enumerate(source.splitlines(), 1)
        if (found := _HEADING.fullmatch(line))
    ]
    groups: dict[str, dict[str, str]] = {heading: {} for _, heading in marks}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == "Config":
            for one, after in itertools.pairwise(node.body):
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                    assert isinstance(after, ast.Expr)
                    heading = [heading for number, heading in marks if number < one.lineno][-1]
                    text = inspect.cleandoc(ast.literal_eval(after.value))
                    groups[heading][one.target.id] = text
    return groups


def _default(name: str) -> str:
    default = _FIELDS[name].default
    return toml("" if default is MISSING else default)


def _wrapped(paragraph: str) -> list[str]:
    text = " ".join(paragraph.split())
    return textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False, break_long_words=False)
