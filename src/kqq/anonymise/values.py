"""Other values of the same shape: numbers, words, codes, pictures and addresses.

What replaces a value depends on the value and a key, so that who was one person stays one. Every
replacement has the length of what it replaces, in bytes; digits stay digits, Chinese stays Chinese,
and signs that are no letters stay what they are. Whoever has the key can find out what was there.
"""

import struct
import zlib
from functools import lru_cache
from hashlib import blake2b
from unicodedata import category

LOWEST = 10001
"""The lowest number somebody can have; what is below is a code, a place in a list or the system."""
_MOST_DIGITS = 20
_MOST_NUMBERS = 500_000
_MOST_NAMES = 10_000
_TRIES = 64
_ROUNDS = 6
_LARGEST_PICTURE = 1000  # pixels, each way

_HAN = (
    "天地人日月山水火木金土石田风云雨雪花草春夏秋冬东西南北上下左右前后里外大小多少高低长短远近"
    "红黄蓝白黑青紫明光星空海河江湖林森竹松梅兰荷叶根果米麦豆茶酒食衣布丝纸笔书画琴棋歌舞车船"
    "马牛羊鸟鱼虫龙虎家门窗桌床灯刀弓玉珠王子女父母兄弟姐妹友师生学校文字词句声音色香味心手足"
    "目耳口舌头面身力气安平和乐喜爱思想知道行走坐立来去出入开合起落新旧早晚今古年岁时分千百十"
)
_KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"
_HANGUL = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호구누"
_FACES = "😀😃😄😁😆😅😂😉😊😇😍😘😜😎😏😢😭😡😱😴🌞🌙🌟🌈🌸🍀🍎🍊🍇🍉🎈🎁🎵🐱🐶🐻🐼🐸🐵🐔"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщыэюя"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_DIGITS = "0123456789"
_WIDE_DIGITS = "０１２３４５６７８９"
_BY_LENGTH = {2: _CYRILLIC, 3: _HAN, 4: _FACES}  # for letters and signs of any other kind
_BYTES = "".join(chr(0xDC80 + number) for number in range(0x40))  # what is no UTF-8, and stays so


@lru_cache(8192)
def _others(sign: str) -> str:
    """Return what a sign may become, "" if it stays: all are as long as it in UTF-8."""
    for alphabet in (_LOWER, _UPPER, _DIGITS, _WIDE_DIGITS):
        if sign in alphabet:
            return alphabet
    if sign < "\x80":
        return ""
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:
        return _BYTES
    if 0x3040 <= code <= 0x30FF and sign.isalpha():
        return _KANA
    if 0xAC00 <= code <= 0xD7A3:
        return _HANGUL
    kind = category(sign)
    if kind[0] in "PZ" or kind in ("Cc", "Cf", "Sm", "Sc", "Sk", "Cs"):
        return ""
    return _BY_LENGTH[len(sign.encode())]


