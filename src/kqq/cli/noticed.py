"""Fields and messages of an unknown protocol in words: what they hold, and what was noticed."""

import html
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from kqq.cli.group import paragraph
from kqq.words import one_line, tr, tr_n

if TYPE_CHECKING:
    from kqq.infer import Fact, Field, Findings, MessageKind

LEFT = "   "
"""What stands before each line of a section."""
_VALUE = 34  # cells that a value shown may have
_NAMES = 14  # cells of the column of names, if they fit
_FEW = 5  # cases; what is seen less often is a guess
_EXAMPLES = 3
_ASCII = {0: "NUL", 9: "TAB", 10: "LF", 13: "CR", 32: "SP"}
_SECRET_NAME = re.compile("pass|pwd|secret|token", re.IGNORECASE)
_CODE = re.compile("[0-9A-Fa-f]{32,}")


class Veil:
    """What is shown of values: all if asked for, else none that opens a door."""

    def __init__(self, *, secrets: bool) -> None:
        self._shows_all = secrets

    def value(self, name: str, value: str) -> str:
        """Return a value as it may be shown."""
        from kqq.protocol.wire import mask

        if self._shows_all or not value:
            return value
        if _SECRET_NAME.search(name) or mask(f"{name}={value}") != f"{name}={value}":
            return "***"
        return _CODE.sub("***", value)

    def text(self, text: str) -> str:
        """Return a whole message as it may be shown."""
        from kqq.protocol.wire import mask

        return text if self._shows_all else _CODE.sub("***", mask(text))


def said(text: str, **values: Any) -> str:
    """Return a sentence of a section, wrapped."""
    return paragraph(text.format(**values), LEFT)


def headed(title: str) -> Iterator[str]:
    """Yield what begins a section."""
    yield ""
    yield paragraph(title.upper() if title.isascii() else title)


def share(agree: int, of: int) -> str:
    """Return a part in percent; 100 only if it is all."""
    if not of:
        return "-"
    percent = 100 * agree / of
    return f"{percent:.0f} %" if agree == of or percent < 99 else f"{percent - 0.05:.1f} %"


def bytes_shown(data: bytes) -> str:
    """Return bytes in hex, and what they are called."""
    shown = data.hex(" ")
    names = [_ASCII.get(byte) or (chr(byte) if 32 < byte < 127 else "?") for byte in data]
    return f"{shown} ({' '.join(names)})"


def sign_shown(sign: str) -> str:
    """Return a sign so that it can be seen."""
    return f"`{sign}`" if sign.strip() else bytes_shown(sign.encode())


# --- messages and fields -------------------------------------------------------------------------


def in_turn(kinds: "list[MessageKind]") -> "Iterator[MessageKind]":
    """Yield each kind of request, after it the replies to it, at last what nobody asked for."""
    replies = [kind for kind in kinds if kind.role == "reply"]
    for kind in kinds:
        if kind.role == "request":
            yield kind
            for reply in list(replies):
                if reply.answers.most_common(1)[0][0] == kind.name:
                    yield reply
                    replies.remove(reply)
    yield from replies
    yield from (kind for kind in kinds if kind.role in ("push", "message"))


def role_name(role: str) -> str:
    """Return what messages of a role are called."""
    names = {
        "request": tr("request"),
        "reply": tr("reply"),
        "push": tr("unasked"),
        "message": tr("of the server"),
    }
    return names[role]


def shared_title(role: str) -> str:
    """Return the title above the fields that messages of a role share."""
    titles = {
        "request": tr("Fields that requests share"),
        "reply": tr("Fields that replies share"),
        "push": tr("Fields that messages share that nobody asked for"),
        "message": tr("Fields that messages of the server share"),
    }
    return titles[role]


def kind_lines(kind: "MessageKind", names: dict[str, str], veil: Veil) -> Iterator[str]:
    """Yield one kind of messages; `names` has the spelling of each kind of request."""
    title = f"{spelled(kind, veil)}  [{role_name(kind.role)}]  "
    title += tr_n("{count} time", "{count} times", kind.count).format(count=kind.count)
    asked = [names.get(name, name) for name, _ in kind.answers.most_common(3)]
    if answered := ", ".join(name for name in asked if name):
        title += "  " + tr("answers {names}").format(names=answered)
    if kind.seconds is not None:
        title += "  " + tr("after {seconds:.3f} s").format(seconds=kind.seconds)
    yield ""
    yield paragraph(title)
    if kind.count < _FEW:
        yield said(tr("It came a few times only: what is said of it is a guess."))
    if kind.in_order < kind.count:
        yield said(
            tr("Fields stand in one order in {agree} of {of}."),
            agree=kind.in_order, of=kind.count,
        )  # fmt: skip
    if not kind.fields:
        yield said(tr("No fields besides those shared."))
    yield from field_lines(kind.fields, veil)


