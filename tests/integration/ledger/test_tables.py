"""A table that is no plain table could show a verification what others do not see."""

import pytest
from django.db import connection

from tests.integration.ledger.insider import sql
from verification.services.faults import FaultCode
from verification.services.runtime import Runtime
from verification.services.table_audit import table_faults
from verification.services.verifying import verify

ATTEMPTS = "verification_attempt"
DISGUISES = {
    "a policy for rows": (
        [
            f"ALTER TABLE {ATTEMPTS} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY told ON {ATTEMPTS} USING (result_code <> 4100)",
        ],
        "shows its rows to some only",
    ),
    "a rule": (
        [f"CREATE RULE quietly AS ON INSERT TO {ATTEMPTS} DO INSTEAD NOTHING"],
        "has rules",
    ),
    "a view": (
        [
            f"ALTER TABLE {ATTEMPTS} RENAME TO kept_elsewhere",
            f"CREATE VIEW {ATTEMPTS} AS SELECT * FROM kept_elsewhere",
        ],
        "is no table",
    ),
    "a table of the session": (
        [f"CREATE TEMPORARY TABLE {ATTEMPTS} AS SELECT * FROM {ATTEMPTS}"],
        "does not outlive a session",
    ),
    "a child": (
        [f"CREATE TABLE more_of_it () INHERITS ({ATTEMPTS})"],
        "shares its rows",
    ),
    "rows that a crash would take": (
        ["ALTER TABLE verification_spent_sign SET UNLOGGED"],
        "verification_spent_sign does not outlive",
    ),
    "a view of the staff": (
        [
            "ALTER TABLE auth_group_permissions RENAME TO kept_elsewhere",
            "CREATE VIEW auth_group_permissions AS SELECT * FROM kept_elsewhere",
        ],
        "auth_group_permissions is no table",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_is_no_plain_table_is_named(disguise: str) -> None:
    done, sentence = DISGUISES[disguise]
    for each in done:
        sql(each)
    (found,) = table_faults(connection.connection)
    assert sentence in found.sentence


@pytest.mark.django_db(transaction=True)
def test_a_verification_looks_at_the_tables_first(runtime: Runtime) -> None:
    assert verify(runtime=runtime).holds
    sql(f"ALTER TABLE {ATTEMPTS} ENABLE ROW LEVEL SECURITY")
    try:
        found = verify(runtime=runtime).faults
    finally:
        sql(f"ALTER TABLE {ATTEMPTS} DISABLE ROW LEVEL SECURITY")
    assert found[0].code is FaultCode.TABLE
