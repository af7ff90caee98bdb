"""What a browser keeps: messages, what waits, who asked, and what came before."""

from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page

Library = Callable[..., Awaitable[Any]]
NewPage = Callable[..., Awaitable[Page]]
BLANK = "/api/hello"
WEEK = 7 * 86_400_000
BEGIN = """async ({ History }, value) => {
  let now = 1000;
  const clock = { now: () => now };
  const history = await History.open(10001, clock);
  const own = (id, peer, text, more = {}) => ({
    id, peer, own: true, text, at: now, state: "waiting", number: "1000000001", kind: "message",
    read: true, ...more,
  });
  const from = (id, peer, text, number = "") => ({
    sender: peer, number, text,
    message: { id, peer, own: false, text, at: now, state: "received", number, kind: "message",
      read: false },
  });
  const ids = (messages) => messages.map((one) => one.id);
"""


async def kept(library: Library, work: str, value: object = None) -> Any:
    """Return what some work with an empty history gives."""
    return await library("kqq/history.js", BEGIN + work + "}", value)


async def test_a_conversation_is_read_page_by_page(library: Library) -> None:
    """The newest are last, earlier ones come before a known one, of this conversation alone."""
    pages = await kept(
        library,
        """
        for (let at = 0; at < 7; at++) await history.add(own(`a${at}`, 10002, `text ${at}`));
        await history.add(own("b", 10003, "elsewhere"));
        const last = await history.page(10002, { most: 3 });
        const before = await history.page(10002, { before: last[0].id, most: 3 });
        const first = await history.page(10002, { before: before[0].id });
        return {
          pages: [ids(last), ids(before), ids(first)],
          none: await history.page(10002, { before: "nobody knows" }),
          message: last[2],
          one: await history.get("a6"),
          nothing: await history.get("a7"),
        };
        """,
    )
    assert pages["pages"] == [["a4", "a5", "a6"], ["a1", "a2", "a3"], ["a0"]]
    assert pages["none"] == []
    assert (
        pages["message"]
        == pages["one"]
        == {
            "id": "a6",
            "peer": 10002,
            "own": True,
            "text": "text 6",
            "at": 1000,
            "state": "waiting",
            "number": "1000000001",
            "kind": "message",
            "read": True,
        }
    )
    assert pages["nothing"] is None


async def test_what_came_is_unread_until_it_is_read(library: Library) -> None:
    """It is counted for each conversation, of which the one with the latest words is first."""
    found = await kept(
        library,
        """
        await history.receive([from("a", 10002, "one"), from("b", 10002, "two")]);
        await history.receive([from("c", 10003, "three")]);
        await history.add(own("d", 10002, "four"));
        const talks = async () => (await history.conversations()).map(
          ({ peer, last, unread }) => [peer, last.id, unread]);
        const before = [await talks(), await history.unreadOf(10002)];
        await history.markRead(10002);
        await history.markRead(10009);
        return {
          before,
          after: [await talks(), await history.unreadOf(10002), await history.unreadOf(10009)],
          read: (await history.page(10002)).map((one) => one.read),
        };
        """,
    )
    assert found["before"] == [[[10002, "d", 2], [10003, "c", 1]], 2]
    assert found["after"] == [[[10002, "d", 0], [10003, "c", 1]], 0, 0]
    assert found["read"] == [True, True, True]


async def test_what_comes_again_is_the_same(library: Library) -> None:
    """Sender, number and text say so for a week; a number of fewer digits says nothing."""
    found = await kept(
        library,
        """
        const batch = (when) => [
          from(when + "a", 10002, "hi", "1000000007"), from(when + "b", 10002, "hi", "1000000007"),
          from(when + "c", 10003, "hi", "1000000007"), from(when + "d", 10002, "ho", "1000000008"),
          from(when + "e", 10002, "short", "3"), from(when + "f", 10002, "short", "3"),
        ];
        const first = (await history.receive(batch("1"))).map((one) => one.message.id);
        const again = (await history.receive(batch("2"))).map((one) => one.message.id);
        const remembered = [
          await history.remembers(10002, "1000000007", "hi"),
          await history.remembers(10002, "1000000007", "other words"),
          await history.remembers(10004, "1000000007", "hi"),
          await history.remembers(10002, "3", "short"),
        ];
        now += value;
        const nearly = await history.remembers(10002, "1000000007", "hi");
        now += 1;
        const late = await history.remembers(10002, "1000000007", "hi");
        const anew = (await history.receive([from("g", 10002, "hi", "1000000007")])).length;
        const all = ids(await history.page(10002));
        return { first, again, remembered, nearly, late, anew, all };
        """,
        WEEK,
    )
    assert found["first"] == ["1a", "1c", "1d", "1e", "1f"]
    assert found["again"] == ["2e", "2f"]
    assert found["remembered"] == [True, False, False, False]
    assert (found["nearly"], found["late"], found["anew"]) == (True, False, 1)
    assert found["all"] == ["1a", "1d", "1e", "1f", "2e", "2f", "g"]


