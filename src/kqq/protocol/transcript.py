r"""Plays: conversations written down, one statement a line, in files named `.kqq`.

    # Juliet is away; she collects the message when she comes back.
    server friends Romeo, Juliet
    Romeo signs in
    Romeo > CMD=CLTMSG UN={Juliet} MG="But soft"
    Romeo < CMD=CLTMSG RES=0
    Juliet signs in
    Juliet receives Romeo "But soft"

What people do (`signs in`, `sends`, `receives`, `sees`, `asks` and so on) means the same on every
transport. `>` is a line from the actor, `<` one the actor gets, both as on the wire:

- fields with spaces between: the head is filled in unless written, values may stand in quotes;
- a line that begins `VER=` goes out, or is compared, byte for byte;
- a quoted string goes out byte for byte with nothing added (`\x85`, `\r`, `\n`, `\"`, `\\`).

In all three `{any}` matches anything, `{Juliet}` is an actor's number, `{once1}` a number used once
by whoever says it first, any other `{name}` keeps a value for later; `{{` is a brace. `...` at the
end of fields allows more of them. `clock +180` moves time. `Juliet speaks HTTP` says how somebody
comes; a comment at the top such as `# Only over TCP: why` where the play makes sense.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kqq.errors import PlayError
from kqq.protocol.wire import Line, mask, mask_bytes, show

_ACTOR = r"[A-Z][A-Za-z0-9_]*"
_STATEMENTS = (
    ("server", re.compile(r"server (?P<words>\S.*)")),
    ("clock", re.compile(r"clock \+(?P<words>\d+(?:\.\d+)?)")),
    ("signs in", re.compile(rf"(?P<actor>{_ACTOR}) signs in(?: as (?P<words>\w+))?")),
    ("signs out", re.compile(rf"(?P<actor>{_ACTOR}) signs out")),
    ("disconnects", re.compile(rf"(?P<actor>{_ACTOR}) disconnects")),
    (
        "speaks",
        re.compile(rf"(?P<actor>{_ACTOR}) speaks (?P<words>(?:TCP|HTTP)(?: to the redirector)?)"),
    ),
    *(
        (verb, re.compile(rf'(?P<actor>{_ACTOR}) {verb} (?P<other>{_ACTOR}) (?P<text>".*")'))
        for verb in ("sends", "receives", "asks", "is asked by", "refuses", "is refused by")
    ),
    *(
        (verb, re.compile(rf"(?P<actor>{_ACTOR}) {verb} (?P<other>{_ACTOR})"))
        for verb in ("accepts", "is accepted by")
    ),
    ("receives nothing", re.compile(rf"(?P<actor>{_ACTOR}) receives nothing")),
    ("sees", re.compile(rf"(?P<actor>{_ACTOR}) sees (?P<other>{_ACTOR}) (?P<words>\w+)")),
    (">", re.compile(rf"(?P<actor>{_ACTOR}) > (?P<line>.*)")),
    ("<", re.compile(rf"(?P<actor>{_ACTOR}) < (?P<line>.*)")),
)
_ALLOWED = ", ".join(verb for verb, _ in _STATEMENTS)
_ONLY = re.compile(r"#\s*Only (?:over (?P<over>TCP|HTTP)|in (?P<place>memory)): \S.*")
_ALLOWED_ONLY = "# Only over TCP: why, # Only over HTTP: why, # Only in memory: why"
_NAMED = re.compile(rf"(?:^|(?<=[\s,])){_ACTOR}(?=[\s,]|$)")
_HEAD_ORDER = ("VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP")
_FILLED_ON_READING = ("VER", "SEQ", "UIN")
_FIELD = re.compile(r'([A-Za-z_0-9]+)=("(?:[^"\\]|\\.)*"|\S*)(?:\s+|$)')
_PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_LOST_IN_TEXT = re.compile(  # in a file of UTF-8 statements, or would steer a terminal
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
    r"|\s\Z"
)
_HASH = re.compile("[0-9A-Fa-f]{32}")  # of a password whose key is missing
_SECRETS = {"PS": "{password}", "SG": "{any}", "SSG": "{any}"}
_NUMBERS = ("UIN", "UN")
_MOST_NUMBERS = 1000  # of pushes, and used once, that a recorder keeps to know them again
_USED_ONCE = re.compile(r"[1-9][0-9]{9}")


@dataclass(frozen=True, slots=True)
class Template:
    """A line of a play, as written: `raw` (a whole line), `exact` (bytes) or `fields`."""

    raw: str | None = None
    exact: bytes | None = None
    fields: tuple[tuple[str, str], ...] = ()
    more: bool = False

    def fill(self, head: Mapping[str, str], bound: Mapping[str, str]) -> bytes:
        """Return the line to send, without line end; `head` gives the fields not written."""
        if self.exact is not None:
            return _bytes(_fill(_words(self.exact), bound))
        if self.raw is not None:
            return _fill(self.raw, bound).encode("utf-8", "surrogateescape")
        written = {key: _fill(value, bound) for key, value in self.fields}
        in_head = {key: written.get(key, head.get(key)) for key in _HEAD_ORDER}
        pairs = [(key, value) for key, value in in_head.items() if value is not None]
        pairs += [
            (key, _fill(value, bound)) for key, value in self.fields if key not in _HEAD_ORDER
        ]
        text = "&".join(f"{key}={value}" for key, value in pairs)
        return text.encode("utf-8", "surrogateescape")

    def differences(self, line: Line, bound: dict[str, str]) -> list[str]:
        """Return how `line` differs from this, in words; values seen are kept in `bound`.

        Of exact bytes, the line end and secrets are not compared: a recorded line has neither.
        """
        if self.exact is not None:
            exact, sent = mask_bytes(Line.decode(self.exact).encode()), mask_bytes(line.encode())
            pattern, names = _pattern(_words(exact), bound)
            found = re.fullmatch(pattern, _words(sent), re.DOTALL)
            if found is None:
                wanted = _bytes(_fill(_words(exact), bound, keep=True))
                return [f"expected {show(wanted)}", f"got      {show(sent)}"]
            bound.update(zip(names, found.groups(), strict=True))
            return []
        if self.raw is not None:
            pattern, names = _pattern(self.raw, bound)
            found = re.fullmatch(pattern, line.text, re.DOTALL)
            if found is None:
                return [f"expected {_fill(self.raw, bound, keep=True)}", f"got      {line.text}"]
            bound.update(zip(names, found.groups(), strict=True))
            return []
        written = [key for key, _ in self.fields]
        pairs = [
            pair for pair in line.pairs if pair[0] in written or pair[0] not in _FILLED_ON_READING
        ]
        different = []
        for position, (key, value) in enumerate(self.fields):
            expected = f"{key}={_fill(value, bound, keep=True)}"
            if position >= len(pairs):
                different.append(f"expected {expected}, got nothing")
                continue
            pattern, names = _pattern(value, bound)
            got_key, got = pairs[position]
            found = re.fullmatch(pattern, got, re.DOTALL) if got_key == key else None
            if found is None:
                different.append(f"expected {expected}, got {got_key}={got}")
            else:
                bound.update(zip(names, found.groups(), strict=True))
        extra = pairs[len(self.fields) :]
        if extra and not self.more:
            shown = "&".join(f"{key}={value}" for key, value in extra)
            different.append(f"expected no more fields, got {shown}")
        return different


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a play.

    `verb` is one of those in the module's text; `actor`, `other`, `text`, `words` and `line` are
    filled as the verb needs. `number` is the line in the file, from 1.
    """

    verb: str
    number: int
    source: str
    actor: str = ""
    other: str = ""
    text: str = ""
    words: str = ""
    line: Template = field(default_factory=Template)


