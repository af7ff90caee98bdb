"""Addresses as people write them."""

from dataclasses import replace

import pytest

from kqq.address import Door, HostPort
from kqq.errors import ConfigError


class Target(HostPort):
    """Something to connect to."""

    SCHEME = "tcp"


class Gate(HostPort):
    """Something to open, with TLS or without."""

    SCHEME = "kqq"
    OTHER_SCHEMES = ("kqqs",)
    LOWEST_PORT = 0


class Way(HostPort):
    """Something with many schemes."""

    SCHEME = "x"
    OTHER_SCHEMES = ("y", "z")


def test_kinds_of_address_are_not_equal() -> None:
    """A gate is no target, though host and port be the same."""
    target: object = Target("a", 1)
    assert target != Gate("a", 1)


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
    assert Gate.parse("kqq://127.0.0.1:0") == Gate("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="port 0 picks a free one"):
        Gate.parse("kqq://127.0.0.1")


def test_an_address_keeps_its_scheme() -> None:
    """The usual one need not be said; two that differ in it only are not the same."""
    assert str(Gate("a", 1)) == "kqq://a:1"
    assert str(Gate.parse("kqqs://[::1]:1")) == "kqqs://[::1]:1"
    assert Gate.parse("kqq://a:1") == Gate("a", 1) != Gate("a", 1, "kqqs")
    assert replace(Gate("a", 0, "kqqs"), port=5) == Gate("a", 5, "kqqs")


def test_all_schemes_are_told() -> None:
    """Whoever writes a wrong one sees which there are."""
    with pytest.raises(ConfigError, match="write kqq://HOST:PORT or kqqs://HOST:PORT, for example"):
        Gate.parse("tcp://a:1")
    with pytest.raises(ConfigError, match="write x://HOST:PORT, y://HOST:PORT or z://HOST:PORT, "):
        Way.parse("tcp://a:1")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("127.0.0.1:1", "kqqs://127.0.0.1:1"),
        ("[::1]:1", "kqqs://[::1]:1"),
        ("kqq://a:1", "kqq://a:1"),
    ],
)
def test_the_scheme_may_be_left_out_where_one_is_meant(text: str, written: str) -> None:
    """One that is written is kept."""
    assert str(Gate.parse(text, "kqqs")) == written
    with pytest.raises(ConfigError, match="'kqqs://a' is not an address"):
        Gate.parse("a", "kqqs")


def test_a_door_is_for_all_who_come() -> None:
    """For lines and for POSTs, at a free port, too; TLS is not for proxies and mocks."""
    assert [str(Door.parse(f"{one}://a:0")) for one in ("kqq", "tcp", "http")] == [
        "kqq://a:0", "tcp://a:0", "http://a:0",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="write kqq://HOST:PORT, tcp://HOST:PORT or http://HOST"):
        Door.parse("kqqs://a:0")


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        "x" * 64,
        ".",
        "a b",
        "a@b",
        "a?b",
        "a\0b",
        "a\x1b[2Jb",
        "a\u202eb",
        "a\u200bb",
        "a\n",
    ],
)
def test_a_host_that_is_no_name_is_told(host: str) -> None:
    """What the system could not look up, or would look like another, is a wrong address."""
    with pytest.raises(ConfigError, match=r"is no host name|is not an address; write") as caught:
        Target.parse(f"tcp://{host}:1")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("host", ["localhost", "qq_1.example.", "小波.example", "192.0.2.1"])
def test_a_name_may_be_in_any_script(host: str) -> None:
    """Whatever can be looked up is kept as it is written."""
    assert Target.parse(f"tcp://{host}:1").host == host


@pytest.mark.parametrize("host", ["::1", "fe80::1%eth0", "::ffff:192.0.2.1", "2001:DB8::"])
def test_an_address_in_brackets_is_kept(host: str) -> None:
    """With a zone or without."""
    assert Target.parse(f"tcp://[{host}]:1").host == host


@pytest.mark.parametrize("host", ["localhost", "::1::", "fe80::1%\x1b[2J", "192.0.2.1", ":"])
def test_brackets_are_for_ipv6(host: str) -> None:
    """Nothing else may stand in them."""
    with pytest.raises(ConfigError, match="is no IPv6 address"):
        Target.parse(f"tcp://[{host}]:1")
