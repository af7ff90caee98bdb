"""Plays: what can be written in one, and how lines become statements."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.errors import PlayError
from kqq.protocol import Line
from kqq.protocol.transcript import (
    Play,
    Recorder,
    Statement,
    Template,
    known_places,
    match_places,
    parse_play,
)
from strategies import LINES
from vectors import VECTORS, Vector

HEAD = {"VER": "1.4", "CON": "1", "SEQ": "7", "UIN": "10001", "SID": "", "XP": "C4CA"}
BOUND = {"Romeo": "10001", "Juliet": "10002"}
ALLOWED = (
    "allowed are server, clock, signs in, signs out, disconnects, speaks, sends, receives, asks, "
    "is asked by, refuses, is refused by, accepts, is accepted by, receives nothing, sees, >, <"
)


def statement(source: str) -> Statement:
    """Return the one statement of a play."""
    (found,) = parse_play(source).statements
    return found


def template(source: str) -> Template:
    """Return the line of the statement `Romeo > …`."""
    return statement(f"Romeo > {source}").line


# --- statements ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("server friends Romeo, Juliet", {"verb": "server", "words": "friends Romeo, Juliet"}),
        ("clock +180", {"verb": "clock", "words": "180"}),
        ("clock +0.5", {"verb": "clock", "words": "0.5"}),
        ("Romeo signs in", {"verb": "signs in", "actor": "Romeo"}),
        ("Romeo signs in as hidden", {"verb": "signs in", "actor": "Romeo", "words": "hidden"}),
        ("Romeo signs out", {"verb": "signs out", "actor": "Romeo"}),
        ("Romeo disconnects", {"verb": "disconnects", "actor": "Romeo"}),
        (
            'Romeo sends Juliet "a \\"b\\""',
            {"verb": "sends", "actor": "Romeo", "other": "Juliet", "text": 'a "b"'},
        ),
        (
            'Juliet receives Romeo ""',
            {"verb": "receives", "actor": "Juliet", "other": "Romeo", "text": ""},
        ),
        ("Juliet speaks HTTP", {"verb": "speaks", "actor": "Juliet", "words": "HTTP"}),
        (
            "Juliet speaks TCP to the redirector",
            {"verb": "speaks", "actor": "Juliet", "words": "TCP to the redirector"},
        ),
        (
            'Romeo asks Juliet "May I?"',
            {"verb": "asks", "actor": "Romeo", "other": "Juliet", "text": "May I?"},
        ),
        (
            'Juliet is asked by Romeo "May I?"',
            {"verb": "is asked by", "actor": "Juliet", "other": "Romeo", "text": "May I?"},
        ),
        ("Juliet accepts Romeo", {"verb": "accepts", "actor": "Juliet", "other": "Romeo"}),
        (
            'Juliet refuses Romeo "no"',
            {"verb": "refuses", "actor": "Juliet", "other": "Romeo", "text": "no"},
        ),
        (
            "Romeo is accepted by Juliet",
            {"verb": "is accepted by", "actor": "Romeo", "other": "Juliet"},
        ),
        (
            'Romeo is refused by Juliet "no"',
            {"verb": "is refused by", "actor": "Romeo", "other": "Juliet", "text": "no"},
        ),
        ("Juliet receives nothing", {"verb": "receives nothing", "actor": "Juliet"}),
        (
            "Juliet sees Romeo away",
            {"verb": "sees", "actor": "Juliet", "other": "Romeo", "words": "away"},
        ),
        ("R_2 > VER=1", {"verb": ">", "actor": "R_2", "line": Template(raw="VER=1")}),
        ("Romeo < ...", {"verb": "<", "actor": "Romeo", "line": Template(more=True)}),
    ],
)
def test_each_statement_is_read(source: str, expected: dict[str, object]) -> None:
    """Each statement of the module's text is read into its parts, the others stay empty."""
    values = {"number": 1, "source": source} | expected
    assert statement(source) == Statement(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "template_"),
    [
        ("CMD=List", Template(fields=(("CMD", "List"),))),
        (
            'CMD=CLTMSG MG="a  b" UN={Juliet}',
            Template(fields=(("CMD", "CLTMSG"), ("MG", "a  b"), ("UN", "{Juliet}"))),
        ),
        ("MG= UN=1", Template(fields=(("MG", ""), ("UN", "1")))),
        ('MG=a"b ...', Template(fields=(("MG", 'a"b'),), more=True)),
        ("VER=1.4&CMD=List ...", Template(raw="VER=1.4&CMD=List ...")),
        ('"\\x85\\x01VER=1\\r\\n"', Template(exact=b"\x85\x01VER=1\r\n")),
        ('"\\t\\"\\\\\\xe4\\xbd\\xa0你"', Template(exact='\t"\\你你'.encode())),
    ],
)
def test_each_form_of_a_line_is_read(source: str, template_: Template) -> None:
    """Fields with spaces between, a whole line, or exact bytes in quotes."""
    assert template(source) == template_