@dataclass(frozen=True, slots=True)
class Play:
    """A conversation; `doc` is the comment at its top, `only` where it makes sense.

    `only` is some of `TCP`, `HTTP` and `memory`; where it is empty the play makes sense anywhere.
    """

    doc: str
    statements: tuple[Statement, ...]
    only: frozenset[str] = frozenset()

    @property
    def actors(self) -> tuple[str, ...]:
        """Everybody in the play, in order of appearance."""
        seen: dict[str, None] = {}
        for statement in self.statements:
            if statement.verb == "server":
                words = _STRING.sub("", statement.words)
                seen |= dict.fromkeys(_NAMED.findall(words))
            for name in (statement.actor, statement.other):
                if name:
                    seen[name] = None
        return tuple(seen)


def parse_play(text: str) -> Play:
    """Return the play that `text` is. Raises PlayError with the line that cannot be read."""
    statements: list[Statement] = []
    doc: list[str] = []
    only: set[str] = set()
    for number, source in enumerate(text.split("\n"), 1):
        stripped = source.strip()
        if stripped.startswith("#"):
            if not statements:
                doc.append(stripped.lstrip("# "))
                only |= _only(stripped, number)
        elif stripped:
            statements.append(_statement(stripped, number))
    return Play("\n".join(doc), tuple(statements), frozenset(only))