class Values:
    """Replacements under a key of 32 bytes.

    `meet` the numbers of a file first and then `settle`: no number is then replaced by one that
    stands in the file itself. Without that it might be, by chance.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._met: set[int] = set()
        self._settled: dict[int, int] = {}
        self._names: dict[bytes, bytes] = {}
        self._given: set[bytes] = set()
        self.number = lru_cache(65_536)(self._number)
        self.address = lru_cache(8192)(self._address)
        self.card = lru_cache(8192)(self._card)
        self._octets = lru_cache(4096)(self._row_of_octets)

    # --- numbers ---------------------------------------------------------------------------------

    def meet(self, digits: bytes) -> None:
        """Take note of a number that stands in the file."""
        number = int(digits[:_MOST_DIGITS])
        if number >= LOWEST and len(self._met) < _MOST_NUMBERS:
            self._met.add(number)

    def has_met(self, digits: bytes) -> bool:
        """Return whether a number stands in the file as somebody's."""
        return len(digits) <= _MOST_DIGITS and int(digits) in self._met

    def settle(self) -> None:
        """Choose for each number met one that was not, and no other has."""
        taken = set()
        for number in sorted(self._met):
            for attempt in range(_TRIES):
                other = self._other_number(number, attempt)
                if other not in self._met and other not in taken:
                    break
            taken.add(other)
            self._settled[number] = other
        self.number.cache_clear()

    def _number(self, digits: bytes) -> bytes:
        """Return another number of as many digits; those that nobody can have stay."""
        core = digits.lstrip(b"0")
        if not core or int(core[:_MOST_DIGITS]) < LOWEST:
            return digits
        if len(core) > _MOST_DIGITS:
            return self.words(digits)
        number = int(core)
        other = self._settled.get(number)
        if other is None:
            other = self._other_number(number, 0)
        return digits[: len(digits) - len(core)] + str(other).encode()

    def _other_number(self, number: int, attempt: int) -> int:
        digits = len(str(number))
        lowest: int = max(10 ** (digits - 1), LOWEST)
        size: int = 10**digits - lowest
        return lowest + self._permuted(b"number%d" % attempt, number - lowest, size)

    def _permuted(self, tag: bytes, value: int, size: int) -> int:
        """Return another value below `size`, for each value another one (a Feistel network)."""
        half = ((size - 1).bit_length() + 1) // 2
        mask = (1 << half) - 1
        width = (half + 7) // 8
        while True:
            left, right = value >> half, value & mask
            for turn in range(_ROUNDS):
                digest = self._digest(tag, turn.to_bytes(1, "big") + right.to_bytes(width, "big"))
                left, right = right, left ^ (int.from_bytes(digest[:16], "big") & mask)
            value = left << half | right
            if value < size:
                return value

    def _digest(self, tag: bytes, data: bytes) -> bytes:
        return blake2b(data, key=self._key, person=tag[:16]).digest()

    # --- words and codes -------------------------------------------------------------------------

    def name(self, name: bytes) -> bytes:
        """Return another name of the same shape, which nobody else in the file gets."""
        other = self._names.get(name)
        if other is None:
            for attempt in range(_TRIES):
                other = self.words(name, salt=bytes((attempt,)))
                if other not in self._given:
                    break
            assert other is not None
            if len(self._names) < _MOST_NAMES:
                self._names[name] = other
                self._given.add(other)
        return other

    def words(self, raw: bytes, *, salt: bytes = b"") -> bytes:
        r"""Return other words of the same shape; `%XX` stays `%XX`, of what it stands for now.

        The same words become the same, however they are escaped; others with another `salt`.
        """
        plain, forms = _undone(raw)
        text = plain.decode("utf-8", "surrogateescape")
        seed = self._digest(b"words", salt + plain)
        stream, used = bytearray(seed), 0
        signs: list[str] = []
        for sign in text:
            others = _others(sign)
            if not others:
                signs.append(sign)
                continue
            if used == len(stream):
                stream += self._digest(b"more", seed + used.to_bytes(8, "big"))
            draw = stream[used] << 8 | stream[used + 1]
            used += 2
            at = others.find(sign)
            if at < 0:
                signs.append(others[draw % len(others)])
            else:  # any but the sign itself
                signs.append(others[(at + 1 + draw % (len(others) - 1)) % len(others)])
        return _redone("".join(signs).encode("utf-8", "surrogateescape"), forms)

    def digits_in_hex(self, raw: bytes) -> bytes:
        """Return other hexadecimal digits, in the same case; other signs stay."""
        text = raw.decode("latin-1")
        alphabet = _DIGITS + ("abcdef" if text != text.upper() else "ABCDEF")
        digest = bytearray(self._digest(b"hex", raw.upper()))
        while len(digest) < len(text):
            digest += self._digest(b"hex", bytes(digest[-64:]))
        signs = []
        for sign, draw in zip(text, digest, strict=False):
            at = alphabet.find(sign if alphabet[-1] == "f" else sign.upper())
            signs.append(sign if at < 0 else alphabet[(at + 1 + draw % 15) % 16])
        return "".join(signs).encode("latin-1")

    def picture(self, digits: bytes) -> bytes:
        """Return a picture in hexadecimal digits: of a PNG a blank one of its size and length."""
        try:
            data = bytes.fromhex(digits.decode("ascii"))
            blank = _blank(data)
        except ValueError:
            blank = None
        if blank is None:
            return self.digits_in_hex(digits)
        shown = blank.hex().encode()
        return shown.upper() if digits == digits.upper() else shown

    # --- addresses -------------------------------------------------------------------------------

    def _address(self, packed: bytes) -> bytes:
        """Return another address of the same version.

        Each part of an IPv4 address has as many digits as before, and addresses that begin alike
        still do. Loopback, multicast and broadcast addresses stay.
        """
        if len(packed) == 4:
            if not _is_usual(packed[0]):
                return packed
            return bytes(
                self._octets(packed[:place], _digits_of(octet))[octet]
                for place, octet in enumerate(packed)
            )
        if packed[0] == 0xFF or packed[:15] == bytes(15):
            return packed
        rest = self._permuted(b"address", int.from_bytes(packed[1:], "big"), 1 << 120)
        return packed[:1] + rest.to_bytes(15, "big")

    def address_in_words(self, text: bytes) -> bytes:
        """Return another address for one written with dots; other numbers with dots stay."""
        octets = text.split(b".")
        if any(int(octet) > 255 or octet != b"%d" % int(octet) for octet in octets):
            return self.words(text)
        return b".".join(b"%d" % octet for octet in self.address(bytes(map(int, octets))))

    def _card(self, address: bytes) -> bytes:
        """Return another address of a network card; those of groups stay."""
        if address[0] & 1 or address == bytes(6):
            return address
        number = int.from_bytes(address, "big") & ~(3 << 40)
        # The two bits that say what sort of address it is are in the first byte.
        number = number & ((1 << 40) - 1) | (number >> 42) << 40
        other = self._permuted(b"card", number, 1 << 46)
        other = other & ((1 << 40) - 1) | (other >> 40) << 42
        return (other | (address[0] & 3) << 40).to_bytes(6, "big")

    def _row_of_octets(self, before: bytes, digits: int) -> dict[int, int]:
        """Return which octet follows `before` in place of which; none in its own."""
        low, high = ((0, 10), (10, 100), (100, 256))[digits - 1]
        row = [octet for octet in range(low, high) if before or _is_usual(octet)]
        seed = self._digest(b"octets", before + bytes((digits,)))
        order = row[:]
        for place in range(len(order) - 1, 0, -1):  # one cycle (Sattolo), so that nothing stays
            draw = int.from_bytes(self._digest(b"octet", seed + bytes((place,)))[:4], "big") % place
            order[place], order[draw] = order[draw], order[place]
        return dict(zip(row, order, strict=True))