def test_a_play_has_words_people_and_numbered_statements() -> None:
    """The comment at the top is its text; later comments, blanks and empty lines are skipped."""
    play = parse_play(
        "# Juliet is away;\n#   she comes back.\n\nserver friends Tybalt, Romeo\r\n"
        '# not this\n  Romeo signs in  \nRomeo sends Juliet "a\u2028b\x85"\n'
    )
    assert play.doc == "Juliet is away;\nshe comes back."
    assert [(one.number, one.verb) for one in play.statements] == [
        (4, "server"),
        (6, "signs in"),
        (7, "sends"),
    ]
    assert play.statements[2].text == "a\u2028b\x85"
    assert play.actors == ("Tybalt", "Romeo", "Juliet")
    assert parse_play("") == Play("", ())


def test_people_are_named_where_accounts_are_made() -> None:
    """Names stand alone; what is said of an account names nobody."""
    source = 'server account Paris nick="Count Paris" school=Verona\nserver friends Romeo, Juliet'
    assert parse_play(source).actors == ("Paris", "Romeo", "Juliet")


@pytest.mark.parametrize(
    ("comments", "only"),
    [
        ("# Only over TCP: pushes are lines there.", {"TCP"}),
        ("# What it shows.\n#  Only over HTTP: it polls.", {"HTTP"}),
        ("# Only in memory: time is moved.\n# Only over TCP: why not.", {"memory", "TCP"}),
        ("# Only lines are shown. (ZN)", set()),
        ("#Only over HTTP: why", {"HTTP"}),
        ("# What it shows\nRomeo signs in\n# Only over TCP: not here", set()),
    ],
)
def test_a_play_says_where_it_makes_sense(comments: str, only: set[str]) -> None:
    """A comment at the top says so, with the reason."""
    play = parse_play(f"{comments}\nJuliet signs in\n")
    assert play.only == only
    assert "What it shows" not in comments or "What it shows" in play.doc


@pytest.mark.parametrize(
    "comment", ["# Only over UDP: why", "# Only over TCP", "# Only in Verona: x"]
)
def test_where_a_play_cannot_be(comment: str) -> None:
    """Any other place is a mistake, and so is one without a reason."""
    words = f"line 2: {comment!r} cannot be; allowed are # Only over TCP: why, # Only over HTTP"
    with pytest.raises(PlayError, match=re.escape(words)):
        parse_play(f"# What it shows\n{comment}\n")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Romeo sings", f"line 2: 'Romeo sings' is no statement; {ALLOWED}"),
        ("romeo signs in", "line 2: 'romeo signs in' is no statement"),
        ("clock -1", "is no statement"),
        (
            "19:03 -> VER=1.4&CMD=Login&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1",
            "line 2: '19:03 -> VER=1.4&CMD=Login&PS=***&M5=1' is no statement",
        ),
        ("Romeo > CMD=Login what,PS=5EBE2294ECD0E0F0", "'what,PS=***' is not KEY=VALUE"),
        ('Romeo > "VER=1.4&PS=5EBE2294ECD0E0F0', '"VER=1.4&PS=*** is not one string'),
        ("Romeo speaks UDP", "is no statement"),
        ("Romeo asks Juliet", "is no statement"),
        ('Juliet accepts Romeo "yes"', "is no statement"),
        ("server", "is no statement"),
        ("Romeo sends Juliet words", "is no statement"),
        (
            "Romeo > CMD=List what",
            "line 2: 'what' is not KEY=VALUE, a line that begins VER=, or a string",
        ),
        ("Romeo < A-B=1", "line 2: 'A-B=1' is not KEY=VALUE"),
        ('Romeo > "abc', 'line 2: "abc is not one string in double quotes'),
        ('Romeo > "', 'line 2: " is not one string in double quotes'),
        ('Romeo > "abc\\"', 'line 2: "abc\\" is not one string'),
        ('Romeo > "a" "b"', 'line 2: "a" "b" is not one string'),
        ('Romeo > "a\\\\"b"', "is not one string"),
        ('Romeo > MG="a"b', 'line 2: "a"b is not one string'),
        (
            'Romeo sends Juliet "\\q"',
            'line 2: \\q is unknown; use \\xHH, \\r, \\n, \\t, \\" or \\\\',
        ),
        ('Romeo > "\\x4"', "line 2: \\x is unknown"),
    ],
)
def test_a_mistake_is_named_with_its_line(source: str, words: str) -> None:
    """The error says the number of the line, what stands there, and what is allowed."""
    with pytest.raises(PlayError, match=re.escape(words)):
        parse_play(f"Juliet signs in\n{source}\n")


