"""How crowds are measured: idle connections, sign-ins, polls, many friends (goals 4 to 6, 8)."""

import statistics
import time
from contextlib import ExitStack

from benchmarks.comparing.loads import Load, checked
from benchmarks.comparing.machine import Unready, files_limit, say
from benchmarks.comparing.running import Run
from benchmarks.comparing.servers import Server
from benchmarks.comparing.town import (
    BYSTANDER,
    LIKED,
    LIKED_FRIENDS,
    LOVED,
    LOVED_FRIENDS,
    PAIRS,
    SMALLEST,
    make_secrets,
    make_town,
)

STORM_PACE = 1000
"""Messages a second, all together, of those who write in a storm: ten a second from each, which is
what `messages_rate` allows."""


def idle(run: Run, _goals: set[int]) -> None:
    """Measure the memory of connections where people are signed in and say nothing."""
    many = min(run.scale.connections, files_limit() - 500)
    if many < run.scale.connections:
        run.figures.notes.append(
            f"only {many:,} connections were tried, since no process may open more files"
        )
    for name in ("kqq", "ejabberd", "prosody", "ngircd", "mosquitto"):
        with ExitStack() as stack:
            peers = run.scale.peer_connections
            for server in run.started(stack, [name], people=max(many, SMALLEST), peers=peers):
                count = min(len(server.people), many)
                load = stack.enter_context(server.load())
                _idle(run, name, server, load, count)


def _idle(run: Run, name: str, server: Server, load: Load, count: int) -> None:
    time.sleep(1)
    before = load.memory()
    try:
        load.sign_in(count, at_once=server.at_once)
    except Unready as error:
        run.leave_out(name, error)
        return
    load.ask("rest 1.5")
    each = (load.memory() - before) / count / 1024
    if name == "kqq":
        answer = run.measure(load, f"alive 0 {count} {run.scale.alive_seconds}")
        run.figures.add("tried", name, count)
        run.figures.add("held", name, count - answer["lost"])
        run.figures.add("alive", name, 100 * answer["answered"] / count)
        run.figures.add("alive p99", name, answer["p99"])
        each = max(each, (load.memory() - before) / count / 1024)
        say(f"{name}: {answer['answered']} of {count} signs of life answered,"
            f" 99 % in {answer['p99']:.1f} ms")  # fmt: skip
    run.figures.add("memory", name, each)
    say(f"{name}: {each:.1f} KiB for each of {count} connections")


def sign_ins(run: Run, _goals: set[int]) -> None:
    """Measure how quickly people sign in, and are back after the server was killed."""
    people = make_secrets(max(SMALLEST, run.scale.back))
    for _ in range(run.scale.rounds):
        data = run.town(people)
        with run.kqq(data, people) as server:
            count = run.scale.back
            with server.load() as load:
                answer = load.sign_in(count)
                run.figures.add("sign-ins", "kqq", answer["rate"])
                server.kill()
            server.start()
            with server.load() as load:
                load.sign_in(count)
                run.figures.add("back", "kqq", time.monotonic() - server.started)
            back = run.figures.values["back", "kqq"][-1]
            say(f"kqq: {answer['rate']:,.0f} sign-ins a second, {count:,} back in {back:.2f} s")


def storm(run: Run, _goals: set[int]) -> None:
    """Measure what those who write notice of many whose passwords take long to check."""
    people = make_secrets(SMALLEST)
    scale = run.scale
    data = run.folder("storm")
    slow = make_town(data, people, chosen=scale.storm_people)
    for at in range(scale.rounds):
        with run.kqq(data, people) as server, server.load() as inside:
            inside.sign_in(2 * PAIRS)
            inside.ask(f"pairs {PAIRS}")
            pace = f"paced {STORM_PACE} {scale.warm_up}"
            calm = run.measure(inside, f"{pace} {scale.storm_seconds}")
            with server.load(slow) as outside:
                limit = scale.warm_up + scale.storm_seconds + 2
                outside.say(f"in 0 {len(slow)} 64 {limit}")
                stormy = inside.ask(f"{pace} {scale.storm_seconds}")
                came = outside.hear()
        checked(calm)
        checked(stormy)
        if came["failed"] == 0:
            run.figures.notes.append("a storm was over before it was measured")
        run.figures.add("calm", "kqq", calm["p99"])
        run.figures.add("storm", "kqq", stormy["p99"])
        run.figures.add("hashes", "kqq", came["rate"])
        say(f"storm {at + 1}: 99 % in {stormy['p99']:.2f} ms, {calm['p99']:.2f} ms before;"
            f" {came['rate']:.0f} slow sign-ins a second")  # fmt: skip


