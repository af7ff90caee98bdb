"""A report as one HTML page that fetches nothing, for light and dark, for screens and paper."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from kqq.conformance.report import Report, Result, Verdict, skipped_by_reason
from kqq.plays.compare import Row
from kqq.protocol.evidence import SOURCES
from kqq.words import language, printable, tr

_STYLE = """
:root { --page: #f4f5f7; --card: #ffffff; --ink: #1d2129; --faint: #5c6675; --line: #d9dde3;
  --good: #12703f; --good-back: #def3e6; --bad: #a6201a; --bad-back: #fde3e1; --skip: #5c6675;
  --skip-back: #e9ecf0; --link: #0b5cad }
@media (prefers-color-scheme: dark) {
  :root { --page: #15171b; --card: #1f2329; --ink: #e6e8eb; --faint: #9da6b3; --line: #373d46;
    --good: #7fdca4; --good-back: #143d28; --bad: #ff9a8f; --bad-back: #4d1d1a; --skip: #aab2bd;
    --skip-back: #2d333b; --link: #7cbcff } }
* { box-sizing: border-box }
html { background: var(--page); color: var(--ink); color-scheme: light dark;
  font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  -webkit-text-size-adjust: 100% }
body { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere }
h2 { font-size: 1.125rem; margin: 2.25rem 0 .625rem }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere }
h3 small, header p, .faint { color: var(--faint); font-size: .875rem; font-weight: normal }
header p { margin: 0 0 1.25rem; overflow-wrap: anywhere }
a { color: var(--link) }
code, ol.lines, td.value { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  font-size: .8125rem; overflow-wrap: anywhere }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr));
  list-style: none; margin: 0; padding: 0 }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .625rem;
  padding: .625rem .875rem }
.tiles b { display: block; font-size: 1.625rem; line-height: 1.2 }
.tiles .good b { color: var(--good) } .tiles .bad b { color: var(--bad) }
.card, table.plays { background: var(--card); border: 1px solid var(--line);
  border-radius: .625rem }
.card { margin: 0 0 1rem; padding: .875rem 1rem }
.card p { margin: .375rem 0 }
table { border-collapse: collapse; width: 100% }
table.plays { border-collapse: separate; border-spacing: 0 }
th { color: var(--faint); font-size: .8125rem; font-weight: 600; text-align: left }
th, td { padding: .375rem .625rem; vertical-align: top }
table.plays tr + tr td, .fields td, .fields th { border-top: 1px solid var(--line) }
td.over { white-space: nowrap; width: 6.25rem } .badge a { color: inherit }
.about { display: block }
.badge { border-radius: 1rem; display: inline-block; font-size: .75rem; font-weight: 600;
  min-width: 4.25rem; padding: .0625rem .5rem; text-align: center }
.passed { background: var(--good-back); color: var(--good) }
.failed { background: var(--bad-back); color: var(--bad) }
.skipped { background: var(--skip-back); color: var(--skip) }
.fields { margin: .75rem 0 } .fields td.value { white-space: pre-wrap; width: 28% }
.fields td:first-child { white-space: nowrap; width: 1% }
.fields .differs td { background: var(--bad-back) }
.fields .differs td:first-child { color: var(--bad); font-weight: 700 }
ol.lines { background: var(--page); border-radius: .375rem; list-style: none; margin: .5rem 0 0;
  padding: .5rem .75rem }
ol.lines li { padding-left: 1.5rem; text-indent: -1.5rem }
ul.plain { margin: .25rem 0; padding-left: 1.25rem }
@media (max-width: 36rem) { .fields, .fields tbody, .fields tr, .fields td { display: block }
  .fields thead { display: none } .fields td { border: 0; padding: .0625rem .375rem; width: auto }
  .fields td:first-child, .fields td.value { width: auto }
  .fields td[data-head]::before { color: var(--faint); content: attr(data-head) ": ";
    font-family: system-ui, sans-serif }
  .fields tr { border-top: 1px solid var(--line); padding: .25rem 0 } }
