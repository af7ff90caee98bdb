"""`@command`: what may be declared, and what may not."""

from collections.abc import Iterator

import pytest

from kqq.protocol import (
    CltMsgReply,
    Document,
    Head,
    Line,
    Message,
    Push,
    Reply,
    Request,
    Role,
    decode,
    encode,
)
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES, command
from kqq.protocol.fields import TEXT, UINT
from kqq.protocol.schema import field


@pytest.fixture(autouse=True)
def _tables() -> Iterator[None]:
    """Leave the tables of the catalogue as they were."""
    requests, documents = dict(REQUESTS), dict(DOCUMENTS)
    responses = {name: list(forms) for name, forms in RESPONSES.items()}
    yield
    for table, kept in ((REQUESTS, requests), (DOCUMENTS, documents), (RESPONSES, responses)):
        table.clear()
        table.update(kept)  # type: ignore[arg-type]


def declare(cls: type[Message], name: str, when: str | None = None) -> type[Message]:
    """Declare `cls` as a command, with evidence that does not matter here."""
    return command(name, versions="1.1", confidence="?", evidence="OURS", when=when)(cls)


def test_a_declaration_is_read_and_written_at_once() -> None:
    """A class becomes a keyword-only message, filed under its command in lower case."""

    @command("DANCE", versions="1.4", confidence="C", evidence="OURS")
    class DanceReply(Reply):
        """Danced."""

    @command(
        "Dance",
        versions="1.4",
        confidence="C",
        evidence="OURS INF",
        before_sign_in=True,
        once=True,
    )
    class Dance(Request[DanceReply]):
        steps: int = field("SN", UINT, "how many", "D", "INF")
        music: str | None = field("MU", TEXT, "to what", "D", "INF", default=None)
        mood: str = field("MG", TEXT, "how", "D", "INF", default="well", rest=True)

    spec = Dance.spec
    assert REQUESTS["dance"] is spec
    assert RESPONSES["dance"] == [DanceReply.spec]
    assert (spec.cls, spec.role, spec.command, spec.doc) == (Dance, "request", "Dance", "")
    assert (spec.versions, spec.confidence, spec.evidence) == ("1.4", "C", "OURS INF")
    assert (spec.before_sign_in, spec.once, spec.answers) == (True, True, (DanceReply,))
    assert [(one.attribute, one.required, one.default) for one in spec.fields] == [
        ("steps", True, None),
        ("music", False, None),
        ("mood", False, "well"),
    ]
    assert DanceReply.spec.doc == "Danced."
    raw = b"VER=1.1&CMD=Dance&SEQ=1&UIN=2&SN=3&MG=well"
    dance = Dance(seq="1", uin=2, steps=3, head=Head("1.1"))
    assert encode(dance) == raw
    assert decode(Line.decode(raw), Role.CLIENT) == dance


def test_the_class_says_the_role() -> None:
    """Request, Reply, Push and Document have their own tables; documents go by their first key."""

    @command("config", versions="1.4", confidence="?", evidence="OURS")
    class Config(Document):
        count: int = field("ACONFIG_NUM", UINT, "x", "?", "OURS")

    assert declare(type("Dance", (Request,), {}), "Dance").spec.role == "request"
    assert declare(type("DanceReply", (Reply,), {}), "DANCE").spec.role == "reply"
    assert declare(type("Danced", (Push,), {}), "danced").spec.role == "push"
    assert Config.spec.role == "document"
    assert {"dance", "danced"} <= RESPONSES.keys()
    assert DOCUMENTS["ACONFIG_NUM"].cls is Config
    config = Config(count=3)
    assert encode(config) == b"ACONFIG_NUM=3"
    assert decode(Line("ACONFIG_NUM=3"), Role.SERVER) == config


def test_a_class_of_no_role_fails() -> None:
    """A message that is no Request, Reply, Push or Document cannot be declared."""
    with pytest.raises(TypeError, match="Dance must derive from Request, Reply, Push or Document"):
        declare(type("Dance", (Message,), {}), "Dance")


def test_only_the_last_field_takes_the_rest() -> None:
    """A field with `rest` before another one cannot be declared."""

    class Dance(Request[CltMsgReply]):
        text: str = field("MG", TEXT, "x", "?", "OURS", rest=True)
        to: int = field("UN", UINT, "x", "?", "OURS")

    with pytest.raises(TypeError, match="Dance: only the last field can take the rest"):
        declare(Dance, "Dance")


@pytest.mark.parametrize(
    ("base", "name", "words"),
    [
        (Request, "cltmsg", "the request cltmsg is declared twice"),
        (Reply, "CltMsg", "the reply CltMsg is declared twice"),
        (Push, "server_msg", "the push server_msg is declared twice"),
        (Push, "CLTMSG", "the push CLTMSG is declared twice"),
    ],
)
def test_a_command_is_declared_once(base: type[Message], name: str, words: str) -> None:
    """The same command in the same direction fails, in any case of letters."""
    with pytest.raises(TypeError, match=words):
        declare(type("Again", (base,), {}), name)


def test_a_document_is_declared_once() -> None:
    """Two documents cannot begin with the same key."""

    class Again(Document):
        count: int = field("SERERCONFIG_NUM", UINT, "x", "?", "OURS")

    with pytest.raises(TypeError, match="the document again is declared twice"):
        declare(Again, "again")


def test_forms_of_a_reply_come_before_the_common_one() -> None:
    """A form with `when` is tried first; the same `when` twice fails."""
    declare(type("Common", (Reply,), {}), "DANCE")
    one = declare(type("One", (Reply,), {}), "DANCE", when="SI")
    two = declare(type("Two", (Reply,), {}), "DANCE", when="SP")
    assert [spec.when for spec in RESPONSES["dance"]] == ["SI", "SP", None]
    assert type(decode(Line("VER=1.1&CMD=DANCE&SEQ=1&UIN=2&RES=0&SI="), Role.SERVER)) is one
    assert type(decode(Line("VER=1.1&CMD=DANCE&SEQ=1&UIN=2&RES=0&SP="), Role.SERVER)) is two
    with pytest.raises(TypeError, match="the reply DANCE is declared twice"):
        declare(type("Three", (Reply,), {}), "DANCE", when="SI")


def test_the_parameter_of_a_request_says_what_answers_it() -> None:
    """`Request[A | B]` is answered by A and B, also beside another base; a bare one by nothing."""

    class Mixin:
        pass

    class A(Reply):
        pass

    class B(Reply):
        pass

    class One(Mixin, Request[A]):
        pass

    class Two(Request[A | B]):
        pass

    assert declare(One, "One").spec.answers == (A,)
    assert declare(Two, "Two").spec.answers == (A, B)
    assert declare(type("Three", (Request,), {}), "Three").spec.answers == ()
