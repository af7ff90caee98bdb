"""The plain chat, line by line, against a server in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kqq.at_terminal import Typed
from kqq.chat import help_text, plain_chat
from kqq.client import AskCaptcha, Client, Fate, Message, Messenger
from kqq.client.history import Diary, History
from kqq.errors import CaptchaWanted, ConfigError, NotSignedIn, SignInRefused
from kqq.protocol import Status
from kqq.testing import PASSWORD, Town
from kqq.words import use_language


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Compare with English words."""
    use_language("en")
    yield
    use_language(None)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """Anna and 小波, who are friends, and strangers."""
    async with Town("Anna", "小波", strangers=("Ask", "Any", "No")) as town:
        await town.change("Any", who_may_add="anyone")
        await town.change("No", who_may_add="nobody")
        yield town


@dataclass
class Chat:
    """Anna at the plain chat; `shown` is all that she was shown so far."""

    town: Town
    capsys: pytest.CaptureFixture[str]
    options: dict[str, Any]
    history: History | None = None
    lines: Typed = field(default_factory=asyncio.Queue)
    shown: str = ""
    task: "asyncio.Task[bool] | None" = None
    password: str = PASSWORD

    def make(self, ask: AskCaptcha, watch: Callable[..., None], password: str | None) -> Messenger:
        """Return Anna's messenger."""
        return Messenger(
            self.town["Anna"],
            password or self.password,
            [self.town.address()],
            ask=ask,
            watch=watch,
            history=self.history,
            connect=self.town.door("Anna"),
            now=self.town.clock.date,
            sleep=self.town.clock.sleep,
            random=lambda: 0.5,
        )

    async def type(self, *lines: str | None) -> str:
        """Type lines, each after what the one before did; return what is shown meanwhile."""
        if self.task is None:
            self.task = asyncio.create_task(plain_chat(self.make, self.lines, **self.options))
            await self.town.settle()
        for line in lines:
            self.lines.put_nowait(line)
            await self.town.settle()
        await self.town.settle()
        return self.look()

    def look(self) -> str:
        """Return what is new on the terminal."""
        new = self.capsys.readouterr().out
        self.shown += new
        return new

    async def end(self) -> bool:
        """End the input, and return whether all was done."""
        await self.type(None)
        assert self.task is not None
        done = await self.task
        self.look()
        return done


@pytest.fixture
def begin(town: Town, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Chat]]:
    """Begin a chat of Anna's: through a pipe, unless it is_typed."""
    made: list[Chat] = []

    def begin(history: History | None = None, **options: Any) -> Chat:
        made.append(Chat(town, capsys, options, history))
        return made[-1]

    yield begin
    for chat in made:
        if chat.task is not None:
            chat.task.cancel()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """Where messages are kept."""
    with History.open(tmp_path / "history.db") as history:
        yield history


def diary(history: History, town: Town) -> Diary:
    """Return Anna's."""
    return history.diary(town["Anna"], str(town.address()))


Begin = Callable[..., Chat]


def texts(client: Messenger, uin: int = 10001) -> list[str]:
    """Return what somebody has heard from Anna."""
    conversation = client.state.conversations.get(uin)
    return [] if conversation is None else [one.text for one in conversation.messages]


# --- talking


async def test_what_is_typed_is_said(town: Town, begin: Begin) -> None:
    """Texts go to the person chosen; // begins a text with a slash."""
    bo = await town.messenger("小波")
    chat = begin()
    begun = await chat.type()
    assert begun == (
        "You are 10001. /help tells what you can type. Your friends:\n"
        "  小波 (10002): online\n"
        "* You talk to 小波 (10002).\n"
    )
    assert await chat.type("你好", "", "//me waves", "/quit", "never said") == ""
    assert chat.task is not None
    assert await chat.task
    assert texts(bo) == ["你好", "/me waves"]
    assert bo.state.people[10001].status == Status.OFFLINE


async def test_the_end_of_input_leaves(begin: Begin) -> None:
    """Input that ends (Ctrl-D, a pipe) signs out in good order, when all is said."""
    chat = begin()
    assert "/status [STATUS]" in await chat.type("/help")
    assert await chat.end()


