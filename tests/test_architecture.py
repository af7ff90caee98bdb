"""Who may import whom, what belongs to what, and what no file of ours may say."""

import ast
import graphlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kqq.protocol.declare import REQUESTS
from kqq.server.handlers import HANDLERS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "kqq").rglob("*.py"))
}
OUTSIDE_WORLD = {"asyncio", "os", "select", "signal", "socket", "ssl", "subprocess", "threading",
                 "time", "random", "secrets"}  # fmt: skip
MAY_IMPORT = {
    "kqq.protocol": {"kqq.protocol", "kqq.errors"},
    "kqq.client": {
        "kqq.client",
        "kqq.protocol",
        "kqq.address",
        "kqq.errors",
        "keyring",
        "platformdirs",
        "tomlkit",
    },
    "kqq.capture": {"kqq.capture", "kqq.protocol", "kqq.errors"},
    "kqq.plays": {
        "kqq.plays",
        "kqq.client",
        "kqq.capture",
        "kqq.protocol",
        "kqq.address",
        "kqq.errors",
    },
    "kqq.proxy": {
        "kqq.proxy",
        "kqq.client",
        "kqq.tui",
        "kqq.charts",
        "kqq.plays",
        "kqq.capture",
        "kqq.protocol",
        "kqq.address",
        "kqq.errors",
        "kqq.language",
        "kqq.words",
        "rich",
        "textual",
    },
    "kqq.conformance": {
        "kqq.conformance",
        "kqq.plays",
        "kqq.client",
        "kqq.protocol",
        "kqq.address",
        "kqq.errors",
        "kqq.words",
    },
    "kqq.anonymise": {"kqq.anonymise", "kqq.capture", "kqq.protocol", "kqq.errors"},
    "kqq.dissector": {"kqq.dissector", "kqq.protocol", "kqq.errors"},
    "kqq.charts": {"kqq.charts", "kqq.capture", "kqq.protocol", "kqq.errors", "kqq.words", "rich"},
    "kqq.infer": {"kqq.infer", "kqq.capture", "kqq.protocol", "kqq.errors"},
    "kqq.tui": {
        "kqq.tui",
        "kqq.client",
        "kqq.protocol",
        "kqq.errors",
        "kqq.language",
        "kqq.pictures",
        "kqq.telling",
        "kqq.words",
        "rich",
        "textual",
    },
    "kqq.server": {
        "kqq.server",
        "kqq.protocol",
        "kqq.address",
        "kqq.compiled",
        "kqq.errors",
        "kqq.words",
        "PIL",
        "aiohttp",
        "platformdirs",
        "prometheus_client",
        "segno",
    },
    "kqq.address": {"kqq.errors"},
    "kqq.errors": set(),
}
"""What each package may import besides the standard library and the version in `kqq`."""
AT_ONCE = {"kqq.cli", "kqq.compiled", "kqq.errors", "kqq.words"}
"""What the command line imports before it knows the subcommand."""
LAYERS = {
    "tools, which know nothing of chat": {
        "certificates", "checks", "claim", "clock", "config", "database", "handover", "logs",
        "picture", "rounds", "transaction", "transports", "trouble",
    },
    "what is made of them": {
        "backup", "captcha", "diagnosis", "journal", "journal_words", "limits", "metrics",
        "metrics_door", "outgoing", "repeats", "settings", "store", "tap", "tls", "trends",
    },
    "the domain: people, friends, messages, sessions": {
        "accounts", "devices", "friends", "inbox", "invitations", "operators", "presence",
        "profiles", "requests", "session", "visits",
    },
    "what handlers are made of": {"handlers.base"},
    "handlers, a function to a command": {
        "handlers", "handlers.directory", "handlers.friending", "handlers.messaging",
        "handlers.people", "handlers.roster", "handlers.sign_in",
    },
    "the gates before them": {"dispatch"},
    "a way past them": {"shortcut"},
    "who is at the other end: phones, posts, the operator": {
        "account_page", "admin", "admin.accounts", "admin.base", "admin.devices",
        "admin.invitations", "admin.limits", "admin.live", "admin.operators", "admin.why",
        "admin_door", "pages", "phones", "posts", "register_page",
    },
    "browsers": {
        "web", "web.api", "web.challenges", "web.chat", "web.entrance", "web.export", "web.files",
        "web.openapi", "web.people", "web.phone_settings", "web.safety", "web.sign_up",
        "web.signed_in", "web.site", "web.wire",
    },
    "the doors": {"doors", "web.door"},
    "all of it": {"app"},
}  # fmt: skip
"""The server from below: a module imports from its own layer and those before it."""
SPEAKERS = {"logs", "metrics_door", "tap"}
"""Those below the handlers that know of the wire: to mask secrets in lines, and to speak HTTP."""
BELOW_HANDLERS = set().union(*list(LAYERS.values())[:3])


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: relative imports are not used"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name in MODULES} or {node.module}
    return found


