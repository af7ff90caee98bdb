"""What may come before the chat: letters in a picture, a wrong password, no server."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.app import App

from kqq.errors import ConnectionLost, KQQError, SignInRefused
from kqq.tui.chat import Chat
from kqq.tui.sign_in import Again, Captcha, Trouble
from tui.screens import HARMLESS, HOSTILE, seen, typing, until
from tui.test_dialogs import Behind

AT = 1_400_000_000.0


class Front(Behind):
    """What is behind a dialog, in any size."""

    HORIZONTAL_BREAKPOINTS = Chat.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = Chat.VERTICAL_BREAKPOINTS


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep pictures in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def a_picture(width: int = 130, height: int = 53) -> bytes:
    """Return a picture, half of it dark."""
    image = Image.new("L", (width, height), 255)
    image.paste(0, (0, 0, width // 2, height))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def kept_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder."""
    return list(folder.rglob("captcha-10001-*.png"))


def shown(app: App[Any]) -> str:
    """Return what is seen, without borders, its lines joined by blanks."""
    return " ".join(" ".join(seen(app)).replace("│", " ").split())


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 40)])
async def test_a_captcha_fits(size: tuple[int, int], own_cache: Path) -> None:
    """Picture, field and buttons are in view in any size; the picture is in a file, too."""
    app = Front()
    async with app.run_test(size=size) as pilot:
        await app.ask(Captcha(a_picture(), 10001, AT, is_again=False))
        await until(
            pilot, lambda: "▀" in shown(app) or "▄" in shown(app) or "█" in shown(app), "it"
        )
        assert "Sign in" in shown(app)
        assert "The letters in the picture" in shown(app)
        picture = app.screen.query_one("#picture")
        assert picture.region.height >= 8
        assert picture.region.width >= 16
        assert "Those were not the letters" not in shown(app)
        if size[1] >= 20:
            assert "captcha-10001-" in shown(app).replace(" ", "")
    files = kept_in(own_cache)
    assert [file.read_bytes() for file in files] == [a_picture()]
    assert files[0].stat().st_mode & 0o777 == 0o600


async def test_letters_are_the_answer() -> None:
    """Enter and the button give them, blanks cut off; none are none."""
    app = Front()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(Captcha(a_picture(), 10001, AT, is_again=True))
        await pilot.pause()
        assert "Those were not the letters; here is another picture." in shown(app)
        await pilot.press("enter")
        assert "Type the letters that you see." in shown(app)
        await pilot.press("space", *"hsng", "left", "enter")
        await until(pilot, lambda: app.heard == ["hsng"], "letters")
        await app.ask(Captcha(a_picture(), 10001, AT, is_again=False))
        await pilot.press(*"ab", "tab", "enter")
        await until(pilot, lambda: app.heard == ["hsng", "ab"], "letters")
        await app.ask(Captcha(a_picture(), 10001, AT, is_again=False))
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: app.heard[2:] == [None], "no letters")


async def test_what_is_no_picture_and_has_no_file_is_told(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes may be anything, and the folder may not be one; letters can be typed still."""
    (own_cache / "kqq").write_text("in the way")
    app = Front()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(Captcha(HOSTILE.encode(), 10001, AT, is_again=False))
        await pilot.pause()
        assert "The picture cannot be shown" in shown(app)
        assert "cannot write a picture" in shown(app)
        await pilot.press(*"hsng", "enter")
        await until(pilot, lambda: app.heard == ["hsng"], "letters")
    assert os.environ["XDG_CACHE_HOME"] == str(own_cache)


async def test_a_picture_is_drawn_anew_in_another_width() -> None:
    """It is never wider than its place."""
    app = Front()
    async with app.run_test(size=(100, 40)) as pilot:
        await app.ask(Captcha(a_picture(), 10001, AT, is_again=False))
        await pilot.pause()
        picture = app.screen.query_one("#picture")
        assert picture.region.width == 58
        await pilot.resize_terminal(40, 40)
        await until(pilot, lambda: picture.region.width <= 34, "a narrower picture")
        await pilot.resize_terminal(100, 24)
        await until(pilot, lambda: picture.region.height <= 13, "a lower picture")


@pytest.mark.parametrize(
    ("error", "keys", "answer"),
    [
        (ConnectionLost("no route"), "enter", Again(None)),
        (ConnectionLost("no route"), "right enter", None),
        (ConnectionLost("no route"), "escape", None),
        (SignInRefused("no", reason="Password error"), "n e w enter", Again("new")),
        (SignInRefused("no", reason="Password error"), "enter", Again(None)),
        (SignInRefused("no", reason="Password error"), "n e w tab enter", Again("new")),
    ],
)
async def test_trouble_and_what_to_do(error: KQQError, keys: str, answer: Again | None) -> None:
    """Try again, with another password if that was wrong, or leave."""
    app = Front()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(Trouble(error, leave="Quit"))
        await pilot.pause()
        await pilot.press(*keys.split())
        await until(pilot, lambda: app.heard == [answer], "an answer")


@pytest.mark.parametrize("size", [(40, 15), (80, 24)])
async def test_trouble_tells_why_and_shows_no_password(size: tuple[int, int]) -> None:
    """What the server says is told as it is; what is typed is not seen."""
    app = Front()
    async with app.run_test(size=size) as pilot:
        await app.ask(Trouble(SignInRefused("no", reason=HOSTILE), leave="Quit"))
        await pilot.pause()
        assert HARMLESS.replace(" ", "") in shown(app).replace(" ", "")
        await typing(pilot, "hunter2")
        assert "hunter2" not in shown(app)
        assert "•••••••" in shown(app)
