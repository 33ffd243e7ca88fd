"""What an insider does to versions with the guards lifted, and that the verification names it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.integration.ledger.lives import ahead, seal
from tests.integration.policies.changing import propose, put_in_force
from tests.owner import unguarded
from verification.models import LedgerEntry, ReviewPolicy
from verification.policy.document import BUILT_IN, write_document
from verification.services.faults import FaultCode
from verification.services.policies import decide_policy, withdraw_policy
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = "verification_review_policy"
COLUMNS = (
    "version, document, note, state, proposed_by_id, proposed_at, decided_by_id, decided_at,"
    " retired_at"
)


@pytest.fixture
def lived(paula: User, dora: User, runtime: Runtime) -> Runtime:
    """Lead versions through every kind of life: retired, refused, withdrawn, in force, proposed."""
    seal(runtime)
    put_in_force(paula, dora, runtime, margin="3")
    for margin in ("4", "5"):
        propose(paula, runtime, margin=margin)
    decide_policy(version=3, approve=False, by=dora, runtime=runtime)
    withdraw_policy(version=4, by=paula, runtime=runtime)
    put_in_force(dora, paula, runtime, margin="6")
    propose(paula, runtime, margin="7")
    return runtime


def found(runtime: Runtime) -> list[str]:
    """Return what the verification finds."""
    faults = verify(runtime=runtime, anchors=[]).faults
    assert {each.code for each in faults} <= {FaultCode.REGISTER}
    return [each.sentence for each in faults]


@pytest.mark.parametrize("sealed", [False, True])
def test_versions_of_every_kind_of_life_fold(lived: Runtime, sealed: bool) -> None:
    if sealed:
        seal(ahead(lived, 35))
    states = ReviewPolicy.objects.order_by("version").values_list("state", flat=True)
    assert list(states) == ["retired", "retired", "refused", "withdrawn", "active", "proposed"]
    assert found(lived) == []


def test_a_new_installation_folds_before_and_after_its_first_checkpoint(runtime: Runtime) -> None:
    assert found(runtime) == []
    seal(runtime)
    assert found(runtime) == []


OTHER = write_document({**BUILT_IN, "margin": "99"}).decode().replace("'", "''")
EDITS = {
    "the document in force": (5, f"document = '{OTHER}'", "sha256"),
    "the document of version 1": (1, f"document = '{OTHER}'", "sha256"),
    "a proposed document": (6, f"document = '{OTHER}'", "sha256"),
    "a byte of it": (2, "document = document || ' '", "sha256"),
    "the note": (2, "note = 'something else'", "note_sha256"),
    "who proposed": (
        2,
        "proposed_by_id = decided_by_id, decided_by_id = proposed_by_id",
        "decided_by, proposed_by",
    ),
    "when it was proposed": (5, "proposed_at = proposed_at - interval '1 us'", "proposed_at"),
    "why it was decided": (3, "decision_note = 'never said so'", "decision_note_sha256"),
    "when it was decided": (3, "decided_at = decided_at + interval '1 day'", "decided_at"),
    "when it was retired": (2, "retired_at = now()", "retired_at"),
    "when version 1 was retired": (1, "retired_at = now()", "retired_at"),
    "a refusal into nothing": (
        3,
        "state = 'proposed', decided_by_id = NULL, decided_at = NULL",
        "decided_at, decided_by, state",
    ),
    "a withdrawn one into a retired one": (
        4,
        (
            f"state = 'retired', retired_at = now(), decided_by_id ="
            f" (SELECT decided_by_id FROM {TABLE} WHERE version = 2)"
        ),
        "decided_by, retired_at, state",
    ),
}


@pytest.mark.parametrize(("version", "edit", "names"), EDITS.values(), ids=EDITS)
def test_an_edit_of_a_version_is_named(lived: Runtime, version: int, edit: str, names: str) -> None:
    seal(ahead(lived, 35))
    with unguarded(TABLE), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET {edit} WHERE version = {version}")
    expected = f"policy version {version} differs from what was recorded: {names}"
    assert found(lived) == [expected]


def test_putting_an_old_version_back_in_force_is_named(lived: Runtime) -> None:
    seal(ahead(lived, 35))
    with unguarded(TABLE), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET state = 'retired', retired_at = now() WHERE version = 5"
        )
        cursor.execute(f"UPDATE {TABLE} SET state = 'active', retired_at = NULL WHERE version = 2")
    assert found(lived) == [
        "policy version 2 differs from what was recorded: retired_at, state",
        "policy version 5 differs from what was recorded: retired_at, state",
    ]


def test_a_version_that_was_slipped_in_or_taken_away_is_named(lived: Runtime) -> None:
    seal(ahead(lived, 35))
    with unguarded(TABLE), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS.replace('version', '9', 1)}"
            f" FROM {TABLE} WHERE version = 2"
        )
        cursor.execute(f"DELETE FROM {TABLE} WHERE version = 3")
    assert found(lived) == [
        "policy version 9 is in no entry",
        "policy version 3 was recorded, but is gone",
    ]


def test_an_edit_that_the_sequencer_saw_before_the_verification_is_named_all_the_same(
    lived: Runtime,
) -> None:
    """The log then tells two texts of one version, and no row can have both."""
    seal(ahead(lived, 35))
    with unguarded(TABLE), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET document = '{OTHER}' WHERE version = 5")
    propose(User.objects.get(username="paula"), lived, margin="8")
    seal(ahead(lived, 70))
    assert found(lived) == ["policy version 5 differs from what was recorded: sha256"]


def _in_force() -> Iterator[dict[str, Any]]:
    for each in LedgerEntry.objects.filter(kind="policy.changed").order_by("index"):
        yield json.loads(bytes(each.raw))["policy"]["review_policy"]


def test_the_log_names_the_version_in_force_from_its_first_round_on(
    paula: User, dora: User, runtime: Runtime
) -> None:
    seal(runtime)
    row = put_in_force(paula, dora, runtime, margin="3")
    seal(ahead(runtime, 35))
    first = hashlib.sha256(write_document(BUILT_IN)).hexdigest()
    second = hashlib.sha256(row.document.encode()).hexdigest()
    assert list(_in_force()) == [
        {"sha256": first, "version": 1},
        {"sha256": second, "version": 2},
    ]
