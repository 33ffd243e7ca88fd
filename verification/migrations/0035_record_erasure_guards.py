"""Triggers: the texts of a record are erased when its time is over, as a whole, and never come back.

Two people have agreed on it for the person (`verification_subject_erasure`), the newest rule for
records has run out, nothing holds the attempt, and the key of its evidence is gone. What says where
it was, in the rows of its sessions, its former states and the notes about it, goes with it.
"""

from importlib import import_module

from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")
four_eyes = import_module("verification.migrations.0022_four_eyes")
past = import_module("verification.migrations.0024_past")
retention = import_module("verification.migrations.0031_retention_guards")
subject = import_module("verification.migrations.0033_subject_guards")

TABLE = "verification_record_erasure"
SESSION_TABLE = "verification_session"
STEP_TABLE = "verification_review_step"
REFUSE = "USING ERRCODE = 'restrict_violation'"

EMPTIED = (
    "commitment_key",
    "biz_no",
    "subject",
    "idempotency_key",
    "request_id",
    "error_argument",
    "result_message",
    "attack_score",
    "attack_threshold",
    *(
        f"{reference}_{figure}"
        for reference in ("ref1", "ref2", "idcard")
        for figure in (
            "confidence",
            "threshold_1e3",
            "threshold_1e4",
            "threshold_1e5",
            "threshold_1e6",
        )
    ),
    "device_level",
    "device_tags",
    "verify_tags",
    "visual_attributes",
    "unknown_fields",
)
"""Columns of an attempt that tell of the person, and the key that proves what they told."""
LEFT = (
    "id",
    "client_id",
    "session_id",
    "region",
    "token_digest",
    "packet_sha256",
    "packet_size_bytes",
    "created_at",
    "state",
    "send_no",
    "sent_at",
    "deadline_at",
    "settled_at",
    "reconciled_at",
    "http_status",
    "error_code",
    "time_used_ms",
    "result_code",
    "outcome",
    "billable",
    "is_attack",
    "policy_version",
    "verdict",
    "reasons",
    "subject_failures",
    "biz_no_failures",
)
"""Columns that figures of months long past are counted by. A closing reason becomes empty."""

RECORD = f"""
DECLARE
    request {{schema}}.{subject.ERASURE_TABLE}%ROWTYPE;
    rule {{schema}}.{retention.RULE_TABLE}%ROWTYPE;
    attempt {{schema}}.verification_attempt%ROWTYPE;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: what was erased stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%: texts are erased by what is committed', TG_TABLE_NAME {REFUSE};
    END IF;
    PERFORM pg_advisory_xact_lock_shared({retention.LOCK});
    SELECT * INTO attempt FROM {{schema}}.verification_attempt WHERE id = NEW.attempt_id;
    SELECT * INTO request FROM {{schema}}.{subject.ERASURE_TABLE} WHERE id = NEW.request_id;
    SELECT * INTO rule FROM {{schema}}.{retention.RULE_TABLE}
    WHERE id = {{schema}}.verification_rule_of('record', NULL, attempt.region);
    IF request.decision IS DISTINCT FROM 'approved' OR request.finished_at IS NOT NULL
        OR request.decided_by_id = request.requested_by_id
        OR NOT EXISTS (
            SELECT FROM {{schema}}.{subject.ITEM_TABLE} AS i
            WHERE i.erasure_id = NEW.request_id AND i.attempt_id = NEW.attempt_id
                AND i.outcome IS NULL)
    THEN
        RAISE EXCEPTION '%: an erasure needs the approval of another', TG_TABLE_NAME {REFUSE};
    ELSIF rule.id IS DISTINCT FROM NEW.rule_id
        OR (attempt.created_at + rule.days * interval '24 hours' <= NEW.erased_at) IS NOT TRUE
    THEN
        RAISE EXCEPTION '%: the record must still be kept', TG_TABLE_NAME {REFUSE};
    ELSIF attempt.state NOT IN ('answered', 'rejected', 'closed', 'not_sent') THEN
        RAISE EXCEPTION '%: an attempt in doubt keeps its texts', TG_TABLE_NAME {REFUSE};
    ELSIF {{schema}}.verification_is_held(NEW.attempt_id) THEN
        RAISE EXCEPTION '%: the record is under a legal hold', TG_TABLE_NAME {REFUSE};
    ELSIF EXISTS (
        SELECT FROM {{schema}}.verification_evidence_key AS k
        WHERE k.attempt_id = NEW.attempt_id AND k.erased_at IS NULL
    ) THEN
        RAISE EXCEPTION '%: the key of the evidence goes first', TG_TABLE_NAME {REFUSE};
    ELSIF {retention.IS_NOW.format(moment="NEW.erased_at")} THEN
        RAISE EXCEPTION '%: texts are erased now', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

ATTEMPT = four_eyes._changed(
    guards.attempt_guard((*guards.ATTEMPT_RESULT, *reviews.JUDGED)),
    (
        "IF NEW.state <> 'accepted' OR NEW.send_no <> 0\n",
        "IF NEW.state <> 'accepted' OR NEW.send_no <> 0 OR NEW.commitment_key IS NULL\n",
    ),
    (
        "    step := OLD.state || '>' || NEW.state;\n",
        f"""    IF OLD.commitment_key IS NULL THEN
        RAISE EXCEPTION '%: its texts were erased, for ever', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF NEW.commitment_key IS NULL THEN
        IF NOT ({guards._same(LEFT)} AND {guards._empty(EMPTIED)})
            OR NEW.closing_reason <> '' OR (NEW.closing_reason IS NULL) <> (OLD.closing_reason IS NULL)
            OR NOT EXISTS (
                SELECT FROM {{schema}}.{TABLE} AS e WHERE e.attempt_id = NEW.id)
        THEN
            RAISE EXCEPTION '%: texts are erased as a whole, on record', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    step := OLD.state || '>' || NEW.state;