def polls(run: Run, _goals: set[int]) -> None:
    """Measure polls over HTTP, on connections that are kept."""
    people = make_secrets(SMALLEST)
    with run.kqq(run.town(people), people) as server, server.load(protocol="http") as load:
        load.sign_in(PAIRS)
        for _ in range(run.scale.rounds):
            answer = run.measure(load, f"polls 0 {PAIRS} {run.scale.warm_up} {run.scale.seconds}")
            checked(answer)
            run.figures.add("polls", "kqq", answer["rate"])
            say(f"kqq: {answer['rate']:,.0f} polls a second, 99 % in {answer['p99']:.2f} ms")


def fan_outs(run: Run, _goals: set[int]) -> None:
    """Measure how long it takes until 200 friends have been told a status."""
    first, end = LIKED, LIKED + 1 + LIKED_FRIENDS
    loads = {}
    with ExitStack() as stack:
        names = ["kqq", "relay", "ejabberd", "prosody"]
        for server in run.started(stack, names, people=SMALLEST, peers=end):
            loads[server.name] = load = stack.enter_context(server.load())
            load.sign_in(end, first=first + 1)
            load.sign_in(first + 1, first=first)
        for _ in range(run.scale.rounds):
            for name, load in loads.items():
                count = run.scale.fan_outs
                answer = run.measure(load, f"fan {first} {first + 1} {LIKED_FRIENDS} {count} 0.03")
                if answer["complete"] < count:
                    raise Unready(f"{name}: not all friends were told: {answer}")
                run.figures.add("told", name, statistics.median(answer["all"]))
                say(f"{name}: 200 told in {statistics.median(answer['all']):.2f} ms")


def many_friends(run: Run, goals: set[int]) -> None:
    """Measure how long others wait while 5,000 friends are told, or listed."""
    people = make_secrets(SMALLEST)
    first, end = LOVED + 1, LOVED + 1 + LOVED_FRIENDS
    with run.kqq(run.town(people), people) as server, server.load() as load:
        load.sign_in(BYSTANDER + 1, first=first)
        load.sign_in(LOVED + 1, first=LOVED)
        load.ask(f"bystander {BYSTANDER}")
        load.ask("rest 1")
        for _ in range(run.scale.rounds):
            quiet = load.ask("rest 2")["worst"]
            run.figures.add("quiet", "kqq", quiet)
            if 6 in goals:
                count = run.scale.large_fan_outs
                answer = run.measure(load, f"fan {LOVED} {first} {end - first} {count} 0.1")
                if answer["complete"] < count:
                    raise Unready(f"kqq: not all friends were told: {answer}")
                run.figures.add("told 5000", "kqq", statistics.median(answer["all"]))
                run.figures.add("loop", "kqq", *answer["held"])
                say(f"kqq: 5,000 told in {statistics.median(answer['all']):.0f} ms; a bystander"
                    f" waited {answer['held'][-1]:.1f} ms at most,"
                    f" {statistics.median(answer['held']):.1f} usually,"
                    f" {quiet:.1f} without")  # fmt: skip
            if 8 in goals:
                _list(run, load)


def _list(run: Run, load: Load) -> None:
    for command in ("SimpleInfo2&UN=%ld&TO=0", "Query_Stat2&CM=2&UN=%ld",
                    "Query_Stat&TN=50&UN=%ld", "List&TN=120&UN=%ld"):  # fmt: skip
        answer = run.measure(load, f"pages {LOVED} {command}")
        wanted = 120 if command.startswith("List") else LOVED_FRIENDS
        if answer["entries"] != wanted:
            raise Unready(f"kqq: {command} brought {answer['entries']} friends, not {wanted}")
        run.figures.add("pages", "kqq", answer["held"])
        name, slowest, held = command.partition("&")[0], answer["slowest"], answer["held"]
        say(f"kqq: {name} in {answer['pages']} pages, the slowest in {slowest:.2f} ms;"
            f" a bystander waited {held:.1f} ms")  # fmt: skip