def spelled(kind: "MessageKind", veil: Veil) -> str:
    """Return the name of a kind as it was mostly written."""
    if kind.name:
        return one_line(veil.value(kind.named_by, kind.spellings.most_common(1)[0][0]), 40)
    return tr("(all others)") if any(kind.spellings) else tr("(all)")


def _blocks(fields: "list[Field]") -> "list[list[Field]]":
    """Return fields that come together or not at all, and on one condition."""
    blocks: dict[tuple[str, ...], list[Field]] = {}
    for field in fields:
        beside, only_if = field.fact("with"), field.fact("only_if")
        if beside is not None:
            names = sorted([field.name, *beside.detail["fields"]])
            blocks.setdefault((*names, str(only_if and only_if.detail)), []).append(field)
    return [block for block in blocks.values() if len(block) > 1]


def field_lines(fields: "list[Field]", veil: Veil) -> Iterator[str]:
    """Yield fields, each with its kind and what was noticed of it."""
    blocks = _blocks(fields)
    in_blocks = [field for block in blocks for field in block]
    for block in blocks:
        only_if = block[0].fact("only_if")
        words = tr("{names} come together or not at all").format(
            names=", ".join(one_line(field.name, 24) for field in block)
        )
        if only_if is not None:
            words += "; " + _fact(only_if, block[0], veil)
        yield paragraph(words, LEFT)
    width = min(_NAMES, max((cell_len(field.name) for field in fields), default=0))
    kinds = max((len(field.proposal.kind) for field in fields), default=0)
    plain = [field for field in fields if field.proposal.kind == "BYTE" and not field.facts]
    for field in fields:
        if field in plain:
            continue
        name = one_line(field.name or tr("(no name)"), 24)
        name = set_cell_size(name, max(width, cell_len(name)))
        proposal = field.proposal
        there = share(field.seen, field.of) if field.is_optional else tr("all")
        there = " " * (6 - cell_len(there)) + there
        agree = share(proposal.agree, proposal.of)
        kind = set_cell_size(proposal.kind, kinds)
        start = f"{LEFT}{name}  {kind}  {agree:>6}  {there}  "
        yield (start + one_line(_examples(field, veil), 79 - cell_len(start))).rstrip()
        yield from _noticed(field, width, veil, is_in_block=field in in_blocks)
    if plain:
        yield said(
            tr("Nothing is noticed of {count} other bytes at the beginning."), count=len(plain)
        )


def _noticed(field: "Field", width: int, veil: Veil, *, is_in_block: bool) -> Iterator[str]:
    """Yield what was noticed of a field, a line each."""
    left = f"{LEFT}{' ' * width}  - "
    for fact in field.facts:
        if not (is_in_block and fact.name in ("with", "only_if")):
            yield paragraph(_fact(fact, field, veil), left)
    if field.proposal.holds:
        words = tr("its bytes begin as a {name} picture does").format(name=field.proposal.holds)
        yield paragraph(words, left)


def _examples(field: "Field", veil: Veil) -> str:
    if field.fact("constant") or field.fact("choices") or field.proposal.kind == "BYTES":
        return ""
    values = [value for value, _ in field.values.most_common(_EXAMPLES + 1) if value][:_EXAMPLES]
    shown = [one_line(veil.value(field.name, value), _VALUE) for value in values]
    return " ".join(dict.fromkeys(shown))


def _fact(fact: "Fact", field: "Field", veil: Veil) -> str:
    """Return what was noticed, in words, and in how many cases if not in all."""
    words = _value_words(fact, field, veil) or _relation_words(fact, field, veil)
    if fact.agree == fact.of or fact.name == "mixed":
        return words
    return words + " " + tr("({agree} of {of})").format(agree=fact.agree, of=fact.of)


def _value_words(fact: "Fact", field: "Field", veil: Veil) -> str:
    """Return what was noticed of the values themselves."""
    detail = fact.detail
    if fact.name == "constant":
        value = one_line(veil.value(field.name, detail["value"]), _VALUE)
        return tr("always {value}").format(value=value) if value else tr("always empty")
    if fact.name == "choices":
        return tr("one of: {values}").format(values=_counts(detail["values"], field.name, veil))
    if fact.name == "mixed":
        others = _values(detail["others"], field.name, veil)
        return tr("{kind} in {agree} of {of}, else {others}").format(
            kind=detail["kind"], agree=fact.agree, of=fact.of, others=others
        )
    if fact.name == "escapes":
        signs = "  ".join(
            tr("{code} for {sign}").format(code=one_line(code, 8), sign=_escaped(code))
            for code in detail["signs"]
        )
        return tr("escapes: {signs}").format(signs=signs)
    if fact.name == "form":
        return tr("always {length} signs of {signs}").format(**detail)
    return ""


