"""Fields in words: what is noticed of them, and what is hidden."""

from collections import Counter
from typing import Any

import pytest
from rich.cells import cell_len

from kqq.cli.noticed import (
    Veil,
    bytes_shown,
    field_lines,
    headed,
    in_turn,
    kind_lines,
    legend,
    share,
    shared_title,
)
from kqq.infer import Fact, Field, MessageKind, Proposal, infer
from kqq.infer.kinds import propose
from kqq.language import use_language
from unknown import forms

VEIL = Veil(secrets=False)


def field(name: str, *values: str, facts: tuple[Fact, ...] = (), of: int = 0) -> Field:
    """Return a field with these values, of which this was noticed."""
    counts = Counter(values)
    proposal = propose(counts)
    return Field(name, len(values), of or len(values), 0.0, proposal, counts, list(facts))


def words(fact: Fact, *values: str, name: str = "f") -> str:
    """Return how a fact is told."""
    lines = list(field_lines([field(name, *(values or ("1", "2")), facts=(fact,))], VEIL))
    return " ".join(" ".join(lines[1:]).split()).removeprefix("- ")


@pytest.mark.parametrize(
    ("name", "detail", "wanted"),
    [
        ("constant", {"value": "x"}, "always x"),
        ("constant", {"value": ""}, "always empty"),
        ("choices", {"values": {"a": 3, "": 2}, "different": 2}, "one of: a (3), empty (2)"),
        ("counter", {}, "one more than in the message before"),
        ("steady", {"values": 4}, "stays the same with a client; 4 different ones"),
        ("echo", {"field": "f", "exact": 9}, "what the request said"),
        ("echo", {"field": "g", "exact": 9}, "what the request said in g"),
        ("echo", {"field": "f", "exact": 3},
         "what the request said (large and small letters differ)"),
        ("counts", {"lists": ["a", "b"]}, "says how many items there are in a, b"),
        ("size", {"field": "g"}, "says how many bytes g has"),
        ("same_as", {"field": "g"}, "its numbers are numbers that g has, too"),
        ("only_if", {"field": "g", "values": ["1", ""]}, "only where g is 1, empty"),
        ("with", {"fields": ["g", "h"]}, "always together with g, h"),
        ("form", {"length": 4, "signs": "A-Z"}, "always 4 signs of A-Z"),
        ("mixed", {"kind": "UINT", "others": {"": 1, "no": 2}}, "UINT in 9 of 9, else empty, no"),
        ("escapes", {"signs": {"%2c": 1, "%0a": 1, "%01": 1, "\\n": 1, "&amp;": 1, "\\\\": 1}},
         "escapes: %2c for `,` %0a for LF %01 for 01 \\n for LF &amp; for `&` \\\\ for `\\`"),
    ],
)  # fmt: skip
def test_facts_in_words(name: str, detail: dict[str, Any], wanted: str) -> None:
    """With the cases, where it is not always so."""
    assert words(Fact(name, 9, 9, detail)) == wanted
    if name != "mixed":
        assert words(Fact(name, 8, 9, detail)) == f"{wanted} (8 of 9)"


def test_lists_in_words() -> None:
    """How many items, what tells it, what is beside; the sign after each or between."""
    detail = {"least": 0, "most": 9, "told_by": ["n"], "beside": ["g"]}
    one = field("f", "1,2,", facts=(Fact("list", 9, 9, detail),))
    one.proposal = Proposal("LIST(UINT)", 9, 9, ",", trailing=True)
    text = " ".join("".join(field_lines([one], VEIL)).split())
    assert "a list of 0 to 9 items, `,` after each; n says how many; as many as in g" in text
    detail = {"least": 3, "most": 3, "told_by": [], "beside": []}
    one.facts = [Fact("list", 9, 9, detail)]
    one.proposal = Proposal("PLAIN_LIST(UINT)", 9, 9, " ", trailing=False)
    assert "a list of 3 items, 20 (SP) between" in "".join(field_lines([one], VEIL))


def test_rows_of_fields() -> None:
    """Name, kind, shares, examples, in 80 columns; a picture is called one."""
    rows = [
        field("a", "1", "2", "3", "4", of=8),
        field("long_name_of_it", "x" * 90, "坏" * 60, "z"),
        field("", "loose"),
        field("p", "89504e470d0a1a0a" * 9, "89504e470d0a1a0a" * 10),
    ]
    lines = list(field_lines(rows, VEIL))
    assert lines[0].split() == ["a", "UINT", "100", "%", "50", "%", "1", "2", "3"]
    assert lines[2].split()[:2] == ["(no", "name)"]
    assert lines[3].endswith("all  ***")
    assert lines[4].strip() == "- its bytes begin as a PNG picture does"
    assert max(map(cell_len, lines)) <= 80
    use_language("zh")
    try:
        lines = list(field_lines([field("a", "1", "2"), field("b", "1", "2", of=4)], VEIL))
    finally:
        use_language(None)
    all_of_them, half = lines[0], lines[-1]
    assert "全部" in all_of_them
    ends = [cell_len(all_of_them.partition("全部")[0]) + 4, half.index("50 %") + 4]
    assert ends[0] == ends[1]


