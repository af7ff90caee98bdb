"""How wide texts are, and how they are broken into lines."""

import pytest

from kqq.charts.fitting import fitted, width, wrapped


def test_wide_signs_are_wider() -> None:
    """Chinese is wider than Latin, pictures wider still, and marks take nothing."""
    assert width("i", 10) < width("a", 10) < width("W", 10) < width("好", 10) < width("😀", 10)
    assert width("e\u0301", 10) == width("e", 10)
    assert width("é", 10) > 0
    assert width("ab好", 10, mono=True) == pytest.approx(4 * 6.1)


def test_what_does_not_fit_is_cut() -> None:
    """With a sign that says so, and no sign torn from what is drawn on it."""
    assert fitted("short", 100, 10) == "short"
    cut = fitted("a long text that goes on", 60, 10)
    assert cut.endswith("…")
    assert width(cut, 10) <= 60
    family = "👨\u200d👩\u200d👧"
    assert fitted(family * 3, width(family, 10) * 1.9, 10) == f"{family}…"
    assert fitted("wave 👋🏽👋🏽", width("wave 👋🏽", 10) + 10, 10) == "wave 👋🏽…"


@pytest.mark.parametrize(
    "text", ["one two three four five six", "今晚去看电影吗好不好呀朋友们", "W" * 40]
)
def test_lines_fit_and_lose_nothing(text: str) -> None:
    """Between words, between wide signs, and inside of a word only if it must be."""
    lines = wrapped(text, 80, 10, 20)
    assert len(lines) > 1
    assert all(width(line, 10) <= 80 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_no_more_lines_than_wanted() -> None:
    """The last says that there is more; the first may have less room."""
    lines = wrapped("one two three four five six seven", 60, 10, 2, less=30)
    assert len(lines) == 2
    assert lines[0] == "one"
    assert lines[1].endswith("…")
    assert wrapped("one", 60, 10, 2) == ["one"]
    assert wrapped("", 60, 10, 2) == []
    assert wrapped("W" * 90, 60, 10, 1)[0].endswith("…")


def test_punctuation_stays_on_its_side() -> None:
    """No line begins with a closing quote, or ends with an opening one."""
    for room in range(80, 160, 3):
        for line in wrapped("他说：“今晚去看电影吗？（好）。”然后“走”了。", room, 10, 50):
            assert line[0] not in "：？”）。", room
            assert line[-1] not in "“（", room


def test_a_line_of_nothing_but_punctuation_ends() -> None:
    """There is no place where it may be broken, so it is broken anywhere."""
    lines = wrapped("。" * 30, 50, 10, 40)
    assert "".join(lines) == "。" * 30
    assert wrapped("a" * 3, 8, 10, 9) == ["a", "a", "a"]
