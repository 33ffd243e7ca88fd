"""What the launcher refuses, and that it leaves it as it was."""

import os
from pathlib import Path

import pytest

from project.embedded_postgres import (
    EmbeddedPostgresError,
    Server,
    binaries,
    socket_directory,
    start,
    status,
    stop,
)
from project.embedded_postgres.account import default_account
from project.embedded_postgres.cluster import make_data
from project.embedded_postgres.home import Home
from project.embedded_postgres.store import Store, make_store
from tests.integration.embedded_postgres.launching import (
    make_programs,
    show,
)


def test_a_server_without_durability_is_not_taken_for_a_durable_one(running: Server) -> None:
    assert show(running, "fsync") == "off"
    with pytest.raises(EmbeddedPostgresError, match="without durability"):
        start(running.passfile.parent)


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
