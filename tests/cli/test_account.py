"""`kqq account`, on a folder and on a server that runs."""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from command import as_anna, kqq, objects
from kqq.cli import account as commands
from kqq.client import Address, Client
from kqq.errors import KQQError, NotSignedIn, SignInRefused
from kqq.protocol import ServerMsg, UpdateStat
from kqq.server.accounts import password_md5
from serving import serving

ANNA, BO, CY = 10001, 10002, 10003


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A folder with Anna and 小波, who are friends, and Cy; no server runs on it."""
    folder = str(tmp_path / "data")
    for uin, nick in ((ANNA, "Anna"), (BO, "小波"), (CY, "Cy")):
        options = ("--nick", nick, "--password", "secret", "--data", folder)
        assert kqq("account", "add", str(uin), *options).exit_code == 0
    kqq("account", "friend", "10001", "10002", "--data", folder)
    return folder


class Live:
    """A server with Anna, 小波 and Cy, everybody a friend of everybody."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = Address.parse(address)

    def do(self, *arguments: str, typed: str | None = None) -> str:
        """Do something with accounts while the server runs; return what is said."""
        result = kqq("account", *arguments, "--data", str(self.folder), typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def sign_in(self, uin: int, password: str = "secret") -> Client:
        """Return a client that is signed in."""
        client = await Client.connect(self.address)
        await client.sign_in(uin, password)
        return client


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A server in a thread."""
    folder = tmp_path / "data"
    with serving(folder, "Anna", "小波", "Cy") as server:
        yield Live(folder, server.address)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Do what clients do."""
    asyncio.run(asyncio.wait_for(work, 20))


async def in_thread(live: Live, *arguments: str, typed: str | None = None) -> str:
    """Have the operator do something while clients are connected."""
    return await asyncio.to_thread(live.do, *arguments, typed=typed)


# --- on a folder ---------------------------------------------------------------------------------


def test_accounts_are_added_and_listed(tmp_path: Path) -> None:
    """Passwords come by option, from standard input, from the environment."""
    data = ("--data", str(tmp_path))
    added = kqq("account", "add", "10001", "--nick", "Anna", "--password", "secret", *data)
    assert (added.exit_code, added.stdout) == (0, "added 10001 Anna\n")
    kqq("account", "add", "10002", "--nick", "小波", "--password-stdin", *data, typed="secret\n")
    added = kqq("account", "add", "--nick", "Cy", "--json", *data, KQQ_PASSWORD="secret")
    assert objects(added) == [{"uin": 10003, "nick": "Cy", "face": 0}]
    friends = kqq("account", "friend", "10001", "10002", *data)
    assert friends.stdout == "10001 and 10002 are friends\n"
    friends = kqq("account", "friend", "10002", "10001", *data)
    assert friends.stdout == "10002 and 10001 are friends, and were before\n"
    kqq("account", "suspend", "10003", *data)
    assert kqq("account", "list", *data).stdout.splitlines() == [
        "10001  never  Anna",
        "10002  never  小波",
        "10003  never  (suspended) Cy",
    ]
    assert objects(kqq("account", "list", "--json", *data))[1] == {
        "uin": 10002,
        "nick": "小波",
        "face": 0,
        "suspended": None,
        "last_seen": None,
    }
    assert [one.name for one in tmp_path.iterdir()] == ["kqq.sqlite"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "10000", "--nick", "x", "--password", "secret"), "cannot be a number"),
        (("add", "10001", "--nick", " ", "--password", "secret"), "cannot be a nickname"),
        (("add", "10001", "--nick", "", "--password", "secret"), "cannot be a nickname"),
        (("add", "10001", "--nick", "x", "--password", ""), "empty password"),
        (("add", "10001", "--nick", "x"), "no password; set KQQ_PASSWORD"),
        (("add", "10001", "--nick", "x", "--password-stdin"), "the password is empty"),
        (("add", "10009", "--nick", "x", "--password", "x"), "there is an account 10009 already"),
        (("passwd", "10001", "--password", "x"), "there is no account 10001"),
        (("set", "10009", "nick="), "cannot be a nickname"),
        (("set", "10009", "hat=red"), "'hat' cannot be set; take nick, face, who_may_add"),
        (("friend", "10001", "10001"), "a friend of itself"),
        (("friend", "10001", "10002"), "there is no account 10001"),
        (("unfriend", "10009", "10002"), "10009 and 10002 are not friends"),
        (("suspend", "10001"), "there is no account 10001"),
        (("resume", "10009"), "10009 is not suspended"),
        (("delete", "10001", "--yes"), "there is no account 10001"),
        (("delete", "10001"), "there is no account 10001"),
        (("show", "10001"), "there is no account 10001"),
        (("device", "add", "10009", ""), "name='' cannot be; take 1 to 32 characters"),
        (("device", "list", "10001"), "there is no account 10001"),
        (("device", "revoke", "10009", "6230"), "10009 has no device '6230'"),
        (("invite", "--uses", "0"), "uses=0 cannot be; take 1 to 100000"),
        (("invite", "--days", "nan"), "days=nan cannot be; take 0.01 to 3650"),
        (("list", "--data", "/nonexistent"), "there are no accounts in /nonexistent"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """One line on standard error says why, exit code 2, and nothing on standard output."""
    kqq("account", "add", "10009", "--nick", "x", "--password", "x", "--data", str(tmp_path))
    result = kqq("account", *arguments, KQQ_DATA=str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "10001", "--nick", "x", "--password", "a", "--password-stdin"), "not both"),
        (("set", "10001", "nick"), "'nick' is not NAME=VALUE"),
        (("set", "10001"), "Missing argument 'NAME=VALUE...'"),
        (("add", "10001"), "Missing option '--nick'"),
        (("add", "0", "--nick", "x"), "0 is not in the range"),
        (("import", "/nonexistent.csv"), "does not exist"),
    ],
)
def test_what_is_written_wrong(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """The usage is told, exit code 2."""
    result = kqq("account", *arguments, "--data", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_password_is_asked_for_twice(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal, and not shown."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    result = kqq("account", "passwd", "10001", "--data", data, typed="a\nb\nc\nc\n")
    assert result.stdout == "changed the password of 10001\n"
    assert result.stderr.count("Repeat for confirmation:") == 2
    assert not re.search("[abc]\n", result.stderr)


def test_everything_is_shown_in_80_columns(data: str) -> None:
    """Long lists and wide names are wrapped below their beginning; nothing steers a terminal."""
    for value in ("about=" + "我爱北京天安门" * 20, "real_name=Anna Ли", "face=24"):
        kqq("account", "set", "10001", value, "--data", data)
    for uin in range(10010, 10030):
        kqq("account", "add", str(uin), "--nick", "x", "--password", "x", "--data", data)
        kqq("account", "friend", "10001", str(uin), "--data", data)
    kqq("account", "device", "add", "10001", "诺基亚 6230", "--data", data)
    kqq("account", "suspend", "10001", "--reason", "a duel", "--data", data)
    lines = kqq("account", "show", "10001", "--data", data).stdout.splitlines()
    assert max(map(cell_len, lines)) <= 80
    text = "\n".join(lines)
    for words in (
        "number              10001\n",
        "nickname            Anna\n",
        "face                24\n",
        "suspended           a duel\n",
        "signed in           no\n",
        "last seen           never\n",
        "who may add         ask\n",
        "who may write       friends\n",
        "friends             10002 10010 10011",
        "\n                    10019",
        "asked by            nobody\n",
        "has asked           nobody\n",
        "messages that wait  0\n",
        "device              诺基亚 6230, made 20",
        "real name           Anna Ли",
        "about               我爱北京天安门我爱",
        "天安\n                    门我爱",
    ):
        assert words in text
    (shown,) = objects(kqq("account", "show", "10001", "--json", "--data", data))
    assert shown["uin"] == 10001
    kqq("account", "suspend", "10001", "--data", data)
    assert "suspended           yes" in kqq("account", "show", "10001", "--data", data).stdout


def test_list_in_80_columns(data: str) -> None:
    """Columns stand below each other, and what is too long is cut, but not in JSON."""
    for uin in (11000, 4294967295):
        kqq("account", "add", str(uin), "--nick", "波" * 64, "--password", "x", "--data", data)
    lines = kqq("account", "list", "--data", data).stdout.splitlines()
    assert lines[0] == "10001       never  Anna"
    assert lines[-1].startswith("4294967295  never  波波")
    assert lines[-1].endswith("波…")
    assert max(map(cell_len, lines)) in {79, 80}
    listed = objects(kqq("account", "list", "--json", "--data", data))
    assert listed[-1]["nick"] == "波" * 64


def test_pages(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, a server is asked for some at a time."""
    monkeypatch.setattr(commands, "_PAGE", 2)
    listed = objects(kqq("account", "list", "--json", "--data", data))
    assert [one["uin"] for one in listed] == [ANNA, BO, CY]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list",), "there are no accounts"),
        (("device", "list", "10001"), "10001 has no devices"),
        (("invitations",), "there are no invitations that can be used"),
    ],
)
def test_nothing_is_told_on_standard_error(
    data: str, arguments: tuple[str, ...], told: str
) -> None:
    """A script that counts lines counts none; JSON is silent."""
    if arguments == ("list",):
        for uin in (ANNA, BO, CY):
            kqq("account", "delete", str(uin), "--yes", "--data", data)
    result = kqq("account", *arguments, "--data", data)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{told}\n")
    result = kqq("account", *arguments, "--json", "--data", data)
    assert (result.exit_code, result.output) == (0, "")


def test_every_change_is_an_object_in_json(data: str) -> None:
    """Whatever is done, `--json` says in one line what was done."""
    for arguments, said in (
        (("passwd", "10001", "--password", "x"), {"uin": ANNA}),
        (("set", "10001", "face=24"), {"uin": ANNA, "nick": "Anna", "face": 24}),
        (("friend", "10001", "10003"), {"uin": ANNA, "other": CY, "new": True}),
        (("unfriend", "10001", "10003"), {"uin": ANNA, "other": CY}),
        (("suspend", "10001", "--reason", "x"), {"uin": ANNA, "reason": "x"}),
        (("resume", "10001"), {"uin": ANNA}),
        (("delete", "10001", "--yes"), {"uin": ANNA, "nick": "Anna", "face": 24}),
    ):
        result = kqq("account", *arguments, "--json", "--data", data)
        assert (result.exit_code, objects(result)) == (0, [said])
    made = kqq("account", "device", "add", "10002", "6230", "--json", "--data", data)
    assert set(objects(made)[0]) == {"uin", "name", "password", "grouped"}
    assert made.stderr == ""
    invited = kqq("account", "invite", "--json", "--data", data)
    assert objects(invited)[0]["registration"] == "off"
    assert invited.stderr == ""
    listed = kqq("account", "device", "list", "10002", "--json", "--data", data)
    assert objects(listed)[0]["name"] == "6230"
    assert objects(kqq("account", "invitations", "--json", "--data", data))[0]["uses"] == 1
    revoked = kqq("account", "device", "revoke", "10002", "6230", "--json", "--data", data)
    assert objects(revoked) == [{"uin": BO, "name": "6230"}]


def test_words_for_every_change(data: str) -> None:
    """What was done is said in a line."""
    for arguments, said in (
        (("passwd", "10001", "--password", "x"), "changed the password of 10001"),
        (("set", "10001", "face=24", "sex=1"), "changed face, sex of 10001"),
        (("unfriend", "10001", "10002"), "10001 and 10002 are friends no more"),
        (("suspend", "10001"), "suspended 10001"),
        (("resume", "10001"), "10001 can sign in again"),
        (("delete", "10001", "--yes"), "deleted 10001"),
    ):
        result = kqq("account", *arguments, "--data", data)
        assert (result.exit_code, result.output) == (0, f"{said}\n")


def test_deleting_asks_first(data: str) -> None:
    """Who it is, and what is lost, is told before; anything but yes leaves it all."""
    refused = kqq("account", "delete", "10002", "--data", data, typed="n\n")
    assert refused.exit_code == 130
    assert refused.stderr.startswith(
        "Delete 10002 小波 (1 friend, 0 unread messages) for good? [y/N]"
    )
    unanswered = kqq("account", "delete", "10002", "--data", data, typed="")
    assert unanswered.exit_code == 2
    assert "--yes deletes without asking" in unanswered.stderr
    assert kqq("account", "show", "10002", "--data", data).exit_code == 0
    deleted = kqq("account", "delete", "10002", "--data", data, typed="y\n")
    assert (deleted.exit_code, deleted.stdout) == (0, "deleted 10002\n")
    assert kqq("account", "show", "10002", "--data", data).exit_code == 2


def test_devices(data: str) -> None:
    """The password is all that goes to standard output, so that it can be put elsewhere."""
    made = kqq("account", "device", "add", "10001", "my 6230", "--data", data)
    assert re.fullmatch(r"([adgjmptw0-9]{4} ){3}[adgjmptw0-9]{4}\n", made.stdout)
    assert "not shown again" in made.stderr
    listed = kqq("account", "device", "list", "10001", "--data", data).stdout
    assert re.fullmatch(r"my 6230  made 20\d\d-\d\d-\d\d \d\d:\d\d  last seen never\n", listed)
    revoked = kqq("account", "device", "revoke", "10001", "my 6230", "--data", data)
    assert revoked.stdout == "revoked the password of my 6230\n"


def test_invitations(data: str) -> None:
    """A code is shown once; where it is of no use yet, that is told."""
    made = kqq("account", "invite", "--note", "班级 2006", "--uses", "30", "--data", data)
    assert re.fullmatch(r"([adgjmptw0-9]{4} ){2}[adgjmptw0-9]{4}\n", made.stdout)
    assert "is typed at http://127.0.0.1:14000/register and is not shown again" in made.stderr
    assert "warning: registration=off, so the code is of no use until registration=" in made.stderr
    open_one = kqq("account", "invite", "--data", data, KQQ_REGISTRATION="invitation")
    assert "warning" not in open_one.stderr
    first, second = kqq("account", "invitations", "--data", data).stdout.splitlines()
    assert re.fullmatch(r"made 20.{14}  until 20.{14}  for 30 more  班级 2006", first)
    assert second.endswith("for 1 more")


# --- files ---------------------------------------------------------------------------------------


def test_export_and_import_give_the_same(data: str, tmp_path: Path) -> None:
    """Numbers, nicknames and friends, whatever is in them; a spreadsheet runs none of it."""
    nicks = ('=HYPERLINK("http://192.0.2.1/";"x")', "+1", "-1", "@x", "'", "'=x", "''@", "a,b", '"',
             "＝wide", "don't", "小波 ", "x;y")  # fmt: skip
    for number, nick in enumerate(nicks):
        added = kqq("account", "add", str(11000 + number), "--nick", nick.strip(),
                    "--password", "x", "--data", data)  # fmt: skip
        assert added.exit_code == 0
    file = tmp_path / "people.csv"
    done = kqq("account", "export", str(file), "--data", data)
    assert (done.exit_code, done.output) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("uin,nick,password,friends\n10001,Anna,,10002\n10002,小波,,10001\n")
    for line in text.splitlines()[1:]:
        nick = line.split(",", 1)[1].lstrip('"')
        assert not re.match(r"[=+\-@＝＋－＠]", nick), line
    other = str(tmp_path / "other")
    done = kqq("account", "import", str(file), "--data", other)
    assert done.stdout == "added 16 accounts and 1 friendship\n"
    assert done.stderr == f"making a new data folder {other}\n"
    both = [objects(kqq("account", "export", "--json", "--data", one)) for one in (data, other)]
    assert both[0] == both[1]
    assert [one["nick"] for one in both[0][3:]] == [nick.strip() for nick in nicks]
    assert both[0][0] == {"uin": ANNA, "nick": "Anna", "friends": [BO]}
    assert kqq("account", "export", "--data", other).stdout == text


def test_export_that_fails_empties_no_file(tmp_path: Path) -> None:
    """A slip in the folder's name does not cost the last export."""
    file = tmp_path / "people.csv"
    file.write_text("precious")
    failed = kqq("account", "export", str(file), "--data", str(tmp_path / "nowhere"))
    assert failed.exit_code == 2
    assert file.read_text() == "precious"


def test_export_in_json_to_a_file(data: str, tmp_path: Path) -> None:
    """As one object a line."""
    file = tmp_path / "people.json"
    assert kqq("account", "export", str(file), "--json", "--data", data).output == ""
    assert len(file.read_text().splitlines()) == 3


def test_import(data: str, tmp_path: Path) -> None:
    """Accounts of a file, friends of each other and of who is there; nothing else is printed."""
    file = tmp_path / "people.csv"
    file.write_text(
        "uin,nick,password,friends\n10010,Dee,secret,10011 10001\n10011,Eve,,\n10001,Else,x,10003\n"
    )
    refused = kqq("account", "import", str(file), "--data", data)
    assert refused.exit_code == 2
    assert "line 4: there is an account 10001 already (--skip-existing)" in refused.stderr
    arguments = ("account", "import", str(file), "--skip-existing", "--data", data)
    done = kqq(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "added 2 accounts and 3 friendships, skipped 1 account\n"
    (anna,) = objects(kqq("account", "show", "10001", "--json", "--data", data))
    assert (anna["nick"], anna["friends"]) == ("Anna", [BO, CY, 10010])
    again = kqq(*arguments, "--json")
    assert objects(again) == [{"added": 0, "skipped": 3, "friendships": 0}]
    assert again.stderr == ""


# --- on a server that runs -----------------------------------------------------------------------


def test_added_account_signs_in_at_once(live: Live) -> None:
    """With and without a number, and by import; the password that was given is right."""
    live.do("add", "20000", "--nick", "Dee", "--password-stdin", typed="one\n")
    assert live.do("add", "--nick", "小艾", "--password", "two") == "added 10004 小艾\n"
    file = live.folder / "people.csv"
    file.write_text("uin,nick,password,friends\n10010,Eve,three,10001\n")
    assert live.do("import", str(file)) == "added 1 account and 1 friendship\n"

    async def work() -> None:
        for uin, password in ((20000, "one"), (10004, "two"), (10010, "three")):
            await (await live.sign_in(uin, password)).close()

    run(work())


def test_new_password_counts_at_once(live: Live) -> None:
    """The session ends; the old password, which the server remembers, is wrong now."""

    async def work() -> None:
        client = await live.sign_in(ANNA)
        await in_thread(live, "passwd", "10001", "--password", "other")
        with pytest.raises(NotSignedIn):
            await client.friends()
        with pytest.raises(SignInRefused, match="Password error"):
            await client.sign_in(ANNA, "secret")
        await client.sign_in(ANNA, "other")
        await client.close()

    run(work())


def test_suspended_at_once(live: Live) -> None:
    """The session ends and no other begins until it is resumed."""

    async def work() -> None:
        client = await live.sign_in(ANNA)
        await in_thread(live, "suspend", "10001", "--reason", "a duel")
        with pytest.raises(NotSignedIn):
            await client.friends()
        with pytest.raises(SignInRefused, match="suspended"):
            await client.sign_in(ANNA, "secret")
        await in_thread(live, "resume", "10001")
        await client.sign_in(ANNA, "secret")
        assert len(await client.friends()) == 2
        await client.close()

    run(work())


async def next_status(client: Client) -> tuple[int, int]:
    """Return the next change that somebody is told: who, and the code."""
    async for push in client.events():
        if isinstance(push, UpdateStat):
            return push.number, push.status
    raise AssertionError("the connection ended")


def test_friends_see_it_at_once(live: Live) -> None:
    """They see each other come when they become friends, and go when they are parted, deleted."""

    async def work() -> None:
        anna, bo = await live.sign_in(ANNA), await live.sign_in(BO)
        assert await next_status(anna) == (BO, 10)
        await in_thread(live, "unfriend", "10001", "10002")
        assert await next_status(anna) == (BO, 20)
        assert await next_status(bo) == (ANNA, 20)
        await in_thread(live, "friend", "10001", "10002")
        assert await next_status(anna) == (BO, 10)
        assert await next_status(bo) == (ANNA, 10)
        shown = await in_thread(live, "show", "10001")
        assert re.search(r"signed in +from 127\.0\.0\.1:\d+, online\n", shown)
        await in_thread(live, "delete", "10001", "--yes")
        assert await next_status(bo) == (ANNA, 20)
        assert [one.uin for one in await bo.friends()] == [CY]
        with pytest.raises(KQQError):
            await anna.sign_in(ANNA, "secret")
        await anna.close()
        await bo.close()

    run(work())


def test_device_is_revoked_at_once(live: Live) -> None:
    """The phone is out, and stays out."""
    password = live.do("device", "add", "10001", "6230").replace(" ", "").strip()

    async def work() -> None:
        client = await live.sign_in(ANNA, password)
        await in_thread(live, "device", "revoke", "10001", "6230")
        with pytest.raises(NotSignedIn):
            await client.friends()
        with pytest.raises(SignInRefused):
            await client.sign_in(ANNA, password)
        await client.close()

    run(work())


def test_set_is_seen_at_once(live: Live) -> None:
    """The next friend list has the new name."""
    assert live.do("set", "10002", "nick=波波", "age=16") == "changed nick, age of 10002\n"
    listed = as_anna(str(live.address), "friends").stdout
    assert "波波" in listed


def test_looking_at_a_server_that_runs(live: Live) -> None:
    """Lists and exports come from it, and invitations name its page."""
    assert live.do("list").splitlines()[1] == "10002  never  小波"
    assert live.do("export").splitlines()[1] == "10001,Anna,,10002 10003"
    port = live.address.port
    result = kqq("account", "invite", "--data", str(live.folder))
    assert f"http://127.0.0.1:{port}/register" in result.stderr
    assert live.do("invitations").count("\n") == 1
    assert live.do("device", "list", "10001") == ""


def test_password_is_in_no_file(live: Live) -> None:
    """Neither what was given nor its MD5 is stored or logged."""
    live.do("passwd", "10001", "--password", "correct-horse")
    secrets = b"correct-horse", password_md5("correct-horse").encode()
    files = [file for file in live.folder.iterdir() if file.is_file()]
    assert {"kqq.sqlite", "kqq.sqlite-wal"} <= {file.name for file in files}
    for file in files:
        assert not [secret for secret in secrets if secret in file.read_bytes()], file


def test_unread_message_is_lost_with_its_receiver(live: Live) -> None:
    """What waits is told before an account is deleted."""
    kqq("announce", "hello", "--data", str(live.folder))
    asked = kqq("account", "delete", "10003", "--data", str(live.folder), typed="n\n")
    assert "10003 Cy (2 friends, 1 unread message)" in asked.stderr

    async def work() -> None:
        client = await live.sign_in(CY)
        async for push in client.events():
            assert isinstance(push, ServerMsg)
            assert (push.sender, push.text) == (10000, "hello")
            break
        await client.close()

    run(work())


def test_help_says_how_a_password_is_seen() -> None:
    """Whoever gives one as an option is told who sees it."""
    for command in ("add", "passwd"):
        text = kqq("account", command, "--help").stdout
        assert "Seen by others on this machine" in " ".join(text.split())
