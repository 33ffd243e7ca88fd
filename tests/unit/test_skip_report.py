"""A test that did not run is never silently green."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
import os
import pytest

def test_that_runs():
    assert True

@pytest.mark.skipif(os.geteuid() == 0, reason="needs an ordinary user, to be refused")
def test_as_an_ordinary_user():
    assert True

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")
def test_as_root():
    assert True
"""
LACKING = """
@pytest.mark.skip(reason="Chromium is missing")
def test_in_a_browser():
    assert True
"""
FOREIGN_ROLE = "test_as_an_ordinary_user" if os.geteuid() == 0 else "test_as_root"


def _run(folder: Path, suite: str, *arguments: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.skips", *arguments]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "no:django"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_in_ci_a_skipped_test_fails_the_run(tmp_path: Path, workers: tuple[str, ...]) -> None:
    ran = _run(tmp_path, SUITE + LACKING, *workers, ci="true")
    assert ran.returncode == 1
    assert "CI=true: these must run." in ran.stdout


def test_elsewhere_it_is_named_loudly(tmp_path: Path) -> None:
    ran = _run(tmp_path, SUITE + LACKING, ci="")
    assert ran.returncode == 0
    assert "NOT RUN HERE" in ran.stdout
    assert "test_suite.py::test_in_a_browser: Chromium is missing" in ran.stdout


def test_a_test_for_the_other_kind_of_user_is_named_and_excused(tmp_path: Path) -> None:
    ran = _run(tmp_path, SUITE, ci="true")
    assert ran.returncode == 0
    assert f"test_suite.py::{FOREIGN_ROLE}: needs" in ran.stdout


def test_a_module_that_skips_itself_fails_the_run_too(tmp_path: Path) -> None:
    suite = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    (tmp_path / "test_other.py").write_text("def test_that_runs():\n    assert True\n")
    ran = _run(tmp_path, suite, ci="true")
    assert ran.returncode == 1
    assert "test_suite.py: not here" in ran.stdout
