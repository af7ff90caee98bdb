"""`kqq conformance`: the published suite, run against any server."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, set_cell_size

from kqq import __version__
from kqq.cli.group import main, paragraph, print_json
from kqq.cli.reach import do
from kqq.cli.signing_in import ca_option
from kqq.errors import ConfigError
from kqq.words import Exit, tr, tr_n

if TYPE_CHECKING:
    from kqq.conformance.company import Company, Player
    from kqq.conformance.published import Entry
    from kqq.conformance.report import Report, Result
    from kqq.conformance.running import Plan

_VERDICT = 13  # cells for a transport and a verdict
_NAME = 30  # cells of the name of a play
_COLOURS = {"passed": "green", "failed": "red", "skipped": None}


@main.command(short_help="Run the published suite against a server.")
@click.argument("server", metavar="HOST:PORT", required=False)
@click.option(
    "--accounts",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Who can play: numbers and passwords.  [default: those of --accounts-example]",
)
@click.option("--accounts-example", is_flag=True, help="Print such a file.")
@click.option(
    "--prepare",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DATA",
    help="Make these accounts in the data folder of a server of ours, and run nothing.",
)
@click.option(
    "--over",
    default="tcp,http",
    show_default=True,
    metavar="TRANSPORTS",
    help="What to speak: tcp, http or both.",
)
@click.option("--http", metavar="HOST:PORT", help="Where HTTP is, if not at the same port.")
@click.option("--redirector", metavar="HOST:PORT", help="The door that sends phones on.")
@click.option(
    "--has",
    multiple=True,
    metavar="SETTING",
    help="What the server is set to, such as friends_per_page=2; plays that need it are run.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this play; signs such as * are known."
)
@click.option("--list", "is_list", is_flag=True, help="List the plays, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report as JUnit XML, too.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report as one HTML page, too.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a line that must come is waited for.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a play may let time go by; others are skipped.",
)
@ca_option
def conformance(
    *,
    server: str | None,
    accounts: Path | None,
    accounts_example: bool,
    prepare: Path | None,
    over: str,
    http: str | None,
    redirector: str | None,
    has: tuple[str, ...],
    only: tuple[str, ...],
    is_list: bool,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    wait: float,
    patience: float,
    ca: Path | None,
) -> None:
    """Run the published suite of plays against the server at HOST:PORT.

    Each play says who attests what it shows. The accounts are used up: take some made for this.
    A play that needs more than there is gets skipped, and the report says why.

    Exit code 1 if a play fails, or none could be performed.
    """
    from kqq.client import Address
    from kqq.client.transport import make_trust
    from kqq.conformance.company import example, read_company, usual_company
    from kqq.conformance.running import Plan

    if accounts_example:
        click.echo(example(), nl=False)
        return
    entries = _chosen(only)
    if is_list:
        _list(entries, as_json=as_json)
        return
    company = usual_company() if accounts is None else read_company(accounts)
    if prepare is not None:
        _prepare(prepare, company)
        words = tr_n("{count} account is ready", "{count} accounts are ready", len(company))
        click.echo(words.format(count=len(company)), err=True)
        return
    if server is None:
        raise click.UsageError("which server? write HOST:PORT, or --help")
    plan = Plan(
        address=Address.parse(server, "tcp"),
        company=company,
        over=_transports(over),
        http=None if http is None else Address.parse(http, "http"),
        redirector=None if redirector is None else Address.parse(redirector, "http"),
        settings=frozenset(has),
        wait=wait,
        patience=patience,
        trust=None if ca is None else make_trust(ca),
    )
    for file in (junit, html):
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"cannot write {file}: there is no such folder")
    report = _report(plan)
    is_whole = True
    try:
        asyncio.run(_run(plan, entries, report, as_json=as_json))
    except KeyboardInterrupt:  # what was found until then is told all the same
        is_whole = False
    if as_json:
        print_json({"type": "report", **report.as_object()})
    else:
        click.echo("\n".join(report_lines(report)))
    _write(report, junit, html)
    if not is_whole:
        raise KeyboardInterrupt
    sys.exit(Exit.REFUSED if report.has_failed else Exit.DONE)


# --- what is asked for ---------------------------------------------------------------------------


def _transports(text: str) -> tuple[str, ...]:
    from kqq.conformance.running import TRANSPORTS

    named = [one.strip().upper() for one in text.split(",")]
    if not set(named) <= set(TRANSPORTS):
        raise click.UsageError(f"--over {text} cannot be; write tcp, http or tcp,http")
    return tuple(dict.fromkeys(named))


def _chosen(only: Sequence[str]) -> list["Entry"]:
    from kqq.conformance.published import entries

    found = list(entries())
    names = [one.name for one in found]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = get_close_matches(pattern, names, 1)
            hint = f"did you mean {near[0]}?" if near else "--list shows all"
            raise click.UsageError(f"there is no play {pattern!r}; {hint}")
    return [one for one in found if not only or any(fnmatchcase(one.name, each) for each in only)]


def _list(entries: Sequence["Entry"], *, as_json: bool) -> None:
    for one in entries:
        if as_json:
            print_json({"play": one.name, "about": one.about, "evidence": list(one.evidence)})
        else:
            click.echo(f"{one.name}  ({' '.join(one.evidence)})")
            click.echo(paragraph(one.about, "    "))


def _prepare(data: Path, company: "Company") -> None:
    """Make the accounts in the data folder of a server of ours, or change those that are there."""
    from kqq.server.accounts import new_proof

    uins = [player.uin for player in company]
    known = {one["uin"] for one in do(data, "account.which", create=True, uins=uins)}
    for player in company:
        proof = new_proof(player.account.password, os.urandom)
        if player.uin in known:
            do(data, "account.passwd", uin=player.uin, proof=proof)
        else:
            do(data, "account.add", uin=player.uin, nick=player.nick, proof=proof)
        do(data, "account.set", uin=player.uin, values=_values(player))
        reason = player.settings.get("suspended")
        if reason is not None:
            do(data, "account.suspend", uin=player.uin, reason=reason)
        elif player.uin in known and do(data, "account.show", uin=player.uin)["suspended"]:
            do(data, "account.resume", uin=player.uin)


def _values(player: "Player") -> dict[str, str]:
    from kqq.conformance.company import USUAL

    own = {key: value for key, value in player.settings.items() if key != "suspended"}
    return {"nick": player.nick, **USUAL, **own}


# --- the run -------------------------------------------------------------------------------------


def _report(plan: "Plan") -> "Report":
    from kqq.conformance.report import Report

    begun = datetime.now().astimezone().isoformat(timespec="seconds")
    return Report(str(plan.address), begun, f"kqq {__version__}")


async def _run(
    plan: "Plan", entries: Sequence["Entry"], report: "Report", *, as_json: bool
) -> None:
    """Perform all, and say on a terminal how far it is."""
    from kqq.conformance.running import Run

    performances = plan.performances(entries)
    is_shown = _on_terminal()
    _progress(0, performances, is_shown=is_shown)
    try:
        async for result in Run(plan).perform(performances):
            report.results.append(result)
            if as_json:
                print_json({"type": "result", **result.as_object()})
            _progress(len(report.results), performances, is_shown=is_shown)
    finally:
        if is_shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _progress(done: int, performances: Sequence[tuple["Entry", str]], *, is_shown: bool) -> None:
    if is_shown and done < len(performances):
        entry, over = performances[done]
        words = tr("{done} of {count}: {name} over {over}").format(
            done=done + 1, count=len(performances), name=entry.name, over=over
        )
        click.echo(f"\r\x1b[K{words}", nl=False, err=True)


def _write(report: "Report", junit: Path | None, html: Path | None) -> None:
    from kqq.conformance.page import page
    from kqq.conformance.report import junit as as_junit

    for file, make in ((junit, as_junit), (html, page)):
        if file is not None:
            file.write_text(make(report), encoding="utf-8")


# --- the report in words -------------------------------------------------------------------------


def report_lines(report: "Report", columns: int = 80) -> list[str]:
    """Return the report for a terminal: all plays, what failed in detail, what was skipped."""
    from kqq.conformance.report import Verdict

    lines = []
    for about, plays in report.by_group().items():
        lines += ["", click.style(about, bold=True)]
        lines += [_play_line(results, report.overs, columns) for results in plays]
    for result in report.with_verdict(Verdict.FAILED):
        lines += ["", *_failure(result, columns)]
    lines += list(_skipped(report))
    counts = tr("{passed} passed, {failed} failed, {skipped} skipped").format(
        passed=report.count(Verdict.PASSED),
        failed=report.count(Verdict.FAILED),
        skipped=report.count(Verdict.SKIPPED),
    )
    return "\n".join([*lines, "", counts]).split("\n")


def _play_line(results: Sequence["Result"], overs: Sequence[str], columns: int) -> str:
    words = {"passed": tr("passed"), "failed": tr("FAILED"), "skipped": tr("skipped")}
    verdicts = {one.over: one.verdict.value for one in results}
    cells = []
    for over in overs:
        verdict = verdicts.get(over)
        cell = f"{over} {words[verdict]}" if verdict is not None else ""
        wide = set_cell_size(cell, _VERDICT)
        cells.append(click.style(wide, fg=_COLOURS[verdict]) if verdict is not None else wide)
    entry = results[0].entry
    left = f"{set_cell_size(entry.name, _NAME)} {' '.join(entry.evidence)}"
    room = columns - 2 - _VERDICT * len(overs)
    return f"  {''.join(cells)}{set_cell_size(left, room).rstrip()}"


def _failure(result: "Result", columns: int) -> Iterator[str]:
    """Give what is to be said of a play that failed."""
    from kqq.cli.beside import difference_lines, folded
    from kqq.protocol.evidence import SOURCES

    entry = result.entry
    words = tr("{name} failed over {over}").format(name=entry.name, over=result.over)
    yield click.style(words, fg="red", bold=True)
    yield "=" * cell_len(words)
    yield paragraph(entry.about)
    for key in entry.evidence:
        yield paragraph(SOURCES[key], f"  {key:<6}")
    yield ""
    if result.difference is None:
        yield paragraph(result.reason)
    else:
        yield from difference_lines(result.difference, columns)
    for words, told in (
        (tr("what breaks a rule of the catalogue:"), result.unreadable),
        (tr("what had gone wrong before:"), result.notes),
        (tr("the last lines:"), [str(line) for line in result.lines]),
    ):
        if told:
            yield ""
            yield words
        for one in told:
            yield from folded(f"  {one}", columns, "      ")


def _skipped(report: "Report") -> Iterator[str]:
    from kqq.conformance.report import skipped_by_reason

    by_reason = skipped_by_reason(report.results)
    if by_reason:
        yield ""
        yield tr("skipped, and why")
    for reason, results in by_reason.items():
        yield paragraph(reason, "  ")
        yield paragraph(", ".join(f"{one.name} {one.over}" for one in results), "    ")
