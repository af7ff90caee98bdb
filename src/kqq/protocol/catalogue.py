"""Everything that can be said, once: every command, field and code, in wire order, with evidence.

The classes are what the library's users import; codec, `kqq explain`, the reference and the tests
are made from them. The catalogue says what is known of the protocol, not how our server behaves.
`OURS` marks what nobody has ever seen and we made up, `INF` what was inferred; nothing invented is
silent. Section numbers are those of the protocol description the evidence was gathered in.
"""

from enum import IntEnum

from kqq.protocol.declare import command
from kqq.protocol.fields import HEX, PROSE, TEXT, UINT, hex_text, list_of
from kqq.protocol.schema import (
    V1_4_SIGN_IN,
    Document,
    Head,
    Push,
    Reply,
    Request,
    field,
)


class Status(IntEnum):
    """What `ST` says of a person (protocol section 3.1).

    A hidden person is shown to others as offline. BUSY, CALL_ME and DO_NOT_DISTURB come from one
    source (YIWO).
    """

    ONLINE = 10
    OFFLINE = 20
    AWAY = 30
    HIDDEN = 40
    BUSY = 50
    CALL_ME = 60
    DO_NOT_DISTURB = 70


STATUS: dict[int | str, str] = {
    10: "online",
    20: "offline",
    30: "away (called busy in 2005)",
    40: "hidden",
    50: "busy",
    60: "call me",
    70: "do not disturb",
}
MESSAGE_TYPES: dict[int | str, str] = {
    2: "friend request, MG is its text",
    3: "friend request accepted",
    4: "friend request refused, MG is the reason",
    9: "message from a person",
    99: "status of a friend, MG is the status",
}
CAPTCHA_STEP: dict[int | str, str] = {1: "challenge", 2: "answer"}
FACE = "face; picture number FACE / 3 + 1"
SYSTEM_ACCOUNT = 10000
"""Sender of system messages; clients never answer it (ZN SETM)."""
LAST_PAGE = 65535
"""`NP` of the last page of SIMPLEINFO2 (SEED ZN VB)."""
MD5_HEX = hex_text(32)
CODE_HEX = hex_text(16)


# --- sign-in and captcha -------------------------------------------------------------------------


@command("Login", versions="1.3", confidence="C", evidence="GAE", when="SI")
class LoginRedirect(Reply):
    """Sign in again there: what the 1.3 front door may have answered; only `SI`, `SP` are known."""

    server: str = field("SI", TEXT, "address of the server to use", "C", "GAE")
    port: int = field("SP", UINT, "its port", "C", "GAE")


@command("Login", versions="1.0-1.4", confidence="A", evidence="TIEBA SEED JAVA HACK")
class LoginReply(Reply):
    """Signed in (`RS=0`), or refused (`RS=1`, and `RA` says why)."""

    result: int = field(
        "RS", UINT, "outcome", "A", "HACK JAVA TIEBA", values={0: "signed in", 1: "refused"}
    )
    heartbeat: int | None = field(
        "HI", UINT, "presumably seconds between signs of life", "D", "JAVA TIEBA", default=None
    )
    lifetime: int | None = field(
        "LI", UINT, "presumably seconds of silence allowed", "D", "JAVA TIEBA DEL", default=None
    )
    comp: str | None = field(
        "COMP", TEXT, "unknown; seen in 1.1 only", "B", "JAVA SEED", default=None
    )
    sg: str | None = field(
        "SG", TEXT, "unknown, 64 hex digits; 1.4 only", "A", "TIEBA SEED", default=None, secret=True
    )
    ssg: str | None = field(
        "SSG", TEXT, "unknown, a number; 1.4 only", "A", "TIEBA SEED", default=None, secret=True
    )
    reason: str | None = field(
        "RA", TEXT, "why the sign-in was refused", "A", "HACK SEED FWGQ SETM PHPQ", default=None
    )


