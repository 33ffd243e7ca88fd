"""`attempts_export`: a complete private file, or none; a reader may leave."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from bench.rows import insert_attempts
from tests.integration.exports.conftest import RecordAttempt, rows
from tests.owner import unguarded
from verification.ledger.canonical import parse
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.models import ApiClient, ExportRequest, StagedEntry
from verification.selectors.export_columns import MASK
from verification.selectors.export_form import Layout
from verification.selectors.record import AttemptFilter
from verification.services.export_shape import Shape
from verification.services.runtime import Runtime
from verification.services.staff_exports import Wanted, decide_export, request_export

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the command as an operator would, on the test database."""
    parameters = connection.get_connection_params()
    host = str(parameters["host"]).replace("/", "%2F")
    login = parameters["user"] + (f":{parameters['password']}" if "password" in parameters else "")
    url = f"postgres://{login}@{host}:{parameters['port']}/{parameters['dbname']}"
    return subprocess.Popen(
        # As at a terminal: what a shell runs in the background ignores SIGINT.
        ["env", "--default-signal=INT", sys.executable, "manage.py", "attempts_export", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def names(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    return tmp_path


def test_the_file_is_complete_and_private(record_attempt: RecordAttempt, folder: Path) -> None:
    attempt = record_attempt(biz_no="B")
    record_attempt(biz_no="C")
    call_command("attempts_export", "--output", str(folder / "a.csv"), "--biz-no", "B")
    [row] = rows((folder / "a.csv").read_text("utf-8"))
    assert row["id"] == str(attempt.id)
    assert stat.S_IMODE((folder / "a.csv").stat().st_mode) == 0o600
    assert names(folder) == ["a.csv"]


def test_an_existing_file_is_kept_without_force(
    record_attempt: RecordAttempt, folder: Path
) -> None:
    record_attempt()
    (folder / "a.csv").write_text("precious")
    with pytest.raises(CommandError, match="--force"):
        call_command("attempts_export", "--output", str(folder / "a.csv"))
    assert (folder / "a.csv").read_text() == "precious"


def test_force_replaces_a_link_and_not_what_it_points_to(
    record_attempt: RecordAttempt, folder: Path
) -> None:
    record_attempt()
    (folder / "precious").write_text("precious")
    (folder / "a.csv").symlink_to(folder / "precious")
    call_command("attempts_export", "--output", str(folder / "a.csv"), "--force")
    assert (folder / "precious").read_text() == "precious"
    assert len(rows((folder / "a.csv").read_text("utf-8"))) == 1


def test_a_name_taken_while_writing_is_not_overwritten(folder: Path) -> None:
    path = folder / "a.csv"

    def write() -> None:
        with replaced_when_complete(path, force=False) as file:
            file.write(b"ours")
            path.write_text("theirs")

    with pytest.raises(OutputExistsError):
        write()
    assert path.read_text() == "theirs"
    assert names(folder) == ["a.csv"]


def test_an_export_that_fails_leaves_no_file(folder: Path, client_app: ApiClient) -> None:
    def write() -> None:
        with replaced_when_complete(folder / "a.csv", force=False) as file:
            file.write(b"half of it")
            raise EOFError

    with pytest.raises(EOFError):
        write()
    assert names(folder) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--client", "nobody"], "no API client"),
        (["--state", "lost"], "state"),
        (["--outcome", "passed"], "outcome"),
        (["--result-code", "1e3"], "result-code"),
        (["--created-from", "yesterday"], "ISO 8601"),
        (["--created-before", "2026-01-01T00:00:00"], "offset"),
        (["--output", "/nowhere/a.csv"], "FileNotFoundError"),
        (["--columns", "id,face"], "no column 'face'"),
        (["--layout", "xlsx"], "layout"),
        (["--as-of", "yesterday"], "size of the log"),
        (["--as-of", "4711"], "no checkpoint of that size"),
        (["--as-of", "latest"], "no checkpoint of that size"),
    ],
)
def test_a_wrong_option_says_what_is_wrong(
    transactional_db: None, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("attempts_export", *arguments)


def test_standard_output_holds_the_lines_and_standard_error_the_progress(
    record_attempt: RecordAttempt, client_app: ApiClient
) -> None:
    record_attempt(biz_no="=1+1", request_id="=1+1")
    process = run("--client", client_app.name)
    written, reported = process.communicate(timeout=60)
    [row] = rows(written.decode())
    assert (row["biz_no"], row["request_id"]) == (MASK, "'=1+1")
    recorded, progress = reported.decode().splitlines()
    assert re.fullmatch(r"export [0-9a-f-]{36}: the log has no checkpoint yet", recorded)
    assert progress == f"2 lines, {len(written)} bytes"
    assert process.returncode == 0


def test_a_reader_who_leaves_ends_the_command_quietly(transactional_db: None) -> None:
    insert_attempts(3_000)
    process = run()
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    reported = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert "Traceback" not in reported


def test_an_interrupted_export_leaves_no_file(transactional_db: None, folder: Path) -> None:
    insert_attempts(1)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE verification_evidence")
        try:
            process = run("--output", str(folder / "a.csv"))
            while not names(folder) and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            cursor.execute("ROLLBACK")
    assert process.returncode != 0
    assert names(folder) == []


def test_unmasked_it_writes_only_what_a_second_person_has_agreed_to(
    record_attempt: RecordAttempt, runtime: Runtime, tmp_path: Path
) -> None:
    record_attempt(biz_no="LOAN-2026-1")
    root, boss = (User.objects.create_superuser(name) for name in ("root", "boss"))
    shape = Shape(columns=("id", "biz_no"), layout=Layout.JSONL, is_masked=False)
    wanted = Wanted(AttemptFilter(), "the yearly inspection", shape, "audit")
    row = request_export(wanted=wanted, by=root, runtime=runtime)
    path = tmp_path / "a.jsonl"
    arguments = ("attempts_export", f"--approved={row.pk}", f"--output={path}")
    with pytest.raises(CommandError, match="Nobody has agreed"):
        call_command(*arguments)
    decide_export(request_id=row.pk, approve=True, by=boss, runtime=runtime)
    call_command(*arguments)
    assert "LOAN-2026-1" in path.read_text()
    said = [parse(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    [entry] = [each for each in said if each["kind"] == "export.created"]
    assert (entry["request"], entry["masked"]) == (str(row.pk), [])
    with unguarded("verification_export_request"):
        ExportRequest.objects.update(
            decided_at=row.requested_at, expires_at=row.requested_at + timedelta(microseconds=1)
        )
    with pytest.raises(CommandError, match="expired"):
        call_command(*arguments)
    with pytest.raises(CommandError, match="no such request"):
        call_command("attempts_export", f"--approved={uuid4()}")