def _only(comment: str, number: int) -> set[str]:
    """Return where a comment says that the play makes sense only."""
    if not re.match(r"#\s*Only\s+(over|in)\b", comment):
        return set()
    found = _ONLY.fullmatch(comment)
    if found is None:
        raise PlayError(f"line {number}: {comment!r} cannot be; allowed are {_ALLOWED_ONLY}")
    return {found["over"] or found["place"]}


def _statement(source: str, number: int) -> Statement:
    for verb, pattern in _STATEMENTS:
        found = pattern.fullmatch(source)
        if found is None:
            continue
        groups = found.groupdict()
        text = groups.get("text")
        line = groups.get("line")
        return Statement(
            verb,
            number,
            source,
            actor=groups.get("actor") or "",
            other=groups.get("other") or "",
            text="" if text is None else _unquote(text, number),
            words=groups.get("words") or "",
            line=Template() if line is None else _template(line, number),
        )
    raise PlayError(f"line {number}: '{_shown(source)}' is no statement; allowed are {_ALLOWED}")


def _shown(source: str) -> str:
    """Return the start of a statement for an error, without secrets: it may be a line of a log."""
    return show(source.encode("utf-8", "surrogatepass"))


def _template(source: str, number: int) -> Template:
    if source.startswith("VER="):
        return Template(raw=source)
    if source.startswith('"'):
        text = _unquote(source, number)
        return Template(exact=text.encode("utf-8", "surrogateescape"))
    more = source == "..." or source.endswith(" ...")
    rest = source[:-3].strip() if more else source
    fields = []
    while rest:
        found = _FIELD.match(rest)
        if found is None:
            raise PlayError(
                f"line {number}: '{_shown(rest)}' is not KEY=VALUE, a line that begins VER=, "
                "or a string"
            )
        value = found[2]
        fields.append((found[1], _unquote(value, number) if value.startswith('"') else value))
        rest = rest[found.end() :]
    return Template(fields=tuple(fields), more=more)


def _unquote(quoted: str, number: int) -> str:
    r"""Return what stands in quotes; `\xHH` is one byte, a lone surrogate where no UTF-8."""
    if not _STRING.fullmatch(quoted):
        raise PlayError(f"line {number}: {_shown(quoted)} is not one string in double quotes")

    def undo(found: re.Match[str]) -> str:
        code = found[1]
        if code.startswith("x") and len(code) == 3:
            return bytes((int(code[1:], 16),)).decode("utf-8", "surrogateescape")
        if code in _ESCAPES:
            return _ESCAPES[code]
        raise PlayError(
            f'line {number}: \\{code} is unknown; use \\xHH, \\r, \\n, \\t, \\" or \\\\'
        )

    text = _ESCAPE.sub(undo, quoted[1:-1])
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _fill(text: str, bound: Mapping[str, str], *, keep: bool = False) -> str:
    """Return `text` with its places filled; an unknown one stays if `keep`, else is an error."""

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        if found[1] in bound:
            return bound[found[1]]
        if keep:
            return found[0]
        raise PlayError(f"nothing is known as {found[0]}; known are {', '.join(bound) or 'none'}")

    return _PLACE.sub(put, text)


