"""The words the catalogue is written in: fields, messages, and what is declared of each."""

import dataclasses
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from kqq.protocol.fields import DIGITS, TEXT, UINT, Kind, one_of
from kqq.protocol.wire import Line

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
"""All versions ever seen to work (protocol section 10)."""


class Head(NamedTuple):
    """What stands around the command in a request besides `SEQ` and `UIN`; None: not on the wire.

    The first fields are `VER [CON] CMD SEQ UIN [SID] [XP]` (protocol section 1.4).
    """

    ver: str = "1.4"
    con: str | None = None
    sid: str | None = None
    xp: str | None = None


V1_1 = Head("1.1")
"""The head of 2005: no `CON`, `SID`, `XP`."""

V1_4 = Head("1.4", "1", "", "C4CA4238A0B92382")
"""The head of every 1.4 command after the sign-in over TCP, as five clients send it (SOUND ZN)."""

V1_4_SIGN_IN = Head("1.4", "1")
"""The head of the 1.4 sign-in, which has no `SID` and `XP` (TIEBA SOUND)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field: where it is (`attribute`, `key`), what it holds, and how we know.

    `values` names codes; `rest` takes everything to the end of the line; `secret` is never shown.
    `confidence` is A (three sources, or a capture and code), B (two), C (one), D (inferred) or ?
    (unknown); `evidence` holds keys of `evidence.SOURCES`.
    """

    key: str
    kind: Kind
    meaning: str
    values: types.MappingProxyType[str, str]
    confidence: str
    evidence: str
    secret: bool = False
    rest: bool = False
    attribute: str = ""
    required: bool = True
    default: Any = None


def described(
    key: str,
    kind: Kind,
    meaning: str,
    confidence: str,
    evidence: str,
    *,
    values: dict[int | str, str] | None = None,
    secret: bool = False,
    rest: bool = False,
) -> Field:
    """Return a `Field` that no dataclass carries yet; `field` is what declarations use."""
    codes = types.MappingProxyType({str(code): word for code, word in (values or {}).items()})
    return Field(key, kind, meaning, codes, confidence, evidence, secret, rest)


def field(
    key: str,
    kind: Kind,
    meaning: str,
    confidence: str,
    evidence: str,
    *,
    default: Any = dataclasses.MISSING,
    values: dict[int | str, str] | None = None,
    secret: bool = False,
    rest: bool = False,
) -> Any:
    """Declare a field of a command, in its place in the wire order.

    Without `default` the field is required. `default=None` means that it may be absent and is then
    not written; any other default is written, and is what a line without the field is read as.
    """
    declared = described(
        key, kind, meaning, confidence, evidence, values=values, secret=secret, rest=rest
    )
    return dataclasses.field(default=default, repr=not secret, metadata={"declared": declared})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line, or one field of it, cannot be read: the key, the value, the rule.

    `value` is None where the field is missing or secret.
    """

    key: str
    value: str | None
    rule: str

    def __str__(self) -> str:
        if not self.key:
            return self.rule
        if self.value is None:
            return f"{self.key} {self.rule}"
        return f"{self.key}={self.value} {self.rule}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no message, and why; the line itself is whole in `line`."""

    line: Line = dataclasses.field(repr=False)
    problems: tuple[Problem, ...]

    @property
    def command(self) -> str:
        """The command as spelled in the line, "" if it names none."""
        return self.line.values().get("CMD", "").strip()

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


@dataclass(frozen=True, kw_only=True)
class Message:
    """Anything that was said; `line` is what it was read from, None if it was not read.

    `dataclasses.replace` keeps `line`; pass `line=None`, as the changed message is not that line.
    """

    spec: ClassVar["Spec"]
    line: Line | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Command(Message):
    """A message with a command: `seq` is `SEQ` (digits, echoed as sent), `uin` the own number."""

    seq: str
    uin: int

    @property
    def command(self) -> str:
        """The command, in the spelling we send."""
        return self.spec.command


@dataclass(frozen=True, kw_only=True)
class Reply(Command):
    """An answer with `RES=0`; servers say `VER=1.1` to everybody (TIEBA SEED JAVA)."""

    ver: str = "1.1"


