"""The auditor's pack: on record before it leaves, complete, and checkable without us."""

import csv
import hashlib
import io
import json
import re
import subprocess
import zipfile
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.integration.controls.test_pages import browser_of
from tests.integration.ledger.lives import Lives, seal
from verification.controls.matrix import BY_ID
from verification.ledger.canonical import parse
from verification.ledger.checkpoint import open_checkpoint
from verification.models import (
    ControlRun,
    ReviewPolicy,
    StagedEntry,
    VerificationAttempt,
)
from verification.models.control import Origin
from verification.services.control_pack import pack_files, take_pack, zipped
from verification.services.control_runs import check_controls
from verification.services.errors import NotPermittedError
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

PACK = "/admin/verification/controlrun/pack/"
HOWTO = Path(__file__).resolve().parents[3] / "docs/how-to/hand-over-to-an-auditor.md"


@pytest.fixture
def auditor() -> Client:
    return browser_of("auditor")


@pytest.fixture
def run(runtime: Runtime) -> ControlRun:
    return check_controls(origin=Origin.WORKER, name="worker", runtime=runtime)


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the files of a pack."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_one_click_gives_a_pack_that_is_on_record(auditor: Client, run: ControlRun) -> None:
    answer = auditor.post(PACK)
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["Content-Type"] == "application/zip"
    assert "no-store" in answer.headers["Cache-Control"]
    entry = parse(bytes(StagedEntry.objects.order_by("-no")[0].raw))
    assert entry["kind"] == "controls.packed"
    assert (entry["by"], entry["run"]) == ("someone", str(run.pk))
    assert entry["pack"] == answer.headers["Verification-Pack"]
    assert str(entry["pack"]) in unpack(answer.content)["README.txt"].decode()


def test_what_cannot_be_recorded_does_not_leave(auditor: Client, run: ControlRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE verification_ledger_stage RENAME TO staged_away")
    try:
        auditor.raise_request_exception = False
        answer = auditor.post(PACK)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE staged_away RENAME TO verification_ledger_stage")
    assert answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    assert not answer.content.startswith(b"PK")


def test_the_pack_is_complete_and_its_sums_are_right(
    auditor: Client, run: ControlRun, runtime: Runtime
) -> None:
    seal(runtime)
    files = unpack(auditor.post(PACK).content)
    named = set(re.findall(r"`([\w.]+\.\w+)`", HOWTO.read_text())) - {"controls.packed"}
    assert named | {"SHA256SUMS"} == set(files)
    assert all(content for content in files.values())
    lines = [each.split("  ") for each in files["SHA256SUMS"].decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "SHA256SUMS"
    }
    told = json.loads(files["results.json"])
    assert (told["digest"], set(told["results"])) == (run.digest, set(BY_ID))
    open_checkpoint(files["checkpoint.txt"], log_keys=runtime.conf.ledger_vkeys)
    assert files["vkeys.txt"].decode().split() == [str(each) for each in runtime.conf.ledger_vkeys]
    roles = list(csv.DictReader(io.StringIO(files["roles.csv"].decode())))
    assert ("someone", "auditor") in {(each["account"], each["role"]) for each in roles}
    assert len(json.loads(files["policies.json"])) == ReviewPolicy.objects.count()
    assert json.loads(files["guards.json"])["lifted"] == []


def test_the_command_of_the_readme_gives_the_digest(
    auditor: Client, run: ControlRun, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(auditor.post(PACK).content)) as archive:
        archive.extractall(tmp_path)
    readme = (tmp_path / "README.txt").read_text()
    command = next(each for each in readme.splitlines() if "python3 -c" in each)
    said = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == run.digest
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)


def test_nothing_in_it_is_about_a_subject(
    auditor: Client, lives: Lives, runtime: Runtime, run: ControlRun
) -> None:
    lives.settled()
    seal(runtime)
    check_controls(origin=Origin.WORKER, name="worker", runtime=runtime)
    said = b"\n".join(unpack(auditor.post(PACK).content).values())
    for each in VerificationAttempt.objects.all():
        for value in (each.subject, each.biz_no, str(each.pk), each.request_id):
            assert not value or value.encode() not in said, value


def test_the_same_things_at_the_same_time_are_the_same_bytes(
    run: ControlRun, runtime: Runtime
) -> None:
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    packs = {
        zipped(pack_files(run=run, at=at, pack=run.pk, runtime=runtime), at=at) for _ in range(2)
    }
    assert len(packs) == 1


def test_before_the_first_check_and_checkpoint_there_is_a_pack_too(auditor: Client) -> None:
    files = unpack(auditor.post(PACK).content)
    assert json.loads(files["results.json"]) is None
    assert b"never checked" in files["matrix.html"]


def test_a_name_is_no_formula(auditor: Client) -> None:
    User.objects.create_user("=cmd()", is_staff=True)
    assert "\r\n'=cmd()," in unpack(auditor.post(PACK).content)["roles.csv"].decode()


def test_others_get_none(runtime: Runtime) -> None:
    browser = browser_of("officer", "other")
    assert browser.post(PACK).status_code == HTTPStatus.FORBIDDEN
    with pytest.raises(NotPermittedError):
        take_pack(by=User.objects.get(username="other"), runtime=runtime)
    kinds = {parse(bytes(each.raw))["kind"] for each in StagedEntry.objects.all()}
    assert "controls.packed" not in kinds
