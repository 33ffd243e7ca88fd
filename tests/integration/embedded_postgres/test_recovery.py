"""A private server after kills, crashes and half-done work."""

import os
import re
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from project.embedded_postgres import (
    postmaster,
    start,
    status,
    stop,
)
from tests.integration.embedded_postgres.launching import (
    COMMAND,
    ROOT,
    log_of,
    wait_until,
)


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
    busy = b"""DO $$ DECLARE ends timestamptz = clock_timestamp() + '5 s'; BEGIN
               WHILE clock_timestamp() < ends LOOP NULL; END LOOP; END $$"""
    with closing(psycopg.connect(killed.url(), autocommit=True)) as connection:
        orphan = connection.info.backend_pid
        connection.pgconn.send_query(busy)
        time.sleep(0.2)
        os.kill(killed.pid, signal.SIGKILL)
        server = start(home, durable=False)
    assert orphan not in postmaster.processes_of(server.data_dir)
    # Until the dead server is reaped, its lock file is what PostgreSQL trips over first.
    assert re.search(r"pre-existing shared memory block|lock file .* exists", log_of(home))
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
