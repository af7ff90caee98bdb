"""The server-config document: the real one, what may become of it, and what is none."""

import gzip
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client import Address
from kqq.client.document import SmsService, Update, read_config
from kqq.conformance.published import vectors
from kqq.errors import DiscoveryError
from kqq.protocol import Line, Role, ServerConfig, decode, encode

REAL = next(line["line"] for line in vectors() if line["line"].startswith("SERERCONFIG_NUM=5&"))
"""The document of 2014 (SEED)."""
ADDRESSES = [
    Address("58.60.12.177", 14000),
    Address("211.136.236.88", 14000),
    Address("tqq.tencent.com", 8000, "http"),
    Address("mconn.tencent.com", 14000, "http"),
    Address("kconn.tencent.com", 21001, "http"),
]
COMMAS = "there are raw commas in SMSSERVICE_HELPTXT"


def short(
    urls: str = "socket://192.0.2.7:14000",
    types: str = "KQQTCP",
    count: str = "1",
    rest: str = "",
) -> bytes:
    """Return a small document."""
    text = f"SERERCONFIG_NUM={count}&SERVERCONFIG_TYPE={types}&SERVERCONFIG_URL={urls}{rest}"
    return text.encode()


def refusal(body: bytes, charset: str | None = None) -> str:
    """Return why a document cannot be used."""
    with pytest.raises(DiscoveryError) as caught:
        read_config(body, charset)
    return str(caught.value)


def test_the_real_document() -> None:
    """All of it is understood; its help texts have raw commas, and end in sentences."""
    found = read_config(REAL.encode())
    assert list(found.servers) == ADDRESSES
    assert found.update == Update(
        "2.4.2", False, "http://mq.3g.qq.com/g/s?aid=mqq", "请升级到2.4.3版QQ2005(Java 版)"
    )
    first, second = found.sms
    assert (first.name, first.number, first.text) == ("24小时在线", "10661700", "HQ")
    assert (second.name, second.number) == ("关注好友", "1066170056")
    assert second.text == "SQKJ,||QQNO||"
    assert first.help.startswith("不用手机上网,")
    assert first.help.endswith("让你QQ等级不停增长!\n当前操作需要通过短信操作完成,选择取定将"
                               "发送一条短信,请根据收到的短信提示完成操作!")  # fmt: skip
    assert second.help.startswith("关注此QQ好友,")
    assert found.sms_help == f"{first.help},{second.help}"
    assert found.oddities == (COMMAS,)


def test_the_number_of_a_person_is_filled_in() -> None:
    """Where one belongs into the text of a short message."""
    assert SmsService("", "", "SQKJ,||QQNO||", "").text_for(10002) == "SQKJ,10002"
    assert SmsService("", "", "HQ", "").text_for(10002) == "HQ"


def _as_on_a_page(text: str) -> str:
    return f"<html><head><title>x</title><body><pre>{text.replace('&', '&amp;')}</pre></html>"


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda text: f"{text}\r\n", ()),
        (lambda text: text.replace("&", "& "), ("fields are not parted by & alone",)),
        (lambda text: text.replace("&", "\r\n"), ("fields are not parted by & alone",)),
        (lambda text: text.replace("://", ": //"), ("there are blanks in addresses",)),
        (lambda text: text.replace(",", ",\n"), ("there are line breaks inside of fields",)),
        (
            lambda text: text.replace("&", "&amp;"),
            ("signs are written as in the source of a web page, such as &amp; for &",),
        ),
        (
            _as_on_a_page,
            (
                "it is inside a web page, whose tags are left out",
                "signs are written as in the source of a web page, such as &amp; for &",
            ),
        ),
        (
            lambda text: text.replace("SERERCONFIG_NUM", "SERVERCONFIG_NUM"),
            ("SERERCONFIG_NUM is written SERVERCONFIG_NUM",),
        ),
        (
            lambda text: text.replace("UPDATAE", "UPDATE").replace("HELPTXT", "HELPTEXT"),
            (
                "UPDATAECONFIG_NUM is written UPDATECONFIG_NUM",
                "UPDATECONFIG_HELPTXT is written UPDATECONFIG_HELPTEXT",
                "SMSSERVICE_HELPTXT is written SMSSERVICE_HELPTEXT",
            ),
        ),
        (
            lambda text: text.replace("_NUM=", "_num ="),
            ("keys are not in capital letters",),
        ),
        (lambda text: f"VER=1.1&{text}", ("'VER=1.1' stands before the first field",)),
        (
            lambda text: f"{text}&SERVERCONFIG_NUM=1&SERVERCONFIG_NAME=a",
            (
                "SERERCONFIG_NUM is written SERVERCONFIG_NUM",
                "SERERCONFIG_NUM stands there more than once; the first one counts",
                "SERVERCONFIG_NAME is no field we know",
            ),
        ),
        (
            lambda text: text.replace("&UPD", "&FUTURE=1&x=2&UPD", 1),
            ("FUTURE is no field we know",),
        ),
    ],
)
def test_what_becomes_of_a_document_on_its_way(
    change: Callable[[str], str], odd: tuple[str, ...]
) -> None:
    """It says the same, and what has become of it is told."""
    found, real = read_config(change(REAL).encode()), read_config(REAL.encode())
    assert (found.servers, found.update, found.sms) == (real.servers, real.update, real.sms)
    assert set(found.oddities) == {COMMAS, *odd}


