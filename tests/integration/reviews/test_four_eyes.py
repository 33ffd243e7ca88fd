"""Two people are two, whoever writes: raw SQL, the ORM, a superuser, with settings of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from tests.factories import NOON, make_attempt
from tests.integration.database.conftest import execute, refusal
from tests.integration.reviews.conftest import make_review
from verification.identifiers import uuid7
from verification.models import Review, ReviewStep
from verification.policy.terms import Decision
from verification.services import reviews
from verification.services.errors import FourEyesError, ReviewStateError
from verification.services.runtime import Runtime

GUARD = "23001"
CHECK = "23514"
LATER = NOON + timedelta(minutes=5)


def step(review: Review, kind: str, by: User, at: datetime = NOON, **more: Any) -> ReviewStep:
    """Forge a step as somebody would who can write into the table."""
    values = {"decision": "approved", "reason_code": "same_person", "round": review.round, **more}
    return ReviewStep.objects.create(
        id=uuid7(at), review=review, kind=kind, by=by, by_name=by.username, at=at, **values
    )


def update(review_id: UUID, **columns: Any) -> Callable[[], int]:
    return partial(Review.objects.filter(pk=review_id).update, **columns)


def proposed(by: User, at: datetime = NOON) -> dict[str, Any]:
    return {
        "state": "proposed",
        "decision": "approved",
        "reason_code": "same_person",
        "proposed_by": by,
        "proposed_at": at,
    }


def decided(by: User, at: datetime = NOON) -> dict[str, Any]:
    return {
        "state": "decided",
        "decision": "approved",
        "reason_code": "same_person",
        "decided_by": by,
        "decided_at": at,
    }


@pytest.fixture
def flagged(db: None) -> Review:
    """Return a review that two people must decide."""
    return make_review("device_tag", needs_second=True)


@pytest.fixture
def proposal(flagged: Review, officer: User, noon: Runtime) -> Review:
    """Return it with an officer's proposal."""
    return reviews.decide(
        attempt_id=flagged.pk, decision=Decision.APPROVED, reason_code="same_person", note="",
        by=officer, runtime=noon,
    )  # fmt: skip


def test_nobody_decides_alone_what_two_must(flagged: Review, chief: User) -> None:
    step(flagged, "decided", chief)
    assert refusal(update(flagged.pk, **decided(chief))) == GUARD
    both = {**proposed(chief), **decided(chief)}
    assert refusal(update(flagged.pk, **both)) == GUARD


def test_nobody_is_the_second_person_of_themselves(flagged: Review, chief: User) -> None:
    step(flagged, "proposed", chief)
    update(flagged.pk, **proposed(chief))()
    step(flagged, "decided", chief, LATER)
    assert refusal(update(flagged.pk, **decided(chief, LATER))) in {GUARD, CHECK}


def test_two_are_due_for_ever(flagged: Review) -> None:
    assert refusal(update(flagged.pk, needs_second=False)) == GUARD


def test_a_decision_is_not_decided_without_its_step(
    proposal: Review, approver: User, officer: User
) -> None:
    assert refusal(update(proposal.pk, **decided(approver))) == GUARD
    step(proposal, "decided", officer, LATER)
    assert refusal(update(proposal.pk, **decided(approver, LATER))) == GUARD
    step(proposal, "noted", approver, LATER)
    assert refusal(update(proposal.pk, **decided(approver, LATER))) == GUARD
    step(proposal, "decided", approver, LATER, decision="rejected", reason_code="other_person")
    assert refusal(update(proposal.pk, **decided(approver, LATER))) == GUARD
    step(proposal, "decided", approver, LATER, round=7)
    assert refusal(update(proposal.pk, **decided(approver, LATER))) == GUARD


def test_the_second_cannot_change_what_was_proposed(proposal: Review, approver: User) -> None:
    other = {"decision": "rejected", "reason_code": "other_person"}
    step(proposal, "decided", approver, LATER, **other)
    assert refusal(update(proposal.pk, **{**decided(approver, LATER), **other})) == GUARD
    assert refusal(update(proposal.pk, proposed_by=approver)) == GUARD
    assert refusal(update(proposal.pk, **other)) == GUARD


@pytest.mark.parametrize("taken", ["role", "active", "staff"])
def test_who_may_no_longer_cannot_agree(taken: str, proposal: Review, approver: User) -> None:
    step(proposal, "decided", approver, LATER)
    if taken == "role":
        approver.groups.clear()
    else:
        User.objects.filter(pk=approver.pk).update(**{f"is_{taken}": False})
    assert refusal(update(proposal.pk, **decided(approver, LATER))) == GUARD


def test_an_officers_agreement_is_none(proposal: Review, colleague: User) -> None:
    step(proposal, "decided", colleague, LATER)
    assert refusal(update(proposal.pk, **decided(colleague, LATER))) == GUARD


def test_a_permission_of_ones_own_counts_like_a_roles(proposal: Review, colleague: User) -> None:
    permission = Group.objects.get(name="approver").permissions.get(codename="second_review")
    colleague.user_permissions.add(permission)
    step(proposal, "decided", colleague, LATER)
    assert refusal(update(proposal.pk, **decided(colleague, LATER))) == ""


def test_glass_is_broken_by_who_may_and_with_a_step(
    flagged: Review, approver: User, chief: User
) -> None:
    broken = {**decided(approver), "glass_broken": True}
    step(flagged, "glass_broken", approver)
    assert refusal(update(flagged.pk, **broken)) == GUARD
    broken = {**decided(chief), "glass_broken": True}
    assert refusal(update(flagged.pk, **broken)) == GUARD
    step(flagged, "glass_broken", chief)
    assert refusal(update(flagged.pk, **broken)) == ""


