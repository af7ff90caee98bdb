"""The chat as plain lines: works in any terminal, and through pipes."""

import asyncio
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import click

from kqq.at_terminal import Typed, show_picture, typed_lines
from kqq.client import (
    Added,
    AskCaptcha,
    Connecting,
    Conversation,
    Event,
    Fate,
    Lost,
    Message,
    Odd,
    PresenceChanged,
    Received,
    Requested,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.history import Diary
from kqq.client.messenger import Messenger
from kqq.errors import (
    CaptchaWanted,
    ConfigError,
    KQQError,
    NotSignedIn,
)
from kqq.protocol import Line, Status
from kqq.protocol.explain import explain
from kqq.protocol.wire import show
from kqq.telling import called, indented, number_of, person, told
from kqq.words import (
    display_name,
    explanation_lines,
    printable,
    profile_rows,
    say,
    status_name,
    status_word,
    tr,
    tr_n,
)

Watch = Callable[[str, Line], None]
"""Is shown each line that goes (">") or comes ("<")."""

_LATEST = 20  # messages that /history shows
_MOST_FOUND = 100
_MOST_NEW = 1000  # messages that /unread shows; and events kept until the friends are known
_MOST_RAW = 2000  # signs of a line of the wire
_STATUSES = {status_name(one): one for one in Status if one is not Status.OFFLINE}
_SEXES = {"male": "0", "female": "1"}


class Make(Protocol):
    """Makes a messenger, not started."""

    def __call__(self, ask: AskCaptcha, watch: Watch, password: str | None) -> Messenger:
        """Return it; `password` is None for the one that is known."""


def help_text() -> str:
    """Return what can be typed."""
    return tr(
        """\
  TEXT                   say TEXT to the person you talk to (// begins one with /)
  /to PERSON             talk to this person: a number or a nickname
  /friends               who is there
  /unread                what others said while you talked to somebody
  /history [WORDS]       what was said, or where WORDS were said
  /add NUMBER [TEXT]     add somebody; TEXT is for those who want to be asked
  /requests              who wants to be your friend
  /accept [NUMBER]       accept that
  /refuse NUMBER [TEXT]  refuse it, and say why
  /delete PERSON         delete a friend
  /profile [PERSON]      what somebody tells about themselves, or what you do
  /search [age=N] [sex=male] [province=TEXT]  search for people
  /status [STATUS]       online, away, hidden, busy, call-me, do-not-disturb
  /resend                say again what was not sent
  /reconnect             connect again now
  /wire                  show what goes over the wire, explained, or no longer
  /help                  this
  /quit                  leave (Ctrl-D, too)"""
    )


async def plain_chat(
    make: Make,
    lines: Typed | None = None,
    *,
    diary: Diary | None = None,
    talk_to: str | None = None,
    is_typed: bool = False,
    patience: float = 10.0,
) -> bool:
    """Sign in and chat until the person leaves or the input ends.

    `lines` are those typed, standard input if not given. `talk_to` is whom to talk to at once.
    `is_typed` says that a person types: who is asked before something is deleted, and may wait for
    a connection or make one again; through a pipe the chat ends when it is over for good.
    `patience` is how many seconds messages on their way have when the chat ends. Returns whether
    all that was typed could be done. Raises what prevents the sign-in, NotSignedIn if the person
    signed in elsewhere.
    """
    chat = _Chat(make, diary, is_typed=is_typed, patience=patience)
    reading = asyncio.ensure_future(chat.read(typed_lines() if lines is None else lines))
    listening = asyncio.ensure_future(chat.listen())
    chatting = asyncio.ensure_future(chat.chat(talk_to))
    try:
        await asyncio.wait({listening, chatting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, chatting):
            task.cancel()
        await asyncio.gather(reading, chatting, return_exceptions=True)
        await chat.leave()
        await asyncio.gather(listening, return_exceptions=True)
    if not chatting.cancelled():
        chatting.result()
    listening.result()
    return chat.all_done


class _Chat:
    def __init__(self, make: Make, diary: Diary | None, *, is_typed: bool, patience: float) -> None:
        self.all_done = True
        self._me = make(self._ask, self._watch, None)
        self._state = self._me.state
        self._diary = diary
        self._is_typed = is_typed
        self._patience = patience
        self._lines: Typed = asyncio.Queue()
        self._letters: asyncio.Future[str | ConfigError | None] | None = None
        self._is_at_end = False
        self._to: int | None = None
        self._has_begun = False
        self._held: deque[Event] = deque(maxlen=_MOST_NEW)
        self._roster = asyncio.Event()
        self._seen: set[str] = set()
        self._new: dict[int, list[Message]] = {}
        self._own: dict[str, Message] = {}
        self._settled = asyncio.Event()
        self._settled.set()
        self._failed: Message | None = None
        self._shows_wire = False
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/to": self._choose,
            "/friends": self._friends,
            "/unread": self._unread,
            "/history": self._history,
            "/add": self._add,
            "/requests": self._requests,
            "/accept": self._accept,
            "/refuse": self._refuse,
            "/delete": self._delete,
            "/profile": self._profile,
            "/search": self._search,
            "/status": self._status,
            "/resend": self._resend,
            "/reconnect": self._reconnect,
            "/wire": self._wire,
            "/help": self._help,
        }

    # --- beginning and end

    async def read(self, lines: Typed) -> None:
        """Take what is typed: letters of a captcha, when it asks for some, before all else."""
        while not self._is_at_end:
            line = await lines.get()
            self._is_at_end = not isinstance(line, str)
            if self._letters is not None and not self._letters.done():
                self._letters.set_result(line)
            else:
                self._lines.put_nowait(line)

    async def chat(self, talk_to: str | None) -> None:
        """Sign in, then do what is typed until the person leaves."""
        await self._me.start()
        await self._roster.wait()
        self._begin()
        if talk_to is not None:
            await self._try(self._choose, talk_to)
        while (line := _typed(await self._lines.get())) is not None:
            if line.strip() == "/quit":
                break
            await self._do(line)
        await self._finish()

    async def leave(self) -> None:
        """Sign out."""
        await self._me.close()

    def _begin(self) -> None:
        """Show the friends, and what was said while nobody was here."""
        words = tr("You are {uin}. /help tells what you can type. Your friends:")
        click.echo(words.format(uin=self._me.uin))
        self._list_friends()
        self._has_begun = True
        for conversation in list(self._state.conversations.values()):
            for message in self._unread_of(conversation):
                self._seen.add(message.key)
                self._hear(message)
        for event in self._held:
            self._show(event)
        self._held.clear()

    def _unread_of(self, conversation: Conversation) -> list[Message]:
        """Return what was not read, also what is only in the history."""
        while True:
            heard = [message for message in conversation.messages if not message.is_own]
            if len(heard) >= conversation.unread or not self._me.earlier(conversation.uin):
                return heard[-conversation.unread :] if conversation.unread else []

    async def _finish(self) -> None:
        """Wait a little for messages that are on their way; tell of those that are not sent."""
        if self._own and (self._state.is_online or not self._is_typed):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), self._patience)
        if not self._own:
            return
        count = len(self._own)
        if self._diary is not None:
            words = tr_n(
                "{count} message is not sent yet; it goes out when you sign in again.",
                "{count} messages are not sent yet; they go out when you sign in again.",
                count,
            )
        else:
            words = tr_n("{count} message was not sent.", "{count} messages were not sent.", count)
        self._cannot(words.format(count=count))

    # --- what happens

    async def listen(self) -> None:
        """Show what happens until the messenger is closed. Raises what ends it through a pipe."""
        async for event in self._me.events():
            if isinstance(event, RosterCame | Odd | Lost):
                self._roster.set()
            if isinstance(event, Written):
                self._take_own(event.message)
            if self._has_begun:
                self._show(event)
            elif not isinstance(event, Connecting | SignedIn | RosterCame):
                self._held.append(event)
            if isinstance(event, Lost) and event.again_in is None and self._is_piped():
                raise event.why

    def _is_piped(self) -> bool:
        """Whether nobody is there who could sign in again, once it was done."""
        return self._has_begun and not self._is_typed

    def _show(self, event: Event) -> None:  # noqa: C901  # a case for each event
        match event:
            case Received(message):
                if message.key not in self._seen:
                    self._hear(message)
            case Requested(uin, _):
                words = tr("{words} Type /accept {uin} or /refuse {uin}.")
                self._note(words.format(words=told(event, self._state), uin=uin))
            case Lost(_, again_in):
                self._note(told(event, self._state))
                if again_in is None:
                    self._note(tr("Type /reconnect to sign in again, or /quit."))
                else:
                    self._note(tr("What you say meanwhile is kept, and sent then."))
            case SignedIn(_, address, _):
                self._note(tr("Connected to {server}.").format(server=address))
            case Written(message):
                if message.fate in (Fate.REFUSED, Fate.UNKNOWN):
                    self._cannot(told(event, self._state))
            case Connecting() | RosterCame():
                return
            case PresenceChanged(uin, _) if uin == self._state.uin:
                return  # the command says so
            case _:
                if words := told(event, self._state):
                    self._note(words)

    def _hear(self, message: Message) -> None:
        """Show what somebody said; it is read then."""
        self._print(message)
        self._me.read(message.uin)
        if self._to is None and not message.is_from_system:
            self._talk_to(message.uin)
        elif message.uin != self._to:
            self._new.setdefault(message.uin, []).append(message)
            if sum(map(len, self._new.values())) > _MOST_NEW:
                self._new[max(self._new, key=lambda uin: len(self._new[uin]))].pop(0)
                self._new = {uin: messages for uin, messages in self._new.items() if messages}

    def _print(self, message: Message) -> None:
        who = tr("you") if message.is_own else called(self._state, message.uin)
        click.echo(f"{_time(message.at)} {who}: {indented(message.text)}")

    def _note(self, words: str) -> None:
        click.echo(f"* {words}")

    def _cannot(self, why: str) -> None:
        self.all_done = False
        click.echo(f"! {why}")

    def _take_own(self, message: Message) -> None:
        """Keep in mind which of one's own messages are on their way."""
        if message.fate is Fate.WAITING:
            self._own[message.key] = message
            self._settled.clear()
            return
        self._own.pop(message.key, None)
        if not self._own:
            self._settled.set()
        if message.fate is not Fate.SENT:
            self._failed = message

    # --- what is typed

    async def _do(self, line: str) -> None:
        """Do what one typed line says."""
        command, _, argument = line.strip().partition(" ")
        if command in self._commands:
            await self._try(self._commands[command], argument.strip())
        elif command.startswith("/") and not command.startswith("//"):
            words = tr("{command} is not known; /help tells what is (// begins a text with /)")
            self._cannot(words.format(command=printable(command)))
        elif line.strip():
            text = line.removeprefix("/") if command.startswith("//") else line
            await self._try(self._say, text)

    async def _try(self, do: Callable[[str], Awaitable[None]], argument: str) -> None:
        try:
            await do(argument)
        except NotSignedIn:
            if not self._is_typed:
                raise
        except ConfigError as error:  # about what was typed
            self._cannot(printable(str(error)))
        except KQQError as error:
            self._cannot(say(error))

    async def _say(self, text: str) -> None:
        if self._to is None:
            raise ConfigError(tr("To whom? Say /to and a number or a name first."))
        self._own_written(self._me.write(self._to, text))

    def _own_written(self, message: Message) -> None:
        self._take_own(message)
        if not self._state.is_online:
            self._note(tr("There is no connection now; this waits and is sent later."))

    async def _choose(self, who: str) -> None:
        self._talk_to(self._person(who))

    def _person(self, who: str) -> int:
        """Return who is meant. Raises ConfigError for a stranger never heard of."""
        uin = person(self._state, who)
        known = uin in self._state.people or uin in self._state.conversations
        if not known:
            words = tr("{who} is no friend of yours; /friends lists them")
            raise ConfigError(words.format(who=uin))
        return uin

    def _talk_to(self, uin: int) -> None:
        self._new.pop(uin, None)
        if self._to != uin:
            self._to = uin
            self._note(tr("You talk to {name}.").format(name=called(self._state, uin)))

    async def _friends(self, _argument: str) -> None:
        await self._me.refresh()
        self._list_friends()

    def _list_friends(self) -> None:
        friends = [one for one in self._state.people.values() if one.is_friend]
        for one in friends:
            click.echo(f"  {called(self._state, one.uin)}: {status_word(one.status)}")
        if self._to is None and len(friends) == 1:
            self._talk_to(friends[0].uin)
        elif self._to is None:
            self._note(tr("Say /to and a number or a name to choose whom you talk to."))

    async def _unread(self, _argument: str) -> None:
        if not self._new:
            self._note(tr("Nobody else has said anything."))
        for messages in list(self._new.values()):
            for message in messages:
                self._print(message)

    async def _history(self, words: str) -> None:
        for message in self._found(words):
            time_and_day = datetime.fromtimestamp(message.at).astimezone()
            name = called(self._state, message.uin)
            arrow = tr("you to {name}").format(name=name) if message.is_own else name
            click.echo(f"  {time_and_day:%Y-%m-%d %H:%M} {arrow}: {indented(message.text)}")

    def _found(self, words: str) -> Iterator[Message]:
        if self._diary is None:
            raise ConfigError(tr("No history is kept here."))
        if words:
            return self._diary.search(*words.split(), most=_MOST_FOUND)
        return iter(self._diary.recent(self._to, most=_LATEST))

    # --- friends

    async def _add(self, argument: str) -> None:
        who, _, text = argument.partition(" ")
        uin = _number(who)
        answer = await self._me.add(uin)
        name = called(self._state, uin)
        if answer is Added.DONE:
            self._note(tr("{name} is your friend now.").format(name=name))
        elif answer is Added.REFUSED:
            self._cannot(tr("{name} wants to be added by nobody.").format(name=name))
        elif text.strip():
            await self._me.request(uin, text.strip())
            self._note(tr("{name} is asked; the answer comes by itself.").format(name=name))
        else:
            words = tr("{name} wants to be asked: type /add {uin} and some words.")
            self._note(words.format(name=name, uin=uin))

    async def _requests(self, _argument: str) -> None:
        if not self._state.requests:
            self._note(tr("Nobody wants to be your friend just now."))
        for uin, text in self._state.requests.items():
            click.echo(f"  {called(self._state, uin)}: {indented(text)}")

    async def _accept(self, argument: str) -> None:
        waiting = list(self._state.requests)
        if not argument and len(waiting) != 1:
            raise ConfigError(tr("Whom? Say a number; /requests lists them."))
        uin = _number(argument) if argument else waiting[0]
        await self._me.accept(uin)
        name = called(self._state, uin)
        self._note(tr("{name} is your friend now.").format(name=name))

    async def _refuse(self, argument: str) -> None:
        who, _, reason = argument.partition(" ")
        uin = _number(who)
        await self._me.refuse(uin, reason.strip())
        self._note(tr("{name} is refused.").format(name=called(self._state, uin)))

    async def _delete(self, argument: str) -> None:
        uin = self._person(argument)
        name = called(self._state, uin)
        if self._is_typed:
            self._note(tr("Delete {name} from your friends? Type yes.").format(name=name))
            answer = _typed(await self._lines.get())
            if answer is None or answer.strip().lower() not in ("yes", "y", tr("yes")):
                self._note(tr("Nobody is deleted."))
                return
        await self._me.delete(uin)
        self._note(tr("{name} is no friend any more.").format(name=name))

    # --- people and oneself

    async def _profile(self, argument: str) -> None:
        uin = person(self._state, argument) if argument else self._me.uin
        for label, value in profile_rows(await self._me.profile(uin, 3)):
            click.echo(f"  {label}: {indented(value)}")

    async def _search(self, argument: str) -> None:
        wanted: dict[str, str] = {}
        for word in argument.split():
            key, _, value = word.partition("=")
            if key not in ("age", "sex", "province") or not value:
                raise ConfigError(
                    tr("Write /search age=20 sex=female province=TEXT, or some of it.")
                )
            wanted[key] = _SEXES.get(value, value) if key == "sex" else value
        found = await self._me.search(**wanted)
        if not found:
            self._note(tr("Nobody was found."))
        for one in found:
            click.echo(f"  {display_name(one.nick, one.uin)} ({one.uin})")

    async def _status(self, name: str) -> None:
        if name and name not in _STATUSES:
            words = tr("/status wants one of {names}")
            raise ConfigError(words.format(names=", ".join(_STATUSES)))
        if name:
            await self._me.change_status(_STATUSES[name])
        self._note(tr("You are {status}.").format(status=status_word(self._state.status)))

    # --- the connection

    async def _resend(self, _argument: str) -> None:
        if self._failed is None:
            raise ConfigError(tr("Everything was sent, or is on its way."))
        message, self._failed = self._failed, None
        self._own_written(self._me.write(message.uin, message.text))

    async def _reconnect(self, _argument: str) -> None:
        if self._state.is_online:
            raise ConfigError(tr("You are connected."))
        self._me.reconnect()

    async def _wire(self, _argument: str) -> None:
        self._shows_wire = not self._shows_wire
        self._note(tr("The wire is shown.") if self._shows_wire else tr("The wire is not shown."))

    def _watch(self, direction: str, line: Line) -> None:
        if self._shows_wire:
            click.echo(f"{direction} {printable(show(line.encode(), _MOST_RAW))}")
            columns = shutil.get_terminal_size().columns - 2
            for words in explanation_lines(explain(line), secrets=False, columns=columns):
                click.echo(f"  {words}")

    async def _ask(self, picture: bytes) -> str:
        """Show a captcha and return what is typed next."""
        show_picture(picture, self._me.uin, click.echo)
        self._note(tr("Type the letters in the picture."))
        letters = None
        if not self._is_at_end:
            self._letters = asyncio.get_running_loop().create_future()
            letters = _typed(await self._letters)
        if not letters or letters.strip() == "/quit":
            raise CaptchaWanted("no letters were typed", image=picture)
        return letters.strip()

    async def _help(self, _argument: str) -> None:
        click.echo(help_text())


def _typed(line: str | ConfigError | None) -> str | None:
    """Return what was typed, None at the end. Raises ConfigError if it cannot be read."""
    if isinstance(line, ConfigError):
        raise line
    return line


def _number(who: str) -> int:
    uin = number_of(who)
    if uin is None:
        raise ConfigError(tr("Whom? Say a number."))
    return uin


def _time(at: float) -> str:
    """Return when something was said, with the day unless that is today."""
    when = datetime.fromtimestamp(at).astimezone()
    is_today = when.date() == datetime.now().astimezone().date()
    return f"{when:%H:%M}" if is_today else f"{when:%Y-%m-%d %H:%M}"
