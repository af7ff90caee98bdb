"""The catalogue is whole, says where all of it comes from, and keeps the wire order."""

import typing

import pytest

from kqq.protocol import catalogue
from kqq.protocol.catalogue import (
    LAST_PAGE,
    STATUS,
    SYSTEM_ACCOUNT,
    Status,
)
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.schema import HEADS, VERSIONS, Field, Message, Spec
from strategies import SPECS
from vectors import READABLE, VECTORS

each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.cls.__name__)

REQUEST_ORDER = {
    "Login": "PS M5 LG ST LC GD CKE",
    "VERIFYCODE": "SC VC",
    "Logout": "",
    "List": "TN UN",
    "Query_Stat": "TN UN",
    "SimpleInfo2": "UN TO",
    "Query_Stat2": "CM UN",
    "Change_Stat": "ST",
    "Change_Stat2": "ST",
    "CLTMSG": "UN MG",
    "GetMsgEx": "",
    "GetInfo": "LV UN",
    "Finger": "AG SX PV",
    "AddToList": "UN",
    "Ack_AddToList": "UN CD RS",
    "DelFromList": "UN",
    "GROUP_CMD": "LV UN",
}
"""Sections 4.1 to 4.13 and 5: fields after the prefix, in wire order."""

REPLY_ORDER = {
    "LoginReply": ("Login", "RS HI LI COMP SG SSG RA"),
    "LoginRedirect": ("Login", "SI SP"),
    "CaptchaChallenge": ("VERIFYCODE", "SC NT VC"),
    "LogoutReply": ("LOGOUT", ""),
    "ListReply": ("LIST", "FN SN UN"),
    "QueryStatReply": ("QUERY_STAT", "FC FN SN ST UN NK"),
    "SimpleInfo2Reply": ("SIMPLEINFO2", "NP SN UN FC NK"),
    "QueryStat2Reply": ("QUERY_STAT2", "FN SN ST UN"),
    "ChangeStatReply": ("CHANGE_STAT", ""),
    "ChangeStat2Reply": ("CHANGE_STAT2", ""),
    "CltMsgReply": ("CLTMSG", ""),
    "GetMsgExReply": ("GETMSGEX", "MN MT UN MG"),
    "GetInfoReply": (
        "GETINFO",
        "AD AG BT CO CT CV CY EM FC HP ID JB LV MO MT MV PC PH PR PV RN SC SH SX UN NK",
    ),
    "FingerReply": ("FINGER", "FC FN SN UN NK"),
    "AddToListReply": ("ADDTOLIST", "CD"),
    "AckAddToListReply": ("ACK_ADDTOLIST", ""),
    "DelFromListReply": ("DELFROMLIST", ""),
    "GroupReply": ("GROUP_CMD", ""),
    "ServerMsg": ("Server_Msg", "MN MT UN MG"),
    "UpdateStat": ("update_stat", "ST UN"),
}
"""Sections 4 to 6: the echo clients compare, and the fields after `RES`, in wire order."""

DOCUMENT_ORDER = (
    "SERERCONFIG_NUM SERVERCONFIG_TYPE SERVERCONFIG_URL UPDATAECONFIG_NUM UPDATECONFIG_VERSION "
    "UPDATECONFIG_MUST UPDATECONFIG_URL UPDATECONFIG_HELPTXT SMSSERVICE_NUM SMSSERVICE_NAME "
    "SMSSERVICE_ADDRESS SMSSERVICE_TEXT SMSSERVICE_HELPTXT"
)
"""Section 9.1, misspelt keys and all."""


def _keys(fields: tuple[Field, ...]) -> str:
    return " ".join(declared.key for declared in fields)


def test_every_request_is_there_in_wire_order() -> None:
    """Each command a client may send is declared, with its fields in the order of the record."""
    found = {spec.command: _keys(spec.fields) for spec in REQUESTS.values()}
    assert found == REQUEST_ORDER


def test_every_reply_and_push_is_there_in_wire_order() -> None:
    """Each line a server may send is declared, with its echo and its fields in order."""
    forms = [spec for specs in RESPONSES.values() for spec in specs]
    found = {spec.cls.__name__: (spec.command, _keys(spec.fields)) for spec in forms}
    assert found == REPLY_ORDER


def test_the_server_config_is_there_in_wire_order() -> None:
    """The document is declared with every key, spelled as it came."""
    assert [_keys(spec.fields) for spec in DOCUMENTS.values()] == [DOCUMENT_ORDER]


def test_level_two_profiles_have_the_order_old_clients_count_on() -> None:
    """Without the fields of level 3, a profile has the sixteen fields CS11 counts."""
    level_three = {"BT", "CO", "CT", "CV", "CY", "ID", "MO", "MT", "MV", "SH"}
    _, keys = REPLY_ORDER["GetInfoReply"]
    level_two = [key for key in keys.split() if key not in level_three]
    assert " ".join(level_two) == "AD AG EM FC HP JB LV PC PH PR PV RN SC SX UN NK"