""",
    ),
)

# Of the attempt that it is for, or of one of the same person, whose texts go in this transaction;
# and no record that stays began with it.
SESSION = f"""
BEGIN
    IF TG_OP = 'DELETE' OR NOT {
    guards._same(
        (
            "id",
            "client_id",
            "region",
            "token_digest",
            "liveness_type",
            "time_used_ms",
            "created_at",
            "expires_at",
        )
    )
}
        OR ROW(NEW.biz_no, NEW.subject, NEW.options) <> ROW('', '', '{{}}'::jsonb)
        OR NEW.request_id IS NOT NULL
        OR NOT EXISTS (
            SELECT FROM {{schema}}.verification_attempt AS a
            JOIN {{schema}}.{TABLE} AS e ON e.attempt_id = a.id
            JOIN {{schema}}.{retention.RULE_TABLE} AS r
                ON r.id = {{schema}}.verification_rule_of('record', NULL, OLD.region)
            WHERE a.client_id = OLD.client_id AND a.commitment_key IS NOT NULL
                AND (a.session_id = OLD.id OR a.subject = OLD.subject)
                AND OLD.created_at + r.days * interval '24 hours' <= e.erased_at)
        OR EXISTS (
            SELECT FROM {{schema}}.verification_attempt AS a
            WHERE a.session_id = OLD.id AND NOT EXISTS (
                SELECT FROM {{schema}}.{TABLE} AS e WHERE e.attempt_id = a.id))
    THEN
        RAISE EXCEPTION '% on % is refused: its rows stay as they were written', TG_OP, TG_TABLE_NAME
            {REFUSE};
    END IF;
    RETURN NEW;
END"""

PAST = four_eyes._changed(
    past.PAST,
    (
        "    IF TG_OP <> 'INSERT'",
        f"""    IF TG_OP = 'UPDATE' AND {guards._same(("id", "attempt_id", "send_no", "step_id"))}
        AND NEW.said::text = (OLD.said - '{{{",".join((*EMPTIED, "closing_reason"))}}}'::text[])::text
        AND NEW.said::text <> OLD.said::text
        AND EXISTS (SELECT FROM {{schema}}.{TABLE} AS e WHERE e.attempt_id = NEW.attempt_id)
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT'""",
    ),
)

NOTE = f"""
BEGIN
    IF TG_OP = 'DELETE' OR OLD.note IS NULL OR NEW.note IS NOT NULL OR NOT {
    guards._same(
        (
            "id",
            "review_id",
            "round",
            "kind",
            "by_id",
            "by_name",
            "at",
            "decision",
            "reason_code",
            "assignee_id",
            "priority",
            "until",
        )
    )
}
        OR NOT EXISTS (SELECT FROM {{schema}}.{TABLE} AS e WHERE e.attempt_id = NEW.review_id)
    THEN
        RAISE EXCEPTION '% on % is refused: its rows stay as they were written', TG_OP, TG_TABLE_NAME
            {REFUSE};
    END IF;
    RETURN NEW;
END"""

BODIES = {
    "verification_guard_record_erasure": RECORD,
    "verification_guard_attempt": ATTEMPT,
    "verification_guard_session": SESSION,
    "verification_guard_past": PAST,
    "verification_guard_note": NOTE,
}


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # Without parameters the driver leaves the %-signs of plpgsql alone.
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):  # noqa: ARG001 - as the others
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    for name, body in BODIES.items():
        text = body.replace("{schema}", schema)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${text} $body$"
        )
    when = "BEFORE INSERT OR UPDATE OR DELETE"
    yield from guards._trigger(TABLE, "rows", when, "verification_guard_record_erasure", each="ROW")
    yield from guards._trigger(TABLE, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    for table, function in (
        (SESSION_TABLE, "verification_guard_session"),
        (STEP_TABLE, "verification_guard_note"),
    ):
        yield f"DROP TRIGGER {table}_guard_rows ON {table}"
        when = "BEFORE UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, function, each="ROW")


class Migration(migrations.Migration):
    dependencies = [("verification", "0034_record_erasure")]

    operations = [migrations.RunPython(install)]
