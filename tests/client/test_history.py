"""What was said is kept, told apart, found again, and forgotten."""

import dataclasses
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client.events import Fate, Message
from kqq.client.history import Diary, History, Waiting, new_key
from kqq.client.state import State
from kqq.errors import StoreError

SERVER = "tcp://kqq.example:14000"
ANNA, BO, CY = 10001, 10002, 10003


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history is."""
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    """An empty history."""
    with History.open(path) as opened:
        yield opened


@pytest.fixture
def diary(history: History) -> Diary:
    """What Anna says and hears."""
    return history.diary(ANNA, SERVER)


def heard(key: str, uin: int = BO, at: float = 0.0, text: str = "") -> Message:
    """Return a message of somebody else."""
    return Message(key, uin, text or f"text of {key}", at, Fate.RECEIVED)


def own(key: str, uin: int = BO, fate: Fate = Fate.WAITING, at: float = 0.0) -> Message:
    """Return a message of Anna's."""
    return Message(key, uin, f"text of {key}", at, fate)


def keys(diary: Diary, uin: int | None = None) -> str:
    """Return the keys of all that was said, of one sign each."""
    return "".join(message.key for message in diary.search(uin=uin))


# --- keeping -------------------------------------------------------------------------------------


def test_messages_are_there_the_next_time(path: Path) -> None:
    """Every one as it was, in the order in which they were added."""
    messages = [
        heard("a", at=3.5, text="hi\n你好 😄"),
        own("b", fate=Fate.SENT, at=2.0),
        replace(own("c", CY, fate=Fate.REFUSED), why="RES=1: 不行"),
        replace(own("d", CY, fate=Fate.UNKNOWN), why="cut"),
    ]
    with History.open(path) as history:
        for message in messages:
            assert history.diary(ANNA, SERVER).add(message)
    with History.open(path) as history:
        diary = history.diary(ANNA, SERVER)
        assert list(diary.search()) == messages
        assert diary.message("c") == messages[2]
        assert diary.message("x") is None
        assert history.path == path


def test_a_key_is_kept_once(diary: Diary) -> None:
    """What was there first stays."""
    assert diary.add(heard("a"))
    assert not diary.add(heard("a", text="other"))
    assert [message.text for message in diary.search()] == ["text of a"]


def test_what_a_server_repeats_is_kept_once(diary: Diary) -> None:
    """The same words of the same person with the same mark are the same message."""
    assert diary.add(heard("a", text="hi"), mark="1000000001")
    assert not diary.add(heard("b", text="hi"), mark="1000000001")
    assert diary.unread() == {BO: 1}


def test_what_is_said_again_after_a_week_is_something_new(diary: Diary) -> None:
    """A server whose data was replaced counts anew."""
    first = heard("a", text="hi")
    assert diary.add(first, mark="1000000001")
    week = 7 * 24 * 3600
    assert not diary.add(replace(first, key="b", at=first.at + week - 1), mark="1000000001")
    assert diary.add(replace(first, key="c", at=first.at + week), mark="1000000001")


def test_what_only_looks_repeated_is_kept(diary: Diary) -> None:
    """Other words, somebody else, another mark or none, and one's own line with this number."""
    diary.add(heard("a", text="hi"), mark="1000000001")
    for key, mark, uin, text in [
        ("b", "1000000001", BO, "ho"),
        ("c", "1000000001", CY, "hi"),
        ("d", "1000000002", BO, "hi"),
        ("e", "", BO, "hi"),
        ("f", "", BO, "hi"),
    ]:
        assert diary.add(heard(key, uin, text=text), mark=mark)
    assert diary.add(replace(own("g"), text="hi"), mark="1000000001")
    assert diary.add(replace(own("h"), text="hi"), mark="1000000001")
    assert keys(diary) == "abcdefgh"


def test_a_number_on_two_servers_is_two_people(history: History) -> None:
    """The ways to one port are one server; nothing of one is seen or changed by the other."""
    one = history.diary(ANNA, SERVER)
    two = history.diary(ANNA, "tcp://kqq.example:15000")
    three = history.diary(BO, SERVER)
    assert history.diaries() == []
    for diary in (one, two, three):
        assert diary.add(heard("a", CY, text=diary.server), mark="1000000001")
        diary.remember_names({CY: diary.server})
    three.forget()
    two.read(CY)
    again = history.diary(ANNA, "http://KQQ.example:14000/")
    assert [message.text for message in again.search()] == ["kqq.example:14000"]
    assert (again.unread(), two.unread()) == ({CY: 1}, {})
    assert again.names() == {CY: "kqq.example:14000"}
    known = [(diary.uin, diary.server) for diary in history.diaries()]
    assert known == [(ANNA, "kqq.example:14000"), (ANNA, "kqq.example:15000")]
    assert history.diary(ANNA, "home").server == "home"


