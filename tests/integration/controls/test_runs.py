"""Runs are kept, told by the log, and reachable by the worker, the web process and a command."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import DatabaseError, connection

from tests.integration.controls.breaking import House, verify_once
from tests.integration.database.roles import Roles, acting_as
from tests.integration.ledger.lives import seal
from tests.owner import unguarded
from verification.controls.matrix import BY_ID
from verification.controls.results import State, digest
from verification.jobs import check_all_controls
from verification.ledger.canonical import parse
from verification.models import ControlResult, ControlRun, LedgerEntry, StagedEntry
from verification.models.control import Origin
from verification.services.control_runs import check_as_staff, check_controls, results_of
from verification.services.errors import NotPermittedError
from verification.services.privileges import Kind
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def _run(runtime: Runtime) -> ControlRun:
    return check_controls(origin=Origin.COMMAND, name="command:ops", runtime=runtime)


def test_a_run_is_kept_and_its_entry_has_the_digest_of_its_results(runtime: Runtime) -> None:
    run = _run(runtime)
    found = results_of(ControlRun.objects.get())
    assert set(found) == set(BY_ID)
    assert digest(found) == run.digest
    entry = parse(bytes(StagedEntry.objects.order_by("-no")[0].raw))
    assert (entry["kind"], entry["digest"], entry["run"]) == (
        "controls.checked",
        run.digest,
        str(run.pk),
    )
    assert entry["holds"] + entry["fails"] + entry["unknown"] == len(BY_ID)  # type: ignore[operator]


def test_the_log_with_a_run_in_it_verifies(runtime: Runtime) -> None:
    _run(runtime)
    seal(runtime)
    assert LedgerEntry.objects.filter(kind="controls.checked").exists()
    assert verify(runtime=runtime).faults == ()


@pytest.mark.parametrize("table", ["verification_control_run", "verification_control_result"])
@pytest.mark.parametrize("deed", ["DELETE FROM {}", "UPDATE {} SET id = id", "TRUNCATE {} CASCADE"])
def test_what_was_found_cannot_be_taken_back(runtime: Runtime, table: str, deed: str) -> None:
    _run(runtime)
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="verification_control"):
        cursor.execute(deed.format(table))
    assert ControlResult.objects.count() == len(BY_ID)


SLIPPED_IN = """
    INSERT INTO verification_control_run (id, started_at, finished_at, origin, by_name, digest,
        holds, fails, unknown)
    SELECT gen_random_uuid(), started_at, finished_at, origin, by_name, digest,
        holds, fails, unknown
    FROM verification_control_run
"""
ATTACKS = {
    "a better state": (
        "UPDATE verification_control_result SET state = 'holds' WHERE control = 'rights_sealed'",
        "has other results",
    ),
    "another sentence": (
        "UPDATE verification_control_result SET sentence = 'Fine.' WHERE control = 'guards'",
        "has other results",
    ),
    "other evidence": (
        "UPDATE verification_control_result SET evidence = '{}' WHERE control = 'guards'",
        "has other results",
    ),
    "a result taken away": (
        "DELETE FROM verification_control_result WHERE control = 'rights_sealed'",
        "has other results",
    ),
    "all of them taken away": ("DELETE FROM verification_control_result", "has other results"),
    "other counts": ("UPDATE verification_control_run SET fails = 0", "differs"),
    "another digest": ("UPDATE verification_control_run SET digest = repeat('0', 64)", "differs"),
    "another time": (
        "UPDATE verification_control_run SET started_at = started_at + interval '1 day'",
        "differs",
    ),
    "somebody else": ("UPDATE verification_control_run SET by_name = 'auditor'", "differs"),
    "a run taken away": (
        "DELETE FROM verification_control_result; DELETE FROM verification_control_run",
        "is gone",
    ),
    "a run slipped in": (
        SLIPPED_IN,
        "is in no entry",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_owner_changes_past_the_guards_is_found(runtime: Runtime, attack: str) -> None:
    _run(runtime)
    seal(runtime)
    statement, named = ATTACKS[attack]
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(statement)
    [fault] = verify(runtime=runtime).faults
    assert "check of the controls" in fault.sentence
    assert named in fault.sentence


@pytest.mark.parametrize("kind", Kind)
def test_each_process_may_check_and_keep_with_its_own_role(
    runtime: Runtime, roles: Roles, kind: Kind
) -> None:
    with acting_as(roles[kind]):
        run = _run(runtime)
    found = results_of(run)
    unknown = [each for each, result in found.items() if result.state == State.UNKNOWN]
    assert unknown == []


def test_the_worker_checks_daily_and_raises_an_alert(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    check_all_controls.func(timestamp=0)
    assert ControlRun.objects.get().origin == "worker"
    assert "controls" in caplog.text


def test_staff_need_the_permission(runtime: Runtime) -> None:
    officer = User.objects.create_user("officer", is_staff=True)
    officer.groups.add(Group.objects.get(name="officer"))
    with pytest.raises(NotPermittedError):
        check_as_staff(by=officer, runtime=runtime)
    auditor = User.objects.create_user("auditor", is_staff=True)
    auditor.groups.add(Group.objects.get(name="auditor"))
    assert check_as_staff(by=auditor, runtime=runtime).by == auditor


def _command(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("controls_check", *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_fails_in_words_and_by_its_exit_code() -> None:
    code, said = _command()
    assert code == 1
    assert "FAILS    rights_sealed      Rights are not sealed" in said
    assert len(said.splitlines()) == len(BY_ID)
    assert ControlRun.objects.get().by_name.startswith("command:")


def test_the_command_looks_at_some_without_keeping_it(house: House) -> None:
    verify_once(house)
    code, said = _command("--only", "ledger_verified", "--json")
    assert code == 0
    assert json.loads(said)["ledger_verified"]["state"] == "holds"
    assert not ControlRun.objects.exists()


def test_the_command_tells_what_could_not_be_checked() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE verification_reveal RENAME TO verification_reveal_away")
    try:
        code, said = _command("--only", "reveals_on_record")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE verification_reveal_away RENAME TO verification_reveal")
    assert code == 2
    assert said.startswith("UNKNOWN")
