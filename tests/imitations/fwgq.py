"""FWGQ (PHP with a raw socket, HTTP, 1.4), which has the headers of the phone."""

import random

from imitations.posting import read_all, request
from imitations.reading import upper_md5


def login(port: int, uin: int, password: str = "secret") -> str:
    """Sign in and return what it tells its user: it reads until the server closes.

    The line is the element before the last of all that came, headers too, cut at CRLF.
    """
    line = (
        f"VER=1.4&CON=1&CMD=Login&SEQ={random.randrange(200, 1000)}&UIN={uin}"
        f"&PS={upper_md5(password)}&M5=1&LG=0&LC=2EC70D1101DB674F&GD=JTAIAHW97YPSYRPV&CKE="
    )
    headers = ["Content-Type: text/plain", "User-Agent: UNTRUSTED/1.1",
               "Host:tqq.tencent.com:14000", "Content-Length: #",
               "Connection: close"]  # fmt: skip
    came = read_all(port, request("POST / HTTP/1.1", headers, line.encode()))
    elements = came.decode().split("\r\n")
    pairs = (part.split("=") for part in elements[-2].split("&"))
    values = {pair[0]: "=".join(pair[1:]) for pair in pairs}
    if values.get("RES") == "0":
        return "ok" if values["RS"] == "0" else values["RA"]
    return "illegal number" if values.get("RES") == "5" else "unknown error"
