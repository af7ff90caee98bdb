"""The server-config document, read as far as it can be, however it was spelt, coded or copied.

    found = read_config(body)
    found.servers    # (Address("192.0.2.7", 14000, "tcp"), ...), in the order to try
    found.oddities   # ("SERERCONFIG_NUM is 5, but 4 are listed", ...)

Only one real one survives, of 2014 and as a copy from a web page (SEED). It breaks rules of its
own, and copies of it break more. The keys and what their values are come from the catalogue.
"""

import codecs
import html
import re
from dataclasses import dataclass
from typing import Any

from kqq.client.transport import Address
from kqq.errors import ConfigError, DiscoveryError
from kqq.protocol import ServerConfig, show, unescape
from kqq.protocol.schema import Field

_EXAMPLE = "SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=socket://192.0.2.7:14000"
_MOST_ODDITIES = 50
_MOST_SERVERS = 50
"""Who signs in may try all of them, for seconds each, and shows each the password."""
_NUMBER = "||QQNO||"


@dataclass(frozen=True, slots=True)
class Update:
    """What is said of a newer version of the phone's own client; "" for what is not said."""

    version: str
    must: bool
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class SmsService:
    """A service by short message: `text` went to `number`; "" for what is not said.

    `help` is what the phone showed before it sent the message.
    """

    name: str
    number: str
    text: str
    help: str

    def text_for(self, uin: int) -> str:
        """Return the text with the number of a person filled in where one belongs."""
        return self.text.replace(_NUMBER, str(uin))


@dataclass(frozen=True, slots=True)
class FoundServers:
    """What a document says.

    `servers` are in the order to try, each once, the first 50 of them. `sms_help` is the help of
    all services as one text, since it cannot always be told where that of the next begins.
    `oddities` are words about all that is not as it should be, or was left out.
    """

    servers: tuple[Address, ...]
    update: Update | None = None
    sms: tuple[SmsService, ...] = ()
    sms_help: str = ""
    oddities: tuple[str, ...] = ()


class _Oddities:
    """Words about what is odd, each once, and not more than somebody can read."""

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._more = 0

    def add(self, words: str) -> None:
        if len(self._words) < _MOST_ODDITIES:
            self._words[words] = None
        elif words not in self._words:
            self._more += 1

    def all(self) -> tuple[str, ...]:
        more = (f"and {self._more} more",) if self._more else ()
        return (*self._words, *more)


def read_config(body: bytes, charset: str | None = None) -> FoundServers:
    """Return what the document `body` says; `charset` is what its sender says of it.

    Raises DiscoveryError if it is no such document, or lists no server that can be used. Takes time
    in proportion to the length.
    """
    odd = _Oddities()
    raw = _fields(_without_markup(_decoded(body, charset, odd), odd), odd)
    values = _values(raw, odd)
    before = len(odd.all())
    servers = _servers(values, odd)
    if not servers:
        whys = "; ".join(odd.all()[before : before + 3])
        why = f" that can be used ({whys})" if values["addresses"] else ""
        raise DiscoveryError(
            f"the document lists no server{why}; ask whoever runs the server for its address"
        )
    return FoundServers(
        servers,
        _update(values, odd),
        _sms(values, raw.get("sms_help", ""), odd),
        values["sms_help"] or "",
        odd.all(),
    )


def _short(text: str) -> str:
    return repr(show(text.encode("utf-8", "backslashreplace"), 80))


# --- bytes to text -------------------------------------------------------------------------------