@pytest.mark.parametrize(
    ("codec", "charset", "odd"),
    [
        ("utf-8", "UTF-8", None),
        ("utf-8", "iso-8859-1", "it is said to be 'iso-8859-1', but is UTF-8"),
        ("utf-8", "gbk", "it is said to be 'gbk', but is UTF-8"),
        ("utf-8", "no\0charset", r"it is said to be 'no\\x00charset', but is UTF-8"),
        ("utf-8-sig", None, "it begins with the byte order mark of UTF-8"),
        ("utf-16", None, "it begins with the byte order mark of UTF-16-LE"),
        ("utf-16-be", "utf-16", "it is UTF-16-BE, not UTF-8"),
        ("utf-16-le", "UTF-16LE", "it is UTF-16-LE, not UTF-8"),
        ("gbk", None, "it is GB18030, not UTF-8"),
        ("gbk", "GB2312", "it is GB18030, not UTF-8"),
        ("gbk", "utf-8", "it is said to be 'utf-8', but is GB18030"),
        ("gbk", "nonsense", "it is said to be 'nonsense', but is GB18030"),
        ("gb18030", "iso-8859-1", "it is said to be 'iso-8859-1', but is GB18030"),
    ],
)
def test_charsets(codec: str, charset: str | None, odd: str | None) -> None:
    """What is said of the charset counts for nothing where it does not fit."""
    found, real = read_config(REAL.encode(codec), charset), read_config(REAL.encode())
    assert (found.servers, found.update, found.sms) == (real.servers, real.update, real.sms)
    assert found.oddities == (() if odd is None else (odd,)) + (COMMAS,)


def test_a_charset_is_believed_that_fits() -> None:
    """Big5 could be GB18030 as well, by its bytes alone."""
    rest = "&UPDATECONFIG_HELPTXT=請更新到新版"
    found = read_config(short(rest=rest).decode().encode("big5"), "Big5")
    assert found.update is not None
    assert found.update.text == "請更新到新版"
    assert found.oddities[0] == "it is BIG5, not UTF-8"
    found = read_config(short(rest=rest), "Big5")
    assert found.oddities[0] == "it is said to be 'Big5', but is UTF-8"


def test_a_charset_that_nothing_fits() -> None:
    """Servers are found, and what is no text can be told from text."""
    found = read_config(short(rest="&UPDATECONFIG_HELPTXT=").strip() + b"\xff\xfe\xff", "gbk")
    assert found.servers == (Address("192.0.2.7", 14000),)
    assert found.update is not None
    assert found.update.text == "\udcff\udcfe\udcff"
    assert "3 of its bytes are no UTF-8" in found.oddities


def test_a_broken_byte_does_not_make_another_charset() -> None:
    """Where most of a text is UTF-8, all of it is."""
    found = read_config(REAL.encode().replace("请升级".encode(), b"\xe8", 1))
    assert found.oddities == ("1 of its bytes are no UTF-8", COMMAS)
    assert [service.name for service in found.sms] == ["24小时在线", "关注好友"]


