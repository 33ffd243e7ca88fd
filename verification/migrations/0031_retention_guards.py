"""Triggers: who keeps data how long, what is held, and that only what is due expires.

A key is destroyed on an approved erasure, or when its time is over: in a run that two people agreed
on, by the rules as they stood when it was asked for, and never while its attempt is under hold.

Holds and rules are set under a lock that every destruction shares, so that none is in between: what
was destroyed when a hold is confirmed was destroyed before it.
"""

from importlib import import_module

from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")
rights = import_module("verification.migrations.0016_rights_guards")
four_eyes = import_module("verification.migrations.0022_four_eyes")
controls = import_module("verification.migrations.0027_controls")

RULE_TABLE = "verification_retention_rule"
RUN_TABLE = "verification_retention_run"
EXPIRY_TABLE = "verification_expiry"
HOLD_TABLE = "verification_legal_hold"
REFUSE = "USING ERRCODE = 'restrict_violation'"
LOCK = "hashtextextended('verification.retention', 0)"

MORE = {
    "officer": ("view_retention", "hold_evidence"),
    "approver": ("view_retention", "hold_evidence", "request_purge", "decide_purge"),
    "auditor": ("view_retention",),
    "administrator": ("view_retention", "set_retention", "request_purge", "decide_purge"),
}
INCLUDED = {role: (*held, *MORE.get(role, ())) for role, held in controls.INCLUDED.items()}
"""What each role may include from now on."""

# Of a kind and a region: kind and region, kind, region, all; of each the newest.
RULE_OF = """
    CREATE FUNCTION verification_rule_of(about text, of_kind text, of_region text) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT r.id FROM {schema}.verification_retention_rule AS r
        WHERE r.what = about AND (r.kind IS NULL OR r.kind = of_kind)
            AND (r.region IS NULL OR r.region = of_region)
        ORDER BY r.kind IS NULL, r.region IS NULL, r.recorded_at DESC, r.id DESC LIMIT 1
    $body$
"""

# One key opens all evidence of an attempt: so the longest of its rules counts.
LONGEST = """
    CREATE FUNCTION verification_longest_rule(of_attempt uuid) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT r.id FROM {schema}.verification_attempt AS a
        JOIN {schema}.verification_evidence AS e ON e.attempt_id = a.id
        JOIN {schema}.verification_retention_rule AS r
            ON r.id = {schema}.verification_rule_of('evidence', e.kind, a.region)
        WHERE a.id = of_attempt ORDER BY r.days DESC, r.id LIMIT 1
    $body$
"""

IS_HELD = """
    CREATE FUNCTION verification_is_held(of_attempt uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT EXISTS (
            SELECT FROM {schema}.verification_legal_hold AS h
            WHERE h.attempt_id = of_attempt AND h.lifted_at IS NULL
        ) OR EXISTS (
            SELECT FROM {schema}.verification_attempt AS a
            JOIN {schema}.verification_legal_hold AS h
                ON h.subject_check = sha256(h.subject_digest || convert_to(a.subject, 'UTF8'))
            WHERE a.id = of_attempt AND h.lifted_at IS NULL)
    $body$
"""

# A snapshot from before the lock could miss a hold that was placed meanwhile.
KEY = four_eyes._changed(
    guards.EVIDENCE_KEY,
    (
        """    ELSIF NEW.kek_id <> OLD.kek_id OR NOT EXISTS (
        SELECT FROM {schema}.verification_erasure AS erasure
        WHERE erasure.attempt_id = NEW.attempt_id AND erasure.decision = 'approved'
    ) THEN
        RAISE EXCEPTION '%: an erasure needs the approval of another', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;""",
        """    ELSIF NEW.kek_id <> OLD.kek_id OR NOT EXISTS (
        SELECT FROM {schema}.verification_erasure AS erasure
        WHERE erasure.attempt_id = NEW.attempt_id AND erasure.decision = 'approved'
    ) AND NOT EXISTS (
        SELECT FROM {schema}.verification_expiry AS expiry
        WHERE expiry.attempt_id = NEW.attempt_id AND expiry.expired_at = NEW.erased_at
    ) THEN
        RAISE EXCEPTION '%: an erasure needs the approval of another', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%: a key is destroyed by what is committed', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSE
        PERFORM pg_advisory_xact_lock_shared(LOCK);
        IF {schema}.verification_is_held(NEW.attempt_id) THEN
            RAISE EXCEPTION '%: the evidence is under a legal hold', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;""".replace("LOCK", LOCK),
    ),
)