async def test_what_waits_is_kept_with_its_line(library: Library) -> None:
    """In the order of writing, until its state is another; then the line is forgotten."""
    found = await kept(
        library,
        """
        await history.add(own("a", 10002, "one"), { line: "MG=one" });
        await history.add(own("b", 10003, "two"), { line: "MG=two" });
        await history.add(own("c", 10002, "no line"));
        const begun = await history.update("a", { said: 5 });
        const waiting = await history.outbox();
        const sent = await history.update("a", { state: "sent" });
        const left = (await history.outbox()).map((one) => one.message.id);
        const twice = await history.update("a", { state: "unknown" }, { only: "waiting" });
        const again = await history.update("a", { state: "waiting", line: "MG=1", said: null });
        return {
          begun, waiting, sent, left, twice, again: await history.outbox(),
          nobody: await history.update("x", {}),
          last: (await history.conversations()).map((one) => one.last.state),
        };
        """,
    )
    assert [(one["line"], one["said"]) for one in found["waiting"]] == [
        ("MG=one", 5),
        ("MG=two", None),
    ]
    assert found["waiting"][0]["message"] == found["begun"]
    assert (found["sent"]["state"], found["left"]) == ("sent", ["b"])
    assert "line" not in found["sent"]
    assert (found["twice"], found["nobody"]) == (None, None)
    assert [one["line"] for one in found["again"]] == ["MG=1", "MG=two"]


async def test_a_message_can_be_taken_away(library: Library) -> None:
    """What was said before is then the last of the conversation; without any there is none."""
    found = await kept(
        library,
        """
        await history.add(own("a", 10002, "one"));
        await history.add(own("b", 10003, "two"));
        await history.add(own("c", 10002, "three"));
        const talks = async () =>
          (await history.conversations()).map(({ peer, last }) => [peer, last.id]);
        const gone = [await history.remove("c"), await history.remove("c")];
        const left = await talks();
        await history.remove("b");
        await history.add(own("d", 10002, "four"));
        await history.remove("a");
        return { gone, left, end: await talks(), page: ids(await history.page(10002)) };
        """,
    )
    assert found["gone"] == [True, False]
    assert found["left"] == [[10003, "b"], [10002, "a"]]
    assert (found["end"], found["page"]) == ([[10002, "d"]], ["d"])


async def test_all_words_are_found_in_any_case(library: Library) -> None:
    """The newest first, over all conversations or in one, also among thousands."""
    found = await kept(
        library,
        """
        await history.receive([from("a", 10002, "Good morning, Anna")]);
        await history.receive([from("b", 10003, "Morning")]);
        await history.add(own("c", 10002, "早上好 ＡＮＮＡ"));
        const bulk = Array.from({ length: 700 }, (_, at) => from(`x${at}`, 10003, `filler ${at}`));
        await history.receive(bulk);
        const search = async (...what) => ids(await history.search(...what));
        return [
          await search("anna"), await search("ANNA morning"), await search("上好"),
          await search("morning", { peer: 10003 }), await search("filler", { most: 2 }),
          await search("filler 699"), await search("  "), await search("nothing of that"),
        ];
        """,
    )
    assert found == [["c", "a"], ["a"], ["c"], ["b"], ["x699", "x698"], ["x699"], [], []]


async def test_requests_and_facts_are_kept(library: Library) -> None:
    """A request comes with what is pushed, once; a later one of the same person replaces it."""
    found = await kept(
        library,
        """
        const ask = (uin, words, number, at) =>
          ({ sender: uin, number, text: words, request: { uin, nick: "", words, at } });
        await history.receive([ask(10005, "hello", "1000000001", 5)]);
        await history.receive([ask(10004, "hi", "1000000002", 3)]);
        await history.receive([ask(10005, "hello", "1000000001", 9)]);
        const first = await history.requests();
        await history.receive([ask(10004, "please", "1000000003", 9)]);
        await history.putRequest({ ...first[1], nick: "Dora" });
        const second = await history.requests();
        await history.removeRequest(10005);
        await history.setFact("roster", [1]);
        return {
          first: first.map((one) => [one.uin, one.at]),
          second: second.map((one) => [one.uin, one.nick, one.words]),
          last: (await history.requests()).length,
          facts: [await history.fact("roster"), (await history.fact("none")) ?? "nothing"],
        };
        """,
    )
    assert found["first"] == [[10004, 3], [10005, 5]]
    assert found["second"] == [[10005, "Dora", "hello"], [10004, "", "please"]]
    assert (found["last"], found["facts"]) == (1, [[1], "nothing"])


