"""Exports as files: written by the worker, killed and gone on with, handed out on record."""

import csv
import gzip
import hashlib
import io
import json
import os
import signal
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pyarrow.parquet
import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from tests.conftest import OpenToken
from tests.factories import make_attempt
from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from tests.integration.ledger.lives import Lives, ahead, seal
from tests.owner import unguarded
from verification.ledger.canonical import parse
from verification.models import ApiClient, Export, ExportJob, LedgerEntry, StagedEntry
from verification.models.export_job import JobState, Problem
from verification.selectors.as_of import repeatable_checkpoint
from verification.selectors.export_form import STREAMED, Layout
from verification.selectors.exports import attempts_file
from verification.selectors.record import AttemptFilter
from verification.services import export_files
from verification.services.errors import (
    DeliveryError,
    DeliveryRefusedError,
    ExportFilterError,
    ExportFormError,
    ExportStateError,
    NotPermittedError,
    TooManyExportsError,
    UnknownExportError,
    UnmaskedExportError,
    UnprovableExportError,
)
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import (
    MAX_OPEN,
    cancel_job,
    hand_out,
    start_client_job,
    start_small_job,
)
from verification.services.export_shape import MASKED, Shape, read_shape, write_shape
from verification.services.export_work import LEASE, MAX_TRIES, expire_exports, work_on_exports
from verification.services.runtime import Runtime
from verification.services.staff_exports import read_filter
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

PART = 3
ATTEMPTS = 8


@pytest.fixture
def folder(tmp_path: Path) -> ExportFolder:
    return ExportFolder(tmp_path / "exports")


@pytest.fixture
def auditor() -> User:
    person = User.objects.create_user("anna", is_staff=True)
    person.groups.add(Group.objects.get(name="auditor"))
    return person


