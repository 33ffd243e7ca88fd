"""`.venv` follows the lock file, and survives what can come between."""

import io
import os
import shutil
import subprocess
import sys
import threading
import venv
from pathlib import Path

import pytest

from project import environment

ROOT = Path(__file__).resolve().parents[2]
NO_PACKAGES = "# nothing to install\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout, with spaces"
    root.mkdir()
    (root / "requirements.txt").write_text(NO_PACKAGES)
    (root / "requirements-dev.txt").write_text(NO_PACKAGES + "# for development\n")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip and nothing installed; making one takes seconds."""
    directory = tmp_path_factory.mktemp("made") / ".venv"
    venv.EnvBuilder(with_pip=True).create(directory)
    return directory


@pytest.fixture
def with_environment(checkout: Path, made: Path) -> Path:
    shutil.copytree(made, checkout / ".venv", symlinks=True)
    return checkout


def _prepare(root: Path, lock: str = "requirements.txt") -> str:
    out = io.StringIO()
    environment.prepare(root, root / lock, out)
    return out.getvalue()


def test_it_is_completed_again_when_the_lock_changes(with_environment: Path) -> None:
    checkout = with_environment
    assert "Installing" in _prepare(checkout)
    assert _prepare(checkout) == ""
    (checkout / "requirements.txt").write_text(NO_PACKAGES + "# another\n")
    again = _prepare(checkout)
    assert "Installing" in again
    assert "Creating" not in again


def test_the_development_lock_serves_both(with_environment: Path) -> None:
    checkout = with_environment
    _prepare(checkout, "requirements-dev.txt")
    assert environment.is_current(checkout, checkout / "requirements.txt")
    assert _prepare(checkout) == ""


def test_the_runtime_lock_does_not_serve_development(with_environment: Path) -> None:
    _prepare(with_environment)
    lock = with_environment / "requirements-dev.txt"
    assert not environment.is_current(with_environment, lock)


def test_an_environment_without_pip_is_made_anew(checkout: Path) -> None:
    broken = checkout / ".venv" / "bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to(sys.executable + "-that-went-away")
    assert "Creating" in _prepare(checkout)
    assert environment.is_current(checkout, checkout / "requirements.txt")


def test_a_package_without_a_hash_is_refused_and_nothing_is_marked(with_environment: Path) -> None:
    checkout = with_environment
    (checkout / "requirements.txt").write_text("django\n")
    with pytest.raises(environment.EnvironmentSetupError, match="pip could not install"):
        _prepare(checkout)
    assert not environment.is_current(checkout, checkout / "requirements.txt")


def test_two_at_once_make_one_environment(checkout: Path) -> None:
    outputs: list[str] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(_prepare(checkout))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("Creating" in output for output in outputs) == 1


def test_the_command_line_says_what_failed(
    with_environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = with_environment
    assert environment.main([str(checkout), "requirements.txt"]) == 0
    (checkout / "requirements.txt").write_text("django\n")
    assert environment.main([str(checkout), "requirements.txt"]) == 1
    assert "hash" in capsys.readouterr().err


def test_without_ensurepip_the_exact_line_to_type_is_printed(tmp_path: Path) -> None:
    python = _python_without("ensurepip", tmp_path)
    ran = _bootstrap(tmp_path, PYTHON=str(python))
    version = "{}.{}".format(*sys.version_info)
    assert ran.returncode == 1
    assert "sudo apt-get install python3" in ran.stderr
    assert ran.stderr.strip().endswith(("python3-venv", f"python{version}-venv"))


def test_without_a_python_it_says_which_one_is_needed(tmp_path: Path) -> None:
    ran = _bootstrap(tmp_path, PYTHON="/nonexistent/python3")
    assert ran.returncode == 1
    assert "No Python 3.11 or newer" in ran.stderr


def _python_without(module: str, folder: Path) -> Path:
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ImportError('no module named {module}')\n")
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={hidden} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def _bootstrap(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "checkout" / "script" / "bootstrap"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / "script" / "bootstrap").read_text())
    return subprocess.run(
        ["sh", str(script), "requirements.txt"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