@pytest.mark.parametrize("body", [b"", b" \r\n\t ", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_document(body: bytes) -> None:
    """Nothing at all, blanks, or a byte order mark."""
    assert refusal(body) == "the document is empty; is the address right?"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<html><title>Sign&nbsp;in\n to 网络</title>".encode(), "its title is 'Sign in to 网络'"),
        (b"\r\n<!DOCTYPE html><TITLE lang=en>x\x1b[2J</TITLE>", r"its title is 'x\\x1b[2J'"),
        (b"<?xml version='1.0'?><wml/>", "it has no title"),
        (b"<title></title>", "it has no title"),
    ],
)  # fmt: skip
def test_a_web_page(body: bytes, what: str) -> None:
    """What its title is helps to see whose page it is."""
    assert refusal(body).startswith(
        f"the document is a web page ({what}); is the address right, or"
    )


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture (PNG), no text"),
        (b"\xff\xd8\xff\xe0", "a picture (JPEG), no text"),
        (gzip.compress(short(), mtime=0), "compressed (gzip), no text"),
        (b"PK\x03\x04", "an archive (ZIP, as a JAR is), no text"),
        (b"\x7fELF\0\0", "binary data, no text"),
    ],
)
def test_no_text(body: bytes, what: str) -> None:
    """Pictures and others are told by how they begin."""
    assert refusal(body) == f"the document is {what}; is the address right?"


@pytest.mark.parametrize("body", [b"hello", b"VER=1.1&CMD=Login&RES=0", b'{"servers": []}'])
def test_another_text(body: bytes) -> None:
    """How it begins is shown, and what a document looks like."""
    why = refusal(body)
    assert why.startswith(f"this is no server-config document, since it begins {body.decode()!r}; ")
    assert why.endswith("one looks like SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&"
                        "SERVERCONFIG_URL=socket://192.0.2.7:14000")  # fmt: skip


def test_no_server() -> None:
    """A document without any, as our server gives if all its doors have TLS, or useless ones."""
    assert refusal(short("", "", "0")) == (
        "the document lists no server; ask whoever runs the server for its address"
    )
    assert refusal(b"UPDATECONFIG_URL=http://a").startswith("the document lists no server; ")
    assert refusal(short("ftp://a:1")) == (
        "the document lists no server that can be used ('ftp://a:1' is not an address we can use); "
        "ask whoever runs the server for its address"
    )


@pytest.mark.parametrize(
    ("urls", "types", "addresses", "odd"),
    [
        ("socket://a:1,http://b:2", "KQQTCP,KQQHTTP", ["tcp://a:1", "http://b:2"], []),
        ("SOCKET://a:1,Http://b/", "kqqtcp,kqqhttp", ["tcp://a:1", "http://b:80"], []),
        ("kqqs://a:1,https://b", "KQQTCP,KQQHTTP", ["kqqs://a:1", "https://b:443"], []),
        ("socket://[2001:db8::1]:1,tcp://b:2", "", ["tcp://[2001:db8::1]:1", "tcp://b:2"], []),
        (
            "192.0.2.7:14000,192.0.2.7:80",
            "KQQTCP,KQQHTTP",
            ["tcp://192.0.2.7:14000", "http://192.0.2.7:80"],
            [
                "'192.0.2.7:14000' does not say how to speak there, but its kind does: KQQTCP",
                "'192.0.2.7:80' does not say how to speak there, but its kind does: KQQHTTP",
            ],
        ),
        (
            "http://a:1,socket://b:2",
            "KQQTCP,NEW",
            ["http://a:1", "tcp://b:2"],
            ["'http://a:1' is said to be 'KQQTCP'", "'socket://b:2' is said to be 'NEW'"],
        ),
        (
            "socket://a:1,socket://a:1",
            "KQQTCP,KQQTCP",
            ["tcp://a:1"],
            ["tcp://a:1 is listed more than once"],
        ),
        (
            "http://a:1/mqq?x=1,http://b:2",
            "KQQHTTP,KQQHTTP",
            ["http://a:1", "http://b:2"],
            ["the path in 'http://a:1/mqq?x=1' is left out"],
        ),
        ("socket://a:1,", "KQQTCP,", ["tcp://a:1"], ["an address is empty"]),
        (
            "socket://a:1,socket://b:2",
            "KQQTCP",
            ["tcp://a:1", "tcp://b:2"],
            ["of 2 servers 1 have a kind"],
        ),
    ],
)
def test_addresses(urls: str, types: str, addresses: list[str], odd: list[str]) -> None:
    """How to speak with each is in its address, or else in its kind."""
    found = read_config(short(urls, types, "2"))
    assert [str(address) for address in found.servers] == addresses
    assert list(found.oddities) == odd


