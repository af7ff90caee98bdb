"""The files for systemd and containers: they say only what the command line and settings know."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from kqq.cli import main
from kqq.server import Config, Listen
from kqq.server.config import UNSIGNED_MAY_NOT
from kqq.server.settings import load
from serving import quiet_port

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOORS = (Listen("0.0.0.0", 14000), Listen("0.0.0.0", 8000))


def unit() -> list[tuple[str, str]]:
    """Return the settings of the systemd unit, in order."""
    lines = (DEPLOY / "kqq.service").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    assert all(equals for _, equals, _ in pairs)
    return [(name, value) for name, _, value in pairs]


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, in order."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in lines if line]
    return [(name, " ".join(value.split(" "))) for name, _, value in pairs]


def instruction(name: str) -> str:
    """Return the last of the instructions with this name, which is the one that counts."""
    return [value for found, value in dockerfile() if found == name][-1].strip()


def environment() -> dict[str, str]:
    """Return the variables that the container has."""
    return dict(word.split("=", 1) for word in instruction("ENV").split())


def compose() -> dict[str, Any]:
    """Return the only service of the compose file."""
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (service,) = whole["services"].values()
    assert isinstance(service, dict)
    return {**service, "all volumes": whole["volumes"]}


def assert_is_ours(words: list[str]) -> None:
    """Look whether these words are a command line of `kqq`; nothing is run."""
    name, *arguments = words
    assert Path(name).name == "kqq"
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]
    with command.make_context(command.name, arguments):
        pass


def settings(env: dict[str, str]) -> Config:
    """Return the settings that a server has from our file and these variables."""
    names = {key: value for key, value in env.items() if key.startswith("KQQ_")}
    return load(DEPLOY / "kqq.toml", names)


# --- settings ------------------------------------------------------------------------------------


def test_the_settings_can_be_used() -> None:
    """Doors that phones may open; figures for this machine only."""
    config = settings({})
    assert config.phone_doors == DOORS
    assert not {door.port for door in config.phone_doors} & UNSIGNED_MAY_NOT
    assert [door.host for door in config.web_doors] == ["127.0.0.1"]
    assert config.metrics is not None
    assert config.metrics.is_loopback


def test_what_is_commented_out_can_be_used(tmp_path: Path) -> None:
    """Each line with a setting works without its #."""
    text = (DEPLOY / "kqq.toml").read_text()
    (tmp_path / "kqq.toml").write_text(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    config = load(tmp_path / "kqq.toml", {})
    assert (config.advertise, config.registration) == ("qq.example.org", "invitation")


# --- systemd -------------------------------------------------------------------------------------


def test_the_unit_starts_a_server() -> None:
    """Its command line and variables are ours, and its data folder is the one it is given."""
    values = dict(unit())
    words = shlex.split(values["ExecStart"])
    assert_is_ours(words)
    assert words[words.index("--config") + 1] == "/etc/kqq/kqq.toml"
    assert values["ConfigurationDirectory"] == values["StateDirectory"] == "kqq"
    name, _, value = values["Environment"].partition("=")
    assert settings({name: value}).data == Path("/var/lib", values["StateDirectory"])
    assert values["StateDirectoryMode"] == "0700"
    assert "HUP" in values["ExecReload"]
    assert values["User"] not in ("", "root")


def test_the_unit_has_room_for_all_connections() -> None:
    """As many as the settings allow, and what the server keeps for itself."""
    assert int(dict(unit())["LimitNOFILE"]) >= settings({}).connections_limit + 64
    assert compose()["ulimits"]["nofile"] >= settings({}).connections_limit + 64


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Where systemd is there to ask; it wants the program to be there, too."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    program = str(Path(sys.executable).parent / "kqq")
    text = (DEPLOY / "kqq.service").read_text().replace("/opt/kqq/bin/kqq", program)
    (tmp_path / "kqq.service").write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "kqq.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "kqq" in line]
    assert (done.returncode, about_ours) == (0, [])


# --- the container -------------------------------------------------------------------------------


def test_the_container_runs_a_server() -> None:
    """As somebody who is not root, with its data in the volume, at the ports it says."""
    assert_is_ours(json.loads(instruction("CMD")))
    env = environment()
    config = settings(env)
    assert str(config.data) == instruction("VOLUME") == "/data"
    assert instruction("EXPOSE").split() == [str(door.port) for door in config.listen]
    assert instruction("USER") == "kqq"
    assert ("COPY", f"deploy/kqq.toml {env['KQQ_CONFIG']}") in dockerfile()


def test_what_the_image_is_made_of_is_there() -> None:
    """Each file that is copied, save for those of an earlier stage; all that the build reads."""
    copied = [value.split() for name, value in dockerfile() if name == "COPY"]
    ours = {one for words in copied if not words[0].startswith("--") for one in words[:-1]}
    for name in ours:
        assert (ROOT / name).exists(), name
    assert {"pyproject.toml", "README.md", "LICENSE", "src", "constraints.txt"} <= ours


def test_the_health_check_asks_the_server(tmp_path: Path) -> None:
    """It succeeds while the server is well, and fails when there is none."""
    how, _, command = instruction("HEALTHCHECK").partition(" CMD ")
    assert set(re.findall(r"--[\w-]+", how)) == {"--interval", "--timeout", "--start-period"}
    words = json.loads(command)
    metrics = settings({}).metrics
    assert words[0] == "python"
    assert f"{metrics}/health" in words[-1]
    port = quiet_port()
    check = [sys.executable, *words[1:-1], words[-1].replace(":9100", f":{port}")]
    env = {
        **os.environ,
        **{key: value for key, value in environment().items() if key != "PATH"},
        "KQQ_CONFIG": str(DEPLOY / "kqq.toml"),
        "KQQ_DATA": str(tmp_path),
        "KQQ_LISTEN": "kqq://127.0.0.1:0",
        "KQQ_METRICS": f"http://127.0.0.1:{port}",
    }
    serve = [sys.executable, "-m", *json.loads(instruction("CMD"))]
    with subprocess.Popen(serve, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert [server.stdout.readline() for _ in range(2)][1] == "ready\n"
        assert subprocess.run(check, capture_output=True, check=False).returncode == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as figures:
            assert b"kqq_" in figures.read()
        server.terminate()
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


def test_the_compose_file_brings_ports_and_data() -> None:
    """Phones come in from outside, browsers from here; what is stored outlives the container."""
    service = compose()
    doors = settings(environment()).listen
    assert {door.host for door in doors} == {"0.0.0.0"}  # compared only
    outside = [f"127.0.0.1:{door.port}" if door.is_web else str(door.port) for door in doors]
    assert service["ports"] == [
        f"{out}:{door.port}" for out, door in zip(outside, doors, strict=True)
    ]
    volumes = dict(volume.split(":", 1) for volume in service["volumes"])
    assert volumes["data"] == instruction("VOLUME")
    assert "data" in service["all volumes"]
    assert volumes["."] == f"{Path(environment()['KQQ_CONFIG']).parent}:ro"
    build = service["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert service["restart"] == "unless-stopped"


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["docs/operating.md", "docs/install.md", "README.md"])
def test_the_commands_of_the_pages_are_ours(name: str) -> None:
    """Each line that begins with `$ kqq`, and each `kqq` with its options within a sentence."""
    page = (ROOT / name).read_text()
    lines = re.findall(r"^\$ (kqq .*)$", page, re.MULTILINE)
    lines += re.findall(r"`(kqq [a-z]+(?: --[a-z]+ [^`…]+)?)`", page)
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line.partition(" > ")[0])
        group = main.commands.get(words[1])
        if len(words) == 2 and (group is None or group.params or isinstance(group, click.Group)):
            assert group is not None, line  # named, not typed as it stands
            continue
        assert_is_ours(words)


def test_the_settings_of_the_page_can_be_used(tmp_path: Path) -> None:
    """Each block of settings, with the files that it names."""
    blocks = re.findall(
        r"^```toml\n(.*?)^```$",
        (ROOT / "docs/operating.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert len(blocks) >= 2
    for block in blocks:
        for name in ("certificate.pem", "key.pem"):
            (tmp_path / name).write_text("")
        (tmp_path / "kqq.toml").write_text(block.replace("/etc/kqq", str(tmp_path)))
        assert load(tmp_path / "kqq.toml", {}).listen


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "--failure-threshold", "error", "Dockerfile"],
        ["docker-compose", "-f", "compose.yaml", "config", "--quiet"],
    ],
    ids=lambda command: command[0],
)
def test_other_programs_take_the_files(command: list[str]) -> None:
    """Where they are installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
