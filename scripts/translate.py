"""Bring the catalogues of translations up to date with the texts in the source."""

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kqq"
PO = SOURCE / "locale" / "zh" / "LC_MESSAGES" / "kqq.po"


class Chinese(Catalog):
    """A catalogue with no dates in its head, so that the same texts always give the same bytes."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The head; Babel's own has dates and the version of Babel, too."""
        return [
            ("Language", "zh"),
            ("Plural-Forms", "nplurals=1; plural=0;"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def extract() -> Catalog:
    """Return the texts of the source, each with the files it stands in."""
    texts = Catalog(charset="utf-8")
    for path in sorted(SOURCE.rglob("*.py")):
        place = f"src/kqq/{path.relative_to(SOURCE).as_posix()}"
        for text in _texts(path):
            texts.add(text, None, [(place, 0)])
    return texts


def _texts(path: Path) -> Iterator[str | tuple[str, ...]]:
    """Give what is written out in calls of `tr`, and of `tr_n` the one and the many.

    Babel's own search does not look into f-strings before Python 3.12.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            texts = [
                one.value
                for one in node.args
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            if node.func.id == "tr" and texts:
                yield texts[0]
            elif node.func.id == "tr_n" and len(texts) > 1:
                yield tuple(texts[:2])


def read() -> Catalog:
    """Return the catalogue as it is in the repository."""
    with PO.open("rb") as file:
        known = read_po(file, locale="zh", abort_invalid=True)
    catalogue = Chinese(locale="zh", header_comment=known.header_comment, fuzzy=False)
    for one in known:
        if one.id:
            catalogue[one.id] = one
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    """Return the `.mo`."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def untranslated(catalogue: Catalog) -> list[str]:
    return [str(one.id) for one in catalogue if one.id and (one.fuzzy or not _is_whole(one.string))]


def _is_whole(translation: object) -> bool:
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)


def main() -> int:
    catalogue = read()
    catalogue.update(extract(), no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    with PO.open("wb") as file:
        write_po(file, catalogue, width=100, sort_output=True, include_lineno=False)
    PO.with_suffix(".mo").write_bytes(compiled(catalogue))
    missing = untranslated(catalogue)
    print(f"{len(catalogue)} texts, {len(missing)} not translated")
    for text in missing:
        print(f"  {text!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
