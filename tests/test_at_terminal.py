"""A person at a terminal: lines they type, pictures they see."""

import asyncio
import io
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from kqq.at_terminal import is_typed, show_picture, typed_lines
from kqq.errors import ConfigError


async def test_lines_come_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their ends; None says that there are no more."""
    monkeypatch.setattr("sys.stdin", io.StringIO("one\r\n\n two\nlast"))
    lines = typed_lines()
    assert [await lines.get() for _ in range(5)] == ["one", "", " two", "last", None]


async def test_half_a_sign_does_not_end_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody can leave it who deletes at a terminal; the byte goes on as one."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xe4\xbd\nyes\n"), "utf-8"))
    lines = typed_lines()
    assert [await lines.get() for _ in range(3)] == ["\udce4\udcbd", "yes", None]


async def test_what_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something was read before, such as the password, bytes cannot become anything."""
    typed = b"secret\n" + b"x" * 9000 + b"\n\xff\n"
    stdin = io.TextIOWrapper(io.BytesIO(typed), "utf-8")
    monkeypatch.setattr("sys.stdin", stdin)
    assert stdin.readline() == "secret\n"
    told = await typed_lines().get()
    assert isinstance(told, ConfigError)
    assert "standard input is not UTF-8" in str(told)


async def test_nothing_is_typed_where_the_input_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after `<&-`."""
    monkeypatch.setattr("sys.stdin", None)
    assert await typed_lines().get() is None
    assert not is_typed()


def test_lines_that_nobody_waits_for_any_more_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When a command has ended, what is typed then is no error."""
    may_type = threading.Event()

    class Typing:
        def __iter__(self) -> Iterator[str]:
            may_type.wait(10)
            return iter(["too late\n"])

    async def begin() -> None:
        typed_lines()

    monkeypatch.setattr("sys.stdin", Typing())
    asyncio.run(begin())
    may_type.set()
    for thread in threading.enumerate():
        if thread.name == "kqq-typing":
            thread.join(10)


@pytest.mark.parametrize("broken", [False, True])
def test_a_picture_is_shown_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, broken: bool
) -> None:
    """It is drawn, if it can be; the file is told in any case, and is for its owner only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KQQ_PICTURES", "blocks")
    monkeypatch.setenv("KQQ_LANG", "en")
    out = io.BytesIO()
    Image.new("L", (16, 8), 255).save(out, "PNG")
    picture = b"\x89PNG\r\n" if broken else out.getvalue()
    told: list[str] = []
    show_picture(picture, 10001, told.append)
    drawn, where = told
    assert ("The picture cannot be shown" in drawn) == broken
    (file,) = tmp_path.rglob("captcha-10001-*")
    assert where == f"The picture is in {file}."
    assert file.read_bytes() == picture
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