@command("VERIFYCODE", versions="1.4", confidence="A", evidence="TIEBA SETM ZN")
class CaptchaChallenge(Reply):
    """Read this picture first: comes in place of the answer to a sign-in or to a wrong answer."""

    step: int = field("SC", UINT, "step", "A", "TIEBA ZN", default=1, values=CAPTCHA_STEP)
    notice: str = field("NT", TEXT, "unknown, empty; perhaps a notice", "?", "TIEBA", default="")
    image: bytes = field("VC", HEX, "the picture, PNG as lower-case hex", "A", "TIEBA ZN SETM")


@command(
    "Login",
    versions="1.0-1.4",
    confidence="A",
    evidence="TIEBA SOUND SEED HACK WEI GAE",
    before_sign_in=True,
)
class Login(Request[LoginReply | LoginRedirect | CaptchaChallenge]):
    """Sign in. 1.4 sends LG, GD and CKE, 1.3 only CKE, 1.0 and 1.1 none of them."""

    head: Head = V1_4_SIGN_IN
    password_md5: str = field(
        "PS", MD5_HEX, "MD5 of the password, either case", "A", "TIEBA SOUND HACK", secret=True
    )
    is_md5: int = field("M5", UINT, "what PS is", "A", "WEI", default=1, values={1: "an MD5"})
    login_status: int | None = field(
        "LG",
        UINT,
        "presumably how to sign in",
        "D",
        "TIEBA SOUND YIWO",
        default=None,
        values={0: "as usual", 40: "hidden"},
    )
    status: int | None = field(
        "ST", UINT, "status wanted", "C", "SETM", default=None, values=STATUS
    )
    licence: str = field(
        "LC",
        CODE_HEX,
        "code of the client's build",
        "A",
        "HACK TIEBA SOUND FWGQ GAE",
        values={
            "9326B87B234E7235": "1.0 and 1.1",
            "B58D4DF7758A47E7": "1.3",
            "812822641C978097": "1.4",
            "2EC70D1101DB674F": "1.4",
        },
    )
    device: str | None = field(
        "GD", TEXT, "installation, 16 signs A-Z0-9; never checked", "D", "TIEBA SOUND", default=None
    )
    cookie: str | None = field(
        "CKE", TEXT, "unknown; empty in 1.4, 0 in 1.3", "?", "TIEBA GAE", default=None
    )


@command(
    "VERIFYCODE",
    versions="1.4",
    confidence="A",
    evidence="SOUND ZN QB YIWO SETM",
    before_sign_in=True,
)
class CaptchaAnswer(Request[LoginReply | CaptchaChallenge]):
    """The letters in the picture; the right ones finish the sign-in, wrong ones bring a new one."""

    head: Head = Head("1.4", "1", "null", "null")
    step: int = field("SC", UINT, "step", "A", "SOUND ZN", default=2, values=CAPTCHA_STEP)
    letters: str = field("VC", TEXT, "the letters read", "A", "SOUND ZN SETM")


@command("LOGOUT", versions="1.0-1.4", confidence="A", evidence="CS11 PHPQ")
class LogoutReply(Reply):
    """Signed out."""


@command(
    "Logout", versions="1.0-1.4", confidence="A", evidence="SOUND WEI HACK", before_sign_in=True
)
class Logout(Request[LogoutReply]):
    """Sign out; works without being signed in, too (HACK)."""


# --- friends and who is online -------------------------------------------------------------------


@command("LIST", versions="1.0-1.4", confidence="C", evidence="HACK CS11 DEL SETM")
class ListReply(Reply):
    """How many friends, and the first 120 numbers in order; without `TN` only how many."""

    count: int = field("FN", UINT, "number of friends", "C", "HACK")
    entries: int | None = field("SN", UINT, "entries in this reply", "D", "INF", default=None)
    numbers: tuple[int, ...] | None = field(
        "UN", list_of(UINT), "friends' numbers", "A", "CS11 DEL SETM", default=None
    )