@given(st.text(max_size=40))
def test_any_text_is_a_play_or_a_mistake(text: str) -> None:
    """Nothing else than PlayError is raised."""
    for source in (text, f"Romeo > {text}", f'Romeo > "{text}"', f"Romeo sends Juliet {text}"):
        try:
            parse_play(source)
        except PlayError as error:
            assert str(error).startswith("line ")  # noqa: PT017


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        (
            'CMD=CLTMSG UN={Juliet} MG="But soft"',
            b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=7&UIN=10001&SID=&XP=C4CA&UN=10002&MG=But soft",
        ),
        (
            "UN=1 VER=1.1 CMD=List SEQ=8",
            b"VER=1.1&CON=1&CMD=List&SEQ=8&UIN=10001&SID=&XP=C4CA&UN=1",
        ),
        ("VER=1.4&UN={Romeo}&MG={{x}}}", b"VER=1.4&UN=10001&MG={x}}"),
        ('"\\xff{Romeo} {{a}\\n"', b"\xff10001 {a}\n"),
        ('CMD=A MG="\\xff"', b"VER=1.4&CON=1&CMD=A&SEQ=7&UIN=10001&SID=&XP=C4CA&MG=\xff"),
    ],
)
def test_a_line_is_filled(source: str, sent: bytes) -> None:
    """The head is filled in unless written, places are filled, in exact bytes, too."""
    assert template(source).fill(HEAD, BOUND) == sent


def test_a_head_need_not_be_whole() -> None:
    """Only the fields given are filled in."""
    assert template("CMD=List").fill({"VER": "1.1", "SEQ": "1"}, {}) == b"VER=1.1&CMD=List&SEQ=1"


@pytest.mark.parametrize("source", ["CMD=A UN={Nurse}", "VER=1.1&UN={Nurse}"])
def test_a_place_nobody_knows_is_a_mistake(source: str) -> None:
    """The error says what is known."""
    words = "nothing is known as {Nurse}; known are Romeo, Juliet"
    with pytest.raises(PlayError, match=re.escape(words)):
        template(source).fill(HEAD, BOUND)
    with pytest.raises(PlayError, match="known are none"):
        template(source).fill(HEAD, {})


# --- comparing -----------------------------------------------------------------------------------

REPLY = Line("VER=1.1&CMD=LIST&SEQ=7&UIN=10001&RES=0&FN=1&UN=10002,")


@pytest.mark.parametrize(
    "source",
    [
        "CMD=LIST RES=0 FN=1 UN={Juliet},",
        "CMD=LIST RES=0 ...",
        "CMD=LIST SEQ=7 RES=0 FN={any} UN={any}",
        "CMD={c} RES=0 FN={n} UN={Juliet},",
        "...",
        "VER=1.1&CMD=LIST&SEQ={seq}&UIN={Romeo}&RES=0&FN={any}&UN={Juliet},",
        '"VER=1.1&CMD=LIST&SEQ=7&UIN=10001&RES=0&FN=1&UN=10002,\\r\\n"',
    ],
)
def test_a_line_may_match(source: str) -> None:
    """The head may be left out, `...` allows more, places match."""
    assert template(source).differences(REPLY, dict(BOUND)) == []


@pytest.mark.parametrize(
    ("source", "different"),
    [
        ("CMD=LIST RES=0 FN=2 ...", ["expected FN=2, got FN=1"]),
        ("CMD=LIST FN=1 ...", ["expected FN=1, got RES=0"]),
        ("CMD=LIST RES=0 FN=1", ["expected no more fields, got UN=10002,"]),
        ("CMD=LIST RES=0 FN=1 UN={Romeo},", ["expected UN=10001,, got UN=10002,"]),
        ("CMD=LIST RES=0 FN=1 UN={x}", []),
        ("CMD=LIST RES=0 FN=1 UN={x} NK={y}", ["expected NK={y}, got nothing"]),
        (
            "VER=1.1&CMD=LIST&RES={any}&FN={x}",
            ["expected VER=1.1&CMD=LIST&RES={any}&FN={x}", f"got      {REPLY.text}"],
        ),
        ('"abc\\xff"', ["expected abc\\xff", f"got      {REPLY.text}"]),
    ],
)
def test_differences_are_said_in_words(source: str, different: list[str]) -> None:
    """Each difference says what was expected and what came."""
    assert template(source).differences(REPLY, dict(BOUND)) == different


