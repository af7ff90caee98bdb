"""A browser as the server sees it: cookies kept, `Origin` and the word of its visit sent along."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict

from kqq.server import Listen
from kqq.server.web.chat import PATH
from stage import PASSWORD, WAIT, request

WEB = Listen("127.0.0.1", 0, "web")
ZEROS = "0" * 32


@dataclass
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: CIMultiDict[str] = field(repr=False)
    json: Any = None

    @property
    def code(self) -> str:
        """Why it was refused."""
        return str(self.json["error"])


class Browser:
    """One browser at a server's door; `async with Browser(url) as browser: ...`.

    `headers` go with every request, `word` is what its pages know of its visit.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.headers = {"Origin": url, "User-Agent": "Tests/1.0", **headers}
        self.word = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(WAIT)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Make a request; `body` is sent as JSON, `data` as it is."""
        sent = {**self.headers, **({"X-CSRF": self.word} if self.word else {}), **(headers or {})}
        sent = {name: value for name, value in sent.items() if value}
        more: dict[str, Any] = {"data": data} if data is not None else {"json": body}
        if body is None and data is None:
            more = {}
        async with self._http.request(
            method, self.url + path, headers=sent, allow_redirects=False, **more
        ) as response:
            content = await response.read()
            is_json = response.content_type == "application/json"
            found = await response.json() if is_json and content else None
            return Answer(response.status, content, CIMultiDict(response.headers), found)

    async def get(self, path: str, **headers: str) -> Answer:
        """Ask for something."""
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Answer:
        """Have something done."""
        return await self.ask("POST", path, {} if body is None else body, headers=headers)

    async def sign_in(self, uin: int, password: str = PASSWORD, **more: object) -> Answer:
        """Sign in, and learn the word of the visit."""
        answer = await self.post("/api/sign-in", {"uin": uin, "password": password, **more})
        if answer.status == 200:
            me = await self.get("/api/me")
            self.word = me.json.get("csrf", "")
        return answer

    async def talk(self, **headers: str) -> "Lines":
        """Open the WebSocket for lines."""
        socket = await self._http.ws_connect(
            self.url + PATH, headers={**self.headers, **headers}, max_msg_size=0
        )
        return Lines(socket)

    def cookies(self) -> dict[str, str]:
        """Return what it holds."""
        return {cookie.key: cookie.value for cookie in self._http.cookie_jar}

    def hold(self, **cookies: str) -> None:
        """Have it hold something."""
        self._http.cookie_jar.update_cookies(cookies)


class Lines:
    """A WebSocket with a line in each frame."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[Any]") -> None:
        self.socket = socket
        self._seq = 1_000_000_000

    async def say(self, line: str) -> None:
        """Send a line."""
        await self.socket.send_str(line)

    async def hear(self) -> str:
        """Return the next line, "" once the server has closed."""
        async with asyncio.timeout(WAIT):
            frame = await self.socket.receive()
        return str(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else ""

    async def ask(self, line: str) -> str:
        """Send a line and return the next that comes."""
        await self.say(line)
        return await self.hear()

    async def sign_in(self, uin: int, ps: str = ZEROS) -> str:
        """Say Login as the page does; return the answer."""
        return await self.ask(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self.number()}&UIN={uin}&PS={ps}"
            "&M5=1&LG=0&LC=812822641C978097&GD=&CKE="
        )

    async def message(self, uin: int, to: int, text: str, number: int | None = None) -> str:
        """Send a message; return what comes next."""
        seq = number or self.number()
        return await self.ask(request("CLTMSG", uin, f"UN={to}&MG={text}", seq=seq))

    def number(self) -> int:
        """Return a number used once."""
        self._seq += 1
        return self._seq

    async def close(self) -> None:
        """Close it."""
        await self.socket.close()