@command("List", versions="1.0-1.4", confidence="A", evidence="WEI HACK CS11 DEL SETM")
class List(Request[ListReply]):
    """Ask for the friends' numbers."""

    wanted: int | None = field("TN", UINT, "entries wanted", "A", "WEI HACK CS11", default=None)
    start: int | None = field("UN", UINT, "no effect seen", "A", "WEI HACK CS11", default=None)


@command("QUERY_STAT", versions="1.0-1.1", confidence="B", evidence="CS11 PHPQ")
class QueryStatReply(Reply):
    """The friends who are not offline: parallel lists."""

    faces: tuple[int, ...] = field("FC", list_of(UINT), FACE, "B", "CS11 PHPQ")
    last: int = field("FN", UINT, "last page", "B", "CS11", values={1: "yes", 0: "no"})
    entries: int = field("SN", UINT, "entries in this page", "B", "CS11 PHPQ")
    statuses: tuple[int, ...] = field(
        "ST", list_of(UINT), "statuses", "B", "CS11 PHPQ", values=STATUS
    )
    numbers: tuple[int, ...] = field("UN", list_of(UINT), "their numbers", "B", "CS11 PHPQ")
    nicks: tuple[str, ...] = field("NK", list_of(TEXT), "nicknames", "B", "CS11 PHPQ")


@command("Query_Stat", versions="1.0-1.1", confidence="A", evidence="WEI CS11 YIWO")
class QueryStat(Request[QueryStatReply]):
    """Ask who is online."""

    wanted: int = field("TN", UINT, "entries wanted", "A", "WEI CS11 YIWO", default=50)
    start: int = field("UN", UINT, "start", "A", "WEI CS11 YIWO", default=0)


@command("SIMPLEINFO2", versions="1.4", confidence="A", evidence="SEED ZN")
class SimpleInfo2Reply(Reply):
    """One page of the friend list with names; all five fields are there even when empty."""

    next_page: int = field(
        "NP",
        UINT,
        "where the next page starts",
        "A",
        "SEED ZN VB",
        values={65535: "this was the last page"},
    )
    entries: int = field("SN", UINT, "entries in this page", "A", "SEED ZN")
    numbers: tuple[int, ...] = field("UN", list_of(UINT), "their numbers", "A", "SEED ZN")
    faces: tuple[int, ...] = field("FC", list_of(UINT), FACE, "A", "SEED ZN")
    nicks: tuple[str, ...] = field("NK", list_of(TEXT), "nicknames", "A", "SEED ZN")


@command("SimpleInfo2", versions="1.4", confidence="A", evidence="SOUND SEED ZN QB YIWO VB")
class SimpleInfo2(Request[SimpleInfo2Reply]):
    """Ask for a page of the friend list."""

    start: int = field("UN", UINT, "offset of the page; 0, then NP", "B", "SOUND ZN VB", default=0)
    to: int = field("TO", UINT, "unknown, always 0", "?", "SOUND SEED", default=0)


@command("QUERY_STAT2", versions="1.4", confidence="A", evidence="SEED ZN QB")
class QueryStat2Reply(Reply):
    """One page of the statuses of all friends."""

    last: int = field(
        "FN",
        UINT,
        "last page",
        "B",
        "ZN QB",
        values={1: "yes", 0: "no; ask again with the last number"},
    )
    entries: int = field("SN", UINT, "entries in this page", "A", "SEED ZN")
    statuses: tuple[int, ...] = field(
        "ST", list_of(UINT), "statuses", "A", "SEED ZN QB", values=STATUS
    )
    numbers: tuple[int, ...] = field("UN", list_of(UINT), "their numbers", "A", "SEED ZN QB")


@command("Query_Stat2", versions="1.4", confidence="A", evidence="SOUND SEED ZN QB")
class QueryStat2(Request[QueryStat2Reply]):
    """Ask for a page of the friends' statuses; old clients use it to stay connected (ZN)."""

    cm: int = field("CM", UINT, "unknown, always 2", "?", "SOUND SEED ZN", default=2)
    start: int = field(
        "UN", UINT, "0, then the last number of the page before", "B", "ZN QB", default=0
    )