def test_values_seen_are_kept() -> None:
    """A new name keeps the value it matched, and must match the same from then on."""
    bound: dict[str, str] = {}
    assert template("CMD=LIST RES=0 FN={n} UN={list}").differences(REPLY, bound) == []
    assert bound == {"n": "1", "list": "10002,"}
    assert (
        template("VER=1.1&CMD={c}&SEQ={s}&{more}&RES=0&FN={n}&UN={list}").differences(REPLY, bound)
        == []
    )
    assert bound == {"n": "1", "list": "10002,", "c": "LIST", "s": "7", "more": "UIN=10001"}
    assert template("CMD=LIST RES={n} ...").differences(REPLY, bound) == [
        "expected RES=1, got RES=0"
    ]


def test_braces_and_line_ends_are_compared_as_they_are() -> None:
    """`{{` is a brace; words may hold anything."""
    line = Line("VER=1.1&CMD=X&MG={a}\n.*")
    assert template("VER=1.1&CMD=X&MG={{a}}{rest}").differences(line, {}) == []
    assert template('CMD=X MG="{{a}}\\n.*"').differences(line, {}) == []


# --- recording -----------------------------------------------------------------------------------

RECORDER = Recorder({10001: "Romeo", 10002: "Juliet"})


@pytest.mark.parametrize(
    ("line", "recorded"),
    [
        (
            Line("VER=1.4&CMD=CLTMSG&SEQ=7&UIN=10001&UN=10002&MG=10002 {a}"),
            "Romeo > VER=1.4&CMD=CLTMSG&SEQ=7&UIN={Romeo}&UN={Juliet}&MG=10002 {{a}}",
        ),
        (
            Line("VER=1.4&UIN=10003&UN=10002,10003,10001,&what"),
            "Romeo > VER=1.4&UIN=10003&UN={Juliet},10003,{Romeo},&what",
        ),
        (
            Line("VER=1.4&PS=5ebe2294&SG=abc&ssg=12&uin=10001"),
            "Romeo > VER=1.4&PS={password}&SG={any}&ssg={any}&uin={Romeo}",
        ),
        (
            Line.decode(b'\x85\x01VER=1.4&UIN=10001&PS=5ebe&MG="\\\xe4\n'),
            'Romeo > "\\x85\\x01VER=1.4&UIN={Romeo}&PS={password}&MG=\\"\\\\\\xe4\\x0d\\x0a"',
        ),
        (Line("UIN=10001&VER=1.4"), 'Romeo > "UIN={Romeo}&VER=1.4\\x0d\\x0a"'),
        (Line("VER=1.4&password=x&a"), "Romeo > VER=1.4&password={any}&a"),
        (Line("{&\x01;PS=x"), 'Romeo > "{{&\\x01;PS={any}\\x0d\\x0a"'),
        (Line.decode(b"{VER=1.4&UN=10002"), 'Romeo > "{{VER=1.4&UN={Juliet}\\x0d\\x0a"'),
        (Line("VER=1.4&MG=a\rb"), 'Romeo > "VER=1.4&MG=a\\x0db\\x0d\\x0a"'),
        (Line("VER=1.4&MG=a "), 'Romeo > "VER=1.4&MG=a \\x0d\\x0a"'),
        (Line("VER=1.4&MG=a\u2028b"), "Romeo > VER=1.4&MG=a\u2028b"),
        (Line("VER=1.4&MG=\udce4"), 'Romeo > "VER=1.4&MG=\\xe4\\x0d\\x0a"'),
    ],
)
def test_a_line_is_written_down(line: Line, recorded: str) -> None:
    """People are named, secrets replaced, what a statement cannot hold is quoted."""
    assert RECORDER.statement("Romeo", ">", line) == recorded


def test_somebody_may_be_named_later() -> None:
    """From then on the number is the name."""
    recorder = Recorder({})
    line = Line("VER=1.4&UIN=10001")
    assert recorder.statement("Romeo", ">", line) == "Romeo > VER=1.4&UIN=10001"
    recorder.call(10001, "Romeo")
    assert recorder.statement("Romeo", ">", line) == "Romeo > VER=1.4&UIN={Romeo}"


