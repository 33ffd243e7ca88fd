"""Rows that stay as they were written, attacked by a superuser who owns the tables.

ALTER TABLE ... DISABLE TRIGGER and DROP are the owner's right; all else must be refused.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from django.apps import apps
from django.db import connection, models

from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from tests.owner import unguarded
from verification.models import StagedEntry
from verification.models.guards import GUARDED, KEPT

MODELS: dict[str, type[models.Model]] = {
    each._meta.db_table: each for each in apps.get_app_config("verification").get_models()
}
FEATURE_NOT_SUPPORTED = "0A000"
FORBIDDEN = {
    "verification_attempt": ("region", "'x'"),
    "verification_evidence_key": ("created_at", "now()"),
    "verification_erasure": ("reason", "'x'"),
    "verification_client": ("created_at", "now()"),
    "verification_api_key": ("public_id", "'x'"),
    "verification_review": ("opened_at", "now()"),
    "verification_review_policy": ("note", "'x'"),
    "verification_rights_change": ("reason", "'x'"),
    "verification_export_request": ("reason", "'x'"),
    "verification_export": ("at", "now()"),
    "verification_export_job": ("place", "'x'"),
}
"""A column that no step may change and another value, of tables whose rows change in steps."""

STATEMENTS = {
    "update": "UPDATE {t} SET {set}",
    "update from": "UPDATE {t} AS r SET {set_r} FROM {t} AS s WHERE {same}",
    "delete": "DELETE FROM {t}",
    "delete using": "DELETE FROM {t} AS r USING {t} AS s WHERE {same}",
    "truncate": "TRUNCATE {t}",
    "truncate cascade": "TRUNCATE {t} CASCADE",
    "truncate with others": "TRUNCATE public.django_session, {t} RESTART IDENTITY CASCADE",
    "on conflict": "INSERT INTO {t} SELECT * FROM {t} ON CONFLICT ({pk}) DO UPDATE SET {excluded}",
    "merge update": "MERGE INTO {t} AS r USING {t} AS s ON {same}"
    " WHEN MATCHED THEN UPDATE SET {set_r}",
    "merge delete": "MERGE INTO {t} AS r USING {t} AS s ON {same} WHEN MATCHED THEN DELETE",
    "writable cte": "WITH x AS (UPDATE {t} SET {set} RETURNING *) SELECT count(*) FROM x",
    "moving cte": "WITH x AS (DELETE FROM {t} RETURNING *) INSERT INTO {t} SELECT * FROM x",
    "function": "DO $$ BEGIN EXECUTE 'DELETE FROM {t}'; END $$",
    "cursor": "DO $$ DECLARE c CURSOR FOR SELECT * FROM {t} FOR UPDATE; r record;"
    " BEGIN OPEN c; FETCH c INTO r; DELETE FROM {t} WHERE CURRENT OF c; END $$",
    "view": "CREATE VIEW scratch.v AS SELECT * FROM {t}; UPDATE scratch.v SET {set}",
    "view delete": "CREATE VIEW scratch.v AS SELECT * FROM {t}; DELETE FROM scratch.v",
    "rule": "CREATE TABLE scratch.r (a int); CREATE RULE x AS ON INSERT TO scratch.r"
    " DO INSTEAD UPDATE {t} SET {set};"
    " ALTER TABLE scratch.r ENABLE ALWAYS RULE x; INSERT INTO scratch.r VALUES (1)",
    "rule delete": "CREATE TABLE scratch.r (a int); CREATE RULE x AS ON INSERT TO scratch.r"
    " DO ALSO DELETE FROM {t};"
    " ALTER TABLE scratch.r ENABLE ALWAYS RULE x; INSERT INTO scratch.r VALUES (1)",
    "parent": "CREATE TABLE scratch.p (LIKE {t}); ALTER TABLE {t} INHERIT scratch.p;"
    " UPDATE scratch.p SET {set}",
    "parent delete": "CREATE TABLE scratch.p (LIKE {t}); ALTER TABLE {t} INHERIT scratch.p;"
    " DELETE FROM scratch.p",
    "parent truncate": "CREATE TABLE scratch.p (LIKE {t}); ALTER TABLE {t} INHERIT scratch.p;"
    " TRUNCATE scratch.p",
    "copy": "COPY (UPDATE {t} SET {set} RETURNING *) TO '/dev/null'",
    "copy delete": "COPY (DELETE FROM {t} RETURNING *) TO '/dev/null'",
}
TRUE_FOR = ("name", "text", "varchar", "bytea", "int4", "int8", "uuid", "timestamptz", "jsonb")
"""Types for which the attacker's operators say what suits them."""