@command("CHANGE_STAT", versions="1.0-1.4", confidence="A", evidence="SETM PHPQ")
class ChangeStatReply(Reply):
    """The status is changed."""


@command("Change_Stat", versions="1.0-1.4", confidence="A", evidence="SOUND WEI SETM YIWO")
class ChangeStat(Request[ChangeStatReply]):
    """Change one's own status."""

    status: int = field("ST", UINT, "status wanted", "A", "SOUND SEED", values=STATUS)


@command("CHANGE_STAT2", versions="1.4", confidence="?", evidence="OURS")
class ChangeStat2Reply(Reply):
    """The status is changed; the real answer is unknown."""


@command("Change_Stat2", versions="1.4", confidence="C", evidence="SETM")
class ChangeStat2(Request[ChangeStat2Reply]):
    """Change one's own status; one source only, its difference to Change_Stat is unknown."""

    status: int = field("ST", UINT, "status wanted", "C", "SETM", values=STATUS)


# --- messages ------------------------------------------------------------------------------------


@command("CLTMSG", versions="1.0-1.4", confidence="A", evidence="SEED CS11 SETM")
class CltMsgReply(Reply):
    """The message is accepted."""


@command(
    "CLTMSG",
    versions="1.0-1.4",
    confidence="A",
    evidence="SEED WEI CS11 DEL ZN QB YIWO SETM GO",
    once=True,
)
class CltMsg(Request[CltMsgReply]):
    """Send a message to a friend."""

    to: int = field("UN", UINT, "to whom", "A", "SEED WEI ZN")
    text: str = field("MG", TEXT, "the words", "A", "SEED WEI ZN GO", rest=True)


@command("GETMSGEX", versions="1.0-1.4", confidence="A", evidence="CS11 SETM PHPQ")
class GetMsgExReply(Reply):
    """What waited: parallel lists; with nothing waiting only `MN=0`."""

    count: int = field("MN", UINT, "number of messages", "A", "CS11 PHPQ SETM")
    types: tuple[int, ...] | None = field(
        "MT", list_of(UINT), "what each is", "A", "HACK PHPQ CS11", default=None,
        values=MESSAGE_TYPES,
    )  # fmt: skip
    numbers: tuple[int, ...] | None = field(
        "UN", list_of(UINT), "from whom each is", "A", "CS11 SETM PHPQ", default=None
    )
    texts: tuple[str, ...] | None = field(
        "MG", list_of(TEXT), "the words of each", "A", "CS11 SETM PHPQ", default=None
    )


@command("GetMsgEx", versions="1.0-1.4", confidence="A", evidence="WEI CS11 SETM PHPQ")
class GetMsgEx(Request[GetMsgExReply]):
    """Fetch what waits; how messages arrive over HTTP.

    OURS: on a connection whose `Login` has a `SEQ` of ten digits, one with the `SEQ` of a pushed
    message says that this message and all before it were read, and brings nothing.
    """


@command("Server_Msg", versions="1.4", confidence="C", evidence="ZN QB")
class ServerMsg(Push):
    """A message arrives. `RES`, `MN` and `MT` are inferred from GetMsgEx.

    OURS: `SEQ` has ten digits, and is the same whenever this message is pushed.
    """

    count: int = field("MN", UINT, "number of messages", "D", "INF", default=1)
    type: int = field("MT", UINT, "what it is", "D", "INF", default=9, values=MESSAGE_TYPES)
    sender: int = field("UN", UINT, "from whom; 10000 is the system", "C", "ZN QB")
    text: str = field("MG", TEXT, "the words", "C", "ZN QB", rest=True)


@command("update_stat", versions="1.4", confidence="C", evidence="ZN QB")
class UpdateStat(Push):
    """A friend's status changed."""

    status: int = field("ST", UINT, "the new status", "C", "ZN QB", values=STATUS)
    number: int = field("UN", UINT, "whose", "C", "ZN QB")


# --- profiles ------------------------------------------------------------------------------------

