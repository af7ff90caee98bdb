"""What a shell offers at Tab."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from command import kqq
from kqq.cli import main
from kqq.client.history import History
from kqq.client.history_file import default_path


def offered(words: str, **env: str) -> list[str]:
    """Return what bash is offered after these words, the last of which is begun."""
    count = len(words.split(" ")) - 1
    asked = {"_KQQ_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    result = CliRunner().invoke(main, [], prog_name="kqq", env={**asked, **env})
    assert result.exit_code == 0, result.output
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings of somebody with two accounts."""
    file = tmp_path / "client.toml"
    file.write_text(
        'default = "anna"\n[accounts.anna]\nuin = 10001\n[accounts.bo]\nuin = 10002\n'
        'servers = ["tcp://192.0.2.7:14000"]\n'
    )
    return file


@pytest.fixture
def _people() -> None:
    """A history in which both know somebody."""
    with History.open() as history:
        history.diary(10001, "tcp://127.0.0.1:14000").remember_names(
            {10002: "小波", 10003: "Bo", 20004: "\x1b[2J"}
        )
        history.diary(10002, "tcp://192.0.2.7:14000").remember_names({10001: "Anna"})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str) -> None:
    """It asks kqq what to offer."""
    result = kqq("completion", shell)
    assert result.exit_code == 0
    assert f"_KQQ_COMPLETE={shell}_complete" in result.stdout


def test_commands_options_and_statuses_are_offered() -> None:
    """By click itself."""
    assert offered("kqq lo") == ["login", "logins", "logout"]
    assert offered("kqq status a") == ["away"]
    assert "--account" in offered("kqq send --ac")


def test_accounts_are_offered(settings: Path) -> None:
    """Those whose names begin so."""
    env = {"KQQ_CLIENT_CONFIG": str(settings)}
    assert offered("kqq send --account ", **env) == ["anna", "bo"]
    assert offered("kqq logout b", **env) == ["bo"]


@pytest.mark.usefixtures("_people")
def test_people_are_offered(settings: Path) -> None:
    """Numbers, and nicknames once one is begun that is no number; of the account chosen."""
    env = {"KQQ_CLIENT_CONFIG": str(settings)}
    assert offered("kqq send ", **env) == ["10002", "10003", "20004"]
    assert offered("kqq send 2", **env) == ["20004"]
    assert offered("kqq chat b", **env) == ["Bo"]
    assert offered("kqq send 小", **env) == ["小波"]
    assert offered("kqq send --account bo ", **env) == ["10001"]
    assert offered("kqq send --uin 10002 ", **env) == ["10001"]
    assert offered("kqq send --uin 10002 --server tcp://192.0.2.7:14000 ", **env) == ["10001"]
    assert offered("kqq send --uin 10002 --server tcp://192.0.2.7:9 ", **env) == []
    assert offered("kqq send --uin 10009 ", **env) == []


@pytest.mark.parametrize(
    "nick",
    ["Bo$(id)", "Bo;id", "Bo`id`", "Bo|id", "Bo&id", "Bo>id", "Bo*", "Bo?", "Bo{a,b}", "Bo'x",
     'Bo"x', "Bo x", "Bo\\x", "Bo!x", "Bo#x", "Bo~", "Bo\tx", "Bo\nx", "Bo\u200bx"],
)  # fmt: skip
def test_nicknames_that_a_shell_would_do_something_with_are_not_offered(nick: str) -> None:
    """Bash puts them into the line as they are, and Enter would run what is in them."""
    with History.open() as history:
        diary = history.diary(10001, "tcp://127.0.0.1:14000")
        diary.remember_names({10002: nick, 10003: "Bo.B-1_@+"})
    assert offered("kqq send --uin 10001 B") == ["Bo.B-1_@+"]
    assert offered("kqq send --uin 10001 10002") == ["10002"]


@pytest.mark.parametrize("nick", ["-Bo", "~bo", "@file", ".."])
def test_a_nickname_that_looks_like_something_else_is_not_offered(nick: str) -> None:
    """An option, a folder, or a file of arguments."""
    with History.open() as history:
        history.diary(10001, "tcp://127.0.0.1:14000").remember_names({10002: nick})
    assert nick not in offered(f"kqq send --uin 10001 {nick[0]}")


def test_a_tab_makes_nothing_and_fails_at_nothing(tmp_path: Path) -> None:
    """Without settings, without a history, with broken ones."""
    assert offered("kqq send ") == []
    assert offered("kqq send --uin 10001 ") == []
    assert not default_path().exists()
    broken = tmp_path / "broken.toml"
    broken.write_text("?")
    for words in ("kqq send --account ", "kqq send "):
        assert offered(words, KQQ_CLIENT_CONFIG=str(broken)) == []
