"""Run all tests, then ask of each module whether its own test file covers it.

`src/kqq/a/b.py` belongs to `tests/a/test_b.py`. What that file (and importing) covers of it must
reach 100 % of lines and branches in `kqq.protocol`, 95 % elsewhere.
"""

import io
import re
import subprocess
import sys
from pathlib import Path

import coverage

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kqq"
TESTS = ROOT / "tests"
WITHOUT_TESTS = {"__init__.py", "__main__.py"}  # they only name or start what others do


def wanted(module: Path) -> float:
    return 100.0 if module.relative_to(SOURCE).parts[0] == "protocol" else 95.0


def tests_of(module: Path) -> Path:
    inside = module.relative_to(SOURCE)
    return TESTS / inside.parent / f"test_{inside.name}"


def covered(module: Path) -> tuple[float, str]:
    """Return how much of a module its own tests cover, in percent, and which lines are missing."""
    measured = coverage.Coverage(
        data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml")
    )
    measured.load()
    own = re.escape(tests_of(module).relative_to(ROOT).as_posix())
    out = io.StringIO()
    percent = measured.report(
        file=out,
        include=[str(module)],
        contexts=[f"^{own}$", "^$"],  # as tests/conftest.py names them
        show_missing=True,
        precision=1,
    )
    return percent, out.getvalue().splitlines()[2].split("%", 1)[-1].strip()


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-n", "2", "--cov=kqq", "--cov-branch"]
    command += ["--cov-report=", *sys.argv[1:]]
    tests = subprocess.run(command, cwd=ROOT, check=False)
    if tests.returncode:
        return tests.returncode
    short = 0
    for module in sorted(SOURCE.rglob("*.py")):
        if module.name in WITHOUT_TESTS:
            continue
        name = module.relative_to(SOURCE.parent)
        if not tests_of(module).exists():
            print(f"{name}: {tests_of(module).relative_to(ROOT)} is missing")
            short += 1
            continue
        percent, missing = covered(module)
        if round(percent, 1) < wanted(module):
            want = f"{wanted(module):g} %"
            print(f"{name}: {percent:.1f} % from its own tests, not {want}; missing: {missing}")
            short += 1
    print(f"{short} modules short of the coverage wanted" if short else "every module is covered")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