_SEX: dict[int | str, str] = {0: "male", 1: "female"}
_BLOOD: dict[int | str, str] = {0: "none", 1: "A", 2: "B", 3: "O", 4: "AB", 5: "other"}
_CONSTELLATION: dict[int | str, str] = {
    0: "none",
    1: "Aquarius",
    2: "Pisces",
    3: "Aries",
    4: "Taurus",
    5: "Gemini",
    6: "Cancer",
    7: "Leo",
    8: "Virgo",
    9: "Libra",
    10: "Scorpio",
    11: "Sagittarius",
    12: "Capricorn",
}
_ZODIAC: dict[int | str, str] = {
    0: "none",
    1: "rat",
    2: "ox",
    3: "tiger",
    4: "rabbit",
    5: "dragon",
    6: "snake",
    7: "horse",
    8: "goat",
    9: "monkey",
    10: "rooster",
    11: "dog",
    12: "pig",
}


@command("GETINFO", versions="1.0-1.4", confidence="B", evidence="CS11 PHPQ ZN")
class GetInfoReply(Reply):
    """A profile: all values are words, as people typed them.

    Level 2 has AD AG EM FC HP JB LV PC PH PR PV RN SC SX UN NK in this order (CS11); level 3 also
    the others, order inferred (PHPQ); of level 1 only `NK` is known (SETM).
    """

    address: str | None = field("AD", TEXT, "address", "B", "CS11 PHPQ", default=None)
    age: str | None = field("AG", TEXT, "age", "B", "CS11 PHPQ", default=None)
    blood: str | None = field("BT", TEXT, "blood type", "C", "PHPQ", default=None, values=_BLOOD)
    constellation: str | None = field(
        "CO", TEXT, "constellation", "C", "PHPQ", default=None, values=_CONSTELLATION
    )
    city: str | None = field("CT", TEXT, "city", "C", "PHPQ", default=None)
    cv: str | None = field("CV", TEXT, "unknown", "?", "PHPQ", default=None)
    country: str | None = field("CY", TEXT, "country", "C", "PHPQ", default=None)
    email: str | None = field("EM", TEXT, "e-mail", "B", "CS11 PHPQ", default=None)
    face: str | None = field("FC", TEXT, FACE, "B", "CS11 PHPQ", default=None)
    home_page: str | None = field("HP", TEXT, "home page", "B", "CS11 PHPQ", default=None)
    id: str | None = field("ID", TEXT, "unknown; perhaps identity card", "?", "PHPQ", default=None)
    job: str | None = field("JB", TEXT, "job", "B", "CS11 PHPQ", default=None)
    level: int | None = field("LV", UINT, "level of detail", "B", "CS11 PHPQ", default=None)
    mobile: str | None = field("MO", TEXT, "mobile phone", "C", "PHPQ", default=None)
    mt: str | None = field("MT", TEXT, "unknown", "?", "PHPQ", default=None)
    mv: str | None = field("MV", TEXT, "unknown", "?", "PHPQ", default=None)
    postcode: str | None = field("PC", TEXT, "postcode", "B", "CS11 PHPQ", default=None)
    phone: str | None = field("PH", TEXT, "phone", "B", "CS11 PHPQ", default=None)
    about: str | None = field("PR", TEXT, "self-description", "B", "CS11 PHPQ", default=None)
    province: str | None = field("PV", TEXT, "province", "B", "CS11 PHPQ", default=None)
    real_name: str | None = field("RN", TEXT, "real name", "B", "CS11 PHPQ", default=None)
    school: str | None = field("SC", TEXT, "school", "B", "CS11 PHPQ", default=None)
    zodiac: str | None = field(
        "SH", TEXT, "zodiac animal", "C", "PHPQ", default=None, values=_ZODIAC
    )
    sex: str | None = field("SX", TEXT, "sex", "B", "CS11 PHPQ", default=None, values=_SEX)
    number: int | None = field("UN", UINT, "whose profile", "B", "CS11 PHPQ", default=None)
    nick: str = field("NK", TEXT, "nickname", "A", "CS11 PHPQ SETM")


