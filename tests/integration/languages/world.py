"""A house with something on every page: attempts in each state, reviews, erasures, a policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from tests.factories import ANSWERS, ERRORS, make_attempt, make_bearer_key, make_session
from tests.integration.desk.waiting import make_review
from tests.integration.ledger.lives import Lives, ahead, seal
from tests.integration.policies.changing import document
from verification.identifiers import uuid7
from verification.models import (
    Evidence,
    ExportJob,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerVerification,
)
from verification.models.erasure import LegalBasis
from verification.models.export_job import Problem
from verification.models.reveal import Purpose
from verification.models.rights import Growth
from verification.policy.terms import Decision, Priority
from verification.selectors.export_form import Layout
from verification.selectors.record import AttemptFilter
from verification.services import review_queue, reviews
from verification.services.control_runs import check_as_staff
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.expiring import continue_runs
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import cancel_job, start_small_job
from verification.services.export_shape import Shape
from verification.services.export_work import work_on_exports
from verification.services.holding import lift_hold, place_hold
from verification.services.policies import propose_policy
from verification.services.prices import set_price
from verification.services.replaying import continue_replays, request_replay
from verification.services.retention import cancel_run, decide_run, request_run, set_rule
from verification.services.reveals import reveal
from verification.services.rights import break_glass_for_rights, decide_rights, request_rights
from verification.services.rollups import rebuild
from verification.services.runtime import Runtime
from verification.services.staff_exports import Wanted, decide_export, request_export
from verification.services.subject_erasing import (
    continue_subject_erasures,
    decide_subject_erasure,
    request_subject_erasure,
)
from verification.services.subject_reports import take_subject_report

WHY = "0123456789 0123456789"
"""A reason that is in no language."""

OLD_S = 100 * 86_400
"""Older than the rule of an installation allows."""

ADMIN = "admin:verification_"


def person(name: str) -> User:
    """Store somebody who may do all."""
    return User.objects.create_superuser(name)


class Chosen(TypedDict):
    """A decision with its reason, for the services."""

    decision: Decision
    reason_code: str
    runtime: Runtime


@dataclass(frozen=True)
class House:
    """Who looks, and the path of every page there is to look at, by what it shows."""

    reader: User
    pages: dict[str, str]


@dataclass(frozen=True)
class Furnisher:
    """Fills the house through the services; each method returns the pages that it adds."""

    lives: Lives
    reader: User
    other: User

    def attempts(self) -> Iterator[tuple[str, str]]:
        """Add one of each outcome and state, one with everything, and sessions."""
        client = self.lives.client
        session = make_session(client)
        every = {each: make_attempt(each, client=client).pk for each in ANSWERS}
        for state in ("accepted", "sending", *ERRORS):
            every[state] = make_attempt(None, state=state, client=client).pk
        later = timezone.now() + timedelta(hours=1)
        make_session(client, created_at=timezone.now(), expires_at=later)
        for name, attempt_id in every.items():
            yield f"attempt {name}", self.attempt(attempt_id)
        yield "session", reverse(f"{ADMIN}verificationsession_change", args=[session.pk])
        yield "client", reverse(f"{ADMIN}apiclient_change", args=[client.pk])

    def disclosures(self) -> Iterator[tuple[str, str]]:
        """Add a reveal, and erasures that are asked for, refused and approved."""
        whole = self.lives.settled()
        runtime = self.lives.runtime
        item = Evidence.objects.get(attempt_id=whole, kind="image_best")
        reveal(
            evidence_id=item.pk, officer=self.reader, purpose=Purpose.DISPUTE, reason=WHY,
            runtime=runtime,
        )  # fmt: skip
        yield "attempt revealed", self.attempt(whole)
        for approve in (None, True, False):
            attempt_id = self.lives.settled()
            asked = request_erasure(
                attempt_id=attempt_id, legal_basis=LegalBasis.UNLAWFUL, reason=WHY, by=self.other,
                runtime=runtime,
            )  # fmt: skip
            if approve is not None:
                decide_erasure(
                    erasure_id=asked.pk, approve=approve, by=self.reader, runtime=runtime
                )
            yield f"erasure {approve}", reverse(f"{ADMIN}erasure_change", args=[asked.pk])
            yield f"attempt with erasure {approve}", self.attempt(attempt_id)

    def reviews(self) -> Iterator[tuple[str, str]]:
        """Add reviews in each state, with every kind of step."""
        runtime, by, other = self.lives.runtime, self.reader, self.other
        every = [make_review(needs_second=True, biz_no=f"B-{number}").pk for number in range(5)]
        waiting, proposed, decided, broken, snoozed = every
        chosen: Chosen = {
            "decision": Decision.APPROVED, "reason_code": "same_person", "runtime": runtime,
        }  # fmt: skip
        for each in (proposed, decided):
            reviews.decide(attempt_id=each, note=WHY, by=other, **chosen)
        reviews.second(attempt_id=decided, note=WHY, by=by, runtime=runtime)
        reviews.break_glass(attempt_id=broken, note=WHY, by=other, **chosen)
        reviews.note(attempt_id=waiting, text=f"{WHY} @{by.username}", by=other, runtime=runtime)
        review_queue.prioritise(
            attempt_id=waiting, priority=Priority.URGENT, note=WHY, by=by, runtime=runtime
        )
        review_queue.assign(attempt_id=waiting, assignee_id=other.pk, by=by, runtime=runtime)
        review_queue.take(attempt_id=waiting, by=by, runtime=runtime)
        until = runtime.now() + timedelta(hours=4)
        review_queue.snooze(attempt_id=snoozed, until=until, note=WHY, by=by, runtime=runtime)
        for number, each in enumerate(every):
            yield f"review {number}", self.attempt(each)

    def policy(self) -> Iterator[tuple[str, str]]:
        """Add a proposed version and what it would change."""
        runtime = self.lives.runtime
        row = propose_policy(
            document=document(margin="5"), note=WHY, by=self.other, runtime=runtime
        )
        asked = request_replay(version=row.version, days=366, by=self.reader, runtime=runtime)
        while continue_replays(runtime=runtime):
            pass
        fresh = request_replay(version=1, days=1, by=self.reader, runtime=runtime)
        for version in (1, row.version):
            yield f"policy {version}", reverse(f"{ADMIN}reviewpolicy_change", args=[version])
        for name, replay in (("done", asked), ("asked", fresh)):
            yield f"what-if {name}", reverse(f"{ADMIN}reviewpolicy_replay", args=[replay.pk])

    def rights(self) -> Iterator[tuple[str, str]]:
        """Add requests for rights that wait, were approved, refused, and broken glass."""
        runtime = self.lives.runtime
        for number, name in enumerate(("waits", "True", "False", "glass")):
            account = User.objects.create_user(f"a{number}", is_staff=True)
            ask = break_glass_for_rights if name == "glass" else request_rights
            change = ask(
                account_id=str(account.pk), growth=Growth.ROLE, reason=WHY, by=self.other,
                role_id=Group.objects.get(name="officer").pk, runtime=runtime,
            )  # fmt: skip
            if name in {"True", "False"}:
                decide_rights(
                    change_id=change.pk, approve=name == "True", by=self.reader, runtime=runtime
                )
            yield f"rights {name}", reverse(f"{ADMIN}rightschange_change", args=[change.pk])
        yield "rights asked for", reverse(f"{ADMIN}rightschange_request", args=[self.other.pk])
        yield "account", reverse("admin:auth_user_change", args=[self.other.pk])

    def exports(self) -> Iterator[tuple[str, str]]:
        """Add requests for exports that wait, were approved and refused."""
        runtime = self.lives.runtime
        for region, approve in (("sgp", None), ("idn", True), ("sandbox", False)):
            wanted = Wanted(AttemptFilter(region=region), WHY)
            row = request_export(wanted=wanted, by=self.other, runtime=runtime)
            if approve is not None:
                decide_export(request_id=row.pk, approve=approve, by=self.reader, runtime=runtime)
            yield f"export {approve}", reverse(f"{ADMIN}exportrequest_change", args=[row.pk])

    def files(self) -> Iterator[tuple[str, str]]:
        """Add files that are ready, expired, cancelled, failed and waiting, and a schedule."""
        runtime, by, given = self.lives.runtime, self.reader, {"which": AttemptFilter()}
        with TemporaryDirectory() as path:
            work = partial(work_on_exports, folder=ExportFolder(Path(path)), places={})
            for state in ("done", "expired", "failed", "cancelled", "waiting"):
                shape = Shape(is_gzipped=state == "done", layout=Layout.JSONL)
                job = start_small_job(**given, shape=shape, by=by, runtime=runtime)
                found = ExportJob.objects.filter(pk=job.pk)
                if state in ("done", "expired"):
                    work(runtime=runtime)
                if state == "cancelled":
                    cancel_job(job_id=job.pk, owner=by, runtime=runtime)
                elif state != "waiting":
                    problem = Problem.NO_SPACE if state == "failed" else None
                    found.update(state=state, problem=problem)
                yield f"file {state}", reverse(f"{ADMIN}exportjob_change", args=[job.pk])
        wanted = Wanted(AttemptFilter(), WHY, Shape(is_masked=False), "audit", "weekly")
        row = request_export(wanted=wanted, by=self.other, runtime=runtime)
        yield "schedule asked for", reverse(f"{ADMIN}exportrequest_change", args=[row.pk])
        decide_export(request_id=row.pk, approve=True, by=self.reader, runtime=runtime)
        yield "schedule", reverse(f"{ADMIN}exportrequest_change", args=[row.pk])

    def prices(self) -> Iterator[tuple[str, str]]:
        """Add a price, its correction and one of a region; months with and without calls."""
        for amount, region in (("0.9", None), ("0.085", None), ("0.07", "sandbox")):
            set_price(
                kind="verify", region=region, amount=amount, currency="USD",
                valid_from="2026-11-01", note=WHY, by=self.other, runtime=self.lives.runtime,
            )  # fmt: skip
        for month in ("2026-11", "2001-01", "x"):
            yield f"costs {month}", f"{reverse(f'{ADMIN}price_costs')}?month={month}"

    def retention(self) -> Iterator[tuple[str, str]]:
        """Add a rule, holds that stand and that was lifted, and runs in each state."""
        runtime = self.lives.runtime
        set_rule(
            what="evidence", kind="video_key", region="sandbox", days="30", note=WHY,
            by=self.other, runtime=runtime,
        )  # fmt: skip
        old = Lives(self.lives.client, ahead(runtime, -OLD_S), self.lives.open_token)
        due, held, _other = (old.settled() for _ in range(3))
        placed = [
            place_hold(
                attempt_id=held, whole_subject=whole, reason=WHY, by=self.other, runtime=runtime
            )
            for whole in (False, True)
        ]
        lift_hold(hold_id=placed[1].pk, reason=WHY, by=self.reader, runtime=runtime)
        for row in placed:
            name = f"hold {row.attempt_id is None}"
            yield name, reverse(f"{ADMIN}legalhold_change", args=[row.pk])
        yield "attempt under hold", self.attempt(held)
        for name in ("refused", "cancelled", "done", "asked"):
            if name == "asked":
                old.settled()
            run = request_run(reason=WHY, by=self.other, runtime=runtime)
            if name == "cancelled":
                cancel_run(run_id=run.pk, by=self.other, runtime=runtime)
            elif name != "asked":
                approve = name == "done"
                decide_run(run_id=run.pk, approve=approve, by=self.reader, runtime=runtime)
                continue_runs(runtime=runtime)
            yield f"run {name}", reverse(f"{ADMIN}retentionrun_change", args=[run.pk])
        yield "attempt expired", self.attempt(due)

    def controls(self) -> Iterator[tuple[str, str]]:
        """Check the controls once."""
        check_as_staff(by=self.reader, runtime=self.lives.runtime)
        yield "control", reverse(f"{ADMIN}controlrun_control", args=["rights_sealed"])

    def subjects(self) -> Iterator[tuple[str, str]]:
        """Take a report of a person of whom nothing is held."""
        take_subject_report(
            subject="nobody", client_id=None, by=self.reader, runtime=self.lives.runtime
        )
        yield "reports", reverse(f"{ADMIN}subjectreport_changelist")
        runtime = self.lives.runtime
        for name in ("waiting", "refused", "done", "working"):
            make_attempt("verified", client=self.lives.client, subject=name)
            row = request_subject_erasure(
                subject=name, client_id=None, legal_basis=LegalBasis.SUBJECT_REQUEST, reason=WHY,
                by=self.other, runtime=runtime,
            )  # fmt: skip
            if name != "waiting":
                decide_subject_erasure(
                    erasure_id=row.pk, approve=name != "refused", by=self.reader, runtime=runtime
                )
            if name == "done":
                continue_subject_erasures(runtime=runtime)
            yield f"person {name}", reverse(f"{ADMIN}subjecterasure_change", args=[row.pk])

    def log(self) -> Iterator[tuple[str, str]]:
        """Seal everything; add an entry of each kind, a checkpoint and a verification."""
        rebuild(runtime=self.lives.runtime)
        seal(self.lives.runtime)
        now = timezone.now()
        LedgerVerification.objects.create(
            id=uuid7(now), started_at=now, finished_at=now, size=3, attempts=2, result="held"
        )
        for entry in LedgerEntry.objects.order_by("kind", "index").distinct("kind"):
            yield f"entry {entry.kind}", reverse(f"{ADMIN}ledgerentry_change", args=[entry.index])
        size = LedgerCheckpoint.objects.latest("size").size
        yield "checkpoint", reverse(f"{ADMIN}ledgercheckpoint_change", args=[size])

    def attempt(self, attempt_id: UUID) -> str:
        """Return the path of an attempt's page."""
        return reverse(f"{ADMIN}verificationattempt_change", args=[attempt_id])


def furnish(lives: Lives) -> House:
    """Fill the house and list the pages of single things."""
    make_bearer_key(lives.client)
    reader, other = person("r1"), person("r2")
    house = Furnisher(lives, reader, other)
    found = [
        house.attempts(), house.disclosures(), house.reviews(), house.policy(), house.rights(),
        house.exports(), house.files(), house.prices(), house.retention(), house.controls(),
        house.subjects(), house.log(),
    ]  # fmt: skip
    return House(reader, {name: path for pages in found for name, path in pages})
