"""The group `kqq`: help, errors, exit codes, and what subcommands share."""

import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from command import as_anna, kqq
from kqq import __version__
from kqq.cli import main
from kqq.cli.group import (
    ask_password,
    confirm,
    counted,
    is_option,
    moment,
    new_file,
    paragraph,
    print_json,
    show,
    table,
    written_to,
)
from kqq.errors import AccountError, ConfigError, KQQError, NoSuchNumber, StoreError, TimedOut
from serving import quiet_port


def every_command() -> Iterator[tuple[str, ...]]:
    """Give the words of all commands and groups, `()` for `kqq` itself."""

    def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            for name, one in command.commands.items():
                yield from walk(one, (*path, name))

    return walk(main, ())


@pytest.mark.parametrize("path", list(every_command()), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """It says what the command does in one sentence, names its options, and fits 80 columns."""
    result = kqq(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    shown = re.sub(r"VALUE\.\.\.|\[(ARGS|WORDS)\]\.\.\.", "", result.stdout)
    assert "..." not in shown, "cut off"
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    sentence = " ".join((command.help or "").split("\n\n")[0].split())
    assert re.fullmatch(r"[A-Z`].*[^.]\.( `-` reads it\.)?", sentence), sentence
    assert ". " not in sentence, "more than one sentence"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_help_tells_the_exit_codes() -> None:
    """At the end, for all commands."""
    assert "Exit codes: 0 done" in kqq("--help").stdout


def test_every_command_in_the_docs_is_there() -> None:
    """And so is every one that our own words name."""
    root = Path(__file__).parent.parent.parent
    known = {path for path in every_command() if path}
    files = [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("src/**/*.py")]
    named = 0
    for file in files:
        for found in re.finditer(r"`kqq ([a-z][a-z ]*)", file.read_text(encoding="utf-8")):
            words = tuple(found[1].split())
            named += 1
            is_group = words[:1] in {("account",), ("config",)}
            assert words[: 2 if is_group and len(words) > 1 else 1] in known, (file, words)
    assert named > 50


def test_the_version_is_told() -> None:
    """`--version` says which."""
    assert kqq("--version").stdout == f"kqq, version {__version__}\n"


def test_python_m_kqq_is_the_same() -> None:
    """`python -m kqq` runs the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "kqq", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout


def test_the_default_folder_is_the_users(tmp_path: Path) -> None:
    """Without --data the folder `kqq` among the user's data is used, and said to be new."""
    add = ("account", "add", "10001", "--nick", "Anna", "--password", "secret")
    result = kqq(*add, XDG_DATA_HOME=str(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == f"making a new data folder {tmp_path / 'kqq'}\n"
    assert (tmp_path / "kqq" / "kqq.sqlite").exists()


def test_an_interrupt_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at a prompt or in the middle of something is exit code 130, without a traceback."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kqq.cli.protocol._lines", interrupted)
    result = kqq("explain", "-")
    assert result.exit_code == 130
    assert result.stderr == "\nkqq: interrupted\n"


@pytest.mark.parametrize("command", ["kqq --help", "kqq demo", "kqq explain VER=1"])
def test_a_full_disk_is_one_line(command: str) -> None:
    """Output that cannot be written is an error in one line."""
    shell = f"{command.replace('kqq', f'{shlex.quote(sys.executable)} -m kqq')} >/dev/full"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "kqq: No space left on device\n"


def test_closed_output_is_no_error() -> None:
    """A caller may close standard output."""
    shell = f"{shlex.quote(sys.executable)} -m kqq explain VER=1.4 >&-"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_folder_may_be_named_in_the_file_of_settings(tmp_path: Path) -> None:
    """That which KQQ_CONFIG names, so that all commands find what the server uses."""
    file = tmp_path / "kqq.toml"
    file.write_text('data = "people"')
    add = ("account", "add", "10001", "--nick", "Anna", "--password", "secret")
    assert kqq(*add, KQQ_CONFIG=str(file)).exit_code == 0
    assert (tmp_path / "people" / "kqq.sqlite").exists()
    kqq(*add, "--data", str(tmp_path / "others"), KQQ_CONFIG=str(file))
    assert (tmp_path / "others" / "kqq.sqlite").exists()


def test_no_server_is_exit_code_3() -> None:
    """Nobody there: one line with the reason."""
    result = as_anna(f"tcp://127.0.0.1:{quiet_port()}", "friends")
    assert result.exit_code == 3
    assert "Connection refused" in result.stderr


def test_a_reader_who_leaves_is_no_error() -> None:
    """`kqq explain … | head` ends quietly."""
    command = f"{shlex.quote(sys.executable)} -m kqq explain - | head -n 1"
    lines = b"VER=1.4&CMD=Logout&SEQ=1&UIN=10001\n" * 5000
    done = subprocess.run(command, shell=True, input=lines, capture_output=True, check=True)
    assert done.stderr == b""


def test_output_that_cannot_be_written_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the output is forgotten, so that Python does not fail again at exit."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["explain", "VER=1.4&CMD=Logout&SEQ=1&UIN=10001"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "kqq: No space left on device\n"


def test_a_reader_who_left_is_exit_code_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever read the output may go when it has seen enough."""

    def left(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("kqq.cli.protocol._lines", left)
    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main(["explain", "-"])
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AccountError("a\x9bb"), 2),
        (ConfigError("a\x9bb"), 2),
        (StoreError("a\x9bb"), 2),
        (TimedOut("a\x9bb"), 3),
        (NoSuchNumber("a\x9bb", command="CLTMSG", res=5), 1),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: KQQError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said cannot steer the terminal, though the server may have said it."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("kqq.cli.protocol._lines", fails)
    result = kqq("explain", "-")
    assert (result.exit_code, result.stderr) == (code, "kqq: a\\x9bb\n")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimedOut("no answer"), "服务器没有及时应答"),
        (NoSuchNumber("a number", command="CLTMSG", res=5), "服务器上没有这个号码"),
        (ConfigError("a setting"), "kqq: a setting\n"),
        (AccountError("an account"), "kqq: an account\n"),
    ],
)
def test_an_error_is_told_in_the_language_of_the_person(
    error: KQQError, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Save what was set up or typed wrong: there is no more to say than the error does."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("kqq.cli.protocol._lines", fails)
    assert told in kqq("explain", "-", KQQ_LANG="zh").stderr


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    """Neither for the catalogue of the protocol nor for what draws, stores and serves."""
    heavy = {"aiohttp", "keyring", "kqq.client", "kqq.protocol", "kqq.server", "PIL",
             "platformdirs", "prometheus_client", "sqlite3", "textual", "tomlkit"}  # fmt: skip
    code = "import sys, kqq.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("typed", "env", "told"),
    [(("--who", "Bo"), None, "True"), ((), "Bo", "False"), ((), None, "False")],
)
def test_what_is_typed_is_told_from_the_environment(
    typed: tuple[str, ...], env: str | None, told: str
) -> None:
    """So that what somebody has just typed counts more than what is set for good."""

    @click.command()
    @click.option("--who", envvar="KQQ_WHO")
    def command(who: str | None) -> None:
        del who
        click.echo(is_option("who"))

    assert CliRunner().invoke(command, typed, env={"KQQ_WHO": env}).stdout == f"{told}\n"


def test_closed_streams_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None for a stream that the caller closed."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main(["explain", "VER=1.4&CMD=Logout&SEQ=1&UIN=10001"])
    assert ended.value.code == 0


def test_json_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Signs that could, or are not seen, are escaped; others, Chinese ones say, stay."""
    print_json({"text": "小\x9b\u202e\u200b\udcff"})
    assert capsys.readouterr().out == '{"text": "小\\u009b\\u202e\\u200b\\udcff"}\n'


@pytest.mark.parametrize(
    ("typed", "password"), [("secret\n", "secret"), ("secret\r\n", "secret"), (" a \n", " a ")]
)
def test_a_password_is_a_line_of_standard_input(typed: str, password: str) -> None:
    """Only the end of the line is taken off; KQQ_PASSWORD does not count then."""
    assert _asked("--stdin", typed=typed, KQQ_PASSWORD="other") == password


def test_a_password_comes_from_the_environment() -> None:
    """So that it need not be typed, nor be seen in a list of processes."""
    assert _asked(KQQ_PASSWORD="secret") == "secret"


def test_a_password_is_asked_for_at_a_terminal() -> None:
    """A new one twice, until both are the same."""
    assert _asked("--terminal", typed="secret\n") == "secret"
    assert _asked("--terminal", "--confirm", typed="a\nb\nc\nc\n") == "c"


@pytest.mark.parametrize(
    ("options", "env", "told"),
    [
        ((), {}, "no password; set KQQ_PASSWORD, or use --password-stdin, or a terminal"),
        ((), {"KQQ_PASSWORD": ""}, "the password is empty"),
        (("--stdin",), {}, "the password is empty"),
    ],
)
def test_no_password_is_told(options: tuple[str, ...], env: dict[str, str], told: str) -> None:
    """A script that gave none is not kept waiting."""
    with pytest.raises(ConfigError) as caught:
        _asked(*options, **env)
    assert str(caught.value) == told


def test_password_that_is_no_text() -> None:
    """It is told, and not shown."""
    result = kqq("account", "passwd", "10001", "--password-stdin", typed=b"secret\xff\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "kqq: standard input is not UTF-8: invalid start byte\n"


# --- what is shown -------------------------------------------------------------------------------


def test_columns_stand_below_each_other() -> None:
    """A wide sign takes two cells; the last column is cut, unless hardly any room is left."""
    assert table([("1", "小波", "x"), ("100", "a", ""), ("2", "a\x1bb", "c")]) == [
        "1    小波    x",
        "100  a",
        "2    a\\x1bb  c",
    ]
    assert table([]) == []
    (line,) = table([("1", "波" * 60)])
    assert line == f"1  {'波' * 38}…"
    (line,) = table([("1", "x" * 77)])
    assert line == f"1  {'x' * 77}"
    (line,) = table([("1" * 70, "x" * 70)])
    assert line == f"{'1' * 70}  {'x' * 70}"


def test_paragraph() -> None:
    """Lines of at most 80 cells, below their beginning, and never broken at a hyphen."""
    assert paragraph("", "name  ") == "name"
    assert paragraph("小波\x1b", "name  ") == "name  小波\\x1b"
    words = paragraph("--skip-existing " * 8, "name  ").splitlines()
    assert words == [
        "name  --skip-existing --skip-existing --skip-existing --skip-existing",
        "      --skip-existing --skip-existing --skip-existing --skip-existing",
    ]
    for text in ("波" * 200, "a" + "波" * 200, "aß" * 100, "a\u0301" * 100):
        lines = paragraph(text, "name  ").splitlines()
        assert max(map(cell_len, lines)) <= 80
        assert "".join(line[6:] for line in lines) == text


def test_what_is_shown_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Words on standard error, so that a script counts no lines; JSON says nothing."""
    show([], lambda one: (one["a"],), none="there is nothing", as_json=False)
    assert capsys.readouterr() == ("", "there is nothing\n")
    show([], lambda one: (one["a"],), none="there is nothing", as_json=True)
    assert capsys.readouterr() == ("", "")
    show([{"a": "x"}], lambda one: (one["a"],), none="there is nothing", as_json=True)
    assert capsys.readouterr() == ('{"a": "x"}\n', "")
    show([{"a": "x"}], lambda one: (one["a"],), none="there is nothing", as_json=False)
    assert capsys.readouterr() == ("x\n", "")


def test_numbers_and_dates() -> None:
    """One friend, two friends; a date in local time, or never."""
    counts = [counted(number, "friend") for number in (0, 1, 2)]
    assert counts == ["0 friends", "1 friend", "2 friends"]
    assert moment(None) == "never"
    assert re.fullmatch(r"2014-05-1[34] \d\d:\d\d", moment(1_400_000_000.0))


def _asked(*options: str, typed: str = "", **env: str) -> str:
    """Return the password that `ask_password` got from this input and environment."""
    asked = []

    @click.command
    @click.option("--stdin", is_flag=True)
    @click.option("--terminal", is_flag=True)
    @click.option("--confirm", is_flag=True)
    def ask(*, stdin: bool, terminal: bool, confirm: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.stdin, "isatty", lambda: terminal)
            asked.append(ask_password(from_stdin=stdin, confirm=confirm))

    CliRunner().invoke(
        ask, options, input=typed, env={"KQQ_PASSWORD": None, **env}, catch_exceptions=False
    )
    return asked[0]


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [("y\n", 0, "sure"), ("n\n", 1, "Aborted!"), ("", 2, "--yes deletes without asking")],
)
def test_a_question_wants_a_yes(typed: str, code: int, told: str) -> None:
    """Anything else does nothing, and where nobody can answer it is said how to go on."""

    @click.command()
    def ask() -> None:
        confirm("Are you sure?")
        click.echo("sure")

    result = CliRunner().invoke(ask, input=typed)
    assert result.exit_code == code
    assert told in result.output


def test_ctrl_c_at_a_question_at_a_terminal_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to be told of --yes then."""

    def interrupted(_words: str, *, err: bool) -> bool:
        raise click.Abort

    monkeypatch.setattr("kqq.cli.group.click.confirm", interrupted)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(click.Abort):
        confirm("Are you sure?")


def test_files_are_for_their_owner(tmp_path: Path) -> None:
    """What people said is in them; one that is there is written over, and a full disk is told."""
    for name in ("new", "new"):
        with written_to(tmp_path / name) as target:
            target.write("你好\n")
    with new_file(tmp_path / "bytes") as kept:
        kept.write(b"\xff")
    assert (tmp_path / "new").read_bytes() == "你好\n".encode()
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}
    with pytest.raises(ConfigError, match="cannot write /no/such/file: No such file"):
        new_file(Path("/no/such/file"))
    no_space = pytest.raises(ConfigError, match="cannot write /dev/full: No space")
    with no_space, written_to(Path("/dev/full")) as target:
        target.write("x")
    with written_to(None) as target:
        assert target is sys.stdout
