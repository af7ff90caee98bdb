"""What a run found: each play's result, and all of them as JSON and as JUnit XML."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

from kqq.conformance.published import Entry, groups
from kqq.plays.compare import Difference
from kqq.words import printable


class Verdict(Enum):
    """What became of a play."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Heard:
    """A line of a performance: who said (`>`) or got (`<`) it, with its secrets masked."""

    actor: str
    direction: str
    text: str

    def __str__(self) -> str:
        return f"{self.actor} {self.direction} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one play over one transport, `TCP` or `HTTP`.

    `reason` says why it failed or was skipped; `difference` is the first, if one was found;
    `unreadable` are lines of the server that break a rule of the catalogue, and which; `lines` are
    the last ones; `notes` what the report should say besides; `numbers` who played whom.
    """

    entry: Entry
    over: str
    verdict: Verdict
    reason: str = ""
    difference: Difference | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lines: tuple[Heard, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name of the play."""
        return self.entry.name

    def as_object(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "play": self.name,
            "over": self.over.lower(),
            "verdict": self.verdict.value,
            "about": self.entry.about,
            "evidence": list(self.entry.evidence),
            "reason": self.reason,
            "difference": None if self.difference is None else self.difference.as_object(),
            "unreadable": list(self.unreadable),
            "notes": list(self.notes),
            "lines": [str(line) for line in self.lines],
            "numbers": dict(self.numbers),
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class Report:
    """What a run found at `server`; `begun` is a time as people write it, `program` who ran it."""

    server: str
    begun: str
    program: str
    results: list[Result] = field(default_factory=list)

    def count(self, verdict: Verdict, over: str | None = None) -> int:
        """Return how many plays ended so, over one transport or all."""
        return sum(one.verdict is verdict and over in (None, one.over) for one in self.results)

    @property
    def has_failed(self) -> bool:
        """Whether a play failed, or none was performed."""
        return bool(self.count(Verdict.FAILED)) or not self.count(Verdict.PASSED)

    @property
    def overs(self) -> list[str]:
        """The transports of the run, in order."""
        return list(dict.fromkeys(one.over for one in self.results))

    def by_group(self) -> dict[str, list[list[Result]]]:
        """Return the results by what plays are about; in each the plays, with their results."""
        by_name: dict[str, list[Result]] = {}
        for one in self.results:
            by_name.setdefault(one.name, []).append(one)
        ordered: dict[str, list[list[Result]]] = {}
        for about, names in groups().items():
            if found := [by_name.pop(name) for name in names if name in by_name]:
                ordered[about] = found
        if by_name:
            ordered["other plays"] = list(by_name.values())
        return ordered

    def by_source(self) -> dict[str, tuple[int, int]]:
        """Return for each source how many results that cite it passed, of how many performed."""
        done: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        for one in self.results:
            if one.verdict is not Verdict.SKIPPED:
                done.update(one.entry.evidence)
            if one.verdict is Verdict.PASSED:
                passed.update(one.entry.evidence)
        return {key: (passed[key], count) for key, count in done.most_common()}

    def with_verdict(self, verdict: Verdict) -> list[Result]:
        """Return the results that are so, in order."""
        return [one for one in self.results if one.verdict is verdict]

    def as_object(self) -> dict[str, Any]:
        """Return the sum of it for JSON; the results have objects of their own."""
        return {
            "server": self.server,
            "begun": self.begun,
            "program": self.program,
            **{verdict.value: self.count(verdict) for verdict in Verdict},
            "seconds": round(sum(one.seconds for one in self.results), 3),
            "sources": {
                key: {"passed": passed, "performed": done}
                for key, (passed, done) in self.by_source().items()
            },
        }


def skipped_by_reason(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return those skipped by why, the most frequent reason first."""
    by_reason: dict[str, list[Result]] = {}
    for one in results:
        if one.verdict is Verdict.SKIPPED:
            by_reason.setdefault(one.reason, []).append(one)
    return dict(sorted(by_reason.items(), key=lambda item: -len(item[1])))


def in_words(result: Result) -> list[str]:
    """Return why a play failed, in lines, with the last lines that were said."""
    lines = [result.reason] if result.difference is None else str(result.difference).split("\n")
    lines += [f"unreadable: {one}" for one in result.unreadable]
    lines += [f"note: {one}" for one in result.notes]
    return [printable(one) for one in [*lines, *map(str, result.lines)]]


def junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite for each transport, a case for each play."""
    root = ET.Element("testsuites", {"name": "kqq conformance", **_counts(report.results)})
    for over in report.overs:
        results = [one for one in report.results if one.over == over]
        suite = ET.SubElement(root, "testsuite", {"name": f"{report.server} {over}"})
        suite.attrib |= {**_counts(results), "timestamp": report.begun}
        for one in results:
            case = ET.SubElement(
                suite,
                "testcase",
                {
                    "classname": f"kqq.conformance.{over.lower()}",
                    "name": one.name,
                    "time": f"{one.seconds:.3f}",
                },
            )
            if one.verdict is Verdict.SKIPPED:
                ET.SubElement(case, "skipped", {"message": printable(one.reason)})
            elif one.verdict is Verdict.FAILED:
                failure = ET.SubElement(case, "failure", {"message": printable(one.reason)})
                failure.text = "\n".join(in_words(one))
            ET.SubElement(case, "system-out").text = printable(
                f"{one.entry.about} ({' '.join(one.entry.evidence)})"
            )
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(one.verdict is Verdict.FAILED for one in results)),
        "errors": "0",
        "skipped": str(sum(one.verdict is Verdict.SKIPPED for one in results)),
        "time": f"{sum(one.seconds for one in results):.3f}",
    }