R_co = TypeVar("R_co", bound=Reply, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Request(Command, Generic[R_co]):
    """A command from a client; the parameter says which replies may answer it."""

    head: Head = V1_4


@dataclass(frozen=True, kw_only=True)
class Push(Command):
    """A line the server sends unasked; `seq` is the server's own count."""

    ver: str = "1.1"


@dataclass(frozen=True, kw_only=True)
class Document(Message):
    """A line without head and command, fetched over HTTP."""


@dataclass(frozen=True, kw_only=True)
class Failure(Reply):
    """A reply with another `RES` than 0: the head and nothing after it (ZN QB depend on it)."""

    name: str
    res: int

    @property
    def command(self) -> str:
        """The command as echoed."""
        return self.name


Read = Callable[[Line], Message | Unreadable]
Write = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All that is declared of one command in one direction, and what was prepared from it.

    `cls` is the class, `role` "request", "reply", "push" or "document". `when` names a field whose
    presence tells this form of a reply from the common one. `answers` are the replies a request
    may get. `pattern` matches a line in the declared order; its groups are the values as sent:
    `VER`, `CON`, `SEQ`, `UIN`, `SID` and `XP` of a request, `VER`, `SEQ` and `UIN` of a reply or
    push, then the fields.
    """

    cls: type[Message]
    role: str
    command: str
    fields: tuple[Field, ...]
    versions: str
    confidence: str
    evidence: str
    doc: str
    before_sign_in: bool = False
    once: bool = False
    when: str | None = None
    answers: tuple[type[Reply], ...] = ()
    read: Read
    write: Write
    source: str
    pattern: re.Pattern[str]

    @property
    def head(self) -> tuple[Field, ...]:
        """The fields before the command's own, in wire order."""
        return HEADS[self.role]

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """Head and own fields, in wire order."""
        return (*self.head, *self.fields)

    def values(self, line: Line) -> dict[str, str]:
        """Return the first value of each key in `line`, as sent.

        A field that takes the rest of the line has all of it, once every required field stands
        before it.
        """
        rest = next((one.key for one in self.fields if one.rest), None)
        return line.values(
            rest, [one.key for one in self.all_fields if one.required and not one.rest]
        )


def _head(attribute: str, declared: Field, *, required: bool = True) -> Field:
    return dataclasses.replace(declared, attribute=attribute, required=required)


_VER = _head(
    "ver",
    described("VER", one_of("VERSION", VERSIONS), "protocol version", "A", "SEED TIEBA SOUND"),
)
_CMD = _head("command", described("CMD", TEXT, "command", "A", "SEED TIEBA SOUND"))
_SEQ = _head(
    "seq",
    described("SEQ", DIGITS, "number of the request, echoed by its reply", "A", "TIEBA SOUND"),
)
_UIN = _head("uin", described("UIN", UINT, "own number", "A", "SEED TIEBA SOUND"))
HEADS: dict[str, tuple[Field, ...]] = {
    "request": (
        _VER,
        _head(
            "con",
            described(
                "CON",
                TEXT,
                "presumably the transport",
                "D",
                "SOUND SETM YIWO",
                values={"1": "persistent socket", "0": "HTTP"},
            ),
            required=False,
        ),
        _CMD,
        _SEQ,
        _UIN,
        _head(
            "sid",
            described(
                "SID",
                TEXT,
                "session id, empty in practice",
                "C",
                "SEED SOUND",
                values={"null": "not signed in yet"},
            ),
            required=False,
        ),
        _head(
            "xp",
            described(
                "XP",
                TEXT,
                "unknown; over TCP the first half of the MD5 of 1; never checked",
                "?",
                "SOUND ZN QB YIWO",
                values={"null": "not signed in yet"},
            ),
            required=False,
        ),
    ),
    "reply": (
        _VER,
        _CMD,
        _SEQ,
        _UIN,
        _head(
            "res",
            described(
                "RES",
                UINT,
                "result",
                "A",
                "HACK ZN TIEBA",
                values={
                    0: "accepted",
                    1: "refused (our own code; old clients take it for an error)",
                    5: "no such number",
                    20: "not signed in, or signed in elsewhere since",
                },
            ),
        ),
    ),
    "push": (
        _VER,
        _CMD,
        _head(
            "seq",
            described(
                "SEQ",
                DIGITS,
                "number of the push; that of a message has ten digits, the same if it comes again",
                "?",
                "OURS",
            ),
        ),
        _UIN,
        _head(
            "res",
            described("RES", UINT, "presumably always 0", "D", "ZN INF", values={0: "accepted"}),
        ),
    ),
    "document": (),
}
"""The fields before a command's own, by role, in wire order."""