async def test_input_that_cannot_be_read_ends_it(begin: Begin) -> None:
    """With the reason, after what could be read."""
    chat = begin()
    await chat.type("/help")
    chat.lines.put_nowait(ConfigError("standard input is not UTF-8"))
    assert chat.task is not None
    with pytest.raises(ConfigError, match="not UTF-8"):
        await chat.task


async def test_every_command_is_in_the_help(begin: Begin) -> None:
    """And what is in the help is a command."""
    chat = begin()
    for line in help_text().splitlines()[1:]:
        command = line.split()[0]
        if command != "/quit":
            assert "is not known" not in await chat.type(command)


async def test_what_comes_is_shown(town: Town, begin: Begin) -> None:
    """Messages (steering signs made visible) and statuses are printed as they come."""
    bo = await town.messenger("小波")
    chat = begin()
    await chat.type()
    await bo.send(10001, "one\ntwo \x1b[2J")
    await bo.change_status(Status.BUSY)
    await town.say_system("Tea is ready.", "Anna")
    shown = await chat.type()
    assert " 小波 (10002): one\n    two \\x1b[2J\n" in shown
    assert "* 小波 (10002) is busy.\n" in shown
    assert "10000: Tea is ready.\n" in shown


async def test_who_writes_first_is_talked_to(town: Town, begin: Begin) -> None:
    """Where there are several friends; the server itself is nobody to talk to."""
    await town.move_in("Cy", friends=("Anna",))
    bo = await town.messenger("小波")
    chat = begin()
    assert "* Say /to and a number or a name to choose" in await chat.type()
    await town.say_system("Tea is ready.", "Anna")
    assert "You talk to" not in await chat.type()
    await bo.send(10001, "hi")
    assert (await chat.type()).endswith(" 小波 (10002): hi\n* You talk to 小波 (10002).\n")


async def test_others_can_be_looked_up_again(town: Town, begin: Begin) -> None:
    """What they said while one talked to somebody else, until one talks to them."""
    await town.move_in("Cy", friends=("Anna",))
    cy = await town.messenger("Cy")
    chat = begin(talk_to="小波")
    assert "* Nobody else has said anything.\n" in await chat.type("/unread")
    await cy.send(10001, "psst")
    assert "Cy (10006): psst\n" in await chat.type()
    assert await chat.type("/unread") == chat.shown.splitlines(keepends=True)[-2]
    assert await chat.type("/to cy", "/unread") == (
        "* You talk to Cy (10006).\n* Nobody else has said anything.\n"
    )