SETTINGS = (
    "SET LOCAL standard_conforming_strings = off",
    "SET LOCAL transform_null_equals = on",
    "SET LOCAL row_security = off",
    "SET LOCAL bytea_output = 'escape'",
    "SET LOCAL search_path = ''",
    "SELECT set_config('verification.actor', 'nobody', true)",
    "SELECT set_config('verification.guard', 'off', true)",
)


def _shadows() -> Iterator[str]:
    """Yield what puts the attacker's things before ours: schema, operators, functions, tables."""
    for schema in ("scratch", "public"):
        for kind in TRUE_FOR:
            for name, value in (("=", "true"), ("<>", "false"), ("||", "false")):
                function = f"{schema}.op_{kind}_{value}"
                yield (
                    f"CREATE OR REPLACE FUNCTION {function}({kind}, {kind}) RETURNS boolean"
                    f" LANGUAGE sql AS 'SELECT {value}'"
                )
                yield (
                    f"CREATE OPERATOR {schema}.{name}"
                    f" (FUNCTION = {function}, LEFTARG = {kind}, RIGHTARG = {kind})"
                )
        for arguments in ("VARIADIC name[]", "VARIADIC text[]"):
            yield (
                f"CREATE FUNCTION {schema}.num_nonnulls({arguments}) RETURNS integer"
                " LANGUAGE sql AS 'SELECT 0'"
            )
    for table in ("verification_erasure", "verification_ledger_entry", "gone"):
        yield f"CREATE TEMPORARY TABLE {table} (a int) ON COMMIT DROP"
    yield "SET LOCAL search_path = scratch, pg_temp, public, pg_catalog"


CONDITIONS: dict[str, Callable[[], Iterator[str]]] = {
    "plain": lambda: iter(()),
    "replica": lambda: iter(["SET LOCAL session_replication_role = replica"]),
    "settings": lambda: iter(SETTINGS),
    "shadows": _shadows,
}


def _statement(table: str, text: str) -> str:
    meta = MODELS[table]._meta
    columns = [str(field.column) for field in meta.local_concrete_fields]
    keys = [str(field.column) for field in meta.pk_fields]
    column, value = FORBIDDEN.get(table) or _same_again(columns, keys)
    return text.format(
        t=f"public.{table}",
        set=f'"{column}" = {value}',
        set_r=f'"{column}" = {value if table in FORBIDDEN else f"s.{value}"}',
        excluded=f'"{column}" = {value if table in FORBIDDEN else f"excluded.{value}"}',
        pk=", ".join(f'"{each}"' for each in keys),
        same=" AND ".join(f'r."{each}" OPERATOR(pg_catalog.=) s."{each}"' for each in keys),
    )


def _same_again(columns: Sequence[str], keys: Sequence[str]) -> tuple[str, str]:
    """Return a column and itself: in tables that are kept, not even that is allowed."""
    column = next(each for each in columns if each not in keys)
    return column, f'"{column}"'


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("table", GUARDED)
def test_every_way_to_touch_a_row_is_refused(
    table: str, condition: str, furnished: None, scratch: None
) -> None:
    for preparation in CONDITIONS[condition]():
        execute(preparation)
    answers = {
        name: refusal(partial(execute, _statement(table, text)))
        for name, text in STATEMENTS.items()
    }
    accepted = {name: code for name, code in answers.items() if code != RESTRICT_VIOLATION}
    for name in ("truncate", "parent truncate"):
        # Tables that others refer to cannot be truncated alone anyway.
        if accepted.get(name) == FEATURE_NOT_SUPPORTED:
            del accepted[name]
    if table == StagedEntry._meta.db_table:
        # The guard of the stage sees whole statements, which name a parent that only an owner adds.
        accepted.pop("parent delete", None)
    assert accepted == {}