def test_a_number_may_have_any_size(diary: Diary) -> None:
    """A server can name one that no account has."""
    assert diary.add(heard("a", 10**20))
    assert (keys(diary, 10**20), diary.unread(), diary.count()) == ("a", {10**20: 1}, {10**20: 1})


def test_keys_are_never_chosen_twice() -> None:
    """By no other program and no later run, unless its chance is the same."""
    assert len({new_key() for _ in range(1000)}) == 1000
    assert new_key(random.Random(1).randbytes) == new_key(random.Random(1).randbytes)
    assert len(new_key()) == 16


# --- one's own, until the server has them ---------------------------------------------------------


def test_what_waits_is_there_the_next_time(path: Path) -> None:
    """With the number of its line, and when that first went out; in order."""
    with History.open(path) as history:
        diary = history.diary(ANNA, SERVER)
        diary.add(own("a"), mark="1000000001")
        diary.add(own("b", CY), mark="1000000002")
        diary.add(own("c", fate=Fate.SENT), mark="1000000003")
        diary.add(heard("d"), mark="1000000004")
        assert diary.attempt("a", 5.0)
        assert diary.attempt("a", 9.0)
    with History.open(path) as history:
        assert history.diary(ANNA, SERVER).waiting() == [
            Waiting(own("a"), "1000000001", 5.0),
            Waiting(own("b", CY), "1000000002", None),
        ]


def test_fates_change(diary: Diary) -> None:
    """With reason and time; the words, and where they stand, stay."""
    diary.add(own("a"), mark="1000000001")
    diary.add(heard("b"))
    diary.change(replace(own("a"), fate=Fate.REFUSED, why="no", at=7.0, text="changed"))
    assert diary.message("a") == replace(own("a"), fate=Fate.REFUSED, why="no", at=7.0)
    assert diary.waiting() == []
    diary.change(own("a"))
    assert [one.mark for one in diary.waiting()] == ["1000000001"]
    diary.change(replace(own("b"), fate=Fate.SENT))
    assert diary.message("b") == heard("b")
    diary.change(own("unheard-of"))
    assert keys(diary) == "ab"


def test_another_program_may_have_sent_it(path: Path, diary: Diary) -> None:
    """Who asks before it says a line learns that; what was sent stays so."""
    diary.add(own("a"), mark="1000000001")
    with History.open(path) as history:
        other = history.diary(ANNA, SERVER)
        assert other.attempt("a", 1.0)
        other.change(own("a", fate=Fate.SENT))
    assert not diary.attempt("a", 2.0)
    diary.change(replace(own("a"), fate=Fate.UNKNOWN))
    assert diary.message("a") == own("a", fate=Fate.SENT)
    assert not diary.attempt("never written", 2.0)


# --- unread, names -------------------------------------------------------------------------------


def test_what_came_is_unread_until_it_is_read(diary: Diary) -> None:
    """By person; one's own is not counted."""
    for key, uin in (("a", BO), ("b", BO), ("c", CY)):
        diary.add(heard(key, uin))
    diary.add(own("d"))
    assert diary.unread() == {BO: 2, CY: 1}
    diary.read(BO)
    diary.read(ANNA)
    assert diary.unread() == {CY: 1}


def test_names_are_remembered(diary: Diary) -> None:
    """The last one of each; an empty one is none, and a long one is cut."""
    diary.remember_names({BO: "小波", CY: "Cy"})
    diary.remember_names({BO: "波", CY: "", ANNA: "x" * 5000})
    assert diary.names() == {BO: "波", CY: "Cy", ANNA: "x" * 100}


def test_names_that_are_known_write_nothing(path: Path, diary: Diary) -> None:
    """The whole roster can be given each time, even while another program writes."""
    names = {10000 + number: f"nick {number}\udcff" for number in range(500)}
    diary.remember_names(names)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        diary.remember_names(names)
    assert diary.names() == names


def test_a_state_is_made_from_it(diary: Diary) -> None:
    """What a chat shows at its start, and when somebody scrolls up."""
    for number in range(20):
        diary.add(heard(chr(97 + number)))
    diary.remember_names({BO: "小波"})
    state = State()
    state.remember(diary.recent(most=5), unread=diary.unread(), names=diary.names())
    talk = state.conversations[BO]
    assert (state.name(BO), talk.unread, len(talk.messages)) == ("小波", 20, 5)
    state.remember(diary.recent(BO, before=talk.messages[0].key))
    assert list(talk.messages) == list(diary.search())


# --- looking back --------------------------------------------------------------------------------


