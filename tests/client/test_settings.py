"""The settings file of a client: what is read, what is refused in words, what is written."""

import dataclasses
import stat
from pathlib import Path

import pytest

from kqq.client.settings import (
    DEFAULT_SERVER,
    AccountSettings,
    Settings,
    load,
    remember_server,
    save,
    settings_file,
)
from kqq.client.transport import Address
from kqq.errors import ConfigError

FIRST, SECOND = Address("192.0.2.7", 14000), Address("192.0.2.8", 14000)
WRITTEN = """\
# my accounts
default = "anna"  # not bo

[accounts.anna]
uin = 10001   # mine
servers = ["tcp://192.0.2.7:14000", "tcp://192.0.2.8:14000"]
discover = "http://192.0.2.7:8000/"
last = "tcp://192.0.2.8:14000"
ca = "my-ca.pem"
history = false

# the robot
[accounts.bo]
uin = 10002
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that somebody wrote."""
    path = tmp_path / "client.toml"
    path.write_text(WRITTEN)
    return path


# --- reading


def test_a_file_is_read(file: Path) -> None:
    """Each key has its type; a path is as seen from the folder of the file."""
    settings = load(file)
    assert settings.default == "anna"
    assert settings.accounts == {
        "anna": AccountSettings(
            uin=10001,
            servers=(FIRST, SECOND),
            discover="http://192.0.2.7:8000/",
            last=SECOND,
            ca=file.parent / "my-ca.pem",
            history=False,
        ),
        "bo": AccountSettings(uin=10002),
    }