@pytest.mark.parametrize("table", KEPT)
def test_the_same_statements_are_valid_where_no_guard_stands(
    table: str, furnished: None, scratch: None
) -> None:
    with unguarded(*GUARDED):
        for name in (
            "update",
            "update from",
            "on conflict",
            "merge update",
            "writable cte",
            "view",
        ):
            assert refusal(partial(execute, _statement(table, STATEMENTS[name]))) == "", name


def _orm_attacks(row: models.Model, field: str) -> dict[str, Callable[[], object]]:
    rows = type(row)._base_manager.filter(pk=row.pk)
    return {
        "save": partial(row.save, force_update=True),
        "save one": partial(row.save, update_fields=[field]),
        "update": lambda: rows.update(**{field: getattr(row, field)}),
        "bulk update": lambda: rows.bulk_update([row], [field]),
        "raw delete": lambda: rows._raw_delete(rows.db),
        "delete through the row": lambda: (
            type(row)._base_manager.filter(pk=row.pk)._raw_delete("default")
        ),
        "upsert": lambda: rows.bulk_create(
            [row],
            update_conflicts=True,
            update_fields=[field],
            unique_fields=[each.name for each in row._meta.pk_fields],
        ),
    }


@pytest.mark.parametrize("table", [*KEPT, "verification_ledger_stage"])
def test_the_orm_is_refused_as_well(table: str, furnished: None) -> None:
    row = MODELS[table]._base_manager.first()
    assert row is not None
    field = next(
        each.name
        for each in row._meta.local_concrete_fields
        if each not in row._meta.pk_fields and not each.is_relation
    )
    answers = {name: refusal(attack) for name, attack in _orm_attacks(row, field).items()}
    assert answers == dict.fromkeys(answers, RESTRICT_VIOLATION)


def test_a_staged_entry_leaves_for_the_log_only(furnished: None) -> None:
    staged = StagedEntry.objects.get()
    forged = (
        "INSERT INTO verification_ledger_entry"
        " (index, kind, raw, leaf_hash, staged_no, sequenced_at)"
        " VALUES (1000000, %s, %s, sha256(''), %s, now())"
    )
    for kind, raw in (("test.staged", b"{}"), ("entry.refused", b'{"kind":"entry.refused"}')):

        def swap(kind: str = kind, raw: bytes = raw) -> None:
            execute(forged, kind, raw, staged.no)
            staged.delete()

        assert refusal(swap) == RESTRICT_VIOLATION

    def move() -> None:
        execute(forged, "test.staged", bytes(staged.raw), staged.no)
        StagedEntry.objects.filter(no=staged.no).delete()

    assert refusal(move) == ""


def test_accounts_that_evidence_names_cannot_be_truncated_away(furnished: None) -> None:
    assert refusal(partial(execute, "TRUNCATE auth_user CASCADE")) == RESTRICT_VIOLATION


@pytest.mark.django_db
def test_the_triggers_are_those_that_are_named_and_cannot_be_switched_off_by_a_setting() -> None:
    found: dict[str, dict[str, str]] = {table: {} for table in GUARDED}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgname LIKE 'verification_%'"
        )
        for table, name, enabled in cursor.fetchall():
            found.setdefault(table, {})[name] = enabled
    watchers = {f"{table}_watch{end}" for table in found for end in ("", "_truncate")}
    for table, names in GUARDED.items():
        assert set(found[table]) - watchers == set(names), table
    assert {state for names in found.values() for state in names.values()} == {"A"}


@pytest.mark.django_db
def test_no_function_of_ours_looks_for_names_in_a_schema_that_others_write_to() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND proname LIKE 'verification%'"
        )
        paths = dict(cursor.fetchall())
    assert len(paths) > 10
    assert set(map(tuple, paths.values())) == {("search_path=pg_catalog, pg_temp",)}