def test_the_latest_come_piece_by_piece(diary: Diary) -> None:
    """With one person or with all, oldest first; nothing is before a key that is not there."""
    for place, key in enumerate("abcdefgh"):
        diary.add(heard(key, (BO, CY)[place % 2], at=-place))

    def recent(uin: int | None = None, most: int = 200, before: str | None = None) -> str:
        return "".join(one.key for one in diary.recent(uin, most=most, before=before))

    assert recent() == "abcdefgh"
    assert recent(most=3) == "fgh"
    assert recent(most=3, before="f") == "cde"
    assert recent(BO) == "aceg"
    assert recent(BO, most=2, before="f") == "ce"
    assert recent(BO, before="a") == ""
    assert recent(before="x") == ""
    assert recent(ANNA) == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), "abcdef"),
        (("饺子",), "a"),
        (("子",), "ab"),
        (("HELLO",), "cd"),
        (("hello", "bo"), "d"),
        (("ello b",), "d"),
        (("%",), "e"),
        (("_",), "f"),
        (("\\",), "f"),
        (("straße",), "e"),
        (("",), "abcdef"),
        (("nothing of that",), ""),
        (("hello", "饺子"), ""),
    ],
)
def test_words_are_found(diary: Diary, words: tuple[str, ...], found: str) -> None:
    """All of them, in any case, as parts of others; no sign has a meaning of its own."""
    texts = ["吃饺子", "儿子", "Hello", "ｈello Bo", "100% STRASSE", r"a_b\c"]
    for key, text in zip("abcdef", texts, strict=True):
        diary.add(heard(key, text=text))
    assert "".join(message.key for message in diary.search(*words)) == found
    assert diary.count(*words) == ({BO: len(found)} if found else {})


def test_a_search_has_limits(diary: Diary) -> None:
    """By person, by time, by number; who spoke last is counted first."""
    for place, key in enumerate("abcdef"):
        diary.add(heard(key, (BO, CY)[place % 2], at=place))
    found = "".join(one.key for one in diary.search("text", uin=BO, since=1, until=4))
    assert found == "c"
    assert "".join(one.key for one in diary.search(since=1, until=4)) == "bcd"
    assert "".join(one.key for one in diary.search("TEXT", most=2)) == "ef"
    assert "".join(one.key for one in diary.search(uin=BO, most=2)) == "ce"
    assert list(diary.count().items()) == [(CY, 3), (BO, 3)]
    assert list(diary.count("text").items()) == [(CY, 3), (BO, 3)]
    assert diary.count("text", until=1) == {BO: 1}
    assert diary.count(uin=CY, since=2) == {CY: 2}


def test_a_long_history_is_read_in_pieces(path: Path, history: History, diary: Diary) -> None:
    """Whoever is slow to take what is found keeps nobody from writing."""
    diary.add(heard("first"))
    with closing(sqlite3.connect(path)) as quick:
        row = "SELECT 1, 'k' || value, '10002', 'text', value, 'sent', '', '', NULL, 0"
        numbers = "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT {})"
        columns = "account, key, uin, text, at, fate, why, mark, tried, is_unread"
        quick.execute(f"INSERT INTO message ({columns}) {numbers.format(2999)} {row} FROM n")
        quick.commit()
    found = diary.search("text")
    assert next(found).key == "first"
    diary.add(heard("last"))
    everything = [message.key for message in found]
    assert len(everything) == len(set(everything)) == 3000
    assert everything[-1] == "last"
    assert [one.key for one in diary.search("of", most=5)] == ["first", "last"]
    assert diary.count() == {BO: 3001}
    assert history.diary(BO, SERVER).count() == {}


def test_a_search_can_be_done_on_a_thread(path: Path, diary: Diary) -> None:
    """With a history of its own."""
    diary.add(heard("a"))
    found: list[Message] = []

    def search() -> None:
        with History.open(path) as history:
            found.extend(history.diary(ANNA, SERVER).search("text"))

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert found == [heard("a")]


# --- forgetting ----------------------------------------------------------------------------------


def test_some_is_forgotten(diary: Diary) -> None:
    """By person and time; who is forgotten whole has no name any more."""
    for place, key in enumerate("abcdef"):
        diary.add(heard(key, (BO, CY)[place % 2], at=place))
    diary.remember_names({BO: "小波", CY: "Cy"})
    assert diary.forget(until=2) == 2
    assert diary.forget(BO, since=4) == 1
    assert (keys(diary), diary.names()) == ("cdf", {BO: "小波", CY: "Cy"})
    assert diary.forget(BO) == 1
    assert (keys(diary), diary.names()) == ("df", {CY: "Cy"})
    assert diary.forget(BO) == 0


