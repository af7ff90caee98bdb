"""The phone's own client (J2ME, TCP and HTTP, 1.4), as captures show it; no code is on record."""

import random

from imitations.posting import post, request
from imitations.reading import XP, Lines, fields_of, upper_md5


def servers(port: int, host: str = "conf.3g.qq.com") -> dict[str, list[str]]:
    """Fetch the list of servers and return the addresses by type.

    The name is that of a server which is gone: a hosts file or a DNS leads it to `port`.
    """
    data = request(
        "GET /newConf/kjava/aubin2.jsp HTTP/1.1",
        ["Accept: */*", f"Host: {host}", "Connection: Keep-Alive"],
        b"",
    )
    values = fields_of(post(port, data).text.removesuffix("\r\n"))
    types, addresses = values["SERVERCONFIG_TYPE"], values["SERVERCONFIG_URL"]
    found: dict[str, list[str]] = {}
    pairs = zip(types.split(","), addresses.split(","), strict=True)
    for kind, address in pairs:
        found.setdefault(kind, []).append(address)
    assert sum(map(len, found.values())) == int(values["SERERCONFIG_NUM"])
    return found


def port_of(address: str) -> int:
    """Return the port of an address such as `socket://10.0.0.1:14000`."""
    return int(address.rpartition(":")[2])


class Numbers:
    """Numbers as it counts: 200 and a random number of two digits, then one by one."""

    def __init__(self) -> None:
        self._next = 200 + random.randrange(10, 100)

    def next(self) -> int:
        """Return the next one."""
        self._next += 1
        return self._next - 1


def login_line(seq: int, uin: int, password: str, *, con: int) -> str:
    """Return the sign-in."""
    return (
        f"VER=1.4&CON={con}&CMD=Login&SEQ={seq}&UIN={uin}&PS={upper_md5(password)}&M5=1&LG=0"
        "&LC=812822641C978097&GD=5MWX2PF3FOVGTP6B&CKE="
    )


class Phone(Lines):
    """A phone on a socket."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.is_signed_in = False
        self.is_kicked = False
        self.refusal = ""
        self.picture = b""
        self.friends: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str, str]] = []
        """Number, type and words of what came about friends."""
        self.replies: dict[str, dict[str, str]] = {}
        self._password = password
        self._numbers = Numbers()
        super().__init__(port)

    def login(self) -> None:
        """Sign in."""
        self._send(login_line(self._numbers.next(), self.uin, self._password, con=1))

    def type_letters(self, letters: str) -> None:
        """Answer a picture; nobody is signed in yet."""
        seq = self._numbers.next()
        head = f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ={seq}&UIN={self.uin}&SID=null&XP=null"
        self._send(f"{head}&SC=2&VC={letters}")

    def ask(self, command: str, fields: str = "") -> dict[str, str]:
        """Send a command and return the fields of its reply."""
        seq = str(self._numbers.next())
        tail = f"&{fields}" if fields else ""
        self._send(f"VER=1.4&CON=1&CMD={command}&SEQ={seq}&UIN={self.uin}&SID=&XP={XP}{tail}")
        self.wait(lambda: seq in self.replies, f"no answer to {command}")
        return self.replies[seq]

    def say(self, number: int, text: str) -> dict[str, str]:
        """Send a message, escaped."""
        for sign, code in (("%", "%25"), ("&", "%26"), (",", "%2c"), ("\n", "%0a"), ("\r", "%0D")):
            text = text.replace(sign, code)
        return self.ask("CLTMSG", f"UN={number}&MG={text}")

    def load(self) -> None:
        """Load friends and statuses, page by page."""
        start = "0"
        while start != "65535":
            page = self.ask("SimpleInfo2", f"UN={start}&TO=0")
            self.friends |= dict(zip(_items(page["UN"]), _items(page["NK"]), strict=True))
            start = page["NP"]
        page = {"FN": "0", "UN": "0,"}
        while page["FN"] != "1":
            page = self.ask("Query_Stat2", f"CM=2&UN={_items(page['UN'])[-1]}")
            self.statuses |= dict(zip(_items(page["UN"]), _items(page["ST"]), strict=True))

    def heard_line(self, line: str) -> None:
        """Take a line."""
        fields = fields_of(line)
        match fields["CMD"]:
            case "Login":
                self.is_signed_in = fields.get("RS") == "0"
                self.refusal = fields.get("RA", "")
            case "VERIFYCODE":
                self.picture = bytes.fromhex(fields["VC"])
            case "Server_Msg" if fields["MT"] == "9":
                self.messages.append((fields["UN"], _words(fields["MG"])))
            case "Server_Msg":
                self.requests.append((fields["UN"], fields["MT"], _words(fields["MG"])))
            case "update_stat":
                self.statuses[fields["UN"]] = fields["ST"]
            case _:
                self.is_kicked = fields["RES"] == "20"
                self.replies[fields["SEQ"]] = fields

    def _send(self, line: str) -> None:
        self.send(f"{line}\r\n".encode())


class HttpPhone:
    """A phone over HTTP: a connection for each request, and it polls."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.is_signed_in = False
        self.messages: list[tuple[str, str]] = []
        self.statuses: dict[str, str] = {}
        self._port = port
        self._password = password
        self._numbers = Numbers()

    def login(self) -> None:
        """Sign in."""
        line = login_line(self._numbers.next(), self.uin, self._password, con=0)
        self.is_signed_in = self._post(line).get("RS") == "0"

    def say(self, number: int, text: str) -> str:
        """Send a message and return its `RES`."""
        return self._ask("CLTMSG", f"&UN={number}&MG={text}")["RES"]

    def poll(self) -> None:
        """Fetch what waits."""
        fields = self._ask("GetMsgEx")
        if fields["MN"] == "0":
            return
        types, numbers, texts = (_items(fields[name]) for name in ("MT", "UN", "MG"))
        for kind, number, text in zip(types, numbers, texts, strict=True):
            if kind == "99":
                self.statuses[number] = text
            else:
                self.messages.append((number, _words(text)))

    def _ask(self, command: str, fields: str = "") -> dict[str, str]:
        seq = self._numbers.next()
        head = f"VER=1.4&CON=0&CMD={command}&SEQ={seq}&UIN={self.uin}&SID=&XP={XP}"
        return self._post(head + fields)

    def _post(self, line: str) -> dict[str, str]:
        headers = ["Content-Type: text/plain", "User-Agent: UNTRUSTED/1.1",
                   "Host:tqq.tencent.com:14000", "Content-Length: #",
                   "Connection: close"]  # fmt: skip
        answer = post(self._port, request("POST / HTTP/1.1", headers, line.encode()))
        assert answer.status == 200
        return fields_of(answer.text.removesuffix("\r\n"))


def _items(value: str) -> list[str]:
    """Return the items of a list, which has a comma after each."""
    return value.split(",")[:-1]


def _words(value: str) -> str:
    for code, sign in (("%0D", "\r"), ("%0a", "\n"), ("%2c", ","), ("%26", "&"), ("%25", "%")):
        value = value.replace(code, sign)
    return value
