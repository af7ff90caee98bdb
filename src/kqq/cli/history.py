"""`kqq history`: what was said and heard before, found, written down or forgotten."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.completing import complete_accounts, complete_people
from kqq.cli.group import NUMBER, confirm, is_option, json_option, main, written_to
from kqq.cli.marking import broken, marked
from kqq.errors import ConfigError
from kqq.words import language, one_line, printable, tr, tr_n

if TYPE_CHECKING:
    from kqq.client.archive import Archive, Chapter
    from kqq.client.events import Message
    from kqq.client.history import Diary, History

_COLUMNS = 80
_INDENT = 9  # cells before further lines of a message
_NAME = 20  # cells for a name
_SHOWN = 50
_EXPORTS = {".txt": "text", ".jsonl": "jsonl", ".html": "html", ".htm": "html"}


def _when(text: str) -> tuple[float, float]:
    """Return when a day, minute, month or year begins and ends, in seconds; it is local time."""
    wanted = " ".join(text.replace("T", " ").split())
    days_ago = {"today": 0, "yesterday": 1}.get(wanted)
    if days_ago is not None:
        wanted = (datetime.now().astimezone() - timedelta(days=days_ago)).strftime("%Y-%m-%d")
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m", "%Y"):
        with suppress(ValueError, OverflowError):
            begin = datetime.strptime(wanted, form)  # noqa: DTZ007  # local, as astimezone has it
            return begin.astimezone().timestamp(), _after(begin, form).astimezone().timestamp()
    raise click.BadParameter(
        f"{text!r} is no date; write 2026-03-05, 2026-03-05T18:30, 2026-03, 2026, today or "
        "yesterday"
    )


def _after(begin: datetime, form: str) -> datetime:
    """Return when what begins there, and is written in that form, is over."""
    if form == "%Y":
        return begin.replace(year=begin.year + 1)
    if form == "%Y-%m":
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + (timedelta(minutes=1) if "%M" in form else timedelta(days=1))


@main.command(short_help="Search, export or forget what was said.")
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option(
    "--with",
    "who",
    metavar="UIN|NICK",
    shell_complete=complete_people,
    help="Only what was said with this person.",
)
@click.option(
    "--since",
    type=_when,
    metavar="DATE",
    help="Only from then on: 2026-03-05, 2026-03-05T18:30, 2026-03, 2026, today, yesterday.",
)
@click.option("--until", type=_when, metavar="DATE", help="Only until then, that day included.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the last so many.  [default: 50, all with --json and --export]",
)
@json_option
@click.option(
    "--export",
    type=click.Choice(("text", "jsonl", "html")),
    help="Write conversations down: as text, as JSON lines, as one HTML page.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it; .txt, .jsonl and .html say how, too.  [default: standard output]",
)
@click.option("--forget", is_flag=True, help="Delete it, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--account",
    envvar="KQQ_ACCOUNT",
    show_envvar=True,
    shell_complete=complete_accounts,
    metavar="NAME",
    help="One of your accounts.  [default: the only one in the history, or the default one]",
)
@click.option("--uin", type=NUMBER, envvar="KQQ_UIN", show_envvar=True, help="Your number.")
@click.option(
    "--server",
    "servers",
    multiple=True,
    envvar="KQQ_SERVER",
    show_envvar=True,
    metavar="ADDRESS",
    help="Where that number is, if the history has it from several servers.",
)
@click.option(
    "--history",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="KQQ_HISTORY",
    show_envvar=True,
    metavar="FILE",
    help="The file with the history.  [default: history.db in a folder `kqq` of your user data]",
)
def history(
    words: tuple[str, ...],
    *,
    who: str | None,
    since: tuple[float, float] | None,
    until: tuple[float, float] | None,
    most: int | None,
    as_json: bool,
    export: str | None,
    output: Path | None,
    forget: bool,
    yes: bool,
    account: str | None,
    uin: int | None,
    servers: tuple[str, ...],
    file: Path | None,
) -> None:
    """Show the last messages, or those in which all WORDS are, oldest first.

    Case does not matter, and parts of words are found. This needs no connection and no password:
    clients keep what was said on this machine, unless they are told not to.

    --export writes all of it down, or what the other options choose. --forget deletes messages for
    good, also such as still wait to be sent.
    """
    from kqq.client.history import History, default_path

    form = "jsonl" if as_json else export
    if output is not None and form is None:
        form = _EXPORTS.get(output.suffix.lower())
        if form is None:
            raise click.UsageError("say with --export how --output is to be written")
    if as_json and export not in (None, "jsonl"):
        raise click.UsageError(f"--json and --export {export} contradict each other")
    if forget and (words or most or form):
        raise click.UsageError("--forget goes with --with, --since and --until only")
    if form == "html" and output is None and sys.stdout.isatty():
        raise click.UsageError("a page is not for a terminal; add --output FILE")
    path = file or default_path()
    if not path.exists():
        _say_none(tr("no messages are kept in {file} yet"), path)
        return
    with History.open(path) as opened:
        diary = _choose(opened, account, uin, servers)
        if diary is None:
            _say_none(tr("no messages are kept in {file} yet"), path)
            return
        asked = _Asked(diary, words, who, since, until)
        if forget:
            asked.forget(is_sure=yes)
        elif form is None:
            asked.list(most)
        else:
            with written_to(output) as target:
                target.writelines(asked.export(form, most))


class _Asked:
    """What is asked of a diary."""

    def __init__(
        self,
        diary: "Diary",
        words: tuple[str, ...],
        who: str | None,
        since: tuple[float, float] | None,
        until: tuple[float, float] | None,
    ) -> None:
        from kqq.client.archive import Archive

        self._diary = diary
        self._words = words
        self._uin = None if who is None else _number(diary, who)
        self._limits: dict[str, Any] = {
            "uin": self._uin,
            "since": None if since is None else since[0],
            "until": None if until is None else until[1],
        }
        self._archive = Archive(
            uin=diary.uin,
            names=diary.names(),
            tr=tr,  # its texts are marked where they stand
            language=language(),
            printable=lambda text: printable(text, lines=True),
        )

    def list(self, most: int | None) -> None:
        """Show messages on the terminal."""
        shown = most or _SHOWN
        found = list(self._diary.search(*self._words, **self._limits, most=shown + 1))
        day = ""
        for message in found[-shown:]:
            if day != (day := self._archive.day(message.at)):
                click.secho(day, bold=True)
            for line in _lines(self._archive, message, self._words, is_alone=self._uin is not None):
                click.echo(line)
        if not found:
            click.echo(tr("no such message"), err=True)
        elif len(found) > shown and most is None:
            text = tr("these are the last {count}; --most shows more")
            click.echo(text.format(count=shown), err=True)

    def export(self, form: str, most: int | None) -> Iterator[str]:
        """Give what is to be written down."""
        from kqq.client.archive import chapters

        if form == "jsonl":
            messages = self._diary.search(*self._words, **self._limits, most=most)
            return self._archive.as_json_lines(messages)
        if most is None:
            conversations = chapters(self._diary, *self._words, **self._limits)
        else:
            found = self._diary.search(*self._words, **self._limits, most=most)
            conversations = _gathered(found)
        write = self._archive.as_html if form == "html" else self._archive.as_text
        return write(conversations)

    def forget(self, *, is_sure: bool) -> None:
        """Delete messages, after asking."""
        count = sum(self._diary.count(**self._limits).values())
        if count and not is_sure:
            words = tr_n(
                "Forget {count} message of {uin} for good?",
                "Forget {count} messages of {uin} for good?",
                count,
            )
            confirm(words.format(count=count, uin=self._diary.uin))
        gone = self._diary.forget(**self._limits)
        words = tr_n("{count} message is forgotten", "{count} messages are forgotten", gone)
        click.echo(words.format(count=gone))


# --- which account, which person -----------------------------------------------------------------


def _choose(
    history: "History", account: str | None, uin: int | None, servers: tuple[str, ...]
) -> "Diary | None":
    """Return the diary that the options choose, None if the history is empty.

    Raises ConfigError if they choose none or several.
    """
    from kqq.client import Address
    from kqq.client.settings import load

    diaries = history.diaries()
    if not diaries:
        return None
    home = str(Address.parse(servers[0])) if servers else None
    is_strict = home is not None
    if account and uin and is_option("account") == is_option("uin"):
        if load().account(account).uin != uin:
            raise ConfigError(f"{account} is not {uin}; leave either --account or --uin out")
    elif account and uin:
        account, uin = (account, None) if is_option("account") else (None, uin)
    if account or (uin is None and len(diaries) > 1):
        chosen = load().chosen(account)
        if chosen is not None:
            uin, home = chosen[1].uin, home or str(chosen[1].home)
    found = [one for one in diaries if uin in (None, one.uin)]
    there = [one for one in found if home and one.server == history.diary(0, home).server]
    if there or is_strict:
        found = there
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{one.uin} at {printable(one.server)}" for one in diaries)
    if found:
        raise ConfigError(f"the history has {known}; choose one with --uin and --server")
    raise ConfigError(f"the history has nothing of this account; it has {known}")


def _number(diary: "Diary", who: str) -> int:
    """Return the number of a person, named by number or nickname. Raises ConfigError."""
    from kqq.telling import number_of, one_called

    number = number_of(who)
    if number is None:
        number = one_called(diary.names(), who)
    if number is None:
        words = tr("the history knows nobody called {who}; say the number")
        raise ConfigError(words.format(who=who))
    return number


# --- showing -------------------------------------------------------------------------------------


def _lines(
    archive: "Archive", message: "Message", words: tuple[str, ...], *, is_alone: bool
) -> Iterator[str]:
    """Give the lines of a message, what was sought marked; `is_alone` leaves out to whom."""
    from kqq.client.finding import spans

    name = one_line(archive.name(message.uin), _NAME)
    if not message.is_own:
        name = archive.speaker(message.uin, name)
    else:
        name = tr("You") if is_alone else tr("You to {name}").format(name=name)
    text = printable(message.text, lines=True)
    trouble = printable(archive.trouble(message))
    shown = f"{name}: {text}" + (f" ({trouble})" if trouble else "")
    found = [
        (start + len(name) + 2, end + len(name) + 2) for start, end in spans(text, words) if words
    ]
    left = click.style(archive.clock(message.at), dim=True) + "  "
    for start, end in broken(shown, _COLUMNS - 7, _COLUMNS - _INDENT):
        yield left + marked(shown, start, end, found)
        left = " " * _INDENT


def _say_none(words: str, path: Path) -> None:
    click.echo(words.format(file=printable(str(path))), err=True)


# --- writing down --------------------------------------------------------------------------------


def _gathered(messages: Iterable["Message"]) -> "list[Chapter]":
    """Return messages as conversations, who spoke last first."""
    from kqq.client.archive import Chapter

    by_person: dict[int, list[Message]] = {}
    for message in messages:
        said = by_person.pop(message.uin, [])
        said.append(message)
        by_person[message.uin] = said
    return [Chapter(uin, len(said), said) for uin, said in reversed(by_person.items())]
