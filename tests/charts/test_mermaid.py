"""A diagram as text for Mermaid."""

import re

from kqq.charts.mermaid import sequence_mermaid
from kqq.charts.sequence import sequence
from sayings import Sayings, evening, hostile


def test_an_evening() -> None:
    """Participants, then arrows in their styles, with notes where something is odd."""
    lines = sequence_mermaid(sequence(evening().items, title='An "evening"')).splitlines()
    assert lines[:8] == [
        "---",
        'title: "An \\"evening\\""',
        "---",
        "sequenceDiagram",
        "    participant P0 as 10001<br/>192.0.2.1",
        "    participant P1 as server<br/>198.51.100.7:14000, 80",
        "    participant P2 as 小波<br/>10002",
        "    Note over P0,P2: 2014-05-14 11:00:00.040",
    ]
    for line in (
        "    Note over P0: connects",
        "    P0->>P1: Login signs in",
        "    P1-->>P0: Login signed in · 40 ms",
        "    P1--xP0: ADDTOLIST refused: no such number · 40 ms",
        "    P2->>P1: HTTP CltMsg to 10001: “OK!”",
        "    P1-)P0: Server_Msg from 小波: “OK!”",
        "    Note over P0,P2: 2 min 5 s later",
        "    Note over P1,P2: odd: 2 bytes before VER= are skipped: 00 4f",
    ):
        assert line in lines, line


def test_texts_of_strangers_stay_texts() -> None:
    """None begins a statement, a comment or an element, nor ends anything."""
    page = sequence_mermaid(sequence(hostile().items))
    allowed = re.compile(
        r"    (participant P\d+ as|Note over P\d+(,P\d+)?:|P\d+(->>|-->>|--x|-\)|-x)P\d+:) .*"
    )
    for line in page.splitlines()[1:]:
        assert allowed.fullmatch(line), line
        words = line.split(": ", 1)[-1] if ":" in line else line.split(" as ", 1)[-1]
        plain = re.sub(r"#\d+;|<br/>", "", words)
        assert not set(plain) & set('<>#;&"`*{}%$\\|@[]~^'), line
        assert not re.search(r"\bend\b|__", plain), line


def test_what_is_left_out_is_told() -> None:
    """In a note over all."""
    page = sequence_mermaid(sequence(evening().items, most=1))
    assert page.endswith("    Note over P0,P1: … 18 more lines\n")


def test_nothing() -> None:
    """An empty diagram is one."""
    assert sequence_mermaid(sequence(Sayings().items)) == "sequenceDiagram\n"
