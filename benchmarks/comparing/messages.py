"""How messages are measured: between pairs, for who is away, and with a long past (1 to 3, 7, 8).

Servers that are compared run at the same time, but only one of them has something to do: what is
measured of one is measured of the others in the seconds before and after, and again in each round.
"""

from contextlib import ExitStack
from typing import Any

from benchmarks.comparing.figures import PAST, SERVERS, SMALL
from benchmarks.comparing.loads import Load, checked
from benchmarks.comparing.machine import Unready, say
from benchmarks.comparing.running import Run
from benchmarks.comparing.town import PAIRS, SMALLEST, make_past, make_secrets

PACE = 2000
"""Messages a second, all together, where latency is measured."""


def messages(run: Run, goals: set[int]) -> None:
    """Measure messages between pairs, with each server in turn, in several rounds (1 to 3)."""
    with ExitStack() as stack:
        loads = {}
        for server in run.started(stack, SERVERS, people=SMALLEST, peers=2 * PAIRS):
            load = stack.enter_context(server.load())
            try:
                _prepare(load, server.at_once)
            except Unready as error:
                run.leave_out(server.name, error)
            else:
                loads[server.name] = load
        _rounds(run, loads, goals)


def _prepare(load: Load, at_once: int = 64) -> None:
    load.sign_in(2 * PAIRS, at_once=at_once)
    load.ask(f"pairs {PAIRS}")


def _rounds(run: Run, loads: dict[str, Load], goals: set[int]) -> None:
    scale = run.scale
    for number in range(scale.rounds):
        for goal, key, command in (
            (1, "w32", "window 32"),
            (2, "w1", "window 1"),
            (3, "p99", f"paced {PACE}"),
        ):
            if goal not in goals:
                continue
            for name, load in loads.items():
                answer = run.measure(load, f"{command} {scale.warm_up} {scale.seconds}")
                if load.protocol == "kqq":
                    checked(answer)
                _note_messages(run, name, key, answer)
                say(
                    f"{number + 1}/{scale.rounds} {command:11} {name:9}"
                    f" {answer['rate']:9,.0f}/s"
                    f"  {answer['p50']:8.3f} ms, 99 % {answer['p99']:8.3f} ms"
                    f"  {answer['cpu']:6.1f} us  server {answer['busy']:.2f}"
                    f"  load {answer['own']:.2f}  others {answer['others']:.2f}"
                )


def _note_messages(run: Run, name: str, key: str, answer: dict[str, Any]) -> None:
    if key == "p99":
        run.figures.add("p50", name, answer["p50"])
        run.figures.add("p99", name, answer["p99"])
    else:
        run.figures.add(key, name, answer["rate"])
        run.figures.add(f"{key} cpu", name, answer["cpu"])


def away(run: Run, _goals: set[int]) -> None:
    """Measure messages that are stored for who is away, and told when they come."""
    for at in range(run.scale.rounds):
        with ExitStack() as stack:
            names = ["kqq", "ejabberd", "prosody"]
            for server in run.started(stack, names, people=SMALLEST, peers=2 * PAIRS):
                load = stack.enter_context(server.load())
                load.sign_in(PAIRS)
                load.ask(f"pairs {PAIRS}")
                each = run.scale.stored if server.name == "kqq" else run.scale.peer_stored
                stored = run.measure(load, f"store {each} 10")
                checked(stored, ("refused", "unfinished", "lost"))
                load.ask("rest 0.5")
                told = run.measure(load, f"replay {each} 64")
                if told["arrived"] < told["wanted"] or told["disordered"]:
                    raise Unready(f"{server.name}: {told}")
                run.figures.add("store", server.name, stored["rate"])
                run.figures.add("replay", server.name, told["rate"])
                say(f"{at + 1}/{run.scale.rounds} {server.name}: {stored['rate']:,.0f} stored,"
                    f" {told['rate']:,.0f} told a second")  # fmt: skip


def long_past(run: Run, _goals: set[int]) -> None:
    """Measure messages on a small database and on one with a long past, by turns."""
    if run.past is None:
        run.figures.notes.append("goal 8 needs a database with a long past: --past FOLDER")
        return
    people = make_secrets(SMALLEST)
    make_past(run.past, people, run.scale.past_accounts, run.scale.past_messages)
    with ExitStack() as stack:
        loads = {}
        for label, data in ((SMALL, run.town(people)), (PAST, run.past)):
            server = stack.enter_context(run.kqq(data, people))
            loads[label] = load = stack.enter_context(server.load())
            _prepare(load)
        _rounds(run, loads, {1, 2, 3})