@pytest.mark.parametrize(
    "entry",
    [
        "ftp://a:1",
        "socket://a",
        "socket://a:0",
        "socket://a:99999",
        "socket://:1",
        "socket://me:pw@a:1",
        "socket://[::g]:1",
        "socket://a\u202eb:1",
        "socket://a%1b[2J:1",
        "a:1",
        "://",
        "x" * 1000,
    ],
)
def test_what_is_no_address_is_told_and_passed_over(entry: str) -> None:
    """The others are there."""
    found = read_config(short(f"{entry},socket://b:2", ",KQQTCP", "2"))
    assert found.servers == (Address("b", 2),)
    assert len(found.oddities) == 1
    assert found.oddities[0].endswith(" is not an address we can use")
    assert found.oddities[0].isprintable()
    assert len(found.oddities[0]) < 130


def test_counts_that_are_wrong() -> None:
    """What is listed counts."""
    rest = "&UPDATAECONFIG_NUM=2&UPDATECONFIG_VERSION=2&SMSSERVICE_NUM=2&SMSSERVICE_NAME=a"
    assert read_config(short(count="7", rest=rest)).oddities == (
        "SERERCONFIG_NUM is 7, but 1 is listed",
        "UPDATAECONFIG_NUM is 2, but 1 is listed",
        "SMSSERVICE_NUM is 2, but 1 is listed",
        "the services have not as many names (1) as numbers (0) and texts (0)",
    )
    assert read_config(short(count="many")).oddities == (
        "SERERCONFIG_NUM is 'many', but must be 1 to 20 decimal digits",
    )
    assert read_config(b"SERVERCONFIG_URL=socket://a:1").oddities == (
        "SERERCONFIG_NUM is missing",
        "SERVERCONFIG_TYPE is missing",
    )


def test_updates() -> None:
    """There is one if anything is said of it; a raw & belongs to its address."""
    rest = "&UPDATAECONFIG_NUM=0&UPDATECONFIG_VERSION=&UPDATECONFIG_MUST=N&UPDATECONFIG_URL="
    assert read_config(short(rest=rest)).update is None
    rest = "&UPDATAECONFIG_NUM=&UPDATECONFIG_MUST=y&UPDATECONFIG_URL=http: //a/?b=1&c=2"
    found = read_config(short(rest=rest))
    assert found.update == Update("", True, "http://a/?b=1&c=2", "")
    assert found.oddities == (
        "there is a raw & in UPDATECONFIG_URL",
        "UPDATECONFIG_MUST is 'y', neither Y nor N",
        "there are blanks in addresses",
    )


def test_lines_that_were_wrapped() -> None:
    """Words keep the blank between them; Chinese has none, and addresses neither."""
    rest = "&UPDATECONFIG_HELPTXT=a newer\n one is\r\nout,\n请升\n级 %0anow"
    found = read_config(short("socket://192.\n0.2.7:14000", rest=rest))
    assert found.servers == (Address("192.0.2.7", 14000),)
    assert found.update is not None
    assert found.update.text == "a newer one is out,请升级 \nnow"


@pytest.mark.parametrize(
    ("names", "helps", "parts", "odd"),
    [
        ("a,b", "one,two", ["one", "two"], []),
        ("a,b", "one%2c two,three", ["one, two", "three"], []),
        ("a,b", "One, two.,three", ["One, two.", "three"], [COMMAS]),
        ("a,b", "one, two, three", ["", ""], [COMMAS]),
        ("a,b", "one", ["", ""], [COMMAS]),
        ("a", "one, two", ["one, two"], []),
        ("a,b", "", ["", ""], []),
    ],
)
def test_help_of_services(names: str, helps: str, parts: list[str], odd: list[str]) -> None:
    """It is parted where that makes sense, and always there as a whole."""
    count = len(names.split(","))
    rest = f"&SMSSERVICE_NUM={count}&SMSSERVICE_NAME={names}&SMSSERVICE_ADDRESS={names}"
    rest += f"&SMSSERVICE_TEXT={names}&SMSSERVICE_HELPTXT={helps}"
    found = read_config(short(rest=rest))
    assert [service.help for service in found.sms] == parts
    assert found.sms_help == helps.replace("%2c", ",")
    assert list(found.oddities) == odd


