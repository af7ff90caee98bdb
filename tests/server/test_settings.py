"""Settings in files, variables and on the command line."""

import dataclasses
import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import ConfigError
from kqq.server.config import Config, Listen, MetricsAddress, SmsEntry, default_data
from kqq.server.settings import (
    OTHER_VARIABLES,
    changes,
    examine,
    file_in_data,
    load,
    reference,
    sample,
    with_values,
)


def written(folder: Path, text: str | bytes) -> Path:
    """Return a file with this in it."""
    file = folder / "kqq.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


# --- what is read


def test_without_anything_all_is_as_by_default() -> None:
    """The folder of the data is the user's."""
    assert load(None) == Config(data=default_data())


KINDS: list[tuple[str, str, str, Any]] = [
    ("text_limit", "500", "500", 500),
    ("breath", "0.5", "0.5", 0.5),
    ("breath", "1", "1", 1.0),
    ("update_must", "true", "Yes", True),
    ("update_must", "false", "off", False),
    ("update_help", '"one, two"', "one, two", "one, two"),
    ("captcha", '"never"', "never", "never"),
    ("metrics", '"http://127.0.0.1:9100"', "http://127.0.0.1:9100",
     MetricsAddress("127.0.0.1", 9100)),
    ("listen", '["kqq://a:1", "kqq://[::1]:2"]', "kqq://a:1, kqq://[::1]:2",
     (Listen("a", 1), Listen("::1", 2))),
    ("redirector", "[]", ",", ()),
    ("same_address", '["10.0.0.0/8", "2001:db8::/32"]', "10.0.0.0/8 2001:db8::/32",
     (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))),
]  # fmt: skip


@pytest.mark.parametrize(("key", "toml", "text", "value"), KINDS)
def test_each_kind_is_read(tmp_path: Path, key: str, toml: str, text: str, value: object) -> None:
    """The same from a file, a variable and the command line."""
    for chosen in (
        load(written(tmp_path, f"{key} = {toml}")),
        load(None, {f"KQQ_{key.upper()}": text}),
        load(None, {}, [f"{key}={text}"]),
    ):
        assert getattr(chosen, key) == value
        assert type(getattr(chosen, key)) is type(value)


def test_what_is_said_last_counts(tmp_path: Path) -> None:
    """The file, over it variables, over them the command line; an empty variable is none."""
    file = written(tmp_path, "text_limit = 1\ninbox_limit = 1\ntake_limit = 1\nturn_limit = 1\n")
    environment = {"KQQ_INBOX_LIMIT": "2", "KQQ_TAKE_LIMIT": "2", "KQQ_TURN_LIMIT": "", "PATH": "x"}
    chosen = load(file, environment, ["take_limit=3", "take_limit=4"])
    assert changes(chosen) == {
        "text_limit": 1, "inbox_limit": 2, "take_limit": 4, "turn_limit": 1
    }  # fmt: skip


def test_variables_of_the_client_are_no_settings() -> None:
    """They may be set where a server runs, too."""
    assert load(None, dict.fromkeys(OTHER_VARIABLES, "x")) == load(None)


