"""Triggers: what is on record about the requests of persons stays; who may answer them."""

from importlib import import_module

from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")
rights = import_module("verification.migrations.0016_rights_guards")
retention = import_module("verification.migrations.0031_retention_guards")

REPORT_TABLE = "verification_subject_report"
ERASURE_TABLE = "verification_subject_erasure"
ITEM_TABLE = "verification_subject_erasure_item"
REFUSE = "USING ERRCODE = 'restrict_violation'"

MORE = {"approver": ("subject_report",), "auditor": ("subject_report",)}
INCLUDED = {role: (*held, *MORE.get(role, ())) for role, held in retention.INCLUDED.items()}
"""What each role may include from now on."""

REPORT = f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: a report stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF NOT {{schema}}.verification_may(NEW.by_id, 'subject_report') THEN
        RAISE EXCEPTION '%: who takes a report must be allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF {retention.IS_NOW.format(moment="NEW.reported_at")} THEN
        RAISE EXCEPTION '%: a report is taken now', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

ERASURE = f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a request is decided, never deleted', TG_TABLE_NAME {REFUSE};
    ELSIF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.decision, NEW.finished_at) > 0 THEN
            RAISE EXCEPTION '%: a request begins undecided', TG_TABLE_NAME {REFUSE};
        ELSIF NOT {{schema}}.verification_may(NEW.requested_by_id, 'request_erasure') THEN
            RAISE EXCEPTION '%: who asks must be allowed to', TG_TABLE_NAME {REFUSE};
        ELSIF {retention.IS_NOW.format(moment="NEW.requested_at")} THEN
            RAISE EXCEPTION '%: a request is made now', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    IF ROW(NEW.id, NEW.subject_digest, NEW.client_id, NEW.legal_basis, NEW.reason,
           NEW.requested_by_id, NEW.requested_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.subject_digest, OLD.client_id, OLD.legal_basis, OLD.reason,
           OLD.requested_by_id, OLD.requested_at)
    THEN
        RAISE EXCEPTION '%: what was asked for is fixed', TG_TABLE_NAME {REFUSE};
    ELSIF OLD.decision IS NULL THEN
        IF NEW.decision IS NULL OR NEW.finished_at IS NOT NULL THEN
            RAISE EXCEPTION '%: a request is decided next', TG_TABLE_NAME {REFUSE};
        ELSIF NEW.decided_by_id = OLD.requested_by_id
            OR NOT {{schema}}.verification_may(NEW.decided_by_id, 'decide_erasure')
        THEN
            RAISE EXCEPTION '%: somebody else decides, who is allowed to', TG_TABLE_NAME {REFUSE};
        ELSIF {retention.IS_NOW.format(moment="NEW.decided_at")} THEN
            RAISE EXCEPTION '%: a request is decided on now', TG_TABLE_NAME {REFUSE};
        END IF;
    ELSIF ROW(NEW.decision, NEW.decided_by_id, NEW.decided_at)
        IS DISTINCT FROM ROW(OLD.decision, OLD.decided_by_id, OLD.decided_at)
        OR OLD.finished_at IS NOT NULL OR NEW.finished_at IS NULL
    THEN
        RAISE EXCEPTION '%: a request is decided once, and finished once', TG_TABLE_NAME {REFUSE};
    ELSIF EXISTS (
        SELECT FROM {{schema}}.{ITEM_TABLE} AS i WHERE i.erasure_id = NEW.id AND i.outcome IS NULL
    ) THEN
        RAISE EXCEPTION '%: some attempts have no outcome yet', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

# What is said of an attempt must be so at that moment.
ITEM = f"""
DECLARE
    request {{schema}}.{ERASURE_TABLE}%ROWTYPE;
    is_true boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: an attempt of a request stays', TG_TABLE_NAME {REFUSE};
    END IF;
    SELECT * INTO request FROM {{schema}}.{ERASURE_TABLE} WHERE id = NEW.erasure_id;
    IF TG_OP = 'INSERT' THEN
        IF request.decision IS NOT NULL OR NEW.outcome IS NOT NULL THEN
            RAISE EXCEPTION '%: attempts are named before it is decided', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    ELSIF ROW(NEW.id, NEW.erasure_id, NEW.attempt_id)
        IS DISTINCT FROM ROW(OLD.id, OLD.erasure_id, OLD.attempt_id)
        OR OLD.outcome IS NOT NULL OR NEW.outcome IS NULL
    THEN
        RAISE EXCEPTION '%: an outcome is written once', TG_TABLE_NAME {REFUSE};
    ELSIF request.decision IS DISTINCT FROM 'approved' THEN
        RAISE EXCEPTION '%: an erasure needs the approval of another', TG_TABLE_NAME {REFUSE};
    END IF;
    is_true := CASE NEW.outcome
        WHEN 'erased' THEN EXISTS (
            SELECT FROM {{schema}}.verification_evidence_key AS k
            JOIN {{schema}}.verification_erasure AS e ON e.attempt_id = k.attempt_id
            WHERE k.attempt_id = NEW.attempt_id AND k.erased_at = e.decided_at
                AND e.id = NEW.evidence_erasure_id AND e.decision = 'approved'
                AND e.requested_by_id = request.requested_by_id
                AND e.decided_by_id = request.decided_by_id AND e.reason = request.reason)
        WHEN 'held' THEN {{schema}}.verification_is_held(NEW.attempt_id)
        WHEN 'gone' THEN EXISTS (
            SELECT FROM {{schema}}.verification_evidence_key AS k
            WHERE k.attempt_id = NEW.attempt_id AND k.erased_at IS NOT NULL)
        WHEN 'nothing' THEN NOT EXISTS (
            SELECT FROM {{schema}}.verification_evidence_key AS k
            WHERE k.attempt_id = NEW.attempt_id)
        ELSE false END;
    IF NOT is_true THEN
        RAISE EXCEPTION '%: that is not what became of the evidence', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

ROWS = {
    REPORT_TABLE: ("verification_guard_subject_report", REPORT),
    ERASURE_TABLE: ("verification_guard_subject_erasure", ERASURE),
    ITEM_TABLE: ("verification_guard_subject_item", ITEM),
}


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # Without parameters the driver leaves the %-signs of plpgsql alone.
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    inclusion = rights.INCLUSION.format(
        **reviews._names(connection),
        schema=schema,
        refuse=REFUSE,
        user_app=get_user_model()._meta.app_label,
        included=", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    )
    bodies = {
        **{name: body.replace("{schema}", schema) for name, body in ROWS.values()},
        "verification_guard_inclusion": inclusion,
    }
    for name, body in bodies.items():
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body} $body$"
        )
    for table, (function, _body) in ROWS.items():
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, function, each="ROW")
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [("verification", "0032_subject")]

    operations = [migrations.RunPython(install)]
