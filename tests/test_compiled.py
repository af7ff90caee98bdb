"""The compiled package: it is built as the sources are now, and does what they do."""

import ast
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from kqq.compiled import MODULES, is_compiled

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
PROJECT = ROOT / "pyproject.toml"
BUSIEST = {
    "kqq.protocol.connection", "kqq.protocol.wire", "kqq.server.database", "kqq.server.inbox",
    "kqq.server.outgoing", "kqq.server.session", "kqq.server.shortcut", "kqq.server.transaction",
}  # fmt: skip
"""Those whose own tests are run once more; of all would take minutes."""


def compiler() -> str:
    """Return what compiles C here, with its options."""
    return str(os.environ.get("CC") or sysconfig.get_config_var("CC"))


def why_not() -> str | None:
    """Return what is missing here to compile, None if nothing is."""
    if shutil.which(shlex.split(compiler())[0]) is None:
        return f"there is no C compiler: {compiler()}"
    headers = sysconfig.get_path("include")
    return None if Path(headers, "Python.h").exists() else f"no headers of Python in {headers}"


def build(folder: Path, *, compiled: bool) -> Path:
    """Return a wheel, built with what is installed here.

    The code in C is made into a program as it stands: to make it a quick one takes twice as long.
    """
    folder.mkdir(exist_ok=True)
    plain = folder / "cc"
    plain.write_text(f'#!/bin/sh\nexec {compiler()} "$@" -O0\n')
    plain.chmod(0o755)
    settings = {"HATCH_BUILD_HOOKS_ENABLE": str(compiled).lower(), "CC": shlex.quote(str(plain))}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def tree(pytestconfig: pytest.Config) -> Path:
    """A folder with the compiled package; it is kept until the sources have changed."""
    if (why := why_not()) is not None:
        pytest.skip(why)
    assert pytestconfig.cache is not None
    kept = pytestconfig.cache.mkdir("compiled")
    sources = [PROJECT, ROOT / "hatch_build.py", *sorted((ROOT / "src").rglob("*.py"))]
    content = b"".join(str(one).encode() + one.read_bytes() for one in sources)
    made = kept / hashlib.sha256(sys.version.encode() + content).hexdigest()[:16]
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of this run want it, too
        if not made.exists():
            for old in kept.glob("*/"):
                shutil.rmtree(old)
            wheel = build(kept / "wheel", compiled=True)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(kept / "new")
            (kept / "new").rename(made)
    return made


def run(tree: Path, *words: str) -> str:
    """Return what Python prints with the compiled package first on its path."""
    path = os.pathsep.join(map(str, (tree, TESTS)))
    drop = ("COV_", "COVERAGE_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    done = subprocess.run(
        [sys.executable, "-P", *words],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def run_tests(tree: Path, *words: str) -> str:
    """Run tests with the compiled package, and return what pytest prints."""
    plugins = ("no:cacheprovider", "no:schemathesis", "not_patched")  # the second loads slowly
    options = ("-n", "0", *(f"-p{name}" for name in plugins), "--tb", "short")
    return run(tree, "-m", "pytest", *options, *words)


def test_the_sources_are_not_compiled() -> None:
    """What is edited is what is run."""
    assert not is_compiled()
    assert not list((ROOT / "src").rglob("*.so"))


@pytest.mark.parametrize("name", MODULES)
def test_nothing_that_is_compiled_hides_an_error(name: str) -> None:
    """Compiled, `raise … from None` shows what was to be hidden."""
    source = ROOT.joinpath("src", *name.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    causes = [one.cause for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Raise)]
    assert not [one for one in causes if isinstance(one, ast.Constant) and one.value is None]


def test_a_build_compiles_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    """The wheel is for every system."""
    wheel = build(tmp_path, compiled=False)
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]


def test_the_build_has_the_versions_of_the_tools() -> None:
    """What pyproject.toml asks for, since constraints.txt does not reach the build, is in both."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    pinned = [*project["build-system"]["requires"], *hook["dependencies"]]
    assert len(pinned) == 3
    assert set(pinned) <= set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


@pytest.mark.timeout(300)
def test_all_of_them_are_compiled(tree: Path) -> None:
    """Each is loaded from its library, and `kqq` says so."""
    program = (
        "import importlib, sys; print(*(importlib.import_module(n).__file__ for n in sys.argv[1:]))"
    )
    files = run(tree, "-c", program, *MODULES).split()
    assert [Path(file).suffix for file in files] == [".so"] * len(MODULES)
    assert {Path(file).is_relative_to(tree) for file in files} == {True}
    assert run(tree, "-m", "kqq", "--version").endswith(" (compiled)\n")


@pytest.mark.timeout(300)
def test_compiled_plays(tree: Path) -> None:
    """Plays about messages and sign-ins, with a server in a process, go as they are written."""
    over_sockets = "test_play and not memory and not client and (message or sign)"
    said = run_tests(tree, "tests/test_scenarios.py", "-k", over_sockets)
    assert re.search(r"\d+ passed, \d+ deselected", said)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("package", ["protocol", "server"])
def test_compiled_modules(tree: Path, package: str) -> None:
    """The busiest pass their own tests, save for those that put functions of their own into one."""
    names = [name for name in MODULES if name in BUSIEST and name.startswith(f"kqq.{package}.")]
    inside = [Path(*name.split(".")[1:]) for name in names]
    said = run_tests(tree, *(f"tests/{path.parent}/test_{path.name}.py" for path in inside))
    assert re.search(r"\d+ passed", said)


def test_who_cannot_compile_is_told_what_is_missing(tmp_path: Path) -> None:
    """`scripts/compile` ends with exit code 2; root has it installed instead."""
    files = ("pyproject.toml", "constraints.txt", "hatch_build.py", "README.md", "src/kqq/a.py")
    for name in (*files, "scripts/bootstrap", "bin/id"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\necho 1000\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    script = shutil.copy(ROOT / "scripts" / "compile", tmp_path / "scripts")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [script], env={**os.environ, "PATH": path, "CC": "false"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.endswith("as root: apt-get install gcc python3-dev\n")
    assert not (tmp_path / ".venv-compiled").exists()