def test_paths_are_as_seen_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file; elsewhere as seen from where the server was started. Empty is the default."""
    monkeypatch.setenv("HOME", "/elsewhere")
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch()
    file = written(
        tmp_path,
        f'data = "~/people"\nadmin_socket = ""\ncertificate = "c.pem"\nkey = "{tmp_path}/k.pem"',
    )
    chosen = load(file)
    assert chosen.data == Path("/elsewhere/people")
    assert chosen.admin_socket is None
    assert (chosen.certificate, chosen.key) == (tmp_path / "c.pem", tmp_path / "k.pem")
    assert load(file, {"KQQ_DATA": "people"}).data == Path("people")
    assert load(file, {}, ["data="]).data == default_data()


def test_services_by_short_message_are_tables(tmp_path: Path) -> None:
    """The help may be left out."""
    file = written(
        tmp_path,
        """
        [[sms]]
        name = "a"
        address = "1"
        text = "b"
        [[sms]]
        name = "c"
        address = "2"
        text = "d"
        help = "e"
        """,
    )
    chosen = load(file)
    assert chosen.sms == (
        SmsEntry(name="a", address="1", text="b"),
        SmsEntry(name="c", address="2", text="d", help="e"),
    )
    assert changes(chosen)["sms"] == [
        {"name": "a", "address": "1", "text": "b", "help": ""},
        {"name": "c", "address": "2", "text": "d", "help": "e"},
    ]


def test_the_file_in_the_data_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the command line, else of the variable, else of the user; if there is one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("kqq", "b", "c"):
        (tmp_path / name).mkdir()
        assert file_in_data({"KQQ_DATA": str(tmp_path / name)}) is None
        written(tmp_path / name, "")
    environment = {"KQQ_DATA": str(tmp_path / "b")}
    assert file_in_data({}) == tmp_path / "kqq" / "kqq.toml"
    assert file_in_data(environment) == tmp_path / "b" / "kqq.toml"
    overrides = ["data=x", f"data={tmp_path}/c", "text_limit=5"]
    assert file_in_data(environment, overrides) == tmp_path / "c" / "kqq.toml"
    assert file_in_data({"KQQ_DATA": "x" * 5000}) is None


# --- what is wrong


WRONG: list[tuple[str | bytes, str]] = [
    ("\n text_limit = 0", "line 2: text_limit=0 cannot be; take a whole number from 1 to 16000"),
    (
        "text_limit = true",
        "line 1: text_limit=true cannot be; take a whole number from 1 to 16000",
    ),
    ("breath = 'much'", 'line 1: breath="much" cannot be; take a number from 0 on'),
    (f"breath = 1{'0' * 400}", "line 1: breath=inf cannot be; take a number from 0 on"),
    ("update_must = 1", "line 1: update_must=1 cannot be; take true or false"),
    (
        "update_help = 2003-01-01",
        'line 1: update_help="2003-01-01" cannot be; take a text',
    ),
    ("data = 5", "line 1: data=5 cannot be; take a path"),
    ("key = 5", 'line 1: key=5 cannot be; take a path, or "" for none'),
    ("key = '/none'", 'line 1: key="/none" cannot be; there is no such file'),
    (
        "log = 5",
        'line 1: log=5 cannot be; take "auto", "words" or "json"',
    ),
    (
        "metrics = 9100",
        (
            "line 1: metrics=9100 cannot be; "
            'take a loopback address such as "http://127.0.0.1:9100", or "" for none'
        ),
    ),
    (
        "metrics = '9100'",
        (
            "line 1: metrics: '9100' is not an address; write http://HOST:PORT, "
            "for example http://127.0.0.1:14000 (port 0 picks a free one)"
        ),
    ),
    (
        "listen = 'kqq://a:1'",
        (
            'line 1: listen="kqq://a:1" cannot be; '
            'take a list of doors such as ["kqq://127.0.0.1:14000"]'
        ),
    ),
    (
        "listen = [5]",
        'line 1: listen=[5] cannot be; take a list of doors such as ["kqq://127.0.0.1:14000"]',
    ),
    (
        "listen = ['tcp://a:1']",
        (
            "line 1: listen: 'tcp://a:1' is not an address; "
            "write kqq://HOST:PORT, kqqs://HOST:PORT, web://HOST:PORT or webs://HOST:PORT, "
            "for example kqq://127.0.0.1:14000 (port 0 picks a free one)"
        ),
    ),
    (
        "same_address = ['10.0.0.1/8']",
        (
            'line 1: same_address=["10.0.0.1/8"] cannot be; '
            'take a list of networks such as ["10.0.0.0/8"]'
        ),
    ),
    (
        "same_address = [5]",
        'line 1: same_address=[5] cannot be; take a list of networks such as ["10.0.0.0/8"]',
    ),
    (
        "sms = [5]",
        (
            "line 1: sms=[5] cannot be; take tables [[sms]] in the file, "
            "each with name, address and text"
        ),
    ),
    (
        "[[sms]]\nname='a'\naddress='b'\ntext='c'\n\n[[ sms ]]\nname='a'\ntext='b'",
        "line 6: sms: address is missing; write name, address, text and help",
    ),
    (
        "[[sms]]\nname = 5",
        "line 1: sms: name=5 cannot be; write name, address, text and help, each a text",
    ),
    (
        "[[sms]]\nwords = 'x'",
        'line 1: sms: words="x" cannot be; write name, address, text and help, each a text',
    ),
    (
        "[[sms]]\ntext_limit = 5",
        "line 1: sms: text_limit is in a table [[sms]]; write it before the first of them",
    ),
    (
        "# first\nhartbeat = 5",
        "line 2: hartbeat=5: there is no such setting; did you mean heartbeat?",
    ),
    (
        "[server]\nlisten = []",
        "line 1: server={ listen = [] }: there is no such setting; `kqq config default` lists all",
    ),
    ("a = 1\nb =", "line 2, column 4: Invalid value"),
    ("a = 1\na = 2 # twice", "line 2, column 6: Cannot overwrite a value"),
    ("", ""),
    (b"a = 1\nb = '\xff'", "line 2: 0xff is not UTF-8"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, text: str | bytes, told: str) -> None:
    """File and line, the key, its value, what is allowed or the nearest key."""
    file = written(tmp_path, text)
    chosen, problems = examine(file)
    assert (chosen is None) == bool(told)
    assert problems == ([f"{file} {told}"] if told else [])


def test_a_number_of_too_many_digits_is_told(tmp_path: Path) -> None:
    """It is no error of syntax, so there is no place."""
    file = written(tmp_path, f"text_limit = {'9' * 5000}")
    _, (told,) = examine(file)
    assert told.startswith(f"{file}: Exceeds the limit")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "none.toml")
    assert str(refused.value) == f"cannot read {tmp_path}/none.toml: No such file or directory"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "KQQ_TEXT_LIMIT",
            "many",
            'text_limit="many" cannot be; take a whole number from 1 to 16000',
        ),
        ("KQQ_BREATH", "x", 'breath="x" cannot be; take a number from 0 on'),
        ("KQQ_UPDATE_MUST", "maybe", 'update_must="maybe" cannot be; take true or false'),
        (
            "KQQ_SMS",
            "a",
            (
                'sms=["a"] cannot be; take tables [[sms]] in the file, '
                "each with name, address and text"
            ),
        ),
        (
            "KQQ_PASWORD",
            "secret",
            "there is no such variable of kqq; did you mean KQQ_PASSWORD?",
        ),
        (
            "KQQ_XYZ",
            "secret",
            "there is no such variable of kqq; `kqq config default` lists all",
        ),
    ],
)
def test_what_is_wrong_in_a_variable_is_told(name: str, text: str, told: str) -> None:
    """Of one that is not known the value is not shown: it may be a password."""
    assert examine(None, {name: text}) == (None, [f"{name}: {told}"])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("turn_limit=0", "--set: turn_limit=0 cannot be; take a whole number from 1 on"),
        ("turn_limit", "--set turn_limit: write key=value"),
        (
            "turnlimit=5",
            "--set turnlimit=5: there is no such setting; did you mean turn_limit?",
        ),
    ],
)
def test_what_is_wrong_on_the_command_line_is_told(override: str, told: str) -> None:
    """In the words of the file."""
    assert examine(None, {}, [override]) == (None, [told])


def test_everything_wrong_is_found(tmp_path: Path) -> None:
    """`load` tells the first and how many more; settings that do not fit together come last."""
    file = written(tmp_path, "text_limit = 0\nx = 1\nlisten = ['kqqs://a:1']")
    _, problems = examine(file, {"KQQ_BREATH": "-1"}, ["y"])
    assert [told.partition(":")[0].removeprefix(f"{file} ") for told in problems] == [
        "line 1", "line 2", "KQQ_BREATH", "--set y"
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"16000 \(and 1 more; `kqq config check` shows all\)$"):
        load(file)
    _, (told,) = examine(None, {"KQQ_LISTEN": "kqqs://a:1"})
    assert told.startswith("listen: the door kqqs://a:1 needs")


def test_other_values_for_some() -> None:
    """As TOML and JSON have them; what cannot be is told, and what is not there."""
    chosen = load(None)
    changed = with_values(chosen, {"text_limit": 100, "messages_rate": 5, "registration": "open"})
    assert (changed.text_limit, changed.messages_rate, changed.registration) == (100, 5.0, "open")
    assert chosen.text_limit == 16000
    assert with_values(chosen, {}) == chosen
    for values, told in (
        ({"text_limit": 0}, "text_limit=0 cannot be; take a whole number from 1 to 16000"),
        ({"text_limit": True}, "text_limit=true cannot be"),
        ({"text_limt": 5}, "text_limt: there is no such setting; did you mean text_limit?"),
        ({"listen": ["kqqs://a:1"]}, "listen: the door kqqs://a:1 needs"),
    ):
        with pytest.raises(ConfigError, match=told):
            with_values(chosen, values)


# --- pages


def test_the_sample_is_as_by_default(tmp_path: Path) -> None:
    """As it stands, and with each setting in it uncommented; each is there."""
    assert load(written(tmp_path, sample())) == load(None)
    uncommented, count = re.subn(r"(?m)^# (\w+ = )", r"\1", sample())
    assert count == len(dataclasses.fields(Config))
    assert load(written(tmp_path, uncommented)) == load(None)


def test_the_example_in_the_sample_can_be_taken(tmp_path: Path) -> None:
    """What is indented behind the `#` is an example."""
    example = "\n".join(re.findall(r"(?m)^#     (.*)$", sample()))
    (entry,) = load(written(tmp_path, example)).sms
    assert entry.name == "Who is online"


def test_the_sample_fits_a_terminal() -> None:
    """No line is wider than 80 columns."""
    assert max(map(len, sample().splitlines())) <= 80


def test_the_reference_has_every_setting() -> None:
    """What it may be, what it is, whether it needs a restart, and its variable."""
    page = reference()
    for one in dataclasses.fields(Config):
        assert f"\n### `{one.name}`\n" in page
    start = page.index("### `listen`")
    assert page[start : page.index("### `certificate`")] == (
        "### `listen`\n\n"
        "The doors for phones, `kqq://HOST:PORT`, and for browsers, `web://HOST:PORT`.\n"
        "Host `0.0.0.0` is every interface of this machine, port 0 any free port.\n"
        "Doors `kqqs://HOST:PORT` and `webs://HOST:PORT` take TLS, with `certificate` and "
        "`key`.\n\n"
        '- Allowed: a list of doors such as ["kqq://127.0.0.1:14000"]\n'
        '- Default: `["kqq://127.0.0.1:14000", "web://127.0.0.1:8080"]`\n'
        "- Changes: with a restart only\n"
        "- Variable: `KQQ_LISTEN`\n\n"
    )
