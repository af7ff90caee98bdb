"""One run of the comparison: how much is done, who is started, where what is measured goes."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.comparing.figures import Figures
from benchmarks.comparing.loads import Load, Person
from benchmarks.comparing.machine import Unready, await_quiet, say
from benchmarks.comparing.peers import PEERS, people_of_peers
from benchmarks.comparing.servers import Kqq, Relay, Server
from benchmarks.comparing.town import make_secrets, make_town


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: rounds, seconds, people, messages."""

    rounds: int = 5
    warm_up: float = 0.7
    seconds: float = 2.3
    connections: int = 50_000
    peer_connections: int = 2_000
    alive_seconds: float = 60.0
    back: int = 10_000
    storm_people: int = 500
    storm_seconds: float = 10.0
    fan_outs: int = 50
    large_fan_outs: int = 20
    stored: int = 500
    peer_stored: int = 100
    past_accounts: int = 1_000_000
    past_messages: int = 10_000_000


QUICK = Scale(rounds=1, warm_up=0.3, seconds=1.0, connections=5_000, peer_connections=500,
              alive_seconds=5.0, storm_people=150, storm_seconds=3.0, fan_outs=10,
              large_fan_outs=5, stored=200, peer_stored=20)  # fmt: skip


@dataclass
class Run:
    """One run: what is measured goes to `figures`. `command` takes the place of `kqq`."""

    work: Path
    scale: Scale
    figures: Figures = field(default_factory=Figures)
    servers: Sequence[str] = ()
    command: Sequence[str] = ()
    settings: Sequence[str] = ()
    past: Path | None = None
    patience: float = 0.0
    """Seconds to wait, before something is measured, for others to leave the machine alone."""
    _folders: int = 0

    def started(
        self, stack: ExitStack, names: Iterable[str], *, people: int, peers: int
    ) -> Iterator[Server]:
        """Start servers that are wanted and there, one after another; the stack ends them.

        Ours and the relay have so many `people`, the others `peers`.
        """
        everybody = make_secrets(people)
        kinds = {kind.name: kind for kind in PEERS}
        for name in names:
            if self.servers and name not in self.servers:
                continue
            if name == "kqq":
                yield stack.enter_context(self.kqq(self.town(everybody), everybody))
                continue
            kind = Relay if name == "relay" else kinds[name]
            server: Server
            if (why := kind.why_not()) is not None:
                self.leave_out(name, why)
                continue
            of_peers = everybody if name == "relay" else people_of_peers(peers)
            server = kind(self.folder(name), of_peers)
            stack.callback(server.stop)
            try:
                server.start()
            except Unready as error:
                self.leave_out(name, error)
                continue
            yield server

    @contextmanager
    def kqq(self, data: Path, people: Sequence[Person]) -> Iterator[Kqq]:
        """Have our server run on a folder."""
        server = Kqq(self.folder("kqq"), people, data=data, command=self.command,
                     settings=self.settings)  # fmt: skip
        try:
            server.start()
            yield server
        finally:
            server.stop()

    def town(self, people: Sequence[Person]) -> Path:
        """Return a folder with a new database of these people."""
        template = self.work / f"town-{len(people)}"
        if not template.exists():
            made = self.folder("town")
            make_town(made, list(people))
            made.rename(template)
        data = self.folder("data")
        return Path(shutil.copytree(template, data))

    def folder(self, name: str) -> Path:
        """Return a folder that is not there yet."""
        self._folders += 1
        return self.work / f"{self._folders}-{name}"

    def measure(self, load: Load, command: str) -> dict[str, Any]:
        """Give a load a command, and note what else the machine did meanwhile."""
        await_quiet(self.patience)
        answer = load.ask(command)
        self.figures.others.append(answer["others"] + answer["stolen"])
        return answer

    def leave_out(self, name: str, why: object) -> None:
        """Note that a server is not measured; ours must be. Raises Unready."""
        if name == "kqq":
            raise Unready(f"kqq: {why}")
        note = f"{name} is left out: {why}"
        say(note)
        if note not in self.figures.notes:
            self.figures.notes.append(note)
