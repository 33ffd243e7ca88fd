"""A version takes two people; the database holds that against whoever writes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from tests.integration.ledger.lives import Lives, attempt
from tests.integration.policies.changing import (
    NOTE,
    document,
    entries,
    outcomes,
    propose,
    put_in_force,
)
from verification.ledger.canonical import MAX_BYTES, canonical
from verification.models import ReviewPolicy
from verification.models.policy import PolicyState
from verification.policy.document import BUILT_IN, write_document
from verification.services.errors import (
    BadPolicyError,
    BadReasonError,
    FourEyesError,
    NotPermittedError,
    PolicyDecidedError,
    SamePolicyError,
    ServiceError,
    UnknownPolicyError,
)
from verification.services.policies import decide_policy, propose_policy, withdraw_policy
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)


def states() -> dict[int, str]:
    """Return where each version stands."""
    return dict(ReviewPolicy.objects.order_by("version").values_list("version", "state"))


def test_a_version_is_proposed_by_one_and_put_in_force_by_another(
    paula: User, dora: User, runtime: Runtime
) -> None:
    row = propose(paula, runtime, margin="3")
    assert states() == {1: "active", 2: "proposed"}
    decided = decide_policy(version=row.version, approve=True, by=dora, runtime=runtime)
    assert states() == {1: "retired", 2: "active"}
    assert ReviewPolicy.objects.get(pk=1).retired_at == decided.decided_at
    proposed, activated = entries()
    assert (proposed["kind"], activated["kind"]) == ("policy.proposed", "policy.activated")
    assert (proposed["by"], activated["by"]) == ("paula", "dora")
    assert (proposed["by_id"], activated["by_id"]) == (str(paula.pk), str(dora.pk))
    digest = hashlib.sha256(row.document.encode()).hexdigest()
    for each in (proposed, activated):
        assert (each["version"], each["sha256"]) == (2, digest)
        assert canonical(each["document"]).decode() == row.document
    assert proposed["note_sha256"] == hashlib.sha256(NOTE.encode()).hexdigest()
    assert NOTE not in str([proposed, activated])
    assert activated["retired"]["version"] == 1


def test_attempts_are_judged_by_the_version_in_force_when_they_are_sent(
    lives: Lives, paula: User, dora: User, runtime: Runtime
) -> None:
    before = attempt(lives.submitted())
    strict = outcomes(verified="review")
    put_in_force(paula, dora, runtime, outcomes=strict)
    after = attempt(lives.submitted())
    assert (before.policy_version, before.verdict) == (1, "approved")
    assert (after.policy_version, after.verdict) == (2, "review")


def test_a_version_is_refused_or_withdrawn(paula: User, dora: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    propose(paula, runtime, margin="4")
    decide_policy(version=2, approve=False, by=dora, runtime=runtime)
    withdraw_policy(version=3, by=paula, runtime=runtime)
    assert states() == {1: "active", 2: "refused", 3: "withdrawn"}
    assert [each["kind"] for each in entries()][2:] == ["policy.refused", "policy.withdrawn"]


def test_who_decides_may_say_why(paula: User, dora: User, runtime: Runtime) -> None:
    said = "the committee wants stricter margins"
    for approve, margin in ((True, "3"), (False, "4")):
        version = propose(paula, runtime, margin=margin).version
        row = decide_policy(
            version=version, approve=approve, by=dora, runtime=runtime, note=f" {said}\n"
        )
        assert ReviewPolicy.objects.get(pk=row.pk).decision_note == said
        entry = entries()[-1]
        assert entry["note_sha256"] == hashlib.sha256(said.encode()).hexdigest()
    version = propose(paula, runtime, margin="5").version
    for bad in ("short", "a\u202eb with more words"):
        with pytest.raises(BadReasonError):
            decide_policy(version=version, approve=True, by=dora, runtime=runtime, note=bad)
    decide_policy(version=version, approve=True, by=dora, runtime=runtime, note="  ")
    assert "note_sha256" not in entries()[-1]
    assert ReviewPolicy.objects.get(pk=version).decision_note is None


def test_nobody_decides_on_their_own_proposal_superusers_included(runtime: Runtime) -> None:
    root = User.objects.create_superuser("root")
    row = propose(root, runtime, margin="3")
    with pytest.raises(FourEyesError):
        decide_policy(version=row.version, approve=True, by=root, runtime=runtime)
    with pytest.raises(FourEyesError):
        decide_policy(version=row.version, approve=False, by=root, runtime=runtime)
    assert states() == {1: "active", 2: "proposed"}


def test_nobody_withdraws_what_another_proposed(paula: User, dora: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    with pytest.raises(NotPermittedError):
        withdraw_policy(version=2, by=dora, runtime=runtime)


def test_the_permission_is_needed(paula: User, nobody: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    with pytest.raises(NotPermittedError):
        propose(nobody, runtime, margin="4")
    with pytest.raises(NotPermittedError):
        decide_policy(version=2, approve=True, by=nobody, runtime=runtime)
    with pytest.raises(NotPermittedError):
        withdraw_policy(version=2, by=nobody, runtime=runtime)
    User.objects.filter(pk=paula.pk).update(is_staff=False)
    with pytest.raises(NotPermittedError):
        propose(User.objects.get(pk=paula.pk), runtime, margin="4")
    assert len(entries()) == 1


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_version_is_decided_once(version: int, paula: User, dora: User, runtime: Runtime) -> None:
    put_in_force(paula, dora, runtime, margin="3")
    propose(paula, runtime, margin="4")
    decide_policy(version=3, approve=False, by=dora, runtime=runtime)
    with pytest.raises(PolicyDecidedError):
        decide_policy(version=version, approve=True, by=dora, runtime=runtime)
    with pytest.raises(PolicyDecidedError):
        withdraw_policy(version=version, by=paula, runtime=runtime)


def test_an_unknown_version_is_told(dora: User, runtime: Runtime) -> None:
    with pytest.raises(UnknownPolicyError):
        decide_policy(version=7, approve=True, by=dora, runtime=runtime)


def test_what_says_the_same_is_refused_in_whatever_order(paula: User, runtime: Runtime) -> None:
    tags = list(reversed(BUILT_IN["device_tags"]))  # type: ignore[arg-type]
    for same in ({}, {"margin": "2.0"}, {"device_tags": tags}):
        with pytest.raises(SamePolicyError, match="in force"):
            propose(paula, runtime, **same)
    propose(paula, runtime, margin="3")
    with pytest.raises(SamePolicyError, match="proposed"):
        propose(paula, runtime, margin="3.0")


def test_a_retired_version_may_come_back_as_a_new_one(
    paula: User, dora: User, runtime: Runtime
) -> None:
    put_in_force(paula, dora, runtime, margin="3")
    put_in_force(paula, dora, runtime)
    assert states() == {1: "retired", 2: "retired", 3: "active"}


@pytest.mark.parametrize(
    "bad", [{"margin": 2}, {"margin": "x"}, {"unknown": 1}, {"lease_minutes": 0}]
)
def test_what_is_no_policy_is_refused(bad: dict[str, Any], paula: User, runtime: Runtime) -> None:
    with pytest.raises(BadPolicyError):
        propose(paula, runtime, **bad)
    with pytest.raises(BadPolicyError):
        propose_policy(document=b'{"schema": 1}', note=NOTE, by=paula, runtime=runtime)
    assert states() == {1: "active"}


def test_a_document_that_no_entry_can_hold_leaves_nothing(paula: User, runtime: Runtime) -> None:
    tags = [f"{number:03}" + "\u4e2d" * 97 for number in range(200)]
    room = (MAX_BYTES - len(write_document(document(verify_tags=tags)))) // 297
    for levels in (tags[:room], tags):
        with pytest.raises(BadPolicyError, match="entry"):
            propose(paula, runtime, verify_tags=tags, device_levels=levels)
    assert states() == {1: "active"}
    assert entries() == []


@pytest.mark.parametrize("note", ["", "too short", "x" * 501, "control \x00 character"])
def test_a_note_that_says_nothing_is_refused(note: str, paula: User, runtime: Runtime) -> None:
    with pytest.raises(BadReasonError):
        propose_policy(document=document(margin="3"), note=note, by=paula, runtime=runtime)


def _in_threads(*calls: Any) -> list[str]:
    """Run calls at once, each with a connection of its own; return what each ended with."""

    def run(call: Any) -> str:
        try:
            call()
        except ServiceError as error:
            return type(error).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(run, calls))


def test_proposals_at_once_get_numbers_without_gaps(paula: User, runtime: Runtime) -> None:
    calls = [lambda n=n: propose(paula, runtime, margin=str(n)) for n in range(3, 11)]
    assert _in_threads(*calls) == ["done"] * 8
    assert sorted(states()) == list(range(1, 10))


def test_of_twins_proposed_at_once_one_is_refused(
    paula: User, dora: User, runtime: Runtime
) -> None:
    calls = [lambda by=by: propose(by, runtime, margin="3") for by in (paula, dora)]
    assert _in_threads(*calls) == ["SamePolicyError", "done"]


def test_of_two_decisions_at_once_one_counts(paula: User, dora: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    calls = [
        lambda approve=approve: decide_policy(version=2, approve=approve, by=dora, runtime=runtime)
        for approve in (True, False)
    ]
    assert _in_threads(*calls) == ["PolicyDecidedError", "done"]
    assert len(entries()) == 2


def test_two_versions_put_in_force_at_once_leave_one(
    paula: User, dora: User, runtime: Runtime
) -> None:
    propose(paula, runtime, margin="3")
    propose(dora, runtime, margin="4")
    calls = [
        lambda: decide_policy(version=2, approve=True, by=dora, runtime=runtime),
        lambda: decide_policy(version=3, approve=True, by=paula, runtime=runtime),
    ]
    assert _in_threads(*calls) == ["done", "done"]
    assert sorted(states().values()) == ["active", "retired", "retired"]


FORGERIES = {
    "one person, by decision": "UPDATE verification_review_policy SET state = 'active',"
    " decided_by_id = proposed_by_id, decided_at = now() WHERE version = 2",
    "nobody decides": "UPDATE verification_review_policy SET state = 'active', decided_at = now()"
    " WHERE version = 2",
    "somebody without the permission": "UPDATE verification_review_policy SET state = 'active',"
    " decided_by_id = {nobody}, decided_at = now() WHERE version = 2",
    "another document": "UPDATE verification_review_policy SET document = '{{}}' WHERE version = 1",
    "another note": "UPDATE verification_review_policy SET note = 'other' WHERE version = 2",
    "another proposer": "UPDATE verification_review_policy SET proposed_by_id = {nobody}"
    " WHERE version = 2",
    "another number": "UPDATE verification_review_policy SET version = 9 WHERE version = 2",
    "back from retirement": "UPDATE verification_review_policy SET state = 'active',"
    " retired_at = NULL WHERE version = 1",
    "born in force": "INSERT INTO verification_review_policy (version, document, note, state,"
    " proposed_by_id, proposed_at, decided_by_id, decided_at) SELECT 9, document, note, 'active',"
    " {paula}, now(), {nobody}, now() FROM verification_review_policy WHERE version = 1",
    "proposed by who may not": "INSERT INTO verification_review_policy (version, document, note,"
    " state, proposed_by_id, proposed_at) SELECT 9, document, note, 'proposed', {nobody}, now()"
    " FROM verification_review_policy WHERE version = 1",
    "deleted": "DELETE FROM verification_review_policy WHERE version = 2",
}


@pytest.mark.parametrize("statement", FORGERIES.values(), ids=FORGERIES)
def test_the_database_refuses_what_the_services_never_do(
    statement: str, paula: User, nobody: User, runtime: Runtime
) -> None:
    propose(paula, runtime, margin="3")
    rows = list(ReviewPolicy.objects.order_by("version").values())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(nobody=nobody.pk, paula=paula.pk))
    assert list(ReviewPolicy.objects.order_by("version").values()) == rows


def test_a_permission_that_was_taken_away_no_longer_puts_in_force(
    paula: User, dora: User, runtime: Runtime
) -> None:
    propose(paula, runtime, margin="3")
    stale = User.objects.get(pk=dora.pk)
    assert stale.has_perm("verification.decide_policy")
    dora.user_permissions.clear()
    with pytest.raises(DatabaseError), transaction.atomic():
        decide_policy(version=2, approve=True, by=stale, runtime=runtime)
    assert states()[2] == PolicyState.PROPOSED