def test_help_of_no_service() -> None:
    """It is there, but nobody's."""
    found = read_config(short(rest="&SMSSERVICE_HELPTXT=a, b"))
    assert (found.sms, found.sms_help, found.oddities) == ((), "a, b", ())


def test_servers_are_not_tried_for_ever() -> None:
    """Each costs seconds, and is shown the password: the first 50 are those to try."""
    urls = ",".join(f"socket://192.0.2.{number % 250}:{14000 + number}" for number in range(2000))
    found = read_config(short(urls, types="", count="2000"))
    assert len(found.servers) == 50
    assert found.servers[-1] == Address("192.0.2.49", 14049)
    assert found.oddities == ("2000 servers are listed; all but the first 50 are left out",)


def test_oddities_are_not_told_for_ever() -> None:
    """Of very many the rest is counted."""
    urls = ",".join(f"nonsense{number}" for number in range(1000))
    found = read_config(short(f"{urls},socket://a:1", types="", count="1001"))
    assert len(found.oddities) == 51
    assert found.oddities[-1] == "and 950 more"


_SIGNS = st.characters(exclude_categories=("Cc", "Cs", "Zs"), exclude_characters="\ufeff")
_TEXT = st.text(_SIGNS, max_size=8)
_WORDS = st.lists(_TEXT.filter(bool), min_size=2, max_size=4).map(tuple)


@given(
    hosts=st.lists(st.from_regex(r"[a-z]{1,9}\.example", fullmatch=True), unique=True, min_size=1),
    version=_TEXT,
    texts=_WORDS,
)
def test_a_document_in_order_is_read_as_it_was_written(
    hosts: list[str], version: str, texts: tuple[str, ...]
) -> None:
    """What the catalogue writes says just what was meant, and nothing of it is odd."""
    document = ServerConfig(
        count=len(hosts),
        types=("KQQTCP",) * len(hosts),
        addresses=tuple(f"socket://{host}:14000" for host in hosts),
        update_count=1,
        update_version=f"v{version}!",
        update_must="Y",
        sms_count=len(texts),
        sms_names=texts,
        sms_addresses=texts,
        sms_texts=texts,
    )
    found = read_config(encode(document), "utf-8")
    assert found.servers == tuple(Address(host, 14000) for host in hosts)
    assert found.update == Update(f"v{version}!", True, "", "")
    assert found.sms == tuple(SmsService(text, text, text, "") for text in texts)
    assert found.oddities == ()


_PIECES = st.sampled_from([
    b"SERERCONFIG_NUM=", b"SERVERCONFIG_URL=", b"UPDATECONFIG_", b"SMSSERVICE_TEXT=", b"socket://",
    b"a:1", b",", b"&", b"&amp;", b"%2c", b"%", b"<", b">", b"\n", b" ", b"\0", b"\xff\xfe",
    "请".encode(), "请".encode("gbk"), b"1",
])  # fmt: skip


@given(st.lists(_PIECES | st.binary(max_size=4)).map(b"".join), st.sampled_from([None, "gbk", "x"]))
def test_whatever_comes(body: bytes, charset: str | None) -> None:
    """Servers, or why there are none; without an oddity, a strict reading finds the same."""
    try:
        found = read_config(body, charset)
    except DiscoveryError as error:
        told = [str(error)]
    else:
        assert found.servers
        told = list(found.oddities)
        strict = decode(Line.decode(body), Role.SERVER)
        assert told or (isinstance(strict, ServerConfig) and found.servers)
    assert all(words.isprintable() for words in told)


@pytest.mark.parametrize(
    "piece",
    [b" ", b"<", b"&", b"a", b"&a;", b"SERVERCONFIG_URL=", b"\n", b",", b"&ABC=", b"SER", b"\xc4",
     b"%0", b"socket://", b"[::"],
)  # fmt: skip
def test_long_documents_take_their_time_and_no_more(piece: bytes) -> None:
    """No regular expression looks at the same bytes again and again."""
    body = short(rest="&SMSSERVICE_TEXT=") + piece * (200_000 // len(piece))
    start = time.perf_counter()
    assert read_config(body).servers
    assert read_config(body.replace(b"&SMSSERVICE_TEXT=", b",", 1)).servers
    assert time.perf_counter() - start < 10
