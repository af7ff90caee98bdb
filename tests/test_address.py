"""Addresses as people write them."""

from dataclasses import replace

import pytest

from kqq.address import HostPort
from kqq.errors import ConfigError


class Target(HostPort):
    """Something to connect to."""

    SCHEME = "tcp"


class Door(HostPort):
    """Something to open, with TLS or without."""

    SCHEME = "kqq"
    OTHER_SCHEMES = ("kqqs",)
    LOWEST_PORT = 0


def test_kinds_of_address_are_not_equal() -> None:
    """A door is no target, though host and port be the same."""
    target: object = Target("a", 1)
    assert target != Door("a", 1)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:14000", "127.0.0.1", 14000),
        ("tcp://chat.example:1/", "chat.example", 1),
        ("tcp://[::1]:65535", "::1", 65535),
    ],
)
def test_an_address_is_read_and_written(text: str, host: str, port: int) -> None:
    """Host and port come out, and go back in, with brackets around IPv6."""
    assert Target.parse(text) == Target(host, port)
    assert str(Target(host, port)) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:1",
        "tcp://:1",
        "tcp://a:0",
        "tcp://a:65536",
        "kqq://a:1",
        "tcp://a",
        "tcp://a:١",
    ],
)
def test_a_wrong_address_says_how_to_write_one(text: str) -> None:
    """The error shows what was given and an example."""
    with pytest.raises(ConfigError, match=r"write tcp://HOST:PORT, for example tcp://") as caught:
        Target.parse(text)
    assert repr(text) in str(caught.value)


def test_port_0_is_for_doors_only() -> None:
    """A door may leave the choice of the port to the system; nobody can connect to port 0."""
    assert Door.parse("kqq://127.0.0.1:0") == Door("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="port 0 picks a free one"):
        Door.parse("kqq://127.0.0.1")


def test_an_address_keeps_its_scheme() -> None:
    """The usual one need not be said; two that differ in it only are not the same."""
    assert str(Door("a", 1)) == "kqq://a:1"
    assert str(Door.parse("kqqs://[::1]:1")) == "kqqs://[::1]:1"
    assert Door.parse("kqq://a:1") == Door("a", 1) != Door("a", 1, "kqqs")
    assert replace(Door("a", 0, "kqqs"), port=5) == Door("a", 5, "kqqs")


def test_all_schemes_are_told() -> None:
    """Whoever writes a wrong one sees which there are."""
    with pytest.raises(ConfigError, match="write kqq://HOST:PORT or kqqs://HOST:PORT, for example"):
        Door.parse("tcp://a:1")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "."])
def test_a_host_that_is_no_name_is_told(host: str) -> None:
    """What the system could not even look up is a wrong address."""
    with pytest.raises(ConfigError, match="is no host name"):
        Target.parse(f"tcp://{host}:1")