_BLANKS = " \t\r\n\f\v\x1a\u00a0\u3000\ufeff"
_SIGNATURES = {
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"\x1f\x8b": "compressed (gzip)",
    b"PK\x03\x04": "an archive (ZIP, as a JAR is)",
    b"%PDF": "a PDF",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CODECS = {
    "utf-8": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "utf-16": "utf-16-be",
    "utf-16-be": "utf-16-be",
    "utf-16-le": "utf-16-le",
}
"""Charsets that a sender is believed, and what they are read as."""
_NO_TEXT = re.compile("[\udc80-\udcff]")
_NO_ASCII = re.compile("[^\0-\x7f]")
_TAG = re.compile(r"<[A-Za-z!?/][^<>]*>")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")


def _decoded(body: bytes, charset: str | None, odd: _Oddities) -> str:
    """Return the text; bytes that are none come back as lone surrogates. Raises DiscoveryError.

    The real one was UTF-8 and did not say so (SEED).
    """
    for signature, what in _SIGNATURES.items():
        if body.startswith(signature):
            raise DiscoveryError(f"the document is {what}, no text; is the address right?")
    for mark, codec in _MARKS.items():
        if body.startswith(mark):
            odd.add(f"it begins with the byte order mark of {codec.upper()}")
            return body[len(mark) :].decode(codec, _errors(codec))
    said = _codec(charset)
    codec = _fitting(body, said)
    if b"\0" in body and not codec.startswith("utf-16"):
        raise DiscoveryError("the document is binary data, no text; is the address right?")
    text = body.decode(codec, _errors(codec))
    if not body.isascii() or codec.startswith("utf-16"):
        if charset is not None and said != codec:
            odd.add(f"it is said to be {_short(charset)}, but is {codec.upper()}")
        elif codec != "utf-8":
            odd.add(f"it is {codec.upper()}, not UTF-8")
        if bad := _bad(text):
            odd.add(f"{bad} of its bytes are no {codec.upper()}")
    return text


def _codec(charset: str | None) -> str:
    """Return Python's name for a charset that a sender is believed, "" for any other."""
    try:
        return _CODECS.get(codecs.lookup(charset or "").name, "")
    except (LookupError, ValueError):  # ValueError: there is a NUL in the name
        return ""


def _fitting(body: bytes, said: str) -> str:
    """Return what `body` is coded in. What can be read as UTF-8 is UTF-8, whatever is said."""
    if said.startswith("utf-16"):
        return said
    text = body.decode("utf-8", "surrogateescape")
    if 2 * _bad(text) <= len(_NO_ASCII.findall(text)):
        return "utf-8"  # of Chinese in another code most bytes would be bad
    for codec in (said, "gb18030"):
        if codec not in ("", "utf-8") and not _bad(body.decode(codec, "surrogateescape")):
            return codec
    return "utf-8"


def _bad(text: str) -> int:
    return len(_NO_TEXT.findall(text))


def _errors(codec: str) -> str:
    return "replace" if codec.startswith("utf-16") else "surrogateescape"


def _without_markup(text: str, odd: _Oddities) -> str:
    """Return the text, also of a web page that shows it. Raises DiscoveryError for other pages."""
    if not text.strip(_BLANKS):
        raise DiscoveryError("the document is empty; is the address right?")
    if text.lstrip(_BLANKS).startswith("<"):
        if not _KEY.search(text):
            found = _TITLE.search(text)
            title = " ".join(html.unescape(found[1]).split()) if found else ""
            called = f"its title is {_short(title)}" if title else "it has no title"
            raise DiscoveryError(
                f"the document is a web page ({called}); is the address right, or does the "
                "network want you to sign in first?"
            )
        odd.add("it is inside a web page, whose tags are left out")
        text = _TAG.sub("", _TITLE.sub("", text))
    plain = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if plain != text:
        odd.add("signs are written as in the source of a web page, such as &amp; for &")
    return plain


# --- text to fields ------------------------------------------------------------------------------

_KEY = re.compile(
    r"(?<![A-Za-z0-9_])((SER|UPD|SMS)[A-Z]{0,12}_"
    r"(NUM|TYPE|URL|VERSION|MUST|HELPTE?XT|NAME|ADDRESS|TEXT))[ \t]*=",
    re.ASCII | re.IGNORECASE,
)
"""A key, misspelt or not: how its group begins, and what it says of that."""
_DECLARED = {
    (key[2], key[3]): declared
    for declared in ServerConfig.spec.fields
    if (key := _KEY.fullmatch(f"{declared.key}="))
}
_STRANGE_KEY = re.compile(r"([A-Z][A-Z0-9_]{2,31})=")
_LINE_BREAK = re.compile(r"[\r\n]+")


def _fields(text: str, odd: _Oddities) -> dict[str, str]:
    """Return the values as they stand, by attribute of `ServerConfig`. Raises DiscoveryError.

    A value lasts until the next key that is known, however that is spelt, so a raw `&` in it does
    no harm.
    """
    keys = list(_KEY.finditer(text))
    if not keys:
        raise DiscoveryError(
            f"this is no server-config document, since it begins {_short(text.strip(_BLANKS))}; "
            f"one looks like {_EXAMPLE}"
        )
    if before := text[: keys[0].start()].strip(_BLANKS + "&"):
        odd.add(f"{_short(before)} stands before the first field")
    found: dict[str, str] = {}
    ends = [*(key.start() for key in keys[1:]), len(text)]
    for key, end in zip(keys, ends, strict=True):
        what = key[3].upper().replace("HELPTEXT", "HELPTXT")
        declared = _DECLARED.get((key[2].upper(), what))
        if declared is None:
            odd.add(f"{key[1]} is no field we know")
            continue
        if key[1].upper() == declared.key != key[1]:
            odd.add("keys are not in capital letters")
        elif key[1] != declared.key:
            odd.add(f"{declared.key} is written {key[1]}")
        if declared.attribute in found:
            odd.add(f"{declared.key} stands there more than once; the first one counts")
            continue
        came = text[key.end() : end]
        value = came.strip(_BLANKS + "&")
        if came.rstrip("\r\n") != value if end == len(text) else came != f"{value}&":
            odd.add("fields are not parted by & alone")
        found[declared.attribute] = _joined(_own_parts(value, declared, odd), odd)
    return found


def _own_parts(value: str, declared: Field, odd: _Oddities) -> str:
    """Return a value without the fields after it that nobody knows."""
    first, *others = value.split("&")
    own = [first]
    is_own = True
    for part in others:
        if strange := _STRANGE_KEY.match(part.strip(_BLANKS)):
            is_own = False
            odd.add(f"{strange[1]} is no field we know")
        elif is_own:
            own.append(part)
    if len(own) > 1:
        odd.add(f"there is a raw & in {declared.key}")
    return "&".join(own).rstrip(_BLANKS)


def _joined(value: str, odd: _Oddities) -> str:
    """Return a value on one line; a real line break would be written %0a."""
    first, *others = (line.strip(_BLANKS) for line in _LINE_BREAK.split(value))
    if not others:
        return value
    odd.add("there are line breaks inside of fields")
    for line in others:
        between_words = first[-1:].isalnum() and line[:1].isalnum()
        first += f" {line}" if between_words and (first[-1] + line[0]).isascii() else line
    return first


def _values(raw: dict[str, str], odd: _Oddities) -> dict[str, Any]:
    """Return what the values say, by attribute of `ServerConfig`, None where nothing is said."""
    values: dict[str, Any] = {}
    for declared in ServerConfig.spec.fields:
        value = raw.get(declared.attribute)
        values[declared.attribute] = None
        if value is None:
            if declared.required:
                odd.add(f"{declared.key} is missing")
        elif value or declared.required or not declared.kind.empty_is_absent:
            try:
                values[declared.attribute] = declared.kind.parse(value)
            except ValueError as error:
                odd.add(f"{declared.key} is {_short(value)}, but {error}")
    return values


# --- fields to meaning ---------------------------------------------------------------------------

_SCHEMES = {
    "socket": "tcp",
    "tcp": "tcp",
    "kqq": "tcp",
    "kqqs": "kqqs",
    "http": "http",
    "https": "https",
}
"""What the schemes of a document are called here; only `socket` and `http` were seen (SEED)."""
_KINDS = {"KQQTCP": ("tcp", "kqqs"), "KQQHTTP": ("http", "https")}
_USUAL_PORTS = {"http": "80", "https": "443"}
_ENTRY = re.compile(
    r"(?:([A-Za-z]+)://)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]+)(?::([0-9]{1,5}))?([/?#].*)?"
)
_AFTER_SENTENCE = re.compile(r"(?<=[.!?。!?]),")


def _servers(values: dict[str, Any], odd: _Oddities) -> tuple[Address, ...]:
    entries: tuple[str, ...] = values["addresses"] or ()
    kinds: tuple[str, ...] = values["types"] or ()
    found: dict[Address, None] = {}
    for position, entry in enumerate(entries):
        kind = kinds[position].strip() if position < len(kinds) else ""
        address = _address(entry, kind, odd)
        if address in found:
            odd.add(f"{address} is listed more than once")
        elif address is not None:
            found[address] = None
    _compare(values, "count", len(entries), odd)
    if kinds and len(kinds) != len(entries):
        odd.add(f"of {len(entries)} servers {len(kinds)} have a kind")
    if len(found) > _MOST_SERVERS:
        odd.add(f"{len(found)} servers are listed; all but the first {_MOST_SERVERS} are left out")
    return tuple(found)[:_MOST_SERVERS]


def _address(entry: str, kind: str, odd: _Oddities) -> Address | None:
    """Return the address that an entry of the list is, None if it is none."""
    plain = "".join(entry.split())
    if plain != entry:
        odd.add("there are blanks in addresses")
    if not plain:
        odd.add("an address is empty")
        return None
    found = _ENTRY.fullmatch(plain)
    scheme, host, port, path = found.groups() if found else (None,) * 4
    schemes = _KINDS.get(kind.upper(), ())
    meant = _SCHEMES.get(scheme.lower()) if scheme else next(iter(schemes), None)
    try:
        address = Address.parse(f"{meant}://{host}:{port or _USUAL_PORTS.get(meant or '')}")
    except ConfigError:
        odd.add(f"{_short(plain)} is not an address we can use")
        return None
    if not scheme:
        odd.add(f"{_short(plain)} does not say how to speak there, but its kind does: {kind}")
    elif kind and meant not in schemes:
        odd.add(f"{_short(plain)} is said to be {_short(kind)}")
    if path not in (None, "/"):
        odd.add(f"the path in {_short(plain)} is left out")
    return address


def _compare(values: dict[str, Any], attribute: str, number: int, odd: _Oddities) -> None:
    """Note a count that is not that of what is listed."""
    said = values[attribute]
    if said is not None and said != number:
        key = next(one.key for one in ServerConfig.spec.fields if one.attribute == attribute)
        odd.add(f"{key} is {said}, but {number} {'is' if number == 1 else 'are'} listed")


def _update(values: dict[str, Any], odd: _Oddities) -> Update | None:
    version, url, text = (values[f"update_{name}"] or "" for name in ("version", "url", "help"))
    is_there = bool(version or url or text)
    _compare(values, "update_count", int(is_there), odd)
    must = (values["update_must"] or "").strip()
    if must not in ("", "Y", "N"):
        odd.add(f"UPDATECONFIG_MUST is {_short(must)}, neither Y nor N")
    if "".join(url.split()) != url:
        odd.add("there are blanks in addresses")
        url = "".join(url.split())
    return Update(version, must.upper() == "Y", url, text) if is_there else None


def _sms(values: dict[str, Any], raw_help: str, odd: _Oddities) -> tuple[SmsService, ...]:
    """Return the services. `raw_help` is the help of all of them, still escaped."""
    names, numbers, texts = (
        values[f"sms_{name}"] or () for name in ("names", "addresses", "texts")
    )
    count = max(len(names), len(numbers), len(texts))
    _compare(values, "sms_count", count, odd)
    if not len(names) == len(numbers) == len(texts):
        odd.add(
            f"the services have not as many names ({len(names)}) as numbers ({len(numbers)}) "
            f"and texts ({len(texts)})"
        )
    helps = _helps(raw_help, count, odd)
    return tuple(
        SmsService(
            *("".join(one[position : position + 1]) for one in (names, numbers, texts, helps))
        )
        for position in range(count)
    )


def _helps(raw: str, count: int, odd: _Oddities) -> tuple[str, ...]:
    """Return the help of each service, or nothing if it cannot be told where each begins.

    In the real one commas inside of texts were not escaped, and each text ended in a sentence
    (SEED).
    """
    if count == 1 and raw:
        return (unescape(raw),)
    parts = raw.split(",")
    if raw and count and len(parts) != count:
        odd.add("there are raw commas in SMSSERVICE_HELPTXT")
        parts = _AFTER_SENTENCE.split(raw)
    return tuple(map(unescape, parts)) if len(parts) == count else ()
