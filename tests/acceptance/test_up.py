"""`script/up`: one command, and the whole service runs; one key, and nothing is left of it."""

import csv
import os
import re
import signal
import socket
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from project import embedded_postgres
from project.up.samples import SAMPLES
from tests.acceptance.running import Place, new_place, running_up, up

ROLES = ("administrator", "approver", "auditor", "engineer", "officer")
STAFF = re.compile(rf"^  ({'|'.join(ROLES)}) +password  \S{{16}}$", re.MULTILINE)
KEY = re.compile(r"^  demo-onboarding +API key   vk_[0-9a-f]{12}_\S{43}$", re.MULTILINE)
ANSWERS = len(SAMPLES) + sum(sample.is_posted_twice for sample in SAMPLES)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """One place for the module: the tests below are a newcomer's first hour, in order."""
    with new_place() as made:
        yield made


def _attempts(place: Place) -> list[dict[str, str]]:
    with (place.local_dir / "attempts.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_an_occupied_port_is_named_before_anything_starts(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.web_port)):
        ran = up(place)
    assert ran.returncode == 1
    assert f"Port {place.web_port} is taken" in ran.stderr
    assert "--web-port" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (place.local_dir / "postgres").exists()


def test_check_goes_the_whole_way_and_stops_everything(place: Place) -> None:
    ran = up(place, "--check")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(re.findall(r"^demo-\d", ran.stdout, re.MULTILINE)) == ANSWERS
    assert sorted(STAFF.findall(ran.stdout)) == list(ROLES)
    assert KEY.search(ran.stdout)
    assert "All as the contract says." in ran.stdout
    assert len(_attempts(place)) == len(SAMPLES)
    assert place.leaves_nothing()


def test_what_it_writes_is_for_its_owner_alone(place: Place) -> None:
    written = [place.local_dir / "env", place.local_dir / "attempts.csv"]
    written += (place.local_dir / "log").iterdir()
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in written} == {
        path.name: "0o600" for path in written
    }


def test_a_second_run_keeps_the_data_and_ctrl_c_stops_everything(place: Place) -> None:
    with running_up(place) as running:
        running.wait_until("Running. Ctrl-C stops everything.")
        assert len(_attempts(place)) == 2 * len(SAMPLES)
        assert running.output.count("printed by the first run") == 6
        assert "vk_" not in running.output
        for path in ("healthz", "readyz", "admin/login/", "api/docs/"):
            with urllib.request.urlopen(f"http://127.0.0.1:{place.web_port}/{path}") as answer:
                assert answer.status == 200
        for program in (b"postgres", b"gunicorn", b"worker_run", b"faceid_sandbox"):
            assert place.runs(program), program
        said = (place.local_dir / "log" / "worker.log").read_text()
        assert "Ready: jobs and the sequencer run" in said
        assert _roles(place) >= {"verification_web", "verification_worker"}
        assert "permission denied" not in (place.local_dir / "postgres/server.log").read_text()
        assert running.end(signal.SIGINT) == 0, running.output
    assert place.leaves_nothing()


def test_two_runs_in_one_folder_are_refused(place: Place) -> None:
    with running_up(place, "--no-demo") as running:
        running.wait_until("Running.")
        second = up(place, "--no-demo")
        assert second.returncode == 1
        assert "running here already" in second.stderr
        assert running.end(signal.SIGTERM) == 0, running.output
    assert place.leaves_nothing()


def test_the_death_of_a_process_is_reported_and_ends_the_run(place: Place) -> None:
    with running_up(place, "--no-demo") as running:
        running.wait_until("Running.")
        os.kill(_leader(place, b"gunicorn"), signal.SIGKILL)
        assert running.wait() == 1
    assert "The web process has ended. The end of" in running.output
    assert place.leaves_nothing()


@pytest.mark.parametrize(
    "moment", ["Starting the embedded", "Starting the FaceID", "Starting worker"]
)
def test_a_stop_in_the_middle_of_the_start_leaves_nothing(place: Place, moment: str) -> None:
    with running_up(place, "--no-demo") as running:
        running.wait_until(moment)
        assert running.end(signal.SIGINT) == 0, running.output
    assert "Traceback" not in running.output
    assert place.leaves_nothing()


def test_what_a_killed_run_left_is_stopped_by_the_next_one(place: Place) -> None:
    with running_up(place, "--no-demo") as running:
        running.wait_until("Running.")
        running.kill()
    assert place.ends(b"gunicorn")
    assert place.ends(b"faceid_sandbox")
    with running_up(place, "--no-demo") as running:
        running.wait_until("Running.")
        assert running.end(signal.SIGINT) == 0, running.output
    assert place.leaves_nothing()


def test_the_real_things_get_no_sandbox_no_demonstration_and_no_samples(
    place: Place, database_url: str, tmp_path: Path
) -> None:
    real = {"FACEID_REGION": "sgp", "FACEID_API_KEY": "ours", "FACEID_API_SECRET": "ours too"}
    real |= {"DATABASE_URL": database_url, "STATIC_ROOT": str(tmp_path / "static")}
    with running_up(place, **real) as running:
        running.wait_until("Running.")
        assert not place.runs(b"faceid_sandbox")
        assert not place.runs(b"bin/postgres")
        with urllib.request.urlopen(f"http://127.0.0.1:{place.web_port}/readyz") as answer:
            assert answer.status == 200
        assert running.end(signal.SIGTERM) == 0, running.output
    assert "demo-" not in running.output
    assert "Collecting static files" in running.output
    assert list((tmp_path / "static").iterdir())
    assert place.leaves_nothing()


SECRETS = {
    "SECRET_KEY",
    "FACEID_API_SECRET",
    "VERIFICATION_KEYRING",
    "VERIFICATION_DIGEST_KEY",
    "VERIFICATION_LEDGER_KEY",
}


def test_no_secret_is_in_the_logs(place: Place) -> None:
    secrets = [
        line.partition("=")[2]
        for line in (place.local_dir / "env").read_text().splitlines()
        if line.partition("=")[0] in SECRETS
    ]
    logs = "".join(path.read_text() for path in (place.local_dir / "log").iterdir())
    assert len(secrets) == len(SECRETS)
    assert [secret for secret in secrets if secret in logs] == []
    assert "vk_" not in logs


def _roles(place: Place) -> set[str]:
    """Return as whom the processes of this place are connected to its database."""
    server = embedded_postgres.status(place.local_dir / "postgres")
    assert server is not None
    query = "SELECT usename FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> %s"
    with psycopg.connect(server.url()) as connection:
        found = connection.execute(query, [connection.info.backend_pid]).fetchall()
    return {name for (name,) in found}


def _leader(place: Place, name: bytes) -> int:
    """Return the process of this place that was started first under a name."""
    found = [pid for pid in place.processes() if name in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return min(found)
