"""Make the pictures of the pages: the same evening in May 2014, in a browser.

    scripts/pictures web-chat.png       # those that are named; all without a name

A server whose clock is moved by hand has an hour of traffic behind it; then Chromium looks at it.
Numbers, names and texts are made up.
"""

import asyncio
import itertools
import math
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from kqq.client import Client
from kqq.server import Config, Listen, Server
from kqq.server.accounts import make_proof, password_md5
from kqq.server.operators import Role
from kqq.server.profiles import set_values
from kqq.server.store import Account
from kqq.testing import PASSWORD, ManualClock, MemoryLink

FOLDER = Path(__file__).parent.parent / "docs/pictures"
CHROMIUM = "/usr/bin/chromium"
ANNA, BO = 10001, 10002
PEOPLE = {
    ANNA: "Anna", BO: "小波", 10003: "Bob", 10004: "林小雨", 10005: "Julia", 10006: "老王",
    10007: "Marie", 10008: "阿杰",
}  # fmt: skip
TALK = [
    (BO, "你好，Anna！周末的照片我洗出来了。"),
    (ANNA, "太好了！Can you bring them on Wednesday?"),
    (BO, "没问题 👍"),
    (BO, "今晚去看电影吗？《大话西游》重映，七点半，人民广场。"),
    (ANNA, "I have never seen it on a big screen. 好啊！"),
    (ANNA, "Shall we meet at the entrance at 19:20?"),
    (BO, "好，老地方见。爆米花我请，你带上林小雨，她还没看过。"),
    (ANNA, "I will ask her. 一会儿见！"),
]
OTHERS = {10004: "几点？我刚下班", 10003: "See you on Friday?", 10006: "明天早上九点开会"}
WIDE, NARROW = {"width": 1180, "height": 760}, {"width": 360, "height": 720}
_STEPS = 360  # of ten seconds each
_EVERY = 10.0
_AT_ONCE = 2.0  # seconds
_HANDSET = """localStorage.setItem("kqq.chat", '{"skin": "handset"}')"""

Take = Callable[["Evening", Browser], Awaitable[bytes]]


class Evening:
    """A server with an hour behind it, and people who are signed in there."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        doors = (Listen("127.0.0.1", 0), Listen("127.0.0.1", 0, "web"))
        config = Config(data=folder, listen=doors, advertise="192.0.2.7", registration="invitation")
        self.server = Server(config, clock=self.clock)
        self.clients: dict[int, Client] = {}
        self._links: list[MemoryLink] = []

    async def begin(self) -> None:
        """Open the server, let people in, and let an hour pass."""
        await self.server.start()
        store = self.server.store
        proof = make_proof(password_md5(PASSWORD), b"salt of pictures")
        for uin, nick in PEOPLE.items():
            store.add_account(Account(uin, nick, 0, proof), self.clock.date())
        for one, other in itertools.combinations(PEOPLE, 2):
            if ANNA in {one, other} or (one + other) % 3 == 0:
                store.add_friends(one, other)
        await set_values(store, ANNA, {"province": "上海", "city": "上海", "age": "24"})
        await self.server._operators.add(ANNA, Role.ADMINISTRATOR)  # noqa: SLF001
        for uin in (BO, 10003, 10004, 10006):
            await self.sign_in(uin)
        await self._hour()

    async def sign_in(self, uin: int) -> None:
        """Let somebody in, with a phone."""
        link = MemoryLink(self.server.visitor(), (f"192.0.2.{uin % 100 + 10}", 50000))
        self._links.append(link)
        self.clients[uin] = Client(link)
        await self.clients[uin].sign_in(uin, PASSWORD)

    async def _hour(self) -> None:
        """Let people talk more and less, as on any evening."""
        pairs = [pair for pair in itertools.permutations(self.clients, 2)
                 if self.server.store.are_friends(*pair)]  # fmt: skip
        for step in range(_STEPS):
            count = round(9 + 5 * math.sin(step / 37) + 3 * math.sin(step / 11))
            for number in range(count):
                one, other = pairs[(step * 5 + number) % len(pairs)]
                await self.clients[one].send(other, "嗯")
            if step % 25 == 0:
                await self.clients[10003].sign_in(10003, PASSWORD)
            await self.advance(_EVERY)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let happen what follows."""
        for _ in range(3):
            await asyncio.sleep(0)
        self.clock.advance(seconds)
        for _ in range(3):
            await asyncio.sleep(0)

    async def page(self, browser: Browser, *, language: str = "en-GB", dark: bool = False,
                   size: dict[str, int] = WIDE, handset: bool = False) -> Page:  # fmt: skip
        """Return a page where Anna has signed in, at the time of the server."""
        context = await browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            locale=language,
            timezone_id="Europe/London",  # where it is evening then,
            color_scheme="dark" if dark else "light",
            device_scale_factor=1.5,
        )
        page = await context.new_page()
        await page.clock.install(time=datetime.fromtimestamp(self.clock.date(), UTC))
        if handset:
            await page.add_init_script(_HANDSET)
        await page.goto(f"{self.server.web[0].url}/")
        await page.locator("input").first.fill(str(ANNA))
        await page.locator("input[type=password]").first.fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.get_by_text("小波").first.wait_for()
        await self.go_on(page)
        return page

    async def talk(self, page: Page) -> None:
        """Let Anna and 小波 talk, in her browser."""
        await page.get_by_text("小波").first.click()
        field = page.locator("textarea").last
        for uin, text in TALK:
            if uin == ANNA:
                await field.fill(text)
                await field.press("Enter")
            else:
                await self.clients[BO].send(ANNA, text)
            await self.go_on(page)
            await page.get_by_text(text).last.wait_for()
            await self.go_on(page, 40)

    async def others(self, page: Page) -> None:
        """Let others write to Anna, who has not looked yet."""
        for uin, text in OTHERS.items():
            await self.clients[uin].send(ANNA, text)
            await self.go_on(page, 5)

    async def go_on(self, page: Page, seconds: float = 1.0) -> None:
        """Let time pass, for the server and for the page alike."""
        while seconds > 0:
            await page.clock.run_for(round(min(seconds, _AT_ONCE) * 1000))
            for _ in range(4):
                await self.advance(min(seconds, _AT_ONCE) / 4)
                await asyncio.sleep(0.02)
            seconds -= _AT_ONCE

    async def close(self) -> None:
        """End it."""
        for client in self.clients.values():
            await client.close()
        closing = asyncio.ensure_future(self.server.close())
        while not closing.done():
            self.clock.advance(1)
            await asyncio.sleep(0.01)
        await closing


