"""The catalogue in other forms."""

import itertools
import json
import re
from typing import Any

import pytest

from kqq.protocol import GetInfoReply, Login, LoginReply, Logout, ServerConfig
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.export import anchor, as_objects, commands_markdown, evidence_markdown, specs
from kqq.protocol.schema import Spec
from vectors import VECTORS

OBJECTS = as_objects()
COMMANDS = commands_markdown()
EVIDENCE = evidence_markdown()
each_spec = pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.cls.__name__)


def test_every_declaration_is_exported_once() -> None:
    """Requests, replies, pushes and documents are all there, none of them twice."""
    names = [spec.cls.__name__ for spec in specs()]
    declared = [*REQUESTS.values(), *DOCUMENTS.values()]
    declared += [form for forms in RESPONSES.values() for form in forms]
    assert sorted(names) == sorted(spec.cls.__name__ for spec in declared)


def test_replies_follow_their_requests() -> None:
    """Each request is followed by those answers that are not there yet."""
    names = [spec.cls.__name__ for spec in specs()]
    assert names[:6] == [
        "Login",
        "LoginReply",
        "LoginRedirect",
        "CaptchaChallenge",
        "CaptchaAnswer",
        "Logout",
    ]
    assert names[-3:] == ["ServerMsg", "UpdateStat", "ServerConfig"]


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and _is_plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, bool)


def test_objects_are_plain() -> None:
    """Only dictionaries, lists, strings, numbers, booleans and null: JSON loses nothing."""
    assert _is_plain(OBJECTS)
    assert json.loads(json.dumps(OBJECTS)) == OBJECTS
    assert (OBJECTS["sources"], OBJECTS["confidence"]) == (SOURCES, CONFIDENCE)
    assert len(OBJECTS["commands"]) == len(specs())


def test_an_object_says_all_of_a_declaration() -> None:
    """A command with its answers and fields, the head first."""
    login = dict(OBJECTS["commands"][0])
    fields = {one["key"]: one for one in login.pop("fields")}
    assert login == {
        "command": "Login",
        "role": "request",
        "class": "Login",
        "doc": "Sign in. 1.4 sends LG, GD and CKE, 1.3 only CKE, 1.0 and 1.1 none of them.",
        "versions": "1.0-1.4",
        "confidence": "A",
        "evidence": ["TIEBA", "SOUND", "SEED", "HACK", "WEI", "GAE"],
        "before_sign_in": True,
        "once": False,
        "when": None,
        "answers": ["LoginReply", "LoginRedirect", "CaptchaChallenge"],
    }
    assert " ".join(fields) == "VER CON CMD SEQ UIN SID XP PS M5 LG ST LC GD CKE"
    assert fields["M5"] == {
        "key": "M5",
        "name": "is_md5",
        "kind": "UINT",
        "meaning": "what PS is",
        "values": {"1": "an MD5"},
        "confidence": "A",
        "evidence": ["WEI"],
        "required": False,
        "rest": False,
        "secret": False,
    }
    assert (fields["PS"]["secret"], fields["PS"]["required"]) == (True, True)


def test_vectors_can_be_read_with_the_objects_alone() -> None:
    """Each field of a vector is one of its command's in the exported catalogue."""
    known: dict[tuple[str, str], set[str]] = {}
    for one in OBJECTS["commands"]:
        keys = known.setdefault((one["role"], one["command"].lower()), set())
        keys |= {field["key"] for field in one["fields"]}
    for vector in VECTORS:
        if vector.problems is None and vector.fields.get("RES", 0) == 0:
            assert vector.fields.keys() <= known[vector.role, vector.command.lower()]


@each_spec
def test_the_reference_has_every_command(spec: Spec) -> None:
    """Each has its place, its heading and a row for each field, in wire order."""
    _, _, section = COMMANDS.partition(f'<a id="{anchor(spec)}"></a>\n')
    section, _, _ = section.partition("<a id=")
    assert section.startswith(f"\n## {spec.command} ({spec.role}, `{spec.cls.__name__}`)\n")
    rows = re.findall(r"^\| \[?`(\w+)`\]? \|", section, re.MULTILINE)
    assert rows == [declared.key for declared in spec.fields]
    assert ("No fields of its own." in section) == (not spec.fields)
    assert ("Head: " in section) == (spec.role != "document")


def test_links_of_the_reference_lead_somewhere() -> None:
    """Each link inside the page has its place, and places are single."""
    places = re.findall(r'<a id="(\w+)">', COMMANDS)
    assert len(set(places)) == len(places)
    assert set(re.findall(r"\(#(\w+)\)", COMMANDS)) <= set(places)


@pytest.mark.parametrize(
    "row",
    [
        (
            "| `PS` | `password_md5` | HEX_TEXT(32) | MD5 of the password, either case "
            "(never shown) | A: TIEBA SOUND HACK |"
        ),
        "| [`M5`] | `is_md5` | UINT | what PS is: `1` an MD5 (default `1`) | A: WEI |",
        "| `MG` | `text` | TEXT | the words (takes the rest of the line) | A: SEED WEI ZN GO |",
        "what to send; \\|\\|QQNO\\|\\| is a number",
        "Head: `VER` [`CON`] `CMD` `SEQ` `UIN` [`SID`] [`XP`]\n",
        (
            "versions 1.0-1.4; confidence A; TIEBA SOUND SEED HACK WEI GAE; allowed before "
            "sign-in; answered by [`LoginReply`](#loginreply) or [`LoginRedirect`](#loginredirect) "
            "or [`CaptchaChallenge`](#captchachallenge).\n"
        ),
        "\nSign in.\n1.4 sends LG, GD and CKE, 1.3 only CKE, 1.0 and 1.1 none of them.\n",
    ],
)
def test_the_reference_says(row: str) -> None:
    """How fields, heads, answers and texts look on the page."""
    assert row in COMMANDS


@pytest.mark.parametrize("page", [COMMANDS, EVIDENCE])
def test_a_page_is_tidy_markdown(page: str) -> None:
    """A heading first, one line end last, no blanks at ends, tables of even rows."""
    lines = page.split("\n")
    assert lines[0].startswith("# ")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert not any(line != line.rstrip() for line in lines)
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", line))


def test_the_evidence_has_every_key() -> None:
    """Each source and each letter of confidence has a row."""
    for key, words in (SOURCES | CONFIDENCE).items():
        assert f"| {key} | {words} |\n" in EVIDENCE


@pytest.mark.parametrize(
    "line",
    [
        (
            "- `FINGER` (reply): the whole command (ours), `FC` (ours), `FN` (ours), `SN` (ours), "
            "`UN` (ours), `NK` (ours)"
        ),
        "- `Server_Msg` (push): `MN` (inferred), `MT` (inferred)",
        "- `CHANGE_STAT2` (reply): the whole command (ours)",
        "- `LIST` (reply): `SN` (inferred)",
    ],
)
def test_the_evidence_says_what_nobody_has_seen(line: str) -> None:
    """All that was inferred or made up is listed, and nothing else."""
    listed = EVIDENCE.split("## What nobody has ever seen")[1].split("\n")
    assert line in listed
    assert len([one for one in listed if one.startswith("- ")]) == 7


def test_places_are_class_names() -> None:
    """The place of a declaration is its class's name in lower case."""
    classes = (Login, LoginReply, Logout, GetInfoReply, ServerConfig)
    assert [anchor(one.spec) for one in classes] == [
        "login",
        "loginreply",
        "logout",
        "getinforeply",
        "serverconfig",
    ]