def _is_usual(first: int) -> bool:
    """Return whether addresses that begin so are of single machines."""
    return 0 < first < 224 and first != 127


def _digits_of(octet: int) -> int:
    return 1 if octet < 10 else 2 if octet < 100 else 3


_HEX = b"0123456789abcdefABCDEF"


def _undone(raw: bytes) -> tuple[bytes, list[int]]:
    """Return bytes without escapes, and of each whether it was one: 0, or 1 or 2 (upper case)."""
    if b"%" not in raw:
        return raw, []
    plain = bytearray()
    forms = []
    at = 0
    while at < len(raw):
        code = raw[at + 1 : at + 3]
        if raw[at] == 0x25 and len(code) == 2 and code[0] in _HEX and code[1] in _HEX:
            plain.append(int(code, 16))
            forms.append(1 if code != code.upper() else 2)
            at += 3
        else:
            plain.append(raw[at])
            forms.append(0)
            at += 1
    return bytes(plain), forms


def _redone(plain: bytes, forms: list[int]) -> bytes:
    if not forms:
        return plain
    parts = (b"%c", b"%%%02x", b"%%%02X")
    return b"".join(parts[form] % byte for byte, form in zip(plain, forms, strict=True))


_PNG = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, body: bytes) -> bytes:
    total = zlib.crc32(kind + body)
    return struct.pack("!L", len(body)) + kind + body + total.to_bytes(4, "big")


def _blank(data: bytes) -> bytes | None:
    """Return a white PNG as wide, high and long as `data`; None if there can be none."""
    if data[:8] != _PNG or data[12:16] != b"IHDR" or len(data) < 33:
        return None
    width, height = struct.unpack_from("!LL", data, 16)
    if not 0 < width <= _LARGEST_PICTURE or not 0 < height <= _LARGEST_PICTURE:
        return None
    rows = (b"\0" + b"\xff" * ((width + 7) // 8)) * height
    head = _PNG + _chunk(b"IHDR", struct.pack("!LLBBBBB", width, height, 1, 0, 0, 0, 0))
    body = _chunk(b"IDAT", zlib.compress(rows, 9))
    room = len(data) - len(head) - len(body) - 12 - 12
    if room < 0:
        return None
    return head + body + _chunk(b"juNk", bytes(room)) + _chunk(b"IEND", b"")