def test_without_a_file_there_are_no_accounts(tmp_path: Path) -> None:
    """Nobody needs a file."""
    assert load(tmp_path / "none.toml") == Settings()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where KQQ_CLIENT_CONFIG says, or in the user's folder; an empty variable does not count."""
    assert settings_file({"KQQ_CLIENT_CONFIG": "a/b.toml"}) == Path("a/b.toml")
    for nothing in ({}, {"KQQ_CLIENT_CONFIG": ""}):
        assert settings_file(nothing).parts[-2:] == ("kqq", "client.toml")
    monkeypatch.setenv("KQQ_CLIENT_CONFIG", str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text("[accounts.cy]\nuin = 10003\n")
    assert load().accounts["cy"].uin == 10003


@pytest.mark.parametrize(
    ("path", "read"), [("/etc/ca.pem", "/etc/ca.pem"), ("~/ca.pem", "~/ca.pem")]
)
def test_paths_may_be_whole(tmp_path: Path, path: str, read: str) -> None:
    """An absolute path stays, ~/ is the user's home."""
    file = tmp_path / "client.toml"
    file.write_text(f'[accounts.cy]\nuin = 10003\nca = "{path}"\n')
    assert load(file).accounts["cy"].ca == Path(read).expanduser()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default = \n", "line 1: Invalid value"),
        ("a = 1\nb = [", "line 2: "),
        ('a = "\udcff"', "line 1: 0xff is not UTF-8; save"),
        ("x = 1\n", "line 1: x: is no setting; there are default, accounts"),
        ("\ndefalt = 1\n", "line 2: defalt: is no setting; did you mean default?"),
        ("default = []\n", "line 1: default: [] is not the name of an account"),
        ('default = "cy"\n', "line 1: default: must be one of: there is no account yet"),
        ('default = "cy"\n[accounts.bo]\nuin=1', "line 1: default: must be one of: bo"),
        ("accounts = 1\n", "line 1: accounts: must be tables such as [accounts.anna]"),
        ("accounts.cy = 1\n", "line 1: accounts.cy: must be a table: write [accounts.cy]"),
        ('[accounts."a b"]\n', "line 1: accounts.a b: is no name; write up to 40 letters"),
        ("\n[accounts.cy]\n", "line 2: accounts.cy: has no uin; write uin = 10001"),
        ("[accounts.cy]\nuin = true", "line 2: accounts.cy.uin: true is not a number from 1 to"),
        ("[accounts.cy]\nuin = 4294967296", "line 2: accounts.cy.uin: 4294967296 is not"),
        ('[accounts]\ncy.uin = "x"', 'line 2: accounts.cy.uin: "x" is not a number'),
        ("[accounts.cy]\nuin=1\nservr=1", "line 3: accounts.cy.servr: is no setting; did you mean"),
        ('[accounts.cy]\nuin=1\nservers="x"', "line 3: accounts.cy.servers: "),
        ("[accounts.cy]\nuin=1\nservers=[1]", "1 is not an address such as"),
        ('[accounts.cy]\nuin=1\nservers=["x:1"]', "'x:1' is not an address; write tcp://"),
        ('[accounts.cy]\nuin=1\ndiscover="x"', '"x" is not a URL such as'),
        ('[accounts.cy]\nuin=1\ndiscover="ftp://x"', '"ftp://x" is not a URL such as'),
        ('[accounts.cy]\nuin=1\ndiscover="http://x:y"', '"http://x:y" is not a URL such as'),
        ("[accounts.cy]\nuin=1\nlast=1979-05-27", '"1979-05-27" is not an address'),
        ('[accounts.cy]\nuin=1\nca=""', '"" is not the path of a file'),
        ("[accounts.cy]\nuin=1\nhistory=1", "1 is neither true nor false"),
        ("accounts.cy = {uin=1, history=1}", "line 1: accounts.cy.history: 1 is neither"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    """File, line, key, the rule, and what to do."""
    file = tmp_path / "client.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file} line ")
    assert told in str(caught.value)


def test_a_number_of_too_many_digits_is_told(tmp_path: Path) -> None:
    """What Python's own reader refuses without a place is told without one."""
    file = tmp_path / "client.toml"
    file.write_text(f"default = {'9' * 5000}\n")
    with pytest.raises(ConfigError, match="write it as TOML wants"):
        load(file)


def test_a_password_in_the_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    """It does not belong there, and an error message is no place for it either."""
    file = tmp_path / "client.toml"
    file.write_text('[accounts.cy]\nuin = 10003\npassword = "secret"\n')
    with pytest.raises(ConfigError, match=r"line 3: accounts.cy.password: is not kept") as caught:
        load(file)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Such as one that is a folder."""
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        load(tmp_path)


# --- choosing


def test_an_account_is_chosen_by_name_or_default(file: Path) -> None:
    """The one named, the default one, the only one, or none."""
    settings = load(file)
    assert settings.chosen("bo") == ("bo", settings.accounts["bo"])
    assert settings.chosen() == ("anna", settings.accounts["anna"])
    only = Settings(accounts={"bo": AccountSettings(uin=10002)})
    assert only.chosen() == ("bo", only.accounts["bo"])
    assert Settings().chosen() is None
    assert dataclasses.replace(settings, default="").chosen() is None


def test_an_account_that_is_not_there_is_told(file: Path) -> None:
    """With those that are."""
    with pytest.raises(ConfigError, match=r"no account 'cy' in .*client.toml, which has anna, bo;"):
        load(file).chosen("cy")
    with pytest.raises(ConfigError, match="no account 'cy', which has no account yet"):
        Settings().account("cy")


def test_an_account_is_found_by_number(file: Path) -> None:
    """The default one first, where several accounts are of one number."""
    settings = load(file)
    assert settings.name_of(10002) == "bo"
    assert settings.name_of(10003) is None
    twice = {"a": AccountSettings(uin=1), "b": AccountSettings(uin=1)}
    assert Settings(accounts=twice, default="b").name_of(1) == "b"


def test_servers_have_an_order() -> None:
    """First which answered last; one that was taken out of the list is not asked again."""
    account = AccountSettings(uin=10001, servers=(FIRST, SECOND))
    other = Address("192.0.2.9", 14000)
    assert account.in_order() == (FIRST, SECOND)
    assert dataclasses.replace(account, last=SECOND).in_order() == (SECOND, FIRST)
    assert dataclasses.replace(account, last=other).in_order() == (FIRST, SECOND)
    listed = dataclasses.replace(account, last=other, discover="http://192.0.2.7:8000")
    assert listed.in_order() == (other, FIRST, SECOND)


def test_the_home_of_an_account_stays_the_same() -> None:
    """It is the first server, or where the servers are listed, whichever answers."""
    listed = AccountSettings(uin=10001, discover="http://kqq.example:8000/servers", last=SECOND)
    assert AccountSettings(uin=10001, servers=(FIRST, SECOND), last=SECOND).home == FIRST
    assert listed.home == Address("kqq.example", 8000, "http")
    assert dataclasses.replace(listed, discover="https://[::1]/").home == Address(
        "::1", 443, "https"
    )
    assert AccountSettings(uin=10001).home == DEFAULT_SERVER


def test_an_account_at_other_servers_is_elsewhere() -> None:
    """History and password of the account belong to its own servers."""
    account = AccountSettings(uin=10001, servers=(FIRST, SECOND))
    other = Address("192.0.2.9", 14000)
    assert account.places() == (FIRST, SECOND)
    assert account.places([SECOND]) == (FIRST, SECOND)
    assert account.places([other, SECOND]) == (other, SECOND)
    assert AccountSettings(uin=10001).places() == (DEFAULT_SERVER,)


# --- writing


def test_a_new_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its folder; only its owner may read it; what is as by default is not written."""
    file = tmp_path / "new" / "client.toml"
    settings = Settings(
        default="anna.w",
        accounts={
            "anna.w": AccountSettings(uin=10001, servers=(FIRST,), history=False),
            "小波": AccountSettings(uin=10002, ca=tmp_path / "ca.pem"),
        },
    )
    monkeypatch.chdir(tmp_path)
    bo = AccountSettings(uin=10002, ca=Path("ca.pem"))
    save(dataclasses.replace(settings, accounts={**settings.accounts, "小波": bo}), file)
    assert load(file) == settings
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text().startswith("# The accounts of kqq")
    assert "last" not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["client.toml"]


def test_what_is_the_same_stays_as_it_was(file: Path) -> None:
    """Comments, order and the spelling of what did not change are the user's."""
    settings = load(file)
    save(settings)
    assert file.read_text() == WRITTEN
    bo = dataclasses.replace(settings.accounts["bo"], last=FIRST)
    anna = dataclasses.replace(settings.accounts["anna"], history=True, discover="")
    save(dataclasses.replace(settings, accounts={"anna": anna, "bo": bo}))
    assert file.read_text() == WRITTEN.replace("history = false\n", "").replace(
        'discover = "http://192.0.2.7:8000/"\n', ""
    ).replace("uin = 10002\n", 'uin = 10002\nlast = "tcp://192.0.2.7:14000"\n')


def test_accounts_come_and_go(file: Path) -> None:
    """An account is added at the end, one taken out with all it had; so is the default."""
    settings = load(file)
    kept = {"bo": settings.accounts["bo"], "cy": AccountSettings(uin=10003)}
    save(dataclasses.replace(settings, accounts=kept, default=""))
    text = file.read_text()
    assert text.startswith("# my accounts\n")
    assert "anna" not in text
    assert text.endswith("[accounts.bo]\nuin = 10002\n\n[accounts.cy]\nuin = 10003\n")
    save(dataclasses.replace(load(file), default="cy"))
    assert load(file).default == "cy"
    save(Settings(), file)
    assert load(file) == Settings()


def test_a_default_is_put_before_the_accounts(tmp_path: Path) -> None:
    """In TOML what comes after a table would belong to it."""
    file = tmp_path / "client.toml"
    file.write_text("[accounts.bo]\nuin = 10002\n")
    save(dataclasses.replace(load(file), default="bo"))
    assert load(file).default == "bo"


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    """Who keeps the file elsewhere finds it changed there."""
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    save(dataclasses.replace(load(link), default="bo"))
    assert link.is_symlink()
    assert load(file).default == "bo"


def test_what_could_not_be_read_again_is_not_written(file: Path) -> None:
    """A name that is none, a default that is not there, a number that cannot be."""
    for settings, told in (
        (Settings(accounts={"a b": AccountSettings(uin=1)}), "'a b' is no name"),
        (Settings(default="cy"), "there is no account 'cy'"),
        (Settings(accounts={"cy": AccountSettings(uin=0)}), "0 is not a number from 1"),
    ):
        with pytest.raises(ConfigError, match=told):
            save(settings, file)
    assert file.read_text() == WRITTEN


def test_a_form_that_cannot_be_changed_is_told(tmp_path: Path) -> None:
    """Better no change than one that says something else."""
    file = tmp_path / "client.toml"
    file.write_text('accounts.bo.uin = 10002\naccounts.bo.servers = ["tcp://192.0.2.7:14000"]\n')
    settings = load(file)
    account = dataclasses.replace(settings.accounts["bo"], servers=(SECOND,))
    save(dataclasses.replace(settings, accounts={"bo": account}))
    assert load(file).accounts["bo"].servers == (SECOND,)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot (read|write) .*: Not a directory"):
        save(Settings(), tmp_path / "file" / "client.toml")


def test_nothing_is_left_of_a_file_that_could_not_take_its_place(tmp_path: Path) -> None:
    """Such as where a folder of its name has come meanwhile."""
    file = tmp_path / "client.toml"
    settings = Settings(accounts={"bo": AccountSettings(uin=10002)})
    save(settings, file)
    with pytest.MonkeyPatch.context() as patch:

        def fail(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("os.fsync", fail)
        with pytest.raises(ConfigError, match=r"cannot write .*: No space left on device"):
            save(dataclasses.replace(settings, default="bo"), file)
    assert load(file) == settings
    assert [path.name for path in tmp_path.iterdir()] == ["client.toml"]


# --- the server that answered


def test_the_server_that_answered_is_remembered(file: Path) -> None:
    """It is tried first the next time; nothing is written where it would be first anyway."""
    remember_server("anna", str(FIRST), file)
    assert load(file).accounts["anna"].in_order() == (FIRST, SECOND)
    before = file.stat().st_mtime_ns
    remember_server("anna", FIRST, file)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="there is no account 'cy'"):
        remember_server("cy", FIRST, file)