@each_spec
def test_every_declaration_says_what_it_is_and_how_we_know(spec: Spec) -> None:
    """Each has words, a known confidence, known evidence, and versions that were seen."""
    assert spec.doc
    assert spec.confidence in CONFIDENCE
    assert spec.evidence.split()
    assert set(spec.evidence.split()) <= SOURCES.keys()
    assert set(spec.versions.split("-")) <= set(VERSIONS)


@each_spec
def test_every_field_says_what_it_is_and_how_we_know(spec: Spec) -> None:
    """Each has words, a known confidence and known evidence, codes have words, keys are single."""
    fields = (*spec.head, *spec.fields)
    for declared in fields:
        assert declared.meaning, declared.key
        assert declared.confidence in CONFIDENCE, declared.key
        assert declared.evidence.split(), declared.key
        assert set(declared.evidence.split()) <= SOURCES.keys(), declared.key
        assert all(declared.values.values()), declared.key
    assert len({declared.key for declared in fields}) == len(fields)


@pytest.mark.parametrize("spec", REQUESTS.values(), ids=lambda spec: spec.command)
def test_every_request_can_be_answered(spec: Spec) -> None:
    """Each request has at least one answer that is declared, one of them under its own command."""
    assert spec.answers
    for answer in spec.answers:
        assert answer.spec in RESPONSES[answer.spec.command.lower()]
    if spec.command != "VERIFYCODE":
        assert spec.command.lower() in {answer.spec.command.lower() for answer in spec.answers}


def test_what_is_made_up_says_so() -> None:
    """What nobody has ever seen is marked OURS."""
    ours = {spec.cls.__name__ for spec in SPECS if "OURS" in spec.evidence.split()}
    assert ours == {"FingerReply", "ChangeStat2Reply", "GroupReply"}


def test_some_commands_are_allowed_before_sign_in() -> None:
    """Only signing in, captcha letters and signing out need no session."""
    before = {spec.command for spec in REQUESTS.values() if spec.before_sign_in}
    assert before == {"Login", "VERIFYCODE", "Logout"}


def test_some_commands_must_not_be_done_twice() -> None:
    """What changes something for somebody else is done once."""
    once = {spec.command for spec in REQUESTS.values() if spec.once}
    assert once == {"CLTMSG", "AddToList", "Ack_AddToList", "DelFromList"}


def test_secret_and_rest_are_where_they_belong() -> None:
    """Passwords and sign-on codes are secret; words at the end take the rest of the line."""
    secret = {(spec.cls.__name__, one.key) for spec in SPECS for one in spec.fields if one.secret}
    rest = {(spec.cls.__name__, one.key) for spec in SPECS for one in spec.fields if one.rest}
    assert secret == {("Login", "PS"), ("LoginReply", "SG"), ("LoginReply", "SSG")}
    assert rest == {("CltMsg", "MG"), ("ServerMsg", "MG"), ("AckAddToList", "RS")}


@each_spec
def test_types_allow_none_just_where_a_field_may_be_absent(spec: Spec) -> None:
    """An attribute may be None if and only if its default is None."""
    hints = typing.get_type_hints(spec.cls)
    for declared in spec.fields:
        allows_none = type(None) in typing.get_args(hints[declared.attribute])
        assert allows_none == (not declared.required and declared.default is None), declared.key


@each_spec
def test_every_declaration_has_a_vector(spec: Spec) -> None:
    """Each command occurs in at least one vector, in each direction and form."""
    role, command = spec.role, spec.command
    found = [one for one in READABLE if (one.role, one.command) == (role, command)]
    if spec.when is not None:
        found = [one for one in found if spec.when in one.fields]
    assert found


def test_vectors_are_as_their_readme_says() -> None:
    """Names are single, the published lines and the examples are all there, sources are known."""
    names = [vector.name for vector in VECTORS]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("corpus ") for name in names) == 69
    assert sum(name.startswith("example ") for name in names) == 41
    assert {vector.source for vector in VECTORS} <= SOURCES.keys() | {"SECTION15", "OTHER"}
    assert {vector.transport for vector in VECTORS} == {"tcp", "http"}


def test_codes_have_words() -> None:
    """Every status has words, and the two special numbers are those on the wire."""
    assert {int(code) for code in STATUS} == set(Status)
    assert (LAST_PAGE, SYSTEM_ACCOUNT) == (65535, 10000)


def test_everything_declared_is_exported() -> None:
    """The module's public names are its messages and tables, all of them there."""
    assert {spec.cls.__name__ for spec in SPECS} <= set(catalogue.__all__)
    assert all(hasattr(catalogue, name) for name in catalogue.__all__)
    assert list(catalogue.__all__) == sorted(
        catalogue.__all__, key=lambda name: (not name.isupper(), name)
    )
    messages = {
        name
        for name, one in vars(catalogue).items()
        if isinstance(one, type) and issubclass(one, Message) and "spec" in vars(one)
    }
    assert messages == {spec.cls.__name__ for spec in SPECS}


def test_heads_are_described_like_fields() -> None:
    """Fields of heads have known evidence, too."""
    for fields in HEADS.values():
        for declared in fields:
            assert set(declared.evidence.split()) <= SOURCES.keys()