IS_NOW = """{moment} < clock_timestamp() - interval '5 minutes'
        OR {moment} > clock_timestamp() + interval '1 minute'"""

RULE = f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: a rule stays on record; a newer one takes its place', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.recorded_by_id IS NULL
        OR NOT {{schema}}.verification_may(NEW.recorded_by_id, 'set_retention')
    THEN
        RAISE EXCEPTION '%: who sets a rule must be allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF {IS_NOW.format(moment="NEW.recorded_at")} THEN
        RAISE EXCEPTION '%: a rule is recorded now', TG_TABLE_NAME {REFUSE};
    END IF;
    PERFORM pg_advisory_xact_lock({LOCK});
    IF EXISTS (
        SELECT FROM {{schema}}.{RULE_TABLE} AS r WHERE r.recorded_at >= NEW.recorded_at
    ) THEN
        RAISE EXCEPTION '%: a newer rule is on record', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

HOLD = f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a hold is lifted, never deleted', TG_TABLE_NAME {REFUSE};
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL THEN
            RAISE EXCEPTION '%: a hold does not begin as lifted', TG_TABLE_NAME {REFUSE};
        ELSIF NOT {{schema}}.verification_may(NEW.placed_by_id, 'hold_evidence') THEN
            RAISE EXCEPTION '%: who places a hold must be allowed to', TG_TABLE_NAME {REFUSE};
        ELSIF {IS_NOW.format(moment="NEW.placed_at")} THEN
            RAISE EXCEPTION '%: a hold is placed now', TG_TABLE_NAME {REFUSE};
        END IF;
    ELSIF OLD.lifted_at IS NOT NULL
        OR ROW(NEW.id, NEW.attempt_id, NEW.subject_digest, NEW.subject_check, NEW.reason,
               NEW.placed_by_id, NEW.placed_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.attempt_id, OLD.subject_digest, OLD.subject_check,
               OLD.reason, OLD.placed_by_id, OLD.placed_at)
        OR NEW.lifted_at IS NULL
    THEN
        RAISE EXCEPTION '%: a hold is lifted once, no more', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.lifted_by_id = OLD.placed_by_id
        OR NOT {{schema}}.verification_may(NEW.lifted_by_id, 'hold_evidence')
    THEN
        RAISE EXCEPTION '%: somebody else lifts a hold, who is allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF {IS_NOW.format(moment="NEW.lifted_at")} THEN
        RAISE EXCEPTION '%: a hold is lifted now', TG_TABLE_NAME {REFUSE};
    END IF;
    PERFORM pg_advisory_xact_lock({LOCK});
    RETURN NEW;
END"""

RUN = f"""
DECLARE
    step text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a run stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'asked' OR NEW.seen <> 0
            OR num_nonnulls(NEW.started_at, NEW.position_id, NEW.finished_by_id) > 0
        THEN
            RAISE EXCEPTION '%: a run begins with a request', TG_TABLE_NAME {REFUSE};
        ELSIF NOT {{schema}}.verification_may(NEW.asked_by_id, 'request_purge') THEN
            RAISE EXCEPTION '%: who asks must be allowed to', TG_TABLE_NAME {REFUSE};
        ELSIF {IS_NOW.format(moment="NEW.asked_at")} THEN
            RAISE EXCEPTION '%: a run is asked for now', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF ROW(NEW.id, NEW.preview, NEW.reason, NEW.asked_by_id, NEW.asked_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.preview, OLD.reason, OLD.asked_by_id, OLD.asked_at)
    THEN
        RAISE EXCEPTION '%: what was asked for is fixed', TG_TABLE_NAME {REFUSE};
    ELSIF OLD.decided_at IS NOT NULL AND ROW(NEW.decided_by_id, NEW.decided_at)
        IS DISTINCT FROM ROW(OLD.decided_by_id, OLD.decided_at)
    THEN
        RAISE EXCEPTION '%: a run is decided once', TG_TABLE_NAME {REFUSE};
    ELSIF ROW(NEW.seen, NEW.expired, NEW.held, NEW.doubtful, NEW.position_id)
        IS DISTINCT FROM ROW(OLD.seen, OLD.expired, OLD.held, OLD.doubtful, OLD.position_id)
        AND (OLD.state <> 'running' OR NEW.seen < OLD.seen OR NEW.expired < OLD.expired)
    THEN
        RAISE EXCEPTION '%: a run counts on while it runs', TG_TABLE_NAME {REFUSE};
    ELSIF step IN ('asked>approved', 'asked>refused') THEN
        IF NEW.decided_by_id = OLD.asked_by_id
            OR NOT {{schema}}.verification_may(NEW.decided_by_id, 'decide_purge')
        THEN
            RAISE EXCEPTION '%: somebody else decides, who is allowed to', TG_TABLE_NAME {REFUSE};
        ELSIF {IS_NOW.format(moment="NEW.decided_at")} THEN
            RAISE EXCEPTION '%: a run is decided on now', TG_TABLE_NAME {REFUSE};
        END IF;
    ELSIF NEW.decided_at IS DISTINCT FROM OLD.decided_at OR step NOT IN (
        'asked>cancelled', 'approved>cancelled', 'approved>running', 'running>running',
        'running>done', 'running>cancelled', 'running>failed', 'approved>failed')
    THEN
        RAISE EXCEPTION '%: there is no way from %', TG_TABLE_NAME, step {REFUSE};
    END IF;
    RETURN NEW;