@command("GetInfo", versions="1.0-1.4", confidence="A", evidence="WEI CS11 PHPQ SETM ZN")
class GetInfo(Request[GetInfoReply]):
    """Ask for a profile."""

    level: int = field(
        "LV",
        UINT,
        "level of detail",
        "A",
        "WEI PHPQ SETM",
        default=2,
        values={1: "brief", 2: "usual", 3: "everything"},
    )
    number: int = field("UN", UINT, "whose profile", "A", "WEI CS11 PHPQ")


@command("FINGER", versions="1.0-1.4", confidence="?", evidence="OURS")
class FingerReply(Reply):
    """Who was found: parallel lists, like QUERY_STAT. Nobody has ever seen the real answer."""

    faces: tuple[int, ...] = field("FC", list_of(UINT), FACE, "?", "OURS")
    last: int = field("FN", UINT, "last page", "?", "OURS", values={1: "yes", 0: "no"})
    entries: int = field("SN", UINT, "entries in this page", "?", "OURS")
    numbers: tuple[int, ...] = field("UN", list_of(UINT), "their numbers", "?", "OURS")
    nicks: tuple[str, ...] = field("NK", list_of(TEXT), "nicknames", "?", "OURS")


@command("Finger", versions="1.0-1.4", confidence="B", evidence="WEI YIWO")
class Finger(Request[FingerReply]):
    """Search for people."""

    age: str | None = field("AG", TEXT, "age", "B", "WEI YIWO", default=None)
    sex: str | None = field("SX", TEXT, "sex", "B", "WEI YIWO", default=None, values=_SEX)
    province: str | None = field("PV", TEXT, "province code", "B", "WEI YIWO", default=None)


# --- making friends ------------------------------------------------------------------------------


@command("ADDTOLIST", versions="1.0-1.4", confidence="B", evidence="PHPQ CS11")
class AddToListReply(Reply):
    """What happens with the wish to add somebody."""

    outcome: int = field(
        "CD",
        UINT,
        "outcome",
        "B",
        "PHPQ CS11",
        values={
            0: "added",
            1: "send a request with Ack_AddToList",
            2: "refused (CS11)",
            3: "refused",
        },
    )


@command("AddToList", versions="1.0-1.4", confidence="A", evidence="SOUND WEI ZN YIWO", once=True)
class AddToList(Request[AddToListReply]):
    """Ask to add somebody."""

    number: int = field("UN", UINT, "whom to add", "A", "SOUND WEI")


@command("ACK_ADDTOLIST", versions="1.0-1.4", confidence="A", evidence="CS11 PHPQ")
class AckAddToListReply(Reply):
    """The answer or request is passed on."""


@command(
    "Ack_AddToList",
    versions="1.0-1.4",
    confidence="A",
    evidence="SOUND WEI HACK PHPQ CS11 YIWO",
    once=True,
)
class AckAddToList(Request[AckAddToListReply]):
    """Accept or reject a friend request, or send one's own."""

    number: int = field("UN", UINT, "the other person", "A", "SOUND WEI")
    answer: int = field(
        "CD",
        UINT,
        "what this is",
        "B",
        "HACK PHPQ CS11 SOUND",
        values={0: "accept", 1: "reject", 2: "a request of one's own"},
    )
    reason: str = field("RS", TEXT, "words to the other", "A", "SOUND HACK", rest=True, default="")


@command("DELFROMLIST", versions="1.0-1.4", confidence="A", evidence="WEI YIWO CS11")
class DelFromListReply(Reply):
    """Deleted."""


@command("DelFromList", versions="1.0-1.4", confidence="A", evidence="WEI YIWO CS11", once=True)
class DelFromList(Request[DelFromListReply]):
    """Delete somebody from the friend list."""

    number: int = field("UN", UINT, "whom to delete", "A", "WEI YIWO")


# --- groups --------------------------------------------------------------------------------------


@command("GROUP_CMD", versions="1.4", confidence="?", evidence="OURS")
class GroupReply(Reply):
    """Never seen; nothing shows that the real servers knew groups."""