async def test_what_others_say_is_not_kept_without_end(
    town: Town, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of who has said most the oldest goes, whoever spoke last."""
    monkeypatch.setattr("kqq.chat._MOST_NEW", 3)
    await town.move_in("Cy", friends=["Anna"])
    cy = await town.messenger("Cy")
    chat = begin()
    await chat.type("/to 10002")
    for text in ("one", "two", "three"):
        await cy.send(10001, text)
    await town.say_system("Tea is ready.", "Anna")
    await chat.type()
    heard = [line.partition(": ")[2] for line in (await chat.type("/unread")).splitlines()]
    assert heard == ["two", "three", "Tea is ready."]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/dance\n", "! /dance is not known"),
        ("/to nobody\n", "! nobody is no friend of yours"),
        ("/to 10999\n", "! 10999 is no friend of yours"),
        ("/status sleepy\n", "! /status wants one of online, away, hidden"),
        ("/history\n", "! No history is kept here."),
        ("/add Bo\n", "! Whom? Say a number."),
        ("/add 10999\n", "! The server has no such number."),
        ("/accept\n", "! Whom? Say a number; /requests lists them."),
        ("/refuse\n", "! Whom? Say a number."),
        ("/delete\n", "! Whom? Say a number, or the nickname of a friend."),
        ("/search size=7\n", "! Write /search age=20"),
        ("/resend\n", "! Everything was sent, or is on its way."),
        ("/reconnect\n", "! You are connected."),
        ("x" * 16001 + "\n", "! Not sent to 小波 (10002): xxx"),
    ],
)
async def test_what_cannot_be_done_is_told(begin: Begin, typed: str, told: str) -> None:
    """A mistake is told in one line, and the chat goes on."""
    chat = begin()
    await chat.type(*typed.splitlines(), "/help")
    assert told in chat.shown
    assert "/quit" in chat.shown.split(told)[1]
    assert not await chat.end()


async def test_to_whom_must_be_said(town: Town, begin: Begin) -> None:
    """Where there is no other way to know."""
    await town.move_in("小波2", friends=("Anna",))
    chat = begin()
    assert "! To whom? Say /to and a number or a name first.\n" in await chat.type("hello")


async def test_a_name_of_two_people_is_not_enough(town: Town, begin: Begin) -> None:
    """Where friends share a name the chat asks for the number."""
    await town.move_in("Bo", friends=("Anna",))
    await town.change("小波", nick="Bo")
    chat = begin()
    await chat.type("/to Bo", "/to 10006")
    assert "! Bo is the name of 10002, 10006; say which number\n" in chat.shown
    assert "* You talk to Bo (10006).\n" in chat.shown


# --- friends


async def test_the_three_answers_to_add(town: Town, begin: Begin) -> None:
    """Added, to be asked with words, nobody."""
    ask = await town.messenger("Ask")
    chat = begin()
    assert "* Any (10004) is your friend now.\n" in await chat.type("/add 10004")
    assert "! 10005 wants to be added by nobody.\n" in await chat.type("/add 10005")
    assert "* 10003 wants to be asked: type /add 10003" in await chat.type("/add 10003")
    assert "* 10003 is asked; the answer comes by itself.\n" in await chat.type("/add 10003 hi ho")
    assert ask.state.requests == {10001: "hi ho"}
    await ask.accept(10001)
    assert "* 10003 is your friend now.\n" in await chat.type()
    assert "  Ask (10003): online\n" in await chat.type("/friends")


async def test_requests_are_answered(town: Town, begin: Begin) -> None:
    """Accepted, by number if there are several, or refused with a reason."""
    await town.change("Anna", who_may_add="ask")
    people = [await town.messenger(name) for name in ("Ask", "Any", "No")]
    for one in people[:2]:
        await one.request(10001, f"I am {one.uin}")
    chat = begin()
    begun = await chat.type("/requests")
    assert "* 10003 wants to be your friend: I am 10003 Type /accept 10003" in begun
    assert "  10003: I am 10003\n  10004: I am 10004\n" in begun
    assert "! Whom? Say a number" in await chat.type("/accept")
    assert "* 10003 is refused.\n" in await chat.type("/refuse 10003 not now")
    assert "* Any (10004) is your friend now.\n" in await chat.type("/accept")
    assert "* Nobody wants to be your friend just now.\n" in await chat.type("/requests")
    await people[2].request(10001, "and I")
    assert "* No (10005) is your friend now.\n" in await chat.type("/accept 10005")


async def test_a_friend_is_deleted(town: Town, begin: Begin) -> None:
    """At once through a pipe; a person is asked."""
    piped = begin()
    assert "* 小波 (10002) is no friend any more.\n" in await piped.type("/delete 小波")
    assert await piped.end()
    await town.do("account.friend", uin=10001, other=10002)
    typed = begin(is_typed=True)
    asked = "* Delete 小波 (10002) from your friends? Type yes.\n"
    assert (await typed.type("/delete 小波")).endswith(asked)
    assert await typed.type("no") == "* Nobody is deleted.\n"
    assert (
        await typed.type("/delete 10002", "yes")
        == f"{asked}* 小波 (10002) is no friend any more.\n"
    )
    await town.do("account.friend", uin=10001, other=10002)
    await typed.type("/friends", "/delete 小波", None)
    assert typed.shown.endswith("* Nobody is deleted.\n")


# --- people and oneself


async def test_profiles_are_shown(town: Town, begin: Begin) -> None:
    """One's own, or somebody's."""
    await town.change("小波", age="13", city="Verona")
    chat = begin()
    assert "  Nickname: Anna\n" in await chat.type("/profile")
    shown = await chat.type("/profile 小波")
    assert "  Nickname: 小波\n" in shown
    assert "  Age: 13\n  City: Verona\n" in shown


async def test_people_are_searched(town: Town, begin: Begin) -> None:
    """By what their profiles say."""
    await town.change("Any", age="13", sex="1")
    chat = begin()
    assert "  Any (10004)\n" in await chat.type("/search age=13 sex=female")
    assert "* Nobody was found.\n" in await chat.type("/search province=Paris")


async def test_a_status_is_shown_and_changed(town: Town, begin: Begin) -> None:
    """Friends see it."""
    bo = await town.messenger("小波")
    chat = begin()
    assert "* You are online.\n" in await chat.type("/status")
    assert await chat.type("/status away") == "* You are away.\n"
    assert bo.state.people[10001].status == Status.AWAY


# --- history


async def test_what_was_not_read_is_shown_first(town: Town, begin: Begin, history: History) -> None:
    """All of it once, also what came with the sign-in; then it is read."""
    anna = diary(history, town)
    for number in range(300):
        anna.add(Message(f"{number}", 10002, f"old {number}", 1e9, Fate.RECEIVED))
    anna.add(Message("own", 10002, "my own", 1e9, Fate.SENT))
    bo = await town.messenger("小波")
    await bo.send(10001, "new")
    chat = begin(history)
    lines = (await chat.type()).splitlines()
    heard = [line.partition("): ")[2] for line in lines if "小波 (10002): " in line]
    assert heard == ["online", *(f"old {number}" for number in range(300)), "new"]
    assert anna.unread() == {}
    assert await chat.end()
    again = begin(history)
    assert "old" not in await again.type()


async def test_the_history_is_looked_up(town: Town, begin: Begin, history: History) -> None:
    """The last of a conversation, or where words were said."""
    anna = diary(history, town)
    anna.add(Message("1", 10002, "dumplings?", 1e9, Fate.RECEIVED))
    anna.read(10002)
    chat = begin(history, diary=anna)
    await chat.type("yes,\nmany")
    shown = await chat.type("/history")
    assert " 小波 (10002): dumplings?\n" in shown
    assert " you to 小波 (10002): yes,\n    many\n" in shown
    found = await chat.type("/history DUMP")
    assert "dumplings?" in found
    assert "many" not in found


# --- the connection


async def test_what_is_typed_without_a_connection_waits(town: Town, begin: Begin) -> None:
    """It is said once when there is one again; losing and finding it is told."""
    bo = await town.messenger("小波")
    chat = begin()
    await chat.type("one")
    town.block("Anna")
    lost = await chat.type()
    assert "* There is no connection to the server: " in lost
    assert "Trying again in " in lost
    assert "* What you say meanwhile is kept, and sent then.\n" in lost
    assert await chat.type("two") == "* There is no connection now; this waits and is sent later.\n"
    assert "! There is no connection" in await chat.type("/friends")
    town.unblock("Anna")
    await town.advance(120)
    assert "* Connected to tcp://town.example:14000.\n" in await chat.type()
    assert texts(bo) == ["one", "two"]
    await chat.end()


async def test_what_is_not_sent_at_the_end_is_told(
    town: Town, begin: Begin, history: History
) -> None:
    """With a history it is sent the next time, without one it is not."""
    for kept, told in (
        (None, "! 2 messages were not sent.\n"),
        (history, "! 2 messages are not sent yet; they go out when you sign in again.\n"),
    ):
        anna = None if kept is None else diary(kept, town)
        chat = begin(kept, diary=anna, patience=0.01)
        await chat.type()
        town.block("Anna")
        await chat.type("one", "two")
        assert not await chat.end()
        assert told in chat.shown
        town.unblock("Anna")
    bo = await town.messenger("小波")
    assert await begin(history).end()
    assert texts(bo) == ["one", "two"]


async def test_a_person_who_leaves_without_a_connection_need_not_wait(
    town: Town, begin: Begin
) -> None:
    """Only be told."""
    chat = begin(is_typed=True, patience=1000.0)
    await chat.type()
    town.block("Anna")
    await chat.type("one", "/quit")
    assert "! 1 message was not sent.\n" in chat.shown


async def test_a_refused_message_can_be_said_again(town: Town, begin: Begin) -> None:
    """The chat tells what became of it."""
    bo = await town.messenger("小波")
    chat = begin()
    await chat.type()
    await bo.delete(10001)
    refused = await chat.type("hello?")
    assert "! Not sent to " in refused
    assert "hello?\n    The server did not take it: " in refused
    await town.do("account.friend", uin=10001, other=10002)
    await chat.type("/resend")
    assert texts(bo) == ["hello?"]
    assert not await chat.end()


async def test_a_sign_in_elsewhere_ends_a_piped_chat(town: Town, begin: Begin) -> None:
    """Nobody is there to decide who gets the number."""
    chat = begin()
    await chat.type()
    await town.client("Anna")
    await chat.type("hello")
    assert chat.task is not None
    with pytest.raises(NotSignedIn):
        await chat.task


async def test_a_person_can_sign_in_again(town: Town, begin: Begin) -> None:
    """After a sign-in elsewhere, if they want."""
    bo = await town.messenger("小波")
    chat = begin(is_typed=True)
    await chat.type()
    await town.client("Anna")
    lost = await chat.type("hello")
    assert "* You are no longer signed in. Perhaps your number was used elsewhere.\n" in lost
    assert "* Type /reconnect to sign in again, or /quit.\n" in lost
    assert "* Connected to" in await chat.type("/reconnect")
    assert texts(bo) == ["hello"]
    assert await chat.end()


async def test_a_wrong_password_is_an_error(begin: Begin) -> None:
    """So is whatever prevents the sign-in."""
    chat = begin()
    chat.password = "wrong"
    await chat.type()
    assert chat.task is not None
    with pytest.raises(SignInRefused):
        await chat.task


async def test_the_wire_can_be_watched(begin: Begin) -> None:
    """Each line, and what its fields mean; no more when that is enough."""
    chat = begin()
    shown = await chat.type("/wire", "/status away")
    assert "> VER=1.4&CON=1&CMD=Change_Stat&" in shown
    lines = shown.splitlines()
    assert [line for line in lines if line.startswith(">")] == [
        line for line in lines if "CMD=Change_Stat&" in line
    ]
    assert "  Change_Stat, request: " in shown
    assert "    ST   30" in shown
    assert "  CHANGE_STAT, reply: " in shown
    assert "* The wire is not shown.\n" in await chat.type("/wire")
    assert await chat.type("/status online") == "* You are online.\n"


# --- captchas


@pytest.fixture
async def guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Town]:
    """A town where each sign-in brings a picture."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    async with Town("Anna", "小波", captcha="always", captcha_grace=0.0) as town:
        yield town


async def test_captchas_are_read(guarded: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """What is typed next are the letters, also when the connection must be made again."""
    chat = Chat(guarded, capsys, {"is_typed": True})
    asked = await chat.type()
    assert "* Type the letters in the picture.\n" in asked
    assert "captcha-10001-" in asked
    assert "You are 10001." in await chat.type(f" {guarded.letters.lower()} ")
    guarded.cut("Anna")
    await guarded.advance(60)
    assert "* Type the letters in the picture.\n" in await chat.type()
    assert "* Connected to " in await chat.type(guarded.letters)
    assert await chat.end()


@pytest.mark.parametrize("typed", ["/quit", "", None])
async def test_a_captcha_need_not_be_read(
    guarded: Town, capsys: pytest.CaptureFixture[str], typed: str | None
) -> None:
    """Then there is no sign-in."""
    chat = Chat(guarded, capsys, {"is_typed": True})
    await chat.type(typed)
    assert chat.task is not None
    with pytest.raises(CaptchaWanted, match="no letters were typed"):
        await chat.task


async def test_where_the_input_is_over_no_captcha_is_read(
    guarded: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """It could wait for ever."""
    chat = Chat(guarded, capsys, {})
    chat.lines.put_nowait(None)
    await chat.type()
    assert chat.task is not None
    with pytest.raises(CaptchaWanted):
        await chat.task


async def test_standard_input_is_read_if_nothing_else_is_given(
    town: Town, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As through a pipe."""
    monkeypatch.setattr("sys.stdin", iter(["/status away\n", "/quit\n"]))
    chat = begin()
    assert await plain_chat(chat.make)
    assert "* You are away.\n" in chat.look()
    assert isinstance(await town.client("Anna"), Client)