def within(module: str, packages: set[str]) -> bool:
    """Return whether a module is one of `packages` or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_what_they_may(package: str) -> None:
    """The protocol stands alone; client and server know protocol, never each other."""
    for name, path in MODULES.items():
        if within(name, {package}):
            for module in imports(path):
                is_standard = module.partition(".")[0] in sys.stdlib_module_names
                is_free = is_standard or module == "kqq"
                assert is_free or within(module, MAY_IMPORT[package]), f"{name}: {module}"


def test_protocol_knows_no_outside_world() -> None:
    """The protocol has no sockets, no clock, no tasks."""
    for name, path in MODULES.items():
        if within(name, {"kqq.protocol"}):
            tops = {module.partition(".")[0] for module in imports(path)}
            assert not tops & OUTSIDE_WORLD, name


def test_every_module_of_the_server_has_its_layer() -> None:
    """Whoever adds a module says in LAYERS where it belongs, once."""
    placed = [name for names in LAYERS.values() for name in names]
    inside = {name.removeprefix("kqq.server.") for name in MODULES if within(name, {"kqq.server"})}
    assert sorted(placed) == sorted(inside - {"kqq.server"})


@pytest.mark.parametrize("layer", LAYERS)
def test_order_inside_the_server(layer: str) -> None:
    """Nobody imports who stands above."""
    position = list(LAYERS).index(layer)
    below = set().union(*list(LAYERS.values())[: position + 1])
    for name in LAYERS[layer]:
        used = imports(MODULES[f"kqq.server.{name}"])
        assert "kqq.server" not in used, f"{name} imports the whole server"
        inside = {module.removeprefix("kqq.server.") for module in used if "kqq.server." in module}
        assert not inside - below, f"{name} imports what stands above it: {inside - below}"


@pytest.mark.parametrize("name", sorted(BELOW_HANDLERS - SPEAKERS))
def test_domain_speaks_no_protocol(name: str) -> None:
    """Only handlers translate between words of the wire and words of the domain."""
    used = imports(MODULES[f"kqq.server.{name}"])
    assert not [module for module in used if within(module, {"kqq.protocol"})]


def test_no_circles() -> None:
    """No module imports itself by way of others."""
    graph = {name: imports(path) & set(MODULES) for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("name", sorted(name for name in MODULES if within(name, {"kqq.cli"})))
def test_subcommands_import_when_they_run(name: str) -> None:
    """Importing the command line imports none of the parts of its subcommands."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    tops = {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    tops |= {a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names}
    ours = {module for module in tops if within(module, {"kqq"})}
    parts = {module for module in ours if not within(module, AT_ONCE) and module != "kqq"}
    assert not parts


# --- what belongs to what ------------------------------------------------------------------------


def test_every_request_is_handled() -> None:
    """Each request of the catalogue has a handler, and there is no other handler."""
    assert set(HANDLERS) == {spec.cls for spec in REQUESTS.values()}


@pytest.mark.parametrize("command", sorted({cls.spec.command for cls in HANDLERS}))
def test_every_request_is_in_a_play(command: str) -> None:
    """Whoever adds a handler writes a play that shows it."""
    plays = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("src/kqq/conformance/suite/plays", "tests/scenarios")
        for path in (ROOT / folder).glob("*.kqq")
    )
    assert re.search(rf"^\w+ > .*\bCMD={command}\b", plays, re.MULTILINE | re.IGNORECASE)


def load(path: Path) -> ModuleType:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_module_has_its_tests() -> None:
    """`src/kqq/a/b.py` has `tests/a/test_b.py`, whose coverage `scripts/test` asks for."""
    covered = load(ROOT / "scripts/covered.py")
    for path in MODULES.values():
        if path.name not in covered.WITHOUT_TESTS:
            assert covered.tests_of(path).exists(), path


# --- what no file may say ------------------------------------------------------------------------

NEEDLES = [
    first + second
    for first, second in [("pypi", ".org"), ("python", "hosted"), ("index", "-url"), ("/ro", "ot/"),
                          ("/ho", "me/"), ("/wo", "rk/"), ("file", ":///")]
]  # fmt: skip
"""Hosts of package indexes, and folders of one machine; put together so as not to be found here."""
LISTED = ("README*", "CHANGELOG.md", "CONTRIBUTING.md", "constraints.txt", "*.py", "pyproject.toml",
          ".ci/*", "benchmarks/*", "docs/**/*", "scripts/*", "src/**/*", "tests/**/*")  # fmt: skip


def test_no_file_names_a_host_of_packages_or_a_folder_of_a_machine() -> None:
    """What is installed comes from wherever the machine says, and nothing depends on one."""
    files = {path for pattern in LISTED for path in ROOT.glob(pattern) if path.is_file()}
    assert len(files) > 100
    for path in files:
        if "__pycache__" not in path.parts:
            text = path.read_bytes()
            found = [needle for needle in NEEDLES if needle.encode() in text]
            assert not found, f"{path}: {found}"