async def chat(evening: Evening, browser: Browser) -> bytes:
    """The chat, wide and light."""
    page = await evening.page(browser)
    await evening.talk(page)
    await evening.others(page)
    return await page.screenshot()


async def chat_dark(evening: Evening, browser: Browser) -> bytes:
    """The chat on a phone of today, dark, in Chinese."""
    page = await evening.page(browser, language="zh-CN", dark=True, size=NARROW)
    await evening.talk(page)
    return await page.screenshot()


async def wire(evening: Evening, browser: Browser) -> bytes:
    """The wire drawer, with a line explained."""
    page = await evening.page(browser, size={"width": 1440, "height": 800})
    await page.get_by_role("button", name="wire").first.click()
    await evening.talk(page)
    await page.get_by_text("CLTMSG").last.click()
    await evening.go_on(page)
    return await page.screenshot()


async def handset(evening: Evening, browser: Browser) -> bytes:
    """The same page inside a phone of 2005."""
    page = await evening.page(browser, handset=True, size={"width": 700, "height": 900})
    await evening.others(page)
    return await page.screenshot()


async def phone(evening: Evening, browser: Browser) -> bytes:
    """The password of a phone, shown once."""
    page = await evening.page(browser)
    await page.goto(f"{evening.server.web[0].url}/account#phones")
    await evening.go_on(page)
    await page.locator("main input:visible").first.fill("Nokia 6230")
    await page.keyboard.press("Enter")
    await page.locator("main img:visible").first.wait_for()
    await evening.go_on(page)
    return await page.screenshot()


async def operator(evening: Evening, browser: Browser) -> bytes:
    """The operator's first page."""
    page = await evening.page(browser)
    await page.goto(f"{evening.server.web[0].url}/operator")
    await page.get_by_text("Latency").first.wait_for()
    await evening.go_on(page)
    return await page.screenshot()


PICTURES: dict[str, Take] = {
    "web-chat.png": chat,
    "web-chat-dark.png": chat_dark,
    "web-wire.png": wire,
    "web-handset.png": handset,
    "web-phone.png": phone,
    "web-operator.png": operator,
}


async def main(names: list[str]) -> None:
    """Write the pictures with these names, or all."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--font-render-hinting=none"]
        )
        for name in names or PICTURES:
            with tempfile.TemporaryDirectory() as folder:
                evening = Evening(Path(folder))
                await evening.begin()
                (FOLDER / name).write_bytes(await PICTURES[name](evening, browser))
                await evening.close()
                print(f"wrote docs/pictures/{name}", flush=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
