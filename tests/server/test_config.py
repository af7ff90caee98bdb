"""Settings and addresses."""

import ast
import dataclasses
import inspect
import ipaddress
import itertools
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import ConfigError
from kqq.server import config
from kqq.server.config import (
    Config,
    Listen,
    MetricsAddress,
    SmsEntry,
    allowed,
    default_data,
    toml,
)


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


def test_a_door_may_have_tls() -> None:
    """`kqqs` is encrypted, `kqq` is not."""
    assert Listen.parse("kqqs://a:1").is_tls
    assert not Listen.parse("kqq://a:1").is_tls


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


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("text_limit", 0, "text_limit=0 cannot be; take a whole number from 1 to 16000"),
        ("text_limit", 16001, "text_limit=16001 cannot be; take a whole number from 1 to 16000"),
        ("turn_limit", 0, "turn_limit=0 cannot be; take a whole number from 1 on"),
        ("breath", -0.5, "breath=-0.5 cannot be; take a number from 0 on"),
        ("breath", math.nan, "breath=nan cannot be; take a number from 0 on"),
        ("breath", math.inf, "breath=inf cannot be; take a number from 0 on"),
        (
            "captcha",
            "sometimes",
            'captcha="sometimes" cannot be; take "never", "after-failures" or "always"',
        ),
        (
            "advertise",
            "http://chat.example",
            (
                'advertise="http://chat.example" cannot be; '
                "take a host name or an IP address, without a port"
            ),
        ),
        (
            "metrics",
            MetricsAddress("192.0.2.1", 9100),
            (
                'metrics="http://192.0.2.1:9100" cannot be; '
                'take a loopback address such as "http://127.0.0.1:9100", or "" for none'
            ),
        ),
        (
            "listen",
            (Listen("::1", 1, "kqqs"),),
            (
                "listen: the door kqqs://[::1]:1 needs `certificate` and `key`; set both, "
                "or write kqq://[::1]:1"
            ),
        ),
        (
            "redirector",
            (Listen("a", 1, "kqqs"),),
            (
                "redirector: the door kqqs://a:1 needs `certificate` and `key`; set both, "
                "or write kqq://a:1"
            ),
        ),
        ("listen", (), "redirector: there is no door in `listen` to send phones on to"),
        (
            "listen",
            (Listen("a", 1, "web"),),
            "redirector: there is no door in `listen` to send phones on to",
        ),
        (
            "redirector",
            (Listen("a", 1, "web"),),
            "redirector: web://a:1 cannot be, since it is a door for phones; write kqq://a:1",
        ),
        (
            "listen",
            (Listen("a", 1), Listen("a", 2, "webs")),
            (
                "listen: the door webs://a:2 needs `certificate` and `key`; set both, or write "
                "web://a:2"
            ),
        ),
        (
            "web_origins",
            ("https://a", "https://a/b"),
            (
                'web_origins=["https://a", "https://a/b"] cannot be; take a list of '
                'addresses such as ["https://chat.example.org"]'
            ),
        ),
    ],
)
def test_what_would_break_a_promise_is_refused(
    tmp_path: Path, name: str, value: object, told: str
) -> None:
    """The message names the setting, the value, and what is allowed."""
    settings: dict[str, Any] = {"redirector": (Listen("a", 1),), name: value}
    with pytest.raises(ConfigError) as refused:
        Config(data=tmp_path, **settings)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "settings",
    [
        {"advertise": "chat.example"},
        {"advertise": "192.0.2.1"},
        {"advertise": "2001:db8::1"},
        {"metrics": MetricsAddress("localhost", 9100)},
        {"metrics": MetricsAddress("127.8.8.8", 9100)},
        {"metrics": MetricsAddress("::1", 0)},
        {"update_help": "one\ntwo"},
        {"certificate": Path("c"), "key": Path("k"), "listen": (Listen("a", 1, "kqqs"),)},
    ],
)
def test_what_can_be_is_taken(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Hosts by name and number, texts of several lines, TLS with all it needs."""
    assert Config(data=tmp_path, **settings)


def test_nobody_changes_a_setting(tmp_path: Path) -> None:
    """There is one way to change what all parts of a server look at."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config(data=tmp_path).text_limit = 1  # type: ignore[misc]


def test_what_may_change_is_taken_over(tmp_path: Path) -> None:
    """The rest stays as it was, and is named; so it is the next time."""
    config = Config(data=tmp_path, text_limit=500)
    new = Config(
        data=tmp_path, text_limit=600, captcha="never", listen=(), connections_limit=9, log="json"
    )
    both = (["captcha", "text_limit"], ["listen", "connections_limit", "log"])
    assert config.differences(new) == both
    assert config.text_limit == 500
    assert config.take_over(new) == both
    assert (config.text_limit, config.captcha) == (600, "never")
    assert config.listen == (Listen("127.0.0.1", 14000), Listen("127.0.0.1", 8080, "web"))
    assert config.take_over(new) == ([], ["listen", "connections_limit", "log"])


def test_the_admin_socket_is_in_the_data_folder(tmp_path: Path) -> None:
    """Unless it is said to be elsewhere."""
    assert Config(data=tmp_path).admin_path == tmp_path / "admin.sock"
    elsewhere = tmp_path / "elsewhere"
    assert Config(data=tmp_path, admin_socket=elsewhere).admin_path == elsewhere


@pytest.mark.parametrize(
    "value",
    [
        True,
        0,
        -5,
        0.05,
        1e-9,
        "",
        'a"b\\c\n\x00\x7f小😀',
        [],
        ["a", "b"],
        {"a": 1, "b": [{"c": "d"}]},
    ],
)
def test_a_value_is_shown_as_toml_has_it(value: object) -> None:
    """What is shown can be copied into a file."""
    assert tomllib.loads(f"x = {toml(value)}") == {"x": value}


def test_settings_are_shown_as_they_are_written() -> None:
    """Paths, doors, networks and services as texts and tables; None is an empty text."""
    entry = SmsEntry(name="a", address="b", text="c")
    assert toml(entry) == '{ name = "a", address = "b", text = "c", help = "" }'
    assert toml((Listen("::1", 5, "kqqs"),)) == '["kqqs://[::1]:5"]'
    assert toml((ipaddress.ip_network("10.0.0.0/8"),)) == '["10.0.0.0/8"]'
    assert toml(Path("a/b")) == '"a/b"'
    assert toml(None) == '""'


def test_everything_says_what_it_may_be() -> None:
    """Whatever its type, there are words for it."""
    for one in dataclasses.fields(Config):
        assert allowed(one)
