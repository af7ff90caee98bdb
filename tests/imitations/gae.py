"""The App Engine script (Python 2, HTTP, 1.3): it asks one server where to sign in.

Which headers went out is not on record; these are few.
"""

from imitations.posting import post, request
from imitations.reading import upper_md5


class Script:
    """The script; `printed` is what it prints."""

    TRIES = 8

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.printed: list[str] = []
        self.tries = 0
        self._port = port
        self._uin = uin
        self._password = password
        self._seq = 100

    def redirected(self) -> tuple[str, int]:
        """Return address and port of the server to use; this call is commented out in the source.

        Names are made upper case, and a value ends at a second `=`.
        """
        values = self._values(self._login(self._port))
        return values["SI"], int(values["SP"])

    def login(self, port: int) -> None:
        """Sign in there and print the answer."""
        text = ""
        while not text and self.tries < self.TRIES:
            self.tries += 1
            text = self._login(port)
        self.printed.append(text)

    def _login(self, port: int) -> str:
        line = (
            f"VER=1.3&CMD=Login&SEQ={self._seq}&UIN={self._uin}&PS={upper_md5(self._password)}"
            "&M5=1&LC=B58D4DF7758A47E7&CKE=0"
        )
        self._seq += 1
        headers = ["Host: 127.0.0.1", "Content-Length: #", "Accept-Encoding: gzip"]
        return post(port, request("POST / HTTP/1.1", headers, line.encode())).text

    @staticmethod
    def _values(text: str) -> dict[str, str]:
        pairs = (part.split("=") for part in text.strip().split("&"))
        return {pair[0].upper(): pair[1] for pair in pairs}