async def test_all_can_be_taken_along_and_forgotten(library: Library) -> None:
    """One conversation or everything; then another database begins, also for other pages."""
    found = await kept(
        library,
        """
        await history.receive([from("a", 10002, "one", "1000000001")]);
        await history.add(own("b", 10003, "two"));
        const all = await history.export();
        await history.forget(10002);
        const left = (await history.conversations()).map((one) => one.peer);
        const other = await History.open(10001); // as another page has it
        await history.forget();
        const anew = await History.open(10001);
        let why = "";
        await other.conversations().catch((error) => (why = error.name));
        return {
          all: [all.uin, all.at, ids(all.messages), all.requests], left, why,
          end: [await anew.conversations(), await anew.remembers(10002, "1000000001", "one")],
        };
        """,
    )
    assert found["all"] == [10001, "1970-01-01T00:00:01.000Z", ["a", "b"], []]
    assert found["left"] == [10003]
    assert found["why"] == "InvalidStateError"
    assert found["end"] == [[], False]


async def test_each_number_has_a_history_of_its_own(library: Library) -> None:
    """Two people who share a browser do not see each other's messages."""
    found = await kept(
        library,
        """
        await history.add(own("a", 10003, "mine"));
        const other = await History.open(10002, clock);
        return [await other.conversations(), await other.outbox()];
        """,
    )
    assert found == [[], []]


async def test_nothing_is_stored_by_halves(library: Library) -> None:
    """If one of a batch cannot be kept, none is, and that is said."""
    found = await kept(
        library,
        """
        const batch = [
          from("a", 10002, "one", "1000000001"), from("a", 10002, "two", "1000000002"),
        ];
        let why = "";
        await history.receive(batch).catch((error) => (why = error.name));
        return [
          why, await history.page(10002), await history.remembers(10002, "1000000001", "one"),
        ];
        """,
    )
    assert found == ["ConstraintError", [], False]


async def test_it_outlives_the_page(new_page: NewPage) -> None:
    """Another page of the same browser finds all that was kept."""
    page = await new_page(BLANK)
    script = """async () => {
      const { History } = await import("/static/js/kqq/history.js");
      const history = await History.open(10001);
      const found = (await history.page(10002)).map((one) => [one.text, one.state]);
      const message = {
        id: "a", peer: 10002, own: true, text: "半 \\udcff", at: 1, state: "waiting",
        number: "1000000001", kind: "message", read: true,
      };
      if (!found.length) await history.add(message, { line: "MG=" });
      return JSON.stringify([found, (await history.outbox()).length]);
    }"""
    assert await page.evaluate(script) == "[[],1]"
    await page.close()
    other = await page.context.new_page()
    await other.goto(BLANK)
    assert await other.evaluate(script) == '[[["半 \\udcff","waiting"]],1]'


HOLD = """async ([uin, steal, isPlain]) => {
  if (isPlain) Object.defineProperty(navigator, "locks", { value: undefined });
  const { holdTab } = await import("/static/js/kqq/lock.js");
  globalThis.lost = globalThis.lost ?? 0;
  const letGo = await holdTab(uin, () => { globalThis.lost += 1; }, { steal });
  if (letGo) globalThis.letGo = letGo;
  return letGo !== null;
}"""


async def _two_pages_hold_one_number(new_page: NewPage, *, is_plain: bool) -> None:
    one = await new_page(BLANK)
    other = await one.context.new_page()
    await other.goto(BLANK)
    assert await one.evaluate(HOLD, [10001, False, is_plain])
    assert not await other.evaluate(HOLD, [10001, False, is_plain])
    assert await other.evaluate(HOLD, [10002, False, is_plain]), "another number is free"
    assert await other.evaluate(HOLD, [10001, True, is_plain])
    await one.wait_for_function("() => globalThis.lost === 1")
    assert not await one.evaluate(HOLD, [10001, False, is_plain])
    await other.evaluate("() => globalThis.letGo()")
    assert await one.evaluate(HOLD, [10001, False, is_plain])
    assert await other.evaluate("() => globalThis.lost") == 0


async def test_one_page_speaks_for_a_number(new_page: NewPage) -> None:
    """Another gets it when it is let go of, or takes it, which the first is told."""
    await _two_pages_hold_one_number(new_page, is_plain=False)


async def test_one_page_speaks_where_there_are_no_locks(new_page: NewPage) -> None:
    """Browsers give none to pages that came over plain HTTP from another machine."""
    await _two_pages_hold_one_number(new_page, is_plain=True)