def _relation_words(fact: "Fact", field: "Field", veil: Veil) -> str:
    """Return how a field goes with other messages, and other fields."""
    detail = fact.detail
    if fact.name == "list":
        return _list_words(detail, field)
    if fact.name == "echo":
        return _echo_words(fact, field)
    if fact.name == "only_if":
        values = _values(detail["values"][:8], detail["field"], veil)
        return tr("only where {field} is {values}").format(field=detail["field"], values=values)
    texts = {
        "counter": tr("one more than in the message before"),
        "steady": tr("stays the same with a client; {values} different ones"),
        "counts": tr("says how many items there are in {names}"),
        "size": tr("says how many bytes {field} has"),
        "same_as": tr("its numbers are numbers that {field} has, too"),
        "with": tr("always together with {names}"),
    }
    names = ", ".join(map(str, detail.get("lists") or detail.get("fields") or ()))
    return texts[fact.name].format(
        names=names, values=detail.get("values", ""), field=detail.get("field", "")
    )


def _values(values: Iterable[str], name: str, veil: Veil) -> str:
    shown = (veil.value(name, value) for value in values)
    return ", ".join(one_line(value, 16) or tr("empty") for value in shown)


def _counts(values: dict[str, int], name: str, veil: Veil) -> str:
    shown = [
        f"{one_line(veil.value(name, value), 24) or tr('empty')} ({count})"
        for value, count in values.items()
    ]
    return ", ".join(shown)


def _list_words(detail: dict[str, Any], field: "Field") -> str:
    where = tr("after each") if field.proposal.trailing else tr("between")
    least, most = detail["least"], detail["most"]
    count = str(least) if least == most else tr("{least} to {most}").format(least=least, most=most)
    text = tr("a list of {count} items, {sign} {where}").format(
        count=count, sign=sign_shown(field.proposal.sign), where=where
    )
    if detail["told_by"]:
        text += "; " + tr("{names} says how many").format(names=", ".join(detail["told_by"]))
    if detail["beside"]:
        text += "; " + tr("as many as in {names}").format(names=", ".join(detail["beside"]))
    return text


def _echo_words(fact: "Fact", field: "Field") -> str:
    other = fact.detail["field"]
    text = tr("what the request said") if other == field.name else tr(
        "what the request said in {field}").format(field=other)  # fmt: skip
    if fact.detail["exact"] < fact.agree:
        text += " " + tr("(large and small letters differ)")
    return text


def _escaped(code: str) -> str:
    """Return what stands for a sign in an escape."""
    if code.startswith("%"):
        byte = int(code[1:], 16)
        return _ASCII.get(byte) or (f"`{chr(byte)}`" if 32 < byte < 127 else f"{byte:02x}")
    if code.startswith("\\"):
        return {"n": "LF", "r": "CR", "t": "TAB", "0": "NUL"}.get(code[1:], f"`{code[1:]}`")
    return f"`{html.unescape(code)}`"


def legend(findings: "Findings") -> Iterator[str]:
    """Yield what the names of the kinds mean that occur."""
    from kqq.infer.findings import kinds_in

    meanings = {
        "UINT": tr("a whole number"),
        "DIGITS": tr("digits that are handed back or kept as they came, zeros before them too"),
        "INT": tr("a whole number, perhaps below 0"),
        "DECIMAL": tr("a number with a point"),
        "VERSION": tr("a number of a version"),
        "TEXT": tr("words, or what no narrower kind explains"),
        "HEX": tr("bytes, two hexadecimal digits each"),
        "HEX_TEXT": tr("a code of so many hexadecimal digits"),
        "LIST": tr("a list of such, with a sign after each item"),
        "PLAIN_LIST": tr("a list of such, with a sign between items"),
        "BYTE": tr("one byte of a binary message"),
        "BYTES": tr("the rest of a binary message"),
    }
    there = {name.partition("(")[0] for name in kinds_in(findings)}
    yield from headed(tr("Kinds"))
    yield said(
        tr('A kind is the narrowest spelling that takes in what was seen; "agree" is the share '
           "of lines that do. It says how a value is written, not what it means.")
    )  # fmt: skip
    for name, meaning in meanings.items():
        if name in there:
            yield paragraph(meaning, f"{LEFT}{name:<12}")