@media print { html { background: #fff } .card, tr { break-inside: avoid }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"


def page(report: Report) -> str:
    """Return the page. Whatever the server said is in it as text only."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    title = tr("Conformance of {server}").format(server=report.server)
    yield "<!DOCTYPE html>"
    yield f'<html lang="{_text(language())}">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    policy = _POLICY.format(digest=digest)
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{_text(title)}</title>"
    yield f"<style>{_STYLE}</style>"
    yield "</head>\n<body>"
    yield from _summary(report, title)
    yield from _failures(report)
    yield from _plays(report)
    yield from _skipped(report)
    yield from _sources(report)
    yield "</body>\n</html>"


def _summary(report: Report, title: str) -> Iterator[str]:
    yield "<header>"
    yield f"<h1>{_text(title)}</h1>"
    told = tr("The published suite of {program}, over {transports}, {begun}.")
    words = told.format(
        program=report.program, transports=", ".join(report.overs), begun=report.begun
    )
    yield f"<p>{_text(words)}</p>"
    yield "</header>"
    seconds = sum(one.seconds for one in report.results)
    tiles = [
        ("good", report.count(Verdict.PASSED), tr("passed")),
        ("bad", report.count(Verdict.FAILED), tr("failed")),
        ("", report.count(Verdict.SKIPPED), tr("skipped")),
        ("", f"{seconds:.1f} s", tr("of plays")),
    ]
    yield '<ul class="tiles">'
    for kind, count, words in tiles:
        shown = kind if kind != "bad" or count else ""
        yield f'<li class="{shown}"><b>{count}</b>{_text(words)}</li>'
    yield "</ul>"


def _failures(report: Report) -> Iterator[str]:
    failures = report.with_verdict(Verdict.FAILED)
    if not failures:
        return
    yield f"<h2>{_text(tr('What failed'))}</h2>"
    for one in failures:
        yield f'<section class="card" id="{_anchor(one)}">'
        yield f"<h3>{_text(one.name)} <small>{_text(one.over)}</small></h3>"
        yield f'<p>{_text(one.entry.about)} <span class="faint">{_cited(one)}</span></p>'
        difference = one.difference
        if difference is not None:
            place = tr("Line {number}:").format(number=difference.number)
            yield f"<p>{_text(place)} <code>{_text(difference.source)}</code></p>"
        yield f"<p><b>{_text(one.reason.rstrip(':'))}</b></p>"
        if difference is not None and difference.rows:
            yield from _fields(one)
        if difference is not None and difference.besides:
            yield from _list(tr("What else had come"), difference.besides)
        if one.unreadable:
            yield from _list(tr("What breaks a rule of the catalogue"), one.unreadable)
        if one.notes:
            yield from _list(tr("Before it"), one.notes)
        if one.lines:
            yield f'<p class="faint">{_text(tr("The last lines"))}</p>'
            yield '<ol class="lines">'
            yield from (f"<li>{_text(str(line))}</li>" for line in one.lines)
            yield "</ol>"
        yield "</section>"


def _fields(one: Result) -> Iterator[str]:
    expected, got = tr("expected"), tr("got")
    assert one.difference is not None
    yield '<table class="fields">'
    heads = ("", expected, got, tr("meaning"))
    yield "<thead><tr>" + "".join(f"<th>{_text(head)}</th>" for head in heads) + "</tr></thead>"
    yield "<tbody>"
    for row in one.difference.rows:
        mark, kind = ("", "same") if row.same else ("≠ ", "differs")
        yield (
            f'<tr class="{kind}"><td>{mark}{_text(row.key)}</td>'
            f'<td class="value" data-head="{_text(expected)}">{_value(row.expected)}</td>'
            f'<td class="value" data-head="{_text(got)}">{_value(row.got)}</td>'
            f'<td class="faint">{_text(_meaning(row))}</td></tr>'
        )
    yield "</tbody></table>"


def _plays(report: Report) -> Iterator[str]:
    for about, plays in report.by_group().items():
        yield f"<h2>{_text(about[0].upper() + about[1:])}</h2>"
        yield '<table class="plays"><thead><tr>'
        yield "".join(f"<th>{_text(over)}</th>" for over in report.overs)
        yield f"<th>{_text(tr('play'))}</th></tr></thead><tbody>"
        for results in plays:
            yield "<tr>" + "".join(_badge(results, over) for over in report.overs)
            entry = results[0].entry
            yield (
                f'<td><b>{_text(entry.name)}</b><span class="about">{_text(entry.about)} '
                f'<span class="faint">{_cited(results[0])}</span></span></td></tr>'
            )
        yield "</tbody></table>"


def _badge(results: Iterable[Result], over: str) -> str:
    found = next((one for one in results if one.over == over), None)
    if found is None:
        return '<td class="over"></td>'
    words = _text(_verdict(found.verdict))
    if found.verdict is Verdict.FAILED:
        words = f'<a href="#{_anchor(found)}">{words}</a>'
    title = f' title="{_text(found.reason)}"' if found.reason else ""
    badge = f'<span class="badge {found.verdict.value}"{title}>{words}</span>'
    return f'<td class="over">{badge}</td>'


def _skipped(report: Report) -> Iterator[str]:
    by_reason = skipped_by_reason(report.results)
    if not by_reason:
        return
    yield f"<h2>{_text(tr('What was skipped, and why'))}</h2>"
    yield '<div class="card"><ul class="plain">'
    for reason, results in by_reason.items():
        names = ", ".join(f"{one.name} {one.over}" for one in results)
        yield f'<li>{_text(reason)} <span class="faint">{_text(names)}</span></li>'
    yield "</ul></div>"


def _sources(report: Report) -> Iterator[str]:
    yield f"<h2>{_text(tr('Who says so'))}</h2>"
    yield '<table class="plays"><thead><tr>'
    for head in (tr("passed"), tr("performed"), tr("source")):
        yield f"<th>{_text(head)}</th>"
    yield "</tr></thead><tbody>"
    for key, (passed, done) in report.by_source().items():
        yield (
            f'<tr><td class="over">{passed}</td><td class="over">{done}</td>'
            f"<td><b>{_text(key)}</b> {_text(SOURCES[key])}</td></tr>"
        )
    yield "</tbody></table>"


def _list(words: str, items: Iterable[str]) -> Iterator[str]:
    yield f'<p class="faint">{_text(words)}</p><ul class="plain">'
    yield from (f"<li><code>{_text(item)}</code></li>" for item in items)
    yield "</ul>"


def _verdict(verdict: Verdict) -> str:
    return {
        Verdict.PASSED: tr("passed"),
        Verdict.FAILED: tr("failed"),
        Verdict.SKIPPED: tr("skipped"),
    }[verdict]


def _cited(one: Result) -> str:
    titles = (f'<abbr title="{_text(SOURCES[key])}">{key}</abbr>' for key in one.entry.evidence)
    return " ".join(titles)


def _anchor(one: Result) -> str:
    return _text(f"{one.name}-{one.over}".lower())


def _meaning(row: Row) -> str:
    both = [one for one in (row.expected_meaning, row.meaning) if one]
    return " ≠ ".join(dict.fromkeys(both))


def _value(value: str | None) -> str:
    return f"<i>{_text(tr('nothing'))}</i>" if value is None else _text(value)


def _text(text: str) -> str:
    """Return what strangers said so that it is text and nothing else."""
    return escape(printable(text))
