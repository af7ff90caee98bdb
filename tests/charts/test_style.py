"""The style sheet of a report."""

import re

from kqq.charts.style import STYLE


def test_it_fetches_nothing_and_is_whole() -> None:
    """No address, no import; every brace has its other half."""
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert STYLE.count("{") == STYLE.count("}")
    assert "</" not in STYLE


def test_every_colour_is_declared() -> None:
    """By day, by night and on paper."""
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    light, rest = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    dark, rest = rest.split("* {", 1)
    paper = rest.split("@media print", 1)[1]
    for part in (light, dark, paper):
        assert used <= set(re.findall(r"--([\w-]+):", part))


def test_it_is_for_all_media() -> None:
    """Small screens and paper have rules of their own."""
    assert "@media (max-width: 44rem)" in STYLE
    assert "@media print" in STYLE
    assert "color-scheme: light dark" in STYLE