@pytest.fixture
def lived(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Runtime:
    """Return the runtime of a world with attempts in a sealed log."""
    lives = Lives(client_app, runtime, open_token)
    for number in range(ATTEMPTS):
        lives.submitted(f"LOAN-2026-{number:04}")
    seal(runtime)
    return runtime


Work = Callable[..., int]


@pytest.fixture
def work(lived: Runtime, folder: ExportFolder) -> Work:
    """Return a worker's round, in small parts."""

    def go(**given: Any) -> int:
        default = {"runtime": lived, "folder": folder, "places": {}, "part_attempts": PART}
        return work_on_exports(**{**default, **given})

    return go


def asked(runtime: Runtime, by: User, shape: Shape = MASKED, **which: Any) -> ExportJob:
    """Ask for a small file."""
    return start_small_job(which=AttemptFilter(**which), shape=shape, by=by, runtime=runtime)


def entries(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind, staged or in the log."""
    of_log = LedgerEntry.objects.order_by("index").values_list("raw", flat=True)
    staged = StagedEntry.objects.order_by("no").values_list("raw", flat=True)
    said = [parse(bytes(each)) for each in (*of_log, *staged)]
    return [each for each in said if each["kind"] == kind]


def in_one(job: ExportJob) -> bytes:
    """Return the bytes of the file as one statement writes them."""
    as_of = repeatable_checkpoint(job.as_of_size or 0)
    form = read_shape(job.form).form
    return b"".join(attempts_file(read_filter(job.filters), form=form, as_of=as_of))


def taken(job: ExportJob, by: User | ApiClient, folder: ExportFolder, runtime: Runtime) -> bytes:
    """Return what is handed out."""
    _, file = hand_out(job_id=job.pk, owner=by, folder=folder, runtime=runtime)
    with file:
        return file.read()


@pytest.mark.parametrize("layout", STREAMED)
@pytest.mark.parametrize("is_gzipped", [False, True])
def test_a_file_in_parts_has_the_bytes_of_one_in_one(
    layout: Layout, is_gzipped: bool, lived: Runtime, auditor: User, work: Work,
    folder: ExportFolder,
) -> None:  # fmt: skip
    job = asked(lived, auditor, Shape(layout=layout, is_gzipped=is_gzipped))
    assert work() == 1
    assert work() == 0
    job.refresh_from_db()
    found = taken(job, auditor, folder, lived)
    assert found == in_one(job)
    assert (job.state, job.rows, job.size_bytes) == (JobState.DONE, ATTEMPTS, len(found))
    assert job.sha256 == hashlib.sha256(found).hexdigest()
    assert job.done == job.total == ATTEMPTS
    text = (gzip.decompress(found) if is_gzipped else found).decode()
    assert "LOAN-2026" not in text
    assert text.count("\u2022\u2022\u2022\u20220007") == 1
    [completed] = entries("export.completed")
    assert (completed["rows"], completed["sha256"]) == (ATTEMPTS, job.sha256)
    [created] = entries("export.created")
    assert created["masked"] == ["biz_no", "subject", "visual_attributes"]
    [handed] = entries("export.taken")
    assert (handed["by"], handed["export"]) == ("anna", str(job.pk))


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_killed_at_any_moment_it_goes_on_and_is_the_same_file(
    is_gzipped: bool, lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    """The clock is asked before each thing is kept: the process dies there, file written or not."""
    for moment in count(1):
        job = asked(lived, auditor, Shape(is_gzipped=is_gzipped))
        has_ended = _die_at(moment, lambda clock: work(runtime=replace(lived, now=clock)), lived)
        later = ahead(lived, LEASE.total_seconds() + 1)
        job.refresh_from_db()
        if job.state == JobState.RUNNING:
            assert work() == 0, "another worker took it while it was leased"
        if not has_ended:
            assert work(runtime=later) == 1
        job.refresh_from_db()
        assert job.state == JobState.DONE
        assert taken(job, auditor, folder, lived) == in_one(job)
        assert job.rows == ATTEMPTS
        assert len([e for e in entries("export.completed") if e["export"] == str(job.pk)]) == 1
        if has_ended:
            break
    assert moment > ATTEMPTS // PART + 2


def _die_at(moment: int, act: Callable[[Callable[[], datetime]], object], runtime: Runtime) -> bool:
    """Do it in a child that kills itself when it asks for the time; return whether it lived."""
    connection.close()
    child = os.fork()
    if child == 0:
        asked_for = count(1)

        def clock() -> datetime:
            if next(asked_for) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return runtime.now()

        try:
            act(clock)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status == 0


def test_a_part_that_is_lost_is_written_again(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    job = asked(lived, auditor)
    answers = iter([False, False, True])
    work(is_stopping=lambda: next(answers))
    job.refresh_from_db()
    assert (job.state, job.rows, job.leased_until) == (JobState.RUNNING, 2 * PART, None)
    folder.part(job.pk).unlink()
    assert work() == 1
    job.refresh_from_db()
    assert taken(job, auditor, folder, lived) == in_one(job)


def test_what_comes_meanwhile_is_not_in_it(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work, client_app: ApiClient,
    open_token: OpenToken,
) -> None:  # fmt: skip
    job = asked(lived, auditor)
    before = in_one(job)
    answers = iter([False, True])
    work(is_stopping=lambda: next(answers))
    Lives(client_app, lived, open_token).submitted("LATE")
    seal(lived)
    work()
    assert taken(job, auditor, folder, lived) == before == in_one(job)


def test_cancelled_it_stops_and_nothing_stays(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    job = asked(lived, auditor)

    def cancel() -> bool:
        cancel_job(job_id=job.pk, owner=auditor, runtime=lived)
        return False

    work(is_stopping=cancel)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert work() == 0
    assert folder.part(job.pk).exists()
    assert expire_exports(runtime=lived, folder=folder) == 1
    assert not folder.part(job.pk).exists()
    with pytest.raises(ExportStateError):
        cancel_job(job_id=job.pk, owner=auditor, runtime=lived)
    with pytest.raises(ExportStateError):
        hand_out(job_id=job.pk, owner=auditor, folder=folder, runtime=lived)
    assert entries("export.completed") == []


def test_a_file_expires(lived: Runtime, auditor: User, folder: ExportFolder, work: Work) -> None:
    job = asked(lived, auditor)
    work()
    assert expire_exports(runtime=lived, folder=folder) == 0
    assert taken(job, auditor, folder, lived)
    later = ahead(lived, timedelta(days=lived.conf.export_keep_days).total_seconds() + 1)
    with pytest.raises(ExportStateError):
        hand_out(job_id=job.pk, owner=auditor, folder=folder, runtime=later)
    assert expire_exports(runtime=later, folder=folder) == 1
    job.refresh_from_db()
    assert job.state == JobState.EXPIRED
    assert not folder.whole(job.pk).exists()


def test_a_bundle_is_a_file_too(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    with pytest.raises(UnprovableExportError):
        asked(lived, auditor, Shape(is_bundle=True), is_attack=True)
    job = asked(lived, auditor, Shape(is_bundle=True))
    work()
    job.refresh_from_db()
    assert (job.state, job.rows) == (JobState.DONE, ATTEMPTS)
    found = taken(job, auditor, folder, lived)
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        [first, *_] = csv.DictReader(io.StringIO(archive.read("attempts.csv").decode()))
    assert manifest["export"] == str(job.pk)
    assert not {"biz_no", "subject", "visual_attributes"} & first.keys()
    assert hashlib.sha256(found).hexdigest() == job.sha256


def test_parquet_is_a_file_too(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    jobs = [asked(lived, auditor, Shape(layout=Layout.PARQUET)) for _ in range(2)]
    assert work() + work() == 2
    one, two = (taken(each, auditor, folder, lived) for each in jobs)
    assert pyarrow.parquet.read_table(io.BytesIO(one)).num_rows == ATTEMPTS
    jobs[0].refresh_from_db()
    assert (jobs[0].rows, jobs[0].as_of_size) == (ATTEMPTS, jobs[1].as_of_size)
    assert len(one) == len(two)


def test_without_a_log_it_is_written_at_once(
    runtime: Runtime, auditor: User, folder: ExportFolder
) -> None:
    for number in range(3):
        make_attempt("verified", biz_no=f"ONB-{number}")
    job = asked(runtime, auditor, Shape(is_gzipped=True))
    assert job.as_of_size is None
    work_on_exports(runtime=runtime, folder=folder, places={})
    job.refresh_from_db()
    assert (job.state, job.rows) == (JobState.DONE, 3)
    assert gzip.decompress(taken(job, auditor, folder, runtime)).count(b"\n") == 4
    assert verify(runtime=runtime).faults is not None


def test_an_empty_list_is_a_file_with_its_head(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work
) -> None:
    job = asked(lived, auditor, created_from=datetime(2001, 1, 1, tzinfo=UTC),
                created_before=datetime(2001, 1, 2, tzinfo=UTC))  # fmt: skip
    work()
    job.refresh_from_db()
    assert (job.state, job.rows) == (JobState.DONE, 0)
    assert taken(job, auditor, folder, lived).startswith(b"id,state,")


def test_whose_it_is(
    lived: Runtime, auditor: User, folder: ExportFolder, work: Work, client_app: ApiClient,
    stranger_app: ApiClient,
) -> None:  # fmt: skip
    other = User.objects.create_superuser("root")
    mine = asked(lived, auditor)
    theirs = start_client_job(
        which=AttemptFilter(), shape=Shape(is_masked=False), client=client_app, runtime=lived
    )
    assert work() + work() == 2
    for job, strangers in ((mine, (other, client_app)), (theirs, (auditor, stranger_app))):
        for stranger in strangers:
            with pytest.raises(UnknownExportError):
                hand_out(job_id=job.pk, owner=stranger, folder=folder, runtime=lived)
            with pytest.raises(UnknownExportError):
                cancel_job(job_id=job.pk, owner=stranger, runtime=lived)
    assert b"LOAN-2026-0003" in taken(theirs, client_app, folder, lived)
    auditor.groups.clear()
    with pytest.raises(NotPermittedError):
        hand_out(job_id=mine.pk, owner=User.objects.get(pk=auditor.pk), folder=folder,
                 runtime=lived)  # fmt: skip


def test_what_is_refused_is_not_on_record(lived: Runtime, auditor: User) -> None:
    refused: dict[type[Exception], tuple[Shape, dict[str, Any]]] = {
        UnmaskedExportError: (Shape(is_masked=False), {}),
        ExportFilterError: (MASKED, {"identifier": "LOAN-2026-0001"}),
        ExportFormError: (Shape(columns=("id", "nothing")), {}),
    }
    for error, (shape, which) in refused.items():
        with pytest.raises(error):
            asked(lived, auditor, shape, **which)
    with pytest.raises(ExportFormError):
        asked(lived, auditor, Shape(columns=()))
    assert not ExportJob.objects.exists()
    assert not Export.objects.exists()
    assert entries("export.created") == []


def test_so_many_at_once(lived: Runtime, auditor: User) -> None:
    for _ in range(MAX_OPEN):
        asked(lived, auditor)
    with pytest.raises(TooManyExportsError):
        asked(lived, auditor)
    assert len(entries("export.created")) == Export.objects.count() == MAX_OPEN


def test_a_full_disk_fails_it_and_says_so(
    lived: Runtime, auditor: User, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked(lived, auditor)
    monkeypatch.setattr(export_files, "SPARE_BYTES", 1 << 62)
    work()
    job.refresh_from_db()
    assert (job.state, job.problem) == (JobState.FAILED, Problem.NO_SPACE)


def test_what_cannot_be_written_is_given_up_and_holds_up_nobody(
    lived: Runtime, auditor: User, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    broken = ExportFolder(tmp_path / "file")
    job = asked(lived, auditor)
    for number in range(MAX_TRIES):
        later = ahead(lived, number * (LEASE.total_seconds() + 1))
        assert work_on_exports(runtime=later, folder=broken, places={}) == 1
    job.refresh_from_db()
    assert (job.state, job.problem) == (JobState.FAILED, Problem.GIVEN_UP)
    assert work_on_exports(runtime=ahead(lived, 3600), folder=broken, places={}) == 0
    assert str(tmp_path) not in caplog.text


class Shelf:
    """A place that keeps files in memory, and refuses as often as told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.kept: dict[str, bytes] = {}

    def deliver(self, name: str, file: BinaryIO, sha256: str) -> str:
        """Keep a file under its name."""
        if self.errors:
            raise self.errors.pop(0)
        self.kept[name] = file.read()
        assert hashlib.sha256(self.kept[name]).hexdigest() == sha256
        return f"shelf/{name}"


def _with_place(lived: Runtime, auditor: User) -> ExportJob:
    job = asked(lived, auditor)
    with unguarded("verification_export_job"):
        ExportJob.objects.update(place="audit")
    return job


def test_it_goes_to_its_place_after_an_outage_of_that(
    lived: Runtime, auditor: User, work: Work
) -> None:
    job, shelf = _with_place(lived, auditor), Shelf(DeliveryError("away"))
    work(places={"audit": shelf})
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert work(places={"audit": shelf}) == 0
    work(places={"audit": shelf}, runtime=ahead(lived, LEASE.total_seconds() + 1))
    job.refresh_from_db()
    [(name, kept)] = shelf.kept.items()
    assert (job.state, job.delivered_to) == (JobState.DONE, f"shelf/{name}")
    assert kept == in_one(job)
    [entry] = entries("export.delivered")
    assert (entry["place"], entry["sha256"]) == ("audit", job.sha256)


@pytest.mark.parametrize("places", [{}, {"audit": Shelf(DeliveryRefusedError("no"))}])
def test_a_place_that_refuses_fails_it(
    places: dict[str, Shelf], lived: Runtime, auditor: User, work: Work
) -> None:
    job = _with_place(lived, auditor)
    work(places=places)
    job.refresh_from_db()
    assert (job.state, job.problem) == (JobState.FAILED, Problem.PLACE_REFUSED)


def test_the_database_holds_what_a_file_is_of(lived: Runtime, auditor: User, work: Work) -> None:
    job = asked(lived, auditor)
    stray = ExportJob(id=job.pk, by=auditor, filters={}, form=write_shape(MASKED),
                      asked_at=lived.now())  # fmt: skip
    jobs = ExportJob.objects
    tries: dict[str, Callable[[], object]] = {
        "another filter": lambda: jobs.update(filters={"region": "sgp"}),
        "unmasked": lambda: jobs.update(form=write_shape(Shape(is_masked=False))),
        "another's": lambda: jobs.update(by=User.objects.create_superuser("root")),
        "another place": lambda: jobs.update(place="elsewhere"),
        "deleted": lambda: jobs.all().delete(),
        "of no export": lambda: jobs.bulk_create([_renamed(stray)]),
    }
    assert {name: refusal(act) for name, act in tries.items()} == dict.fromkeys(
        tries, RESTRICT_VIOLATION
    )
    work()
    late: dict[str, Callable[[], object]] = {
        "another digest": lambda: jobs.update(sha256="0" * 64),
        "more rows": lambda: jobs.update(rows=11),
        "made again": lambda: jobs.update(state=JobState.WAITING),
    }
    assert {name: refusal(act) for name, act in late.items()} == dict.fromkeys(
        late, RESTRICT_VIOLATION
    )


def _renamed(job: ExportJob) -> ExportJob:
    job.pk = uuid4()
    return job


def test_the_record_holds_and_a_changed_file_is_named(
    lived: Runtime, auditor: User, work: Work
) -> None:
    asked(lived, auditor)
    work()
    seal(lived)
    assert verify(runtime=lived).faults == ()
    with unguarded("verification_export_job"):
        ExportJob.objects.update(rows=ATTEMPTS - 1)
    assert any("the file of export" in each.sentence for each in verify(runtime=lived).faults)
