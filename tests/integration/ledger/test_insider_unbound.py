"""What an insider may try beside the columns that an entry repeats: each is found and named."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from tests.integration.ledger.insider import sql
from tests.integration.ledger.lives import Lives, ahead, seal
from tests.owner import unguarded
from verification.selectors.guard_state import watchers
from verification.services.faults import Fault, FaultCode
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[], None]


def change(statement: str, *values: object) -> None:
    """Change what is stored as the owner does, with every guard and watcher off."""
    with unguarded(), unguarded(*watchers()):
        sql(statement, *values)


def found(runtime: Runtime) -> Fault:
    """Return the first fault."""
    faults = verify(runtime=runtime).faults
    assert faults
    return faults[0]


class TestALateAnswer:
    """A late answer overwrites the settlement's columns; what it leaves must not slip away."""

    @pytest.fixture
    def attempt(self, lives: Lives, runtime: Runtime) -> UUID:
        made = lives.read_again()
        seal(runtime)
        assert verify(runtime=runtime).faults == ()
        return made

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM verification_evidence WHERE attempt_id = %s AND kind = 'raw_answer'",
            "UPDATE verification_evidence SET sha256 = sha256('x')"
            " WHERE attempt_id = %s AND kind = 'raw_answer'",
            "INSERT INTO verification_evidence"
            " (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)"
            " SELECT gen_random_uuid(), attempt_id, 'image_extra', size_bytes, sha256, sealed,"
            " created_at FROM verification_evidence WHERE attempt_id = %s AND kind = 'raw_answer'",
        ],
        ids=["gone", "another", "added"],
    )
    def test_the_evidence_it_was_read_from_is_held(
        self, statement: str, attempt: UUID, runtime: Runtime
    ) -> None:
        change(statement, attempt)
        assert found(runtime).code == FaultCode.EVIDENCE

    @pytest.mark.parametrize(
        "assignment",
        ["send_no = 7", "sent_at = sent_at - interval '1 hour'", "settled_at = now()"],
    )
    def test_the_send_is_held(self, assignment: str, attempt: UUID, runtime: Runtime) -> None:
        change(f"UPDATE verification_attempt SET {assignment} WHERE id = %s", attempt)
        fault = found(runtime)
        assert (fault.code, fault.attempt_id) == (FaultCode.ROW, attempt)
        assert assignment.split()[0] in fault.sentence

    def test_after_an_earlier_send_it_holds(self, lives: Lives, runtime: Runtime) -> None:
        lives.sent_again_late()
        seal(runtime)
        assert verify(runtime=runtime).faults == ()
