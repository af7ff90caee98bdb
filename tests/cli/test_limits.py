"""`kqq limits`, on a server that runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import kqq, objects
from serving import serving


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of a server in a thread."""
    folder = tmp_path_factory.mktemp("data") / "kqq"
    with serving(folder, "Anna"):
        yield str(folder)


def test_showing(data: str) -> None:
    """All of them in columns, or one with what it is for."""
    lines = kqq("limits", "show", "--data", data).stdout.splitlines()
    assert re.fullmatch(r"registration +off", lines[0])
    assert max(map(len, lines)) <= 80
    one = kqq("limits", "show", "messages_rate", "--data", data)
    assert one.stdout.splitlines() == [
        "messages_rate  10.0",
        "Messages a second from one account; more are refused.",
        "Take a number from 0.01 on.",
    ]
    (told,) = objects(kqq("limits", "show", "messages_rate", "--json", "--data", data))
    assert (told["value"], told["kind"]) == (10.0, "number")
    unknown = kqq("limits", "show", "nonsense", "--data", data)
    assert unknown.exit_code == 2
    assert "there is no limit 'nonsense'; `kqq limits show` lists all" in unknown.stderr


def test_changing(data: str) -> None:
    """Numbers and words; what is printed can be written into the file of settings."""
    changed = kqq("limits", "set", "text_limit=500", "registration=open", "messages_rate=5",
                  "--data", data)  # fmt: skip
    assert changed.exit_code == 0
    assert changed.stdout == 'text_limit = 500\nregistration = "open"\nmessages_rate = 5.0\n'
    assert changed.stderr.startswith("until the server starts again; write this into its file")
    assert "text_limit=500" in kqq("operator", "log", "--most", "1", "--data", data).stdout
    shown = kqq("limits", "show", "text_limit", "--data", data).stdout.splitlines()
    assert shown[0] == "text_limit  500  by default 16000"
    again = kqq("limits", "set", "text_limit=500", "--data", data)
    assert again.stderr == "it was so before\n"
    (told,) = objects(kqq("limits", "set", "text_limit=501", "--json", "--data", data))
    assert told == {"changed": ["text_limit"], "toml": "text_limit = 501"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text_limit=0", "text_limit=0 cannot be; take a whole number from 1 to 16000"),
        ("text_limit=many", 'text_limit="many" cannot be; take a whole number'),
        ("nonsense=1", "nonsense cannot be changed so; take one of"),
        ("data=/", "data cannot be changed so"),
        ("text_limit", "'text_limit' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_set(data: str, value: str, words: str) -> None:
    """It is told in words, and the exit code is 2."""
    refused = kqq("limits", "set", value, "--data", data)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_no_server(tmp_path: Path) -> None:
    """Limits are of a server that runs."""
    assert kqq("account", "add", "--nick", "x", "--password", "x",
               "--data", str(tmp_path)).exit_code == 0  # fmt: skip
    refused = kqq("limits", "show", "--data", str(tmp_path))
    assert refused.exit_code == 3
    assert "no server runs on" in refused.stderr