def _pattern(text: str, bound: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a regular expression for `text`, and the names of its groups in order."""
    pattern, names, position = "", [], 0
    for found in _PLACE.finditer(text):
        pattern += re.escape(text[position : found.start()])
        position = found.end()
        name = found[1]
        if name is None:
            pattern += re.escape(found[0][0])
        elif name == "any":
            pattern += "[^&]*"
        elif name in bound:
            pattern += re.escape(bound[name])
        else:
            pattern += "([^&]*)"
            names.append(name)
    return pattern + re.escape(text[position:]), names


def known_places(text: str, bound: Mapping[str, str]) -> str:
    """Return `text` of a template with the places filled that are known; others stay as written."""
    return _fill(text, bound, keep=True)


def match_places(text: str, value: str, bound: Mapping[str, str]) -> dict[str, str] | None:
    """Return what `value` puts into the unknown places of `text`, None if it is another text."""
    pattern, names = _pattern(text, bound)
    found = re.fullmatch(pattern, value, re.DOTALL)
    return None if found is None else dict(zip(names, found.groups(), strict=True))


def _words(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class Recorder:
    """Writes lines down as statements of a play, with people named and secrets replaced.

    `names` gives actors their names by number; a number without a name stays as it is. What is
    another each time is not written: a picture, the number of a push, which is kept for when a
    client confirms it, and a `SEQ` of ten digits, which a client uses once.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = {str(number): name for number, name in names.items()}
        self._pushes: dict[str, str] = {}
        self._used_once: dict[str, str] = {}
        self._counts = dict.fromkeys(("push", "once"), 0)

    def call(self, number: int, name: str) -> None:
        """Name one more person."""
        self._names[str(number)] = name

    def statement(self, actor: str, direction: str, line: Line) -> str:
        """Return the statement that `actor` said (`>`) or got (`<`) `line`."""
        places = self._places(direction, line)
        parts = [self._part(part, places) for part in line.parts]
        if line.junk or not line.text.startswith("VER=") or _LOST_IN_TEXT.search(line.text):
            junk = _literal(mask_bytes(line.junk).decode("latin-1"))
            text = "&".join(parts).encode("utf-8", "surrogateescape").decode("latin-1")
            return f'{actor} {direction} "{_quoted(junk + text)}\\x0d\\x0a"'
        return f"{actor} {direction} {'&'.join(parts)}"

    def _places(self, direction: str, line: Line) -> dict[str, str]:
        """Return what stands for values that are not the same again, by key and value."""
        values = line.values()
        command = values.get("CMD", "").strip().lower()
        seq = values.get("SEQ", "")
        if direction == "<" and command == "update_stat":
            return {f"SEQ={seq}": "{any}"}
        if direction == "<" and command == "server_msg":
            return {f"SEQ={seq}": self._named(seq, "push", self._pushes)}
        if direction == "<" and command == "verifycode":
            return {f"VC={values.get('VC', '')}": "{any}"}
        if command == "getmsgex" and seq in self._pushes:  # it confirms, or is the answer to one
            return {f"SEQ={seq}": self._pushes[seq]}
        if direction == ">" and command != "getmsgex" and _USED_ONCE.fullmatch(seq):
            return {f"SEQ={seq}": self._named(seq, "once", self._used_once)}
        if direction == "<" and seq in self._used_once:
            return {f"SEQ={seq}": self._used_once[seq]}
        return {}

    def _named(self, seq: str, word: str, known: dict[str, str]) -> str:
        """Return the place that stands for a number, the same for the same one."""
        if seq not in known:
            self._counts[word] += 1
            known[seq] = f"{{{word}{self._counts[word]}}}"
        if len(known) > _MOST_NUMBERS:
            del known[next(iter(known))]
        return known[seq]

    def _part(self, part: str, places: Mapping[str, str]) -> str:
        key, equals, value = part.partition("=")
        name = key.strip().upper()
        masked = mask(part)
        if name in _SECRETS:
            return f"{key}={_SECRETS[name]}"
        if part in places:
            return f"{key}={places[part]}"
        if name in _NUMBERS and masked == part:
            items = [
                f"{{{self._names[item]}}}" if item in self._names else _literal(item)
                for item in value.split(",")
            ]
            return f"{key}={','.join(items)}"
        if not (name and equals) and _HASH.search(part):
            return f"{key}={{any}}" if equals else "{any}"  # a secret whose key is missing
        return _literal(part) if masked == part else _literal(masked[: -len("***")]) + "{any}"


def _quoted(signs: str) -> str:
    """Return bytes, as Latin-1, as they stand between quotes."""
    shown = []
    for sign in signs:
        if sign in '"\\':
            shown.append(f"\\{sign}")
        elif " " <= sign <= "~":
            shown.append(sign)
        else:
            shown.append(f"\\x{ord(sign):02x}")
    return "".join(shown)
