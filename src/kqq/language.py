"""The language of what people read: English, which stands in the source, or Chinese.

The Chinese is in `locale/zh/LC_MESSAGES/kqq.po`; `scripts/translate` brings it up to date. Nothing
is read before the first Chinese word is wanted.
"""

import gettext
import os
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]

LOCALE = Path(__file__).parent / "locale"
"""The folder of the catalogues, laid out as gettext has it."""
_VARIABLES = ("KQQ_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_chosen: list[Language] = []  # what use_language was told, if anything


def tr(text: str) -> str:
    """Return `text`, which is English, in the language of the person.

    `text` must be written out where this is called: `scripts/translate` looks for it there. What
    changes stands in braces and is filled in afterwards: `tr("You are {name}.").format(name=...)`.
    Call it when the text is shown; what is called at import may be too early for `use_language`.
    """
    return text if language() == "en" else _catalogue().gettext(text)


def tr_n(one: str, many: str, count: int) -> str:
    """Return `one` or `many`, whichever goes with `count`, in the language of the person.

    Both are as in `tr`; the caller fills in the count.
    """
    if language() == "en":
        return one if count == 1 else many
    return _catalogue().ngettext(one, many, count)


def language() -> Language:
    """Return the language: as `use_language` says, else as the environment does.

    Of KQQ_LANG, LC_ALL, LC_MESSAGES and LANG the first that is not empty counts. `zh`, whatever
    follows it, is Chinese; everything else is English.
    """
    if _chosen:
        return _chosen[0]
    wanted = next(filter(None, map(os.environ.get, _VARIABLES)), "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def use_language(wanted: Language | None) -> None:
    """Choose the language from now on; None leaves it to the environment again."""
    _chosen[:] = [] if wanted is None else [wanted]


@cache
def _catalogue() -> gettext.GNUTranslations:
    with (LOCALE / "zh" / "LC_MESSAGES" / "kqq.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