def test_fields_that_come_together_are_told_once() -> None:
    """With their condition; it is not said again of each."""
    condition = Fact("only_if", 9, 9, {"field": "ok", "values": ["1"]})
    rows = [
        field("a", "1", "2", facts=(Fact("with", 9, 9, {"fields": ["b"]}), condition)),
        field("b", "1", "2", facts=(Fact("with", 9, 9, {"fields": ["a"]}), condition)),
        field("c", "1", "2", facts=(Fact("with", 9, 9, {"fields": ["gone"]}),)),
    ]
    text = "\n".join(field_lines(rows, VEIL))
    assert "a, b come together or not at all; only where ok is 1" in text
    assert text.count("only where ok is 1") == 1
    assert "always together with gone" in text


def test_bytes_of_which_nothing_is_noticed() -> None:
    """They are counted, not shown."""
    rows = [field(f"byte {n}", "00", "01") for n in range(3)]
    for row in rows:
        row.proposal = Proposal("BYTE", 2, 2)
    rows[0].facts = [Fact("counter", 1, 1, {})]
    text = "\n".join(field_lines(rows, VEIL))
    assert "Nothing is noticed of 2 other bytes" in text
    assert "byte 1" not in text


def test_what_is_hidden() -> None:
    """Passwords and keys by name, codes by their looks; unless wanted."""
    code = "5ebe2294ecd0e0f08eab7690d2a6ee69"
    assert VEIL.value("PS", "x") == "***"
    assert VEIL.value("my_password", "x") == "***"
    assert VEIL.value("a", f"is {code}!") == "is ***!"
    assert VEIL.value("PS", "") == ""
    assert VEIL.text(f"A=1&PS=secret&B={code}") == "A=1&PS=***&B=***"
    shows = Veil(secrets=True)
    assert (shows.value("PS", "x"), shows.text("PS=x")) == ("x", "PS=x")


def test_shares() -> None:
    """All is 100, and nothing less is."""
    assert [share(1, 1), share(1, 2), share(1999, 2000), share(0, 0)] == [
        "100 %", "50 %", "99.9 %", "-"
    ]  # fmt: skip


def test_bytes_have_names() -> None:
    """Those that have one."""
    assert bytes_shown(b"\r\n;\xff") == "0d 0a 3b ff (CR LF ; ?)"


def test_kinds_in_words_and_in_turn() -> None:
    """Replies after their request, those that nobody asked for last; few are guesses."""
    ask = MessageKind("request", "go", 3, Counter({"Go": 3}), in_order=2)
    told = MessageKind("reply", "gone", 3, Counter({"GONE": 3}), in_order=3)
    told.answers, told.seconds = Counter({"go": 3}), 0.25
    lost = MessageKind("reply", "lost", 9, Counter({"": 9}), in_order=9)
    lost.answers = Counter({"other": 9})
    push = MessageKind("push", "", 9, Counter({"": 9}), in_order=9)
    odd = MessageKind("message", "", 9, Counter({"!": 9}), in_order=9)
    assert list(in_turn([push, lost, told, odd, ask])) == [ask, told, lost, push, odd]
    lines = list(kind_lines(told, {"go": "Go"}, VEIL))
    assert lines[1] == "GONE  [reply]  3 times  answers Go  after 0.250 s"
    assert "came a few times only" in lines[2]
    assert "Fields stand in one order in 2 of 3." in "\n".join(kind_lines(ask, {}, VEIL))
    assert next(line for line in kind_lines(push, {}, VEIL) if line).startswith("(all)  [unasked]")
    assert "(all others)  [of the server]" in "\n".join(kind_lines(odd, {}, VEIL))


def test_sections_have_titles() -> None:
    """Capital letters where there are such."""
    assert list(headed("What it is")) == ["", "WHAT IT IS"]
    assert list(headed("这是什么")) == ["", "这是什么"]
    titles = [shared_title(role) for role in ("request", "reply", "push", "message")]
    assert len(set(titles)) == 4


def test_the_legend_has_the_kinds_that_occur() -> None:
    """And no others."""
    text = "\n".join(legend(infer(forms())))
    assert "HEX_TEXT    a code of so many hexadecimal digits" in text
    assert "DECIMAL     a number with a point" in text
    assert "BYTE" not in text