def test_glass_is_not_put_back(flagged: Review, chief: User) -> None:
    step(flagged, "glass_broken", chief)
    update(flagged.pk, **{**decided(chief), "glass_broken": True})()
    assert refusal(update(flagged.pk, glass_broken=False)) == GUARD


def test_a_review_does_not_begin_decided(chief: User, officer: User) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="review", reasons=["in_doubt"])
    begin = {
        "attempt": attempt, "client": attempt.client, "reasons": [], "needs_second": False,
        "round": 1, "priority": 3, "opened_at": NOON, "due_at": NOON,
    }  # fmt: skip
    create = Review.objects.create
    assert refusal(partial(create, **begin, **decided(chief))) == GUARD
    assert refusal(partial(create, **begin, **proposed(officer))) == GUARD
    assert refusal(partial(create, **{**begin, "round": 2}, state="open")) == GUARD
    bulk = partial(Review.objects.bulk_create, [Review(**begin, **decided(chief))])
    assert refusal(bulk) == GUARD


def test_a_policys_decision_is_not_overridden_by_one(db: None) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="approved", reasons=[])
    begin = {
        "attempt": attempt, "client": attempt.client, "reasons": [], "state": "open",
        "round": 1, "priority": 3, "opened_at": NOON, "due_at": NOON,
    }  # fmt: skip
    assert refusal(partial(Review.objects.create, **begin, needs_second=False)) == GUARD
    assert refusal(partial(Review.objects.create, **begin, needs_second=True)) == ""


def test_what_was_decided_is_reopened_by_a_step_of_who_may(
    proposal: Review, approver: User, officer: User, noon: Runtime
) -> None:
    done = reviews.second(attempt_id=proposal.pk, note="", by=approver, runtime=noon)
    again = {
        "state": "open", "round": 2, "decision": None, "reason_code": None,
        "proposed_by": None, "proposed_at": None, "decided_by": None, "decided_at": None,
    }  # fmt: skip
    assert refusal(update(done.pk, **again)) == GUARD
    step(done, "reopened", officer, LATER, round=2)
    assert refusal(update(done.pk, **again)) == GUARD
    step(done, "reopened", approver, LATER, round=2)
    assert refusal(update(done.pk, **{**again, "round": 3})) == GUARD
    assert refusal(update(done.pk, **again)) == ""


@pytest.mark.parametrize(
    "setting",
    [
        "SET LOCAL session_replication_role = replica",
        "SELECT set_config('verification.actor', 'anna', true)",
        "SET LOCAL search_path = pg_temp, public, pg_catalog",
        "SET LOCAL row_security = off",
    ],
)
def test_no_setting_makes_one_person_two(setting: str, flagged: Review, chief: User) -> None:
    step(flagged, "proposed", chief)
    step(flagged, "decided", chief, LATER)

    def attack() -> None:
        execute("CREATE TEMPORARY TABLE verification_review_step (a int) ON COMMIT DROP")
        execute(setting)
        execute(
            "UPDATE public.verification_review SET state = 'decided', decision = 'approved',"
            " reason_code = 'same_person', decided_by_id = %s, decided_at = %s",
            chief.pk,
            LATER,
        )

    assert refusal(attack) == GUARD


def test_a_function_of_ones_own_does_not_say_who_may(flagged: Review, officer: User) -> None:
    step(flagged, "glass_broken", officer)

    def attack() -> None:
        execute("CREATE SCHEMA scratch")
        execute(
            "CREATE FUNCTION scratch.verification_may(integer, text) RETURNS boolean"
            " LANGUAGE sql AS 'SELECT true'"
        )
        execute("SET LOCAL search_path = scratch, public")
        update(flagged.pk, **{**decided(officer), "glass_broken": True})()

    assert refusal(attack) == GUARD


def test_a_step_stays_as_it_was_taken(proposal: Review) -> None:
    steps = ReviewStep.objects.filter(review=proposal)
    assert refusal(partial(steps.update, by_name="somebody")) == GUARD
    assert refusal(lambda: steps.get().delete()) == GUARD
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert refusal(partial(execute, "TRUNCATE verification_review_step CASCADE")) == GUARD


def test_a_review_is_never_gone(flagged: Review) -> None:
    assert refusal(lambda: Review.objects.filter(pk=flagged.pk).delete()) == GUARD
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert refusal(partial(execute, "TRUNCATE verification_review CASCADE")) == GUARD


@pytest.mark.django_db(transaction=True)
def test_of_many_who_agree_at_once_one_does(chief: User, noon: Runtime) -> None:
    review = make_review(needs_second=True)
    reviews.decide(
        attempt_id=review.pk, decision=Decision.APPROVED, reason_code="same_person", note="",
        by=chief, runtime=noon,
    )  # fmt: skip
    people = [chief, *(User.objects.create_superuser(f"boss-{number}") for number in range(7))]

    def agree(person: User) -> str:
        try:
            reviews.second(attempt_id=review.pk, note="", by=person, runtime=noon)
        except (FourEyesError, ReviewStateError) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "agreed"

    with ThreadPoolExecutor(len(people)) as pool:
        said = list(pool.map(agree, people))
    assert said.count("agreed") == 1
    assert said[0] != "agreed"
    assert ReviewStep.objects.filter(kind="decided").count() == 1
