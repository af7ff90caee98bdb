"""Settings and addresses."""

import ast
import dataclasses
import inspect
import itertools
from pathlib import Path

import pytest

from kqq.errors import ConfigError
from kqq.server import config
from kqq.server.config import Config, Listen, default_data


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("kqq://127.0.0.1:14000", "127.0.0.1", 14000),
        ("kqq://localhost:0", "localhost", 0),
        ("kqq://[::1]:65535/", "::1", 65535),
    ],
)
def test_listen_reads_addresses(text: str, host: str, port: int) -> None:
    """An address is read, and written as it was."""
    listen = Listen.parse(text)
    assert listen == Listen(host, port)
    assert str(listen) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    ["", "14000", "127.0.0.1:14000", "tcp://127.0.0.1:1", "kqq://127.0.0.1", "kqq://:1",
     "kqq://host:65536", "kqq://host:123456", "kqq://::1:5", "kqq://h:1/path"],
)  # fmt: skip
def test_listen_refuses_what_is_no_address(text: str) -> None:
    """What cannot be used is refused in words that show how to write it."""
    with pytest.raises(ConfigError, match="kqq://HOST:PORT") as refused:
        Listen.parse(text)
    assert repr(text) in str(refused.value)


def test_default_data_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The data lives among the user's, and asking where does not make it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data() == tmp_path / "kqq"
    assert not default_data().exists()


def test_every_setting_is_described() -> None:
    """Each setting has a docstring right below it."""
    tree = ast.parse(inspect.getsource(config))
    body = next(
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config"
    ).body
    described = {
        node.target.id
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr)
    }
    assert described == {field.name for field in dataclasses.fields(Config)}


def test_a_text_of_the_limit_fits_into_a_line() -> None:
    """A message of the longest text, four bytes a sign, is a line that is taken."""
    assert Config(data=Path()).text_limit * 4 + 200 < 65536


@pytest.mark.parametrize("limit", [0, 16001])
def test_a_text_limit_that_fits_no_line_is_refused(tmp_path: Path, limit: int) -> None:
    """What is accepted must fit into the line that delivers it."""
    with pytest.raises(ConfigError, match="take 1 to 16000"):
        Config(data=tmp_path, text_limit=limit)
