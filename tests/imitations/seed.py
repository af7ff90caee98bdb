"""The Win32 client of the article that began it all (C/C++, TCP, 1.4); its source is lost.

From its text: CRLF both ways; it compares the `SEQ` of a reply with that of its request, keeps
`SID` and `COMP` if there are such, takes a field `VC` for a picture, shows `RA`, does not page.
"""

from imitations.reading import XP, Lines, fields_of, upper_md5


class SeedClient(Lines):
    """The client; `wrong` are the replies whose number was not that of its request."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.kept: dict[str, str] = {}
        self.replies: list[dict[str, str]] = []
        self.pushes: list[dict[str, str]] = []
        self.wrong: list[str] = []
        self.picture = b""
        self.shown = ""
        self.is_signed_in = False
        self.friends: list[str] = []
        self.has_all_friends = False
        self._password = password
        self._seq = 200
        super().__init__(port)

    def login(self) -> None:
        """Sign in."""
        self._send(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq}&UIN={self.uin}"
            f"&PS={upper_md5(self._password)}&M5=1&LG=0&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE="
        )

    def type_letters(self, letters: str) -> None:
        """Answer a picture."""
        self._command("VERIFYCODE", f"&SC=2&VC={letters}", sid="null", xp="null")

    def load_friends(self) -> None:
        """Ask for friends, once."""
        self._command("SimpleInfo2", "&UN=0&TO=0")

    def load_statuses(self) -> None:
        """Ask for statuses."""
        self._command("Query_Stat2", "&CM=2&UN=0")

    def say(self, number: int, text: str) -> None:
        """Send a message, escaped."""
        text = text.replace("%", "%25").replace("&", "%26").replace(",", "%2c")
        self._command("CLTMSG", f"&UN={number}&MG={text}")

    def logout(self) -> None:
        """Sign out."""
        self._command("Logout", "")

    def heard_line(self, line: str) -> None:
        """Take a line."""
        fields = fields_of(line)
        if fields["CMD"] in {"Server_Msg", "update_stat"}:
            self.pushes.append(fields)
            return
        if fields["SEQ"] != str(self._seq):
            self.wrong.append(line)
            return
        self.kept |= {name: fields[name] for name in ("SID", "COMP") if name in fields}
        if "VC" in fields:
            self.picture = bytes.fromhex(fields["VC"])
        elif fields["CMD"] == "Login":
            self.is_signed_in = fields["RES"] == "0" and fields["RS"] == "0"
            self.shown = fields.get("RA", "")
        elif fields["CMD"] == "SIMPLEINFO2":
            self.friends = fields["UN"].split(",")[:-1]
            self.has_all_friends = fields["NP"] == "65535"
        self.replies.append(fields)

    def _command(self, command: str, fields: str, *, sid: str = "", xp: str = XP) -> None:
        self._seq += 1
        sid = self.kept.get("SID", sid)
        head = f"VER=1.4&CON=1&CMD={command}&SEQ={self._seq}&UIN={self.uin}&SID={sid}&XP={xp}"
        self._send(head + fields)

    def _send(self, line: str) -> None:
        self.send(f"{line}\r\n".encode())
