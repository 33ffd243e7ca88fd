"""The whole work of web and worker, done with the rights of their roles."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from tests.conftest import OpenToken
from tests.integration.database.roles import Login, Roles, acting_as, owner
from tests.integration.keys.rings import BOTH, ONLY_NEW, holding, opened
from tests.integration.ledger.lives import RAW, Lives, ahead, seal
from tests.integration.policies.changing import propose, put_in_force
from verification.admin.clients import ClientAdmin
from verification.ledger.canonical import canonical
from verification.models import (
    ApiClient,
    Evidence,
    EvidenceKey,
    LedgerEntry,
    PolicyReplay,
    StagedEntry,
)
from verification.models.erasure import LegalBasis
from verification.models.reveal import Purpose
from verification.selectors.attempts import AttemptQuery
from verification.selectors.exports import attempts_file
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.expiring import continue_runs
from verification.services.exporting import record_export
from verification.services.holding import lift_hold, place_hold
from verification.services.policies import decide_policy, withdraw_policy
from verification.services.privileges import Kind
from verification.services.reaper import reap
from verification.services.replaying import cancel_replay, continue_replays, request_replay
from verification.services.retention import cancel_run, decide_run, request_run, set_rule
from verification.services.reveals import reveal
from verification.services.rotation import rotate_keys
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.services.verifying import record_verification, verify

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.django_db(transaction=True)
def test_submissions_run_as_web_and_the_log_as_worker(
    roles: Roles, client_app: ApiClient, runtime: Runtime, open_token: OpenToken
) -> None:
    lives = Lives(client_app, runtime, open_token)
    with acting_as(roles[Kind.WEB]):
        for live in (lives.submitted, lives.keyed, lives.sent_again, lives.late, lives.settled):
            live()
        open_send = lives.sending()
    with acting_as(roles[Kind.WORKER]):
        assert reap(runtime=ahead(runtime, 60)).in_doubt == 1
        seal(runtime)
        outcome = verify(runtime=runtime)
        record_verification(outcome, started_at=runtime.now(), runtime=runtime)
    assert outcome.holds, outcome.faults
    assert LedgerEntry.objects.filter(attempt_id=open_send).count() >= 2
    assert not StagedEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_evidence_is_revealed_and_erased_and_attempts_exported_as_web(
    roles: Roles, client_app: ApiClient, runtime: Runtime, open_token: OpenToken
) -> None:
    attempt_id = Lives(client_app, runtime, open_token).settled()
    first, second = (User.objects.create_superuser(name) for name in ("first", "second"))
    reason = "asked for by letter of today"
    with acting_as(roles[Kind.WEB]):
        evidence = Evidence.objects.get(attempt_id=attempt_id, kind="raw_answer")
        shown = reveal(
            evidence_id=evidence.pk,
            officer=first,
            purpose=Purpose.AUDIT,
            reason=reason,
            runtime=runtime,
        )
        asked = request_erasure(
            attempt_id=attempt_id,
            legal_basis=LegalBasis.SUBJECT_REQUEST,
            reason=reason,
            by=first,
            runtime=runtime,
        )
        decide_erasure(erasure_id=asked.pk, approve=True, by=second, runtime=runtime)
        record_export(
            by="first",
            interface="api",
            client_id=client_app.pk,
            query=AttemptQuery(),
            runtime=runtime,
            sleep=lambda _: None,
        )
        csv = b"".join(attempts_file(AttemptQuery()))
    assert shown.content == RAW
    assert str(attempt_id).encode() in csv
    assert EvidenceKey.objects.get(attempt_id=attempt_id).sealed is None
    with acting_as(roles[Kind.WORKER]):
        seal(runtime)
        assert verify(runtime=runtime).holds


@pytest.mark.django_db(transaction=True)
def test_rules_holds_and_runs_are_made_as_web_and_done_as_worker(
    roles: Roles, client_app: ApiClient, runtime: Runtime, open_token: OpenToken
) -> None:
    lives = Lives(client_app, ahead(runtime, -100 * 86_400), open_token)
    due, held = lives.settled(), lives.settled()
    first, second = (User.objects.create_superuser(name) for name in ("first", "second"))
    reason = "the time of these is over"
    with acting_as(roles[Kind.WEB]):
        set_rule(
            what="evidence",
            kind=None,
            region=None,
            days="60",
            note=reason,
            by=first,
            runtime=runtime,
        )
        one, other = (
            place_hold(
                attempt_id=held, whole_subject=whole, reason=reason, by=first, runtime=runtime
            )
            for whole in (False, True)
        )
        lift_hold(hold_id=other.pk, reason=reason, by=second, runtime=runtime)
        run = request_run(reason=reason, by=first, runtime=runtime)
        decide_run(run_id=run.pk, approve=True, by=second, runtime=runtime)
    with acting_as(roles[Kind.WORKER]):
        assert not continue_runs(runtime=runtime)
        seal(runtime)
        assert verify(runtime=runtime).faults == ()
    assert EvidenceKey.objects.get(sealed=None).pk == due
    assert one.lifted_at is None
    lives.settled()
    with acting_as(roles[Kind.WEB]):
        run = request_run(reason=reason, by=first, runtime=runtime)
        cancel_run(run_id=run.pk, by=second, runtime=runtime)


@pytest.mark.django_db(transaction=True)
def test_keys_are_wrapped_anew_as_worker(
    roles: Roles,
    client_app: ApiClient,
    key_pair: tuple[str, str],
    runtime: Runtime,
    open_token: OpenToken,
) -> None:
    Lives(client_app, runtime, open_token).settled()
    with acting_as(roles[Kind.WORKER]):
        done = rotate_keys(runtime=holding(runtime, BOTH))
        seal(runtime)
    assert (done.evidence_keys, done.api_keys, done.broken) == (1, 1, 0)
    assert opened(ONLY_NEW)


@pytest.mark.django_db(transaction=True)
def test_staff_sign_in_and_manage_staff_as_web(roles: Roles) -> None:
    User.objects.create_superuser("chief", password="a long pass phrase")
    browser = Client()
    with acting_as(roles[Kind.WEB]):
        assert browser.login(username="chief", password="a long pass phrase")
        for page in ("", "verification/verificationattempt/", "auth/user/", "auth/group/add/"):
            assert browser.get(f"/admin/{page}").status_code == 200, page
        made = browser.post("/admin/auth/group/add/", {"name": "trainees"})
        assert made.status_code == 302
        gone = browser.post(
            f"/admin/auth/group/{Group.objects.get(name='trainees').pk}/delete/", {"post": "yes"}
        )
        assert gone.status_code == 302
        # An account is switched off: deleting one would delete its actions.
        kept = User.objects.create_user("trainee")
        refused = browser.post(f"/admin/auth/user/{kept.pk}/delete/", {"post": "yes"})
        assert refused.status_code == 409
        browser.logout()
    assert not Group.objects.filter(name="trainees").exists()


@pytest.mark.django_db(transaction=True)
def test_what_the_web_role_may_not_do_is_refused_in_plain_words(
    roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that asks for more than the role may, as a fault of ours would."""
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("chief"))

    def delete_all(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM verification_attempt")

    monkeypatch.setattr(ClientAdmin, "list_page", delete_all)
    with acting_as(roles[Kind.WEB]):
        answer = browser.get("/admin/verification/apiclient/")
        browser.logout()
    assert answer.status_code == 403
    assert "no-store" in answer.headers["Cache-Control"]
    assert "nothing was done" in answer.content.decode()


def role_url(login: Login) -> str:
    """Return the test's database as DATABASE_URL has it, for a role."""
    settings = connection.settings_dict
    host = quote(str(settings["HOST"]), safe="")
    place = f"{host}:{settings['PORT'] or 5432}/{settings['NAME']}"
    return f"postgres://{login.user}:{login.password}@{place}"


def wait_until(true: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Return when something has come true."""
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture
def empty_queue(transactional_db: None) -> Iterator[None]:
    """Empty the queue afterwards, which Django's flush leaves as it is."""
    yield
    owner("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def test_the_worker_process_runs_jobs_and_sequencer_as_its_role(
    roles: Roles, empty_queue: None, tmp_path: Path
) -> None:
    own = {
        "DATABASE_URL": role_url(roles[Kind.WORKER]),
        "DATABASE_ROLE": "worker",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "LOCAL_DIR": str(tmp_path),
        "LOG_LEVEL": "INFO",
    }
    log = tmp_path / "worker.log"
    command = [sys.executable, "manage.py", "worker_run"]
    stage([canonical({"kind": "test.staged"})])
    with log.open("wb") as output:
        worker = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | own, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        done = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
        wait_until(lambda: worker.poll() is not None or not StagedEntry.objects.exists())
        wait_until(lambda: worker.poll() is not None or ask(done) > 0)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait()
    assert "permission denied" not in log.read_text()
    assert ask("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'") == 0


def ask(query: str) -> int:
    """Return a number, as the owner."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_the_policy_is_changed_as_web_and_tried_out_as_worker(
    roles: Roles, client_app: ApiClient, runtime: Runtime, open_token: OpenToken
) -> None:
    first, second = (User.objects.create_superuser(name) for name in ("first", "second"))
    with acting_as(roles[Kind.WEB]):
        Lives(client_app, runtime, open_token).settled()
        put_in_force(first, second, runtime, margin="3")
        decide_policy(
            version=propose(first, runtime, margin="4").version,
            approve=False,
            by=second,
            runtime=runtime,
        )
        withdraw_policy(
            version=propose(first, runtime, margin="5").version, by=first, runtime=runtime
        )
        asked = request_replay(version=2, days=1, by=first, runtime=ahead(runtime, 1))
        other = request_replay(version=1, days=2, by=first, runtime=ahead(runtime, 1))
        cancel_replay(replay_id=other.pk, by=second, runtime=runtime)
    with acting_as(roles[Kind.WORKER]):
        while continue_replays(runtime=runtime):
            pass
        seal(runtime)
        outcome = verify(runtime=runtime)
    assert outcome.holds, outcome.faults
    assert PolicyReplay.objects.get(pk=asked.pk).state == "done"
    assert PolicyReplay.objects.get(pk=asked.pk).done == 1
