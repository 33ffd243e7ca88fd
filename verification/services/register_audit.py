"""Hold clients, their keys, and who of the staff may do what against the entries about them.

The database itself stages these entries, by triggers. So a row that was changed while a trigger
was off, or an entry whose row is gone, shows here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.contrib.auth import get_user_model

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.services import (
    control_audit,
    export_audit,
    policy_audit,
    price_audit,
    retention_audit,
    rights_audit,
    subject_audit,
)
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import utc_sql

ROLE = "role.changed"
KINDS = ("client.changed", "client.key_changed", ROLE)
ENTRIES = """
    SELECT raw FROM (
        SELECT false, index, raw FROM verification_ledger_entry
        WHERE kind OPERATOR(pg_catalog.=) ANY(%s)
        UNION ALL
        SELECT true, no, raw FROM verification_ledger_stage
    ) AS said (is_staged, place, raw) ORDER BY is_staged, place
"""

CLIENTS = """
    SELECT 'client.changed', pg_catalog.jsonb_build_object('client', id, 'name', name,
        'scopes', pg_catalog.array_to_string(scopes, ' '), 'is_active', is_active)
    FROM verification_client
"""
KEYS = f"""
    SELECT 'client.key_changed', pg_catalog.jsonb_build_object('key', id, 'client', client_id,
        'key_kind', kind, 'public_id', public_id,
        'secret_digest', CASE WHEN pg_catalog.num_nonnulls(secret_sha256, secret_sealed) = 1
            THEN pg_catalog.encode(
                pg_catalog.sha256(coalesce(secret_sha256, secret_sealed)), 'hex') END,
        'kek_id', kek_id, 'created', {utc_sql("created_at")}, 'expires', {utc_sql("expires_at")},
        'revoked', {utc_sql("revoked_at")})
    FROM verification_api_key
"""  # noqa: S608 - our own columns
STAFF = """
    SELECT 'account', pg_catalog.jsonb_build_object('user', {pk}::text, 'name', {username},
        'is_active', is_active, 'is_staff', is_staff, 'is_superuser', is_superuser)
    FROM {user}
    UNION ALL SELECT 'group',
        pg_catalog.jsonb_build_object('group', id::text, 'name', name)
    FROM auth_group
    UNION ALL SELECT 'member',
        pg_catalog.jsonb_build_object('user', {fk}::text, 'group', group_id::text)
    FROM {groups}
    UNION ALL SELECT 'user_permission',
        pg_catalog.jsonb_build_object('user', {fk}::text, 'permission', permission_id::text,
            'name', held.codename)
    FROM {permissions} LEFT JOIN auth_permission AS held ON held.id = permission_id
    UNION ALL SELECT 'group_permission',
        pg_catalog.jsonb_build_object('group', group_id::text, 'permission', permission_id::text,
            'name', held.codename)
    FROM auth_group_permissions LEFT JOIN auth_permission AS held ON held.id = permission_id
"""

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "client.changed": ("client",),
    "client.key_changed": ("key",),
    "account": ("user",),
    "group": ("group",),
    "member": ("user", "group"),
    "user_permission": ("user", "permission"),
    "group_permission": ("group", "permission"),
}
"""The members that say which row an entry is about."""

WORDS: Mapping[str, str] = {
    "client.changed": "client",
    "client.key_changed": "API key",
    "account": "account",
    "group": "group",
    "member": "membership",
    "user_permission": "permission of an account",
    "group_permission": "permission of a group",
}

Identity = tuple[str, ...]
Facts = Mapping[str, Json]


def register_faults(connection: psycopg.Connection[Any]) -> Iterator[Fault]:
    """Yield each client, key, account, right, policy version, price, request for rights or for
    an export, export of staff, rule, run, hold, and request of a person that is not as was
    recorded."""
    said = _said(connection)
    for what, facts in _stored(connection):
        identity = _identity(what, facts)
        known = said.pop(identity, None)
        if known is None:
            yield _fault(identity, "is in no entry, or was recorded as removed")
        elif differing := sorted(name for name in facts if facts[name] != known.get(name)):
            yield _fault(identity, f"differs from what was recorded: {', '.join(differing)}")
    for identity in said:
        yield _fault(identity, "was recorded, but is gone")
    policies = connection.execute(ENTRIES, [list(policy_audit.KINDS)])
    yield from policy_audit.policy_faults(connection, (raw for (raw,) in policies))
    rights = connection.execute(ENTRIES, [[*rights_audit.KINDS, ROLE]])
    yield from rights_audit.rights_faults(connection, (raw for (raw,) in rights))
    exports = connection.execute(ENTRIES, [list(export_audit.KINDS)])
    yield from export_audit.export_faults(connection, (raw for (raw,) in exports))
    prices = connection.execute(ENTRIES, [list(price_audit.KINDS)])
    yield from price_audit.price_faults(connection, (raw for (raw,) in prices))
    checks = connection.execute(ENTRIES, [list(control_audit.KINDS)])
    yield from control_audit.control_faults(connection, (raw for (raw,) in checks))
    kept = connection.execute(ENTRIES, [list(retention_audit.KINDS)])
    yield from retention_audit.retention_faults(connection, (raw for (raw,) in kept))
    reports = connection.execute(ENTRIES, [list(subject_audit.KINDS)])
    yield from subject_audit.subject_faults(connection, (raw for (raw,) in reports))


def _said(connection: psycopg.Connection[Any]) -> dict[Identity, Facts]:
    """Fold the entries: the last one about a row counts, a removal takes it away.

    A permission that became another one did so for all who hold it.
    """
    folded: dict[Identity, Facts] = {}
    names: dict[str, Json] = {}
    for (raw,) in connection.execute(ENTRIES, [list(KINDS)]):
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        kind = entry.get("kind")
        what = entry.get("what") if kind == ROLE else kind
        if kind == ROLE and "permission" in entry:
            names[str(entry["permission"])] = entry.get("name")
        if kind not in KINDS or not isinstance(what, str) or what not in IDENTITY:
            continue
        identity = _identity(what, entry)
        if entry.get("change") == "removed":
            folded.pop(identity, None)
        else:
            folded[identity] = entry
    return {identity: _called(entry, names) for identity, entry in folded.items()}


def _called(entry: Facts, names: Mapping[str, Json]) -> Facts:
    """Return an entry with the newest name of the permission that it gives."""
    if "permission" not in entry:
        return entry
    return {**entry, "name": names[str(entry["permission"])]}


def _stored(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, Facts]]:
    user = get_user_model()
    groups, permissions = user.groups.through, user.user_permissions.through
    meta = user._meta  # noqa: SLF001 - documented in spite of its name
    columns = {each.name: str(each.column) for each in meta.concrete_fields}
    names = {
        "user": meta.db_table,
        "pk": str(meta.pk.column),
        "username": columns[user.USERNAME_FIELD],
        "fk": groups._meta.get_field("user").column,  # noqa: SLF001
        "groups": groups._meta.db_table,  # noqa: SLF001
        "permissions": permissions._meta.db_table,  # noqa: SLF001
    }
    for statement in (CLIENTS, KEYS, STAFF.format(**names)):
        for what, facts in connection.execute(statement):
            # Django reads jsonb as text.
            yield what, json.loads(facts)


def _identity(what: str, facts: Facts) -> Identity:
    return (what, *(str(facts.get(name)) for name in IDENTITY[what]))


def _fault(identity: Identity, sentence: str) -> Fault:
    what, *ids = identity
    return Fault(FaultCode.REGISTER, f"{WORDS[what]} {' '.join(ids)} {sentence}")
