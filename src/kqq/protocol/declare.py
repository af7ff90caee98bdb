"""`@command`: how the catalogue declares a command, and the tables that fills."""

import dataclasses
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform, get_args

from kqq.protocol.prepare import prepare
from kqq.protocol.schema import Document, Message, Push, Reply, Request, Spec, field

REQUESTS: dict[str, Spec] = {}
"""What a client may say, by command in lower case."""

RESPONSES: dict[str, list[Spec]] = {}
"""What a server may say, by command in lower case; forms with `when` come first."""

DOCUMENTS: dict[str, Spec] = {}
"""Documents, by the name of their first key."""

M = TypeVar("M", bound=Message)


def _role(cls: type[Message]) -> str:
    for base, role in (
        (Request, "request"),
        (Reply, "reply"),
        (Push, "push"),
        (Document, "document"),
    ):
        if issubclass(cls, base):
            return role
    raise TypeError(f"{cls.__name__} must derive from Request, Reply, Push or Document")


def _answers(cls: type[Message]) -> tuple[type[Reply], ...]:
    """Return the reply types in `Request[A | B]`."""
    for base in vars(cls).get("__orig_bases__", ()):
        for argument in get_args(base):
            if isinstance(argument, types.UnionType):
                return get_args(argument)
            return (argument,)
    return ()


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def command(
    name: str,
    *,
    versions: str,
    confidence: str,
    evidence: str,
    before_sign_in: bool = False,
    once: bool = False,
    when: str | None = None,
) -> Callable[[type[M]], type[M]]:
    """Declare a command in one direction; `name` is the spelling we send.

    `versions`: the protocol versions it was seen in. `before_sign_in`: allowed without a session.
    `once`: doing it twice would be wrong. `when`: this form of a reply has that field.
    Declaring the same command twice fails on import.
    """

    def declare(cls: type[M]) -> type[M]:
        role = _role(cls)
        doc = (cls.__doc__ or "").strip()  # a dataclass without one gets its signature
        made = dataclass(frozen=True, kw_only=True, init=False)(cls)
        fields = tuple(
            dataclasses.replace(
                member.metadata["declared"],
                attribute=member.name,
                required=member.default is dataclasses.MISSING,
                default=None if member.default is dataclasses.MISSING else member.default,
            )
            for member in dataclasses.fields(made)
            if "declared" in member.metadata
        )
        if any(declared.rest for declared in fields[:-1]):
            raise TypeError(f"{cls.__name__}: only the last field can take the rest of the line")
        read, write, source, pattern = prepare(made, name, fields, role)
        made.spec = Spec(
            cls=made,
            role=role,
            command=name,
            fields=fields,
            versions=versions,
            confidence=confidence,
            evidence=evidence,
            doc=doc,
            before_sign_in=before_sign_in,
            once=once,
            when=when,
            answers=_answers(cls),
            read=read,
            write=write,
            source=source,
            pattern=pattern,
        )
        _register(made.spec)
        return made

    return declare


def _register(spec: Spec) -> None:
    name = spec.command.lower()
    if spec.role == "request":
        if name in REQUESTS:
            raise TypeError(f"the request {spec.command} is declared twice")
        REQUESTS[name] = spec
    elif spec.role == "document":
        if spec.fields[0].key in DOCUMENTS:
            raise TypeError(f"the document {spec.command} is declared twice")
        DOCUMENTS[spec.fields[0].key] = spec
    else:
        forms = RESPONSES.setdefault(name, [])
        if any(form.when == spec.when for form in forms):
            raise TypeError(f"the {spec.role} {spec.command} is declared twice")
        forms.append(spec)
        forms.sort(key=lambda form: form.when is None)
