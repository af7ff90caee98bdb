"""Compiles the modules that a server is busiest with, if a build is told to.

    HATCH_BUILD_HOOKS_ENABLE=1 pip install .

`src/kqq/compiled.py` lists them, `docs/performance.md` says what it gives. The wheel then has each
of them twice: as a library, which Python loads, and as the text it was made of, which tracebacks
show. All is made in a temporary folder, since a library beside the sources would be loaded in their
place whatever becomes of them. Without the variable nothing here is run.
"""

import contextlib
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "kqq"
MYPY = (
    "--config-file=",
    "--no-site-packages",
    "--ignore-missing-imports",
    "--follow-imports=silent",
)
"""The same code is made whatever else is installed. Types are what scripts/check looks at."""


class CompilingHook(BuildHookInterface[BuilderConfig]):
    """Adds what was compiled to the wheel."""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; an editable installation is left alone, since its sources are to be edited."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="kqq-compile-")
        self.app.display_waiting("compiling, which takes a minute")
        work = Path(self._folder.name)
        shutil.copytree(Path(self.root) / "src" / PACKAGE, work / PACKAGE)
        with contextlib.chdir(work):  # the paths in tracebacks begin with the package
            modules = runpy.run_path(f"{PACKAGE}/compiled.py")["MODULES"]
            compile_modules([f"{name.replace('.', '/')}.py" for name in modules], Path("made"))
        made = work / "made"
        for library in sorted(made.rglob("*.*")):
            build_data["force_include"][str(library)] = str(library.relative_to(made))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up."""
        if self._folder is not None:
            self._folder.cleanup()


def compile_modules(files: list[str], target: Path) -> None:
    """Compile files below the current folder to libraries below `target`.

    One library that all share has the code, so that they call each other without Python between.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution  # type: ignore[import-untyped]

    made = mypycify([*MYPY, *files], debug_level="0", group_name=PACKAGE)
    build = Distribution({"ext_modules": made}).get_command_obj("build_ext")
    build.build_lib = str(target)
    build.build_temp = "build"
    build.ensure_finalized()
    build.run()
