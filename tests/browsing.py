"""A browser as the server sees it: cookies kept, `Origin` and the word of its visit sent along."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from kqq.server import Listen
from kqq.server.visits import Visit
from kqq.server.web.chat import PATH
from stage import PASSWORD, WAIT, request

HOST = "127.0.0.1"
WEB = Listen(HOST, 0, "web")
ZEROS = "0" * 32


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Why it was refused."""
        assert set(self.json) >= {"error", "why"}, self.body
        return str(self.json["error"])

    @property
    def error(self) -> tuple[int, str]:
        """The status of a refusal, and its code."""
        return self.status, self.code


class Browser:
    """One browser at a server's door; `async with Browser(url) as browser: ...`.

    `headers` go with every request, `csrf` is the word that its pages know of its visit.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"Origin": url, "User-Agent": "Tests/1.0"}
        self.csrf = ""
        self.visit: Visit | None = None
        jar = aiohttp.CookieJar(unsafe=True)  # keep those of addresses, too
        self.session = aiohttp.ClientSession(
            url, cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=WAIT)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a request, with `body` as JSON, or the bytes of `data` as they are.

        A header that is "" is left out.
        """
        all_headers = {"X-CSRF": self.csrf, **self.headers}
        if data is None and body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            all_headers["Content-Type"] = "application/json"
        all_headers |= headers or {}
        sent = {name: value for name, value in all_headers.items() if value}
        async with self.session.request(
            method, path, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Answer:
        """Ask for something."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        """Post something."""
        return await self.ask("POST", path, {} if body is None else body, **more)

    async def patch(self, path: str, body: object, **more: Any) -> Answer:
        """Change something."""
        return await self.ask("PATCH", path, body, **more)

    async def delete(self, path: str, body: object = None, **more: Any) -> Answer:
        """Delete something."""
        return await self.ask("DELETE", path, body, **more)

    async def load(self) -> dict[str, Any]:
        """Do what each page does first: ask who is signed in, and keep the word of the visit."""
        answer = await self.get("/api/me")
        assert answer.status == 200, answer.body
        self.csrf = answer.json["csrf"]
        found: dict[str, Any] = answer.json
        return found

    async def sign_in(self, uin: int, password: str = PASSWORD, **more: object) -> Answer:
        """Sign in with a password, and load a page if that was right."""
        answer = await self.post("/api/sign-in", {"uin": uin, "password": password, **more})
        if answer.status == 200:
            await self.load()
        return answer

    async def talk(self, **headers: str) -> "Lines":
        """Open the WebSocket for lines."""
        socket = await self.session.ws_connect(
            self.url + PATH, headers={**self.headers, **headers}, max_msg_size=0
        )
        return Lines(socket)

    @property
    def cookies(self) -> dict[str, str]:
        """What it holds."""
        return {one.key: one.value for one in self.session.cookie_jar}

    def hold(self, cookies: Mapping[str, str]) -> None:
        """Have it hold cookies, however it came by them."""
        self.session.cookie_jar.update_cookies(cookies, URL(self.url))


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
