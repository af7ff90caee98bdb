"""The language of what people read: how it is chosen, and whether everything has its Chinese."""

import ast
import gettext
import io
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kqq.language import LOCALE, Language, _catalogue, language, tr, tr_n, use_language
from test_architecture import load

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kqq"
VARIABLES = ["KQQ_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the environment nor anybody has chosen a language."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    use_language(None)
    _catalogue.cache_clear()
    yield
    use_language(None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("zh", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("zh-Hans", "zh"),
        ("ZH_TW", "zh"),
        ("en_GB.UTF-8", "en"),
        ("C.UTF-8", "en"),
        ("de_AT", "en"),
        ("", "en"),
    ],
)
@pytest.mark.parametrize("name", VARIABLES)
def test_the_environment_chooses(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: Language
) -> None:
    """Whatever begins with zh is Chinese, everything else English."""
    monkeypatch.setenv(name, value)
    assert language() == wanted


@pytest.mark.parametrize("place", range(len(VARIABLES)))
def test_the_first_variable_that_says_something_counts(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """KQQ_LANG before LC_ALL before LC_MESSAGES before LANG; empty is as if it were not there."""
    for name in VARIABLES[:place]:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(VARIABLES[place], "zh_CN.UTF-8")
    for name in VARIABLES[place + 1 :]:
        monkeypatch.setenv(name, "en_GB.UTF-8")
    assert language() == "zh"


def test_a_language_can_be_chosen_once_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What use_language says counts more than the environment, until it takes it back."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    use_language("en")
    assert (language(), tr("online")) == ("en", "online")
    use_language("zh")
    assert (language(), tr("online")) == ("zh", "在线")
    use_language("en")
    use_language(None)
    assert language() == "zh"


@pytest.mark.parametrize("chosen", ["en", "zh"])
def test_what_nobody_translated_is_english(chosen: Language) -> None:
    """A text that is not in the catalogue stays as it is."""
    use_language(chosen)
    words, one, many = "nobody says this", "{count} of nobody", "{count} of nobodies"
    assert tr(words) == words
    assert [tr_n(one, many, count) for count in (0, 1, 2)] == [many, one, many]


def test_nothing_is_read_for_english() -> None:
    """A program in English reads no catalogue, so it starts as fast as ever."""
    work = (
        "from kqq.language import _catalogue, tr; assert tr('online') == 'online'; "
        "assert _catalogue.cache_info().currsize == 0"
    )
    subprocess.run(
        [sys.executable, "-c", work], check=True, timeout=30, env={"KQQ_LANG": "en", "LANG": "zh"}
    )


# --- the catalogue -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translate() -> ModuleType:
    """Return `scripts/translate.py`."""
    return load(ROOT / "scripts" / "translate.py")


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Give each call of `tr` and `tr_n` in the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in ("tr", "tr_n"):
                    yield path, node


def places(text: str) -> list[str]:
    """Return the names in braces; raises ValueError if there is a lone brace."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_text_is_written_out_where_it_is_called() -> None:
    """What the catalogue is made from must be found without running the program."""
    found = 0
    for path, call in calls():
        where = f"{path}:{call.lineno}"
        texts = call.args if getattr(call.func, "id", "") == "tr" else call.args[:2]
        assert not call.keywords, where
        for text in texts:
            assert isinstance(text, ast.Constant), f"{where}: write the text out here"
            assert isinstance(text.value, str), where
            assert text.value.strip(), f"{where}: there is nothing to translate"
        found += 1
    assert found > 50


def test_every_text_has_its_chinese(translate: ModuleType) -> None:
    """Nothing is missing, doubtful or left over; `scripts/translate` says what to do."""
    catalogue = translate.read()
    wanted = {one.id for one in translate.extract() if one.id}
    assert {one.id for one in catalogue if one.id} == wanted
    assert not catalogue.obsolete
    assert not translate.untranslated(catalogue)


def test_what_is_filled_in_is_the_same_in_both_languages(translate: ModuleType) -> None:
    """A name in braces that is lost or misspelt in the Chinese would be a crash."""
    for one in translate.read():
        if one.id:
            english = one.id if isinstance(one.id, tuple) else (one.id,)
            chinese = one.string if isinstance(one.string, tuple) else (one.string,)
            for text in chinese:
                assert places(text) == places(english[-1]), one.id


def test_the_chinese_is_written_as_it_should_be(translate: ModuleType) -> None:
    """No blanks at the ends that the English has not, and no half-width sign after Chinese."""
    for one in translate.read():
        if isinstance(one.id, str) and one.id:
            assert one.string == one.string.strip() or one.id != one.id.strip(), one.id
            assert one.id.endswith("\n") == one.string.endswith("\n"), one.id
            for place, sign in enumerate(one.string[1:], 1):
                before = one.string[place - 1]
                assert not (sign in ",?!;" and "\u4e00" <= before <= "\u9fff"), one.string


def test_what_is_compiled_is_what_is_written(translate: ModuleType) -> None:
    """The `.mo` is what `scripts/translate` makes of the `.po`, to the byte."""
    folder = LOCALE / "zh" / "LC_MESSAGES"
    compiled = translate.compiled(translate.read())
    assert (folder / "kqq.mo").read_bytes() == compiled
    assert gettext.GNUTranslations(io.BytesIO(compiled)).gettext("online") == "在线"


def test_every_text_comes_out_in_chinese(translate: ModuleType) -> None:
    """What the program takes from the catalogue is what stands in it, of one and of many."""
    use_language("zh")
    counted = [one for one in translate.read() if isinstance(one.id, tuple)]
    for one in counted:
        single, many = one.id
        assert {tr_n(single, many, count) for count in (0, 1, 2)} == set(one.string)
    for one in translate.read():
        if one.id and one not in counted:
            assert tr(one.id) == one.string


def test_the_wheel_has_the_catalogue() -> None:
    """No rule for what is left out takes the compiled catalogue away."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert not [rule for rule in ignored if rule.endswith((".mo", ".po")) or "locale" in rule]
    assert SOURCE in LOCALE.parents
