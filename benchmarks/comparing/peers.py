"""Servers of other people: how each is set up in a folder of its own, and started.

Configurations are those of Debian's packages save for what the files in `peers/` say. None has
TLS, all listen on the loopback interface only. Passwords are stored as they are: that makes their
sign-ins cheaper, and nothing else here depends on it.
"""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.comparing.loads import Person
from benchmarks.comparing.machine import SERVER_CORE, Unready, say, spawn
from benchmarks.comparing.servers import Server, free_port
from benchmarks.comparing.town import FIRST, LIKED, LIKED_FRIENDS

CONFIGURATIONS = Path(__file__).resolve().parent / "peers"
PASSWORD = "pw"
_FRIENDS = range(LIKED + 1, LIKED + 1 + LIKED_FRIENDS)


def people_of_peers(count: int) -> list[Person]:
    """Return people who sign in to other servers."""
    return [Person(FIRST + at, PASSWORD) for at in range(count)]


class Peer(Server):
    """A server of other people; it is left out where it is not installed."""

    program: str
    configuration: str

    @classmethod
    def why_not(cls) -> str | None:
        """Return that it is not installed."""
        return None if cls._find() else f"{cls.program} is not installed"

    @classmethod
    def _find(cls) -> str | None:
        return shutil.which(cls.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

    def _configure(self, **more: object) -> Path:
        source = CONFIGURATIONS / self.configuration
        text = Template(source.read_text(encoding="utf-8"))
        made = self.folder / self.configuration
        values = {"folder": self.folder, "port": self.port, **more}
        made.write_text(text.substitute(values), encoding="utf-8")
        return made

    def _run(self, words: Sequence[str | Path], environment: dict[str, str] | None = None) -> None:
        self._started(
            spawn(words, SERVER_CORE, log=self.log, environment=environment, folder=self.folder)
        )
        self._await_port(self.port)
        say(f"{self.name}: pid {self.pid}, port {self.port}")


class Prosody(Peer):
    """Accounts and rosters are files that are written before it starts."""

    name, protocol, program, configuration = "prosody", "xmpp", "prosody", "prosody.cfg.lua"

    def start(self) -> None:
        """Start it."""
        if not self.port:
            self.port = free_port()
            self._write_people()
        self._run([self._find() or self.program, "-F", "--config", self._configure()])

    def _write_people(self) -> None:
        accounts = self.folder / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True)
        for one in self.people:
            text = f'return {{ ["password"] = "{one.secret}" }};\n'
            (accounts / f"u{one.uin}.dat").write_text(text, encoding="ascii")
        rosters = self.folder / "data" / "localhost" / "roster"
        rosters.mkdir()
        if len(self.people) < _FRIENDS.stop:
            return
        liked, friends = self.people[LIKED], self.people[_FRIENDS.start : _FRIENDS.stop]
        self._write_roster(rosters, liked, friends)
        for one in friends:
            self._write_roster(rosters, one, [liked])

    def _write_roster(self, folder: Path, of: Person, friends: Sequence[Person]) -> None:
        lines = ["return {", '[false] = { ["version"] = 1 };']
        lines += [
            f'["u{one.uin}@localhost"] = {{ ["subscription"] = "both"; ["groups"] = {{}} }};'
            for one in friends
        ]
        (folder / f"u{of.uin}.dat").write_text("\n".join([*lines, "};"]) + "\n", encoding="ascii")


class Ejabberd(Peer):
    """Accounts and rosters are made by its own API over HTTP, once it runs."""

    name, protocol, program, configuration = "ejabberd", "xmpp", "ejabberdctl", "ejabberd.yml"
    _api_port = 0

    def start(self) -> None:
        """Start it."""
        is_new = not self.port
        if is_new:
            self.port, self._api_port = free_port(), free_port()
        configuration = self._configure(api=self._api_port)
        data = self.folder / "mnesia"
        data.mkdir(exist_ok=True)
        # As ejabberdctl has it, without a node name, so that no other program is started.
        words = ["erl", "-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir", f'"{data}"']
        words += ["-ejabberd", "config", f'"{configuration}"', "-s", "ejabberd"]
        environment = {
            "ERL_LIBS": self._libraries(),
            "ERL_MAX_PORTS": "65536",
            "ERL_MAX_ETS_TABLES": "1400",
            "ERL_CRASH_DUMP": str(self.folder / "crash.dump"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "HOME": str(self.folder),
        }
        self._run(words, environment)
        self._await_port(self._api_port)
        if is_new:
            self._add_people()

    def _libraries(self) -> str:
        """Return the folder that holds ejabberd's own libraries, as its control program says."""
        path = self._find()
        assert path is not None
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("ERL_LIBS="):
                return line.partition("=")[2].strip("'\"")
        raise Unready(f"ejabberd: {path} does not say where its libraries are")

    def _add_people(self) -> None:
        for one in self.people:
            self._call("register", user=f"u{one.uin}", host="localhost", password=one.secret)
        if len(self.people) < _FRIENDS.stop:
            return
        liked = f"u{self.people[LIKED].uin}"
        for at in _FRIENDS:
            friend = f"u{self.people[at].uin}"
            for name, other in ((liked, friend), (friend, liked)):
                self._call("add_rosteritem", localuser=name, localhost="localhost", user=other,
                           host="localhost", nick=other, group="friends", subs="both")  # fmt: skip

    def _call(self, command: str, **words: Any) -> None:  # as JSON has it
        url = f"http://127.0.0.1:{self._api_port}/api/{command}"
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(words).encode(), head)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=60) as answer:
            answer.read()


class Ngircd(Peer):
    """People need no account."""

    name, protocol, program, configuration = "ngircd", "irc", "ngircd", "ngircd.conf"
    at_once = 8  # its queue of connections that are not accepted yet has ten places

    def start(self) -> None:
        """Start it."""
        self.port = self.port or free_port()
        user = os.getuid(), os.getgid()
        configuration = self._configure(user=user[0], group=user[1])
        self._run([self._find() or self.program, "-n", "-f", configuration])


class Mosquitto(Peer):
    """Passwords are in a file that its own program makes."""

    name, protocol, program, configuration = "mosquitto", "mqtt", "mosquitto", "mosquitto.conf"

    def start(self) -> None:
        """Start it."""
        if not self.port:
            self.port = free_port()
            passwords = self.folder / "passwords"
            lines = [f"u{one.uin}:{one.secret}\n" for one in self.people]
            passwords.write_text("".join(lines), encoding="ascii")
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
        self._run([self._find() or self.program, "-c", self._configure(user=_user_name())])


def _user_name() -> str:
    """Return who we are; whoever is not root is asked for nobody's name."""
    return "root" if os.getuid() == 0 else "nobody"


PEERS: tuple[type[Peer], ...] = (Ejabberd, Prosody, Ngircd, Mosquitto)
