"""What the services record folds from its entries, in every kind of life."""

import hypothesis.strategies as st
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from tests.integration.ledger.lives import LIVES, Lives, attempt, drain, seal
from verification.ledger.canonical import parse
from verification.models import LedgerEntry, StagedEntry
from verification.models.fields import dump_exact, jsonb_text
from verification.sandbox.scenarios import SCENARIOS
from verification.services.record_audit import check_attempt
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", LIVES)
def test_the_record_of_every_life_folds_from_its_entries(
    name: str, lives: Lives, runtime: Runtime
) -> None:
    attempt_id = LIVES[name](lives)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
    drain(runtime)
    assert not StagedEntry.objects.exists()
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
    seal(runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()


@pytest.mark.parametrize("name", [each for each in SCENARIOS if not each.startswith("token-")])
def test_whatever_the_vendor_does_the_record_folds_from_its_entries(
    name: str, lives: Lives, runtime: Runtime
) -> None:
    attempt_id = lives.submitted(f"sandbox:{name}", verbose="1", device_risk="1")
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()


def test_no_entry_tells_a_sensitive_value(lives: Lives, runtime: Runtime) -> None:
    stored = attempt(lives.keyed())
    seal(runtime)
    for each in LedgerEntry.objects.filter(attempt_id=stored.pk):
        raw = bytes(each.raw).decode()
        for secret in (stored.biz_no, stored.subject, "key-4", stored.request_id, "SUCCESS"):
            assert str(secret) not in raw
        assert str(parse(bytes(each.raw)))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", codec="utf-8")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=JSON)
def test_jsonb_text_is_what_postgresql_writes(value: object, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [dump_exact(value)])
        (written,) = cursor.fetchone()
    assert jsonb_text(value) == written