def test_all_is_forgotten(path: Path, history: History, diary: Diary) -> None:
    """No word is left in the file, which gets small again; the account is gone, until it speaks."""
    size = path.stat().st_size
    for number in range(200):
        diary.add(heard(f"k{number}", text="my dark secret " * 50))
    diary.remember_names({BO: "dark name"})
    assert b"dark" in path.read_bytes() + path.with_name("history.db-wal").read_bytes()
    assert diary.forget() == 200
    assert b"dark" not in path.read_bytes() + path.with_name("history.db-wal").read_bytes()
    assert path.stat().st_size <= size + 50_000
    assert (history.diaries(), diary.names(), diary.waiting()) == ([], {}, [])
    diary.change(own("k1"))
    assert diary.add(heard("a"))
    assert len(history.diaries()) == 1


# --- what can go wrong ---------------------------------------------------------------------------


def test_a_damaged_message_is_told(path: Path, diary: Diary) -> None:
    """Whatever is odd in the file comes out as one error, which names it."""
    diary.add(heard("a"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE message SET fate = 'eaten'")
        other.commit()
    with pytest.raises(StoreError, match="the fate 'eaten' cannot be: it is damaged"):
        diary.recent()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE message SET uin = 'who'")
        other.commit()
    with pytest.raises(StoreError, match="the number 'who' cannot be"):
        diary.unread()


def test_a_history_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in words, also for the default place."""
    (tmp_path / "kqq").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"cannot use the history .*history\.db: "):
        History.open()


def test_no_message_is_lost_when_a_program_dies(path: Path) -> None:
    """What `add` has returned for is in the file, even if the program is killed that moment."""
    work = """
import os, sys
from pathlib import Path
from kqq.client.history import History
from kqq.client.events import Fate, Message
diary = History.open(Path(sys.argv[1])).diary(10001, "tcp://kqq.example:14000")
diary.add(Message("a", 10002, "hi", 0.0, Fate.RECEIVED))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", work, str(path)], check=False).returncode == -9
    with History.open(path) as history:
        assert keys(history.diary(ANNA, SERVER)) == "a"


def test_two_programs_write_at_once(path: Path, diary: Diary) -> None:
    """Nothing is lost, and what both were pushed is kept once."""
    work = """
import sys
from pathlib import Path
from kqq.client.history import History, new_key
from kqq.client.events import Fate, Message
diary = History.open(Path(sys.argv[1])).diary(10001, "tcp://kqq.example:14000")
for number in range(150):
    diary.add(Message(new_key(), 10002, "own", 0.0, Fate.SENT))
    diary.add(Message(new_key(), 10002, "hi", 0.0, Fate.RECEIVED), mark=f"{number:010}")
"""
    command = [sys.executable, "-c", work, str(path)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [one.wait(30) for one in running] == [0] * 3
    assert len(list(diary.search("own"))) == 450
    assert len(list(diary.search("hi"))) == 150


# --- any messages --------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=10),
    st.text("aAß饺子%_\\'\"\0\n", max_size=6),
    st.binary(max_size=6).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
MESSAGES = st.builds(
    Message,
    st.just(""),
    st.sampled_from([BO, CY, 10**19]),
    TEXTS,
    st.floats(-1e9, 1e12),
    st.sampled_from(Fate),
    TEXTS,
)


@given(st.lists(st.tuples(MESSAGES, st.sampled_from(["", "1000000001"])), max_size=8), TEXTS)
def test_whatever_is_said_comes_back(said: list[tuple[Message, str]], word: str) -> None:
    """Against a model: a list."""
    model: list[Message] = []
    seen: list[tuple[int, str, str, float]] = []
    with TemporaryDirectory() as folder, History.open(Path(folder) / "history.db") as history:
        diary = history.diary(ANNA, SERVER)
        for number, (drawn, mark) in enumerate(said):
            message = replace(drawn, key=str(number))
            again = (message.uin, mark, message.text)
            is_known = any(one[:3] == again and one[3] > message.at - 604800 for one in seen)
            is_new = message.is_own or not mark or not is_known
            assert diary.add(message, mark=mark) == is_new
            if is_new:
                model.append(message)
            if mark and is_new and not message.is_own:
                seen.append((*again, message.at))
        assert list(diary.search()) == model
        assert [one.message for one in diary.waiting()] == [
            message for message in model if message.fate is Fate.WAITING
        ]
        for uin in (BO, CY, 10**19):
            assert diary.recent(uin) == [message for message in model if message.uin == uin]
        if word.isascii():
            found = [one for one in diary.search(word) if one.text.isascii()]
            assert found == [
                one for one in model if one.text.isascii() and word.lower() in one.text.lower()
            ]


def test_nothing_secret_has_a_place(path: Path, history: History) -> None:
    """There is no column for a password, and the words of a message have no place for one."""
    history.close()
    with closing(sqlite3.connect(path)) as other:
        columns = {
            column
            for (table,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for _, column, *_ in other.execute(f"PRAGMA table_info({table})")
        }
    assert columns == {"id", "uin", "server", "account", "nick", "mark", "tried", "is_unread"} | {
        field.name for field in dataclasses.fields(Message)
    }