def test_what_is_another_each_time_is_not_written_down() -> None:
    """Numbers of pushes, which a client may confirm, those that are used once, and pictures."""
    recorder = Recorder({})

    def written(direction: str, command: str, more: str) -> str:
        line = Line(f"VER=1.1&CMD={command}&{more}")
        return recorder.statement("Romeo", direction, line).partition(f"&CMD={command}&")[2]

    assert written("<", "update_stat", "SEQ=4&ST=10") == "SEQ={any}&ST=10"
    assert written("<", "VERIFYCODE", "SEQ=200&SC=1&NT=&VC=8950") == "SEQ=200&SC=1&NT=&VC={any}"
    assert written("<", "Server_Msg", "SEQ=1000000001&MG=a") == "SEQ={push1}&MG=a"
    assert written("<", "Server_Msg", "SEQ=1000000002&MG=b") == "SEQ={push2}&MG=b"
    assert written("<", "server_msg", "SEQ=1000000001&MG=a") == "SEQ={push1}&MG=a"
    assert written(">", "GetMsgEx", "SEQ=1000000002") == "SEQ={push2}"
    assert written("<", "GETMSGEX", "SEQ=1000000002&MN=0") == "SEQ={push2}&MN=0"
    assert written(">", "GetMsgEx", "SEQ=1000000003") == "SEQ=1000000003"
    assert written(">", "CLTMSG", "SEQ=1000000002") == "SEQ={once1}"
    assert written(">", "CLTMSG", "SEQ=1000000007") == "SEQ={once2}"
    assert written("<", "CLTMSG", "SEQ=1000000007&RES=0") == "SEQ={once2}&RES=0"
    assert written("<", "CLTMSG", "SEQ=1000000008&RES=0") == "SEQ=1000000008&RES=0"
    assert written(">", "CLTMSG", "SEQ=207") == "SEQ=207"
    for number in range(1000):
        written("<", "Server_Msg", f"SEQ={2000000000 + number}")
    assert written(">", "GetMsgEx", "SEQ=1000000001") == "SEQ=1000000001"
    assert written(">", "GetMsgEx", "SEQ=2000000999") == "SEQ={push1002}"


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x9b", "\0", "\u202e", "\ufeff"])
def test_what_is_written_down_steers_no_terminal(sign: str) -> None:
    """Signs that nobody sees, or that do something where they are shown, are bytes in quotes."""
    line = Line(f"VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG={sign}hi")
    recorded = RECORDER.statement("Romeo", ">", line)
    assert recorded.isprintable()
    _comes_back(line)


def test_a_password_without_its_key_is_not_written_down() -> None:
    """Whatever a client made of the key, and if it stands behind another value."""
    secret = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
    for broken in (secret, f"={secret}", f"PS:{secret}", f"UIN=10001PS={secret}", f"P%53={secret}"):
        assert secret not in RECORDER.statement("Romeo", ">", Line(f"VER=1.1&{broken}&M5=1"))


def _comes_back(line: Line) -> None:
    for direction in "><":
        recorded = RECORDER.statement("Romeo", direction, line)
        recorded.encode()
        (found,) = parse_play(recorded).statements
        assert (found.verb, found.actor) == (direction, "Romeo")
        assert found.line.differences(line, dict(BOUND)) == []


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_every_vector_can_be_written_down(vector: Vector) -> None:
    """What was recorded is a statement that matches the same line, and shows no secret."""
    _comes_back(vector.line)
    recorded = RECORDER.statement("Romeo", ">", vector.line)
    assert not any(secret in recorded for secret in vector.secrets)


@given(LINES)
def test_any_line_can_be_written_down(raw: bytes) -> None:
    """What was recorded is a statement that matches the same line, whatever it holds."""
    _comes_back(Line.decode(raw))


@given(LINES)
def test_what_was_written_down_is_sent_again(raw: bytes) -> None:
    """A recorded line without secrets goes out as it was."""
    line = Line.decode(raw)
    recorder = Recorder({10001: "Romeo", 10002: "Juliet"})  # which knows of no push
    recorded = template(recorder.statement("Romeo", ">", line).removeprefix("Romeo > "))
    if not re.search(r"(?i)(PS|SG)[\s\x00-\x20\x80-\uffff]*=", line.text):
        bound = {**BOUND, "once1": line.values().get("SEQ", "")}
        assert Line.decode(recorded.fill({}, bound)).encode() == Line.decode(line.encode()).encode()


def test_places_that_are_known() -> None:
    """They are filled, others stay; braces that are doubled are one."""
    assert known_places("{Romeo} {word} {{any}}", BOUND) == "10001 {word} {any}"


def test_what_stands_in_places() -> None:
    """What stands where a place is unknown is told; another text has nothing there."""
    assert match_places("{Romeo},{who},{any}", "10001,2,3", BOUND) == {"who": "2"}
    assert match_places("{Romeo}", "10002", BOUND) is None