END"""

# Whoever asks: what expires is due by the rules that the preview was made with.
EXPIRY = f"""
DECLARE
    run {{schema}}.{RUN_TABLE}%ROWTYPE;
    rule {{schema}}.{RULE_TABLE}%ROWTYPE;
    attempt {{schema}}.verification_attempt%ROWTYPE;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: what expired stays on record', TG_TABLE_NAME {REFUSE};
    END IF;
    PERFORM pg_advisory_xact_lock_shared({LOCK});
    SELECT * INTO run FROM {{schema}}.{RUN_TABLE} WHERE id = NEW.run_id;
    SELECT * INTO rule FROM {{schema}}.{RULE_TABLE}
    WHERE id = {{schema}}.verification_longest_rule(NEW.attempt_id);
    SELECT * INTO attempt FROM {{schema}}.verification_attempt WHERE id = NEW.attempt_id;
    IF run.state IS DISTINCT FROM 'running' OR run.decided_by_id IS NULL
        OR run.decided_by_id = run.asked_by_id
    THEN
        RAISE EXCEPTION '%: evidence expires in a run that was approved', TG_TABLE_NAME {REFUSE};
    ELSIF EXISTS (
        SELECT FROM {{schema}}.{RULE_TABLE} AS r WHERE r.recorded_at > run.asked_at
    ) THEN
        RAISE EXCEPTION '%: the rules have changed since the run was asked for', TG_TABLE_NAME {REFUSE};
    ELSIF rule.id IS DISTINCT FROM NEW.rule_id
        OR (attempt.created_at + rule.days * interval '24 hours' <= run.asked_at) IS NOT TRUE
    THEN
        RAISE EXCEPTION '%: the evidence is not due by this rule', TG_TABLE_NAME {REFUSE};
    ELSIF attempt.state NOT IN ('answered', 'rejected', 'closed') THEN
        RAISE EXCEPTION '%: an attempt in doubt keeps its evidence', TG_TABLE_NAME {REFUSE};
    ELSIF {{schema}}.verification_is_held(NEW.attempt_id) THEN
        RAISE EXCEPTION '%: the evidence is under a legal hold', TG_TABLE_NAME {REFUSE};
    ELSIF {IS_NOW.format(moment="NEW.expired_at")} THEN
        RAISE EXCEPTION '%: evidence expires now', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

ROWS = {
    RULE_TABLE: ("verification_guard_retention_rule", RULE),
    HOLD_TABLE: ("verification_guard_legal_hold", HOLD),
    RUN_TABLE: ("verification_guard_retention_run", RUN),
    EXPIRY_TABLE: ("verification_guard_expiry", EXPIRY),
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
    for function in (RULE_OF, LONGEST, IS_HELD):
        yield function.replace("{schema}", schema)
    bodies = {"verification_guard_evidence_key": KEY, **dict(ROWS.values())}
    for name, body in bodies.items():
        text = body.replace("{schema}", schema)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${text} $body$"
        )
    for table, (function, _body) in ROWS.items():
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, function, each="ROW")
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    inclusion = rights.INCLUSION.format(
        **reviews._names(connection),
        schema=schema,
        refuse=REFUSE,
        user_app=get_user_model()._meta.app_label,
        included=", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    )
    yield (
        "CREATE OR REPLACE FUNCTION verification_guard_inclusion() RETURNS trigger "
        f"LANGUAGE plpgsql {path} AS $body${inclusion} $body$"
    )


class Migration(migrations.Migration):

    dependencies = [("verification", "0030_retention")]

    operations = [migrations.RunPython(install)]