@command("GROUP_CMD", versions="1.4", confidence="C", evidence="QB")
class GroupCommand(Request[GroupReply]):
    """GetInfo's fields under another command name; one client sends it, none reads an answer."""

    level: int = field("LV", UINT, "as in GetInfo", "C", "QB", default=2)
    number: int | None = field("UN", UINT, "presumably the group", "C", "QB", default=None)


# --- the server-config document ------------------------------------------------------------------

_WORDS = list_of(TEXT, trailing=False)


@command("server-config", versions="1.4", confidence="C", evidence="SEED SETM")
class ServerConfig(Document):
    """Where the servers are: fetched from `/newConf/kjava/aubin2.jsp` before signing in.

    Two keys are misspelt on the wire, and stay so. The help texts break the rule for commas, so
    they are one text here.
    """

    count: int = field("SERERCONFIG_NUM", UINT, "number of servers", "C", "SEED")
    types: tuple[str, ...] = field(
        "SERVERCONFIG_TYPE",
        _WORDS,
        "kind of each",
        "C",
        "SEED",
        values={"KQQTCP": "lines over TCP", "KQQHTTP": "lines over HTTP"},
    )
    addresses: tuple[str, ...] = field(
        "SERVERCONFIG_URL", _WORDS, "address of each, in the order to try", "C", "SEED"
    )
    update_count: int | None = field(
        "UPDATAECONFIG_NUM", UINT, "number of update entries", "C", "SEED", default=None
    )
    update_version: str | None = field(
        "UPDATECONFIG_VERSION", PROSE, "newest version of the client", "C", "SEED", default=None
    )
    update_must: str | None = field(
        "UPDATECONFIG_MUST",
        PROSE,
        "must be updated",
        "C",
        "SEED",
        default=None,
        values={"Y": "yes", "N": "no"},
    )
    update_url: str | None = field(
        "UPDATECONFIG_URL", PROSE, "where to get it", "C", "SEED", default=None
    )
    update_help: str | None = field(
        "UPDATECONFIG_HELPTXT", PROSE, "words for the user", "C", "SEED", default=None
    )
    sms_count: int | None = field(
        "SMSSERVICE_NUM", UINT, "number of SMS services", "C", "SEED", default=None
    )
    sms_names: tuple[str, ...] | None = field(
        "SMSSERVICE_NAME", _WORDS, "name of each in the menu", "C", "SEED", default=None
    )
    sms_addresses: tuple[str, ...] | None = field(
        "SMSSERVICE_ADDRESS", _WORDS, "number to send each to", "C", "SEED", default=None
    )
    sms_texts: tuple[str, ...] | None = field(
        "SMSSERVICE_TEXT", _WORDS, "what to send; ||QQNO|| is a number", "D", "SEED", default=None
    )
    sms_help: str | None = field(
        "SMSSERVICE_HELPTXT", PROSE, "words for the user", "C", "SEED", default=None
    )


__all__ = [
    "LAST_PAGE",
    "STATUS",
    "SYSTEM_ACCOUNT",
    "AckAddToList",
    "AckAddToListReply",
    "AddToList",
    "AddToListReply",
    "CaptchaAnswer",
    "CaptchaChallenge",
    "ChangeStat",
    "ChangeStat2",
    "ChangeStat2Reply",
    "ChangeStatReply",
    "CltMsg",
    "CltMsgReply",
    "DelFromList",
    "DelFromListReply",
    "Finger",
    "FingerReply",
    "GetInfo",
    "GetInfoReply",
    "GetMsgEx",
    "GetMsgExReply",
    "GroupCommand",
    "GroupReply",
    "List",
    "ListReply",
    "Login",
    "LoginRedirect",
    "LoginReply",
    "Logout",
    "LogoutReply",
    "QueryStat",
    "QueryStat2",
    "QueryStat2Reply",
    "QueryStatReply",
    "ServerConfig",
    "ServerMsg",
    "SimpleInfo2",
    "SimpleInfo2Reply",
    "Status",
    "UpdateStat",
]
