"""The statements that count attempts into rollups. Each works on spans: begin, end and client."""

SPANS = """unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[], %(clients)s::uuid[])
        AS t (begins, ends, client_id)"""

# The planner expects far more of each span than there is: it would read whole tables to join them,
# and sort every attempt on disk.
PLANNED = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off; SET LOCAL enable_sort = off; SET LOCAL work_mem = '64MB'
"""

TOUCHED = """
    SELECT DISTINCT date_trunc('minute', a.created_at), a.client_id
    FROM verification_ledger_entry AS e JOIN verification_attempt AS a ON a.id = e.attempt_id
    WHERE e.index >= %(first)s AND e.index < %(end)s AND e.kind LIKE 'attempt.%%'
"""
WITH_MINUTES = f"""
    SELECT t.begins, t.client_id FROM {SPANS}
    WHERE EXISTS (SELECT FROM verification_rollup_minute AS r WHERE r.client_id = t.client_id
        AND r.minute >= t.begins AND r.minute < t.ends)
"""  # noqa: S608 - our own words
PRUNE_MINUTES = "DELETE FROM verification_rollup_minute WHERE minute < %(before)s"
FORGET = """
    DELETE FROM {table} AS r USING {spans}
    WHERE r.client_id = t.client_id AND r.{column} >= t.begins AND r.{column} < t.ends
"""
FORGET_MINUTES = FORGET.format(table="verification_rollup_minute", column="minute", spans=SPANS)
FORGET_HOURS = FORGET.format(table="verification_rollup", column="hour", spans=SPANS)
FORGET_DAYS = FORGET.format(table="verification_rollup_day", column="day", spans=SPANS)
# Attempts that are alike are put together first: a busy hour has hundreds of thousands of
# attempts, and few hundred kinds of them to take apart. OFFSET 0 has each span read off the index:
# the planner would rather read the whole table once.
COUNT = """
    WITH alike AS (
        SELECT a.at, t.client_id, a.region, a.state, a.outcome, a.verdict, a.reasons,
            a.result_code, a.result_message, a.http_status, a.error_code, a.is_attack, a.billable,
            a.device_tags, a.verify_tags, a.bucket, count(*) AS number
        FROM {spans} CROSS JOIN LATERAL (
            SELECT *, date_trunc('{column}', created_at, 'UTC') AS at,
                CASE WHEN state = 'answered' AND settled_at >= sent_at THEN width_bucket(
                    settled_at - sent_at, %(latency)s::interval[]) END AS bucket
            FROM verification_attempt
            WHERE client_id = t.client_id AND created_at >= t.begins AND created_at < t.ends
            OFFSET 0
        ) AS a
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    )
    INSERT INTO {table} ({column}, client_id, region, figure, member, count)
    SELECT a.at, a.client_id, a.region, f.figure, left(f.member, 200), sum(a.number)
    FROM alike AS a
    CROSS JOIN LATERAL (
        VALUES ('state', a.state), ('outcome', a.outcome), ('verdict', a.verdict),
            ('result', a.result_code || ' ' || a.result_message),
            ('error', concat_ws(' ', a.http_status::text, a.error_code)),
            ('attack', CASE WHEN a.is_attack THEN 'yes' WHEN NOT a.is_attack THEN 'no' END),
            ('billable', CASE
                WHEN a.state <> 'answered' THEN NULL WHEN a.billable THEN 'yes'
                WHEN NOT a.billable THEN 'no' ELSE 'unknown' END),
            ('latency', CASE WHEN a.bucket IS NOT NULL THEN
                coalesce((%(latency_ms)s::int[])[1 + a.bucket]::text, 'more') END)
        UNION ALL SELECT 'reason', unnest(a.reasons)
        UNION ALL SELECT 'device_tag', key FROM jsonb_each(
            CASE WHEN jsonb_typeof(a.device_tags) = 'object' THEN a.device_tags END)
            WHERE value NOT IN ('0', 'false', 'null', '""')
        UNION ALL SELECT 'verify_tag', key FROM jsonb_each(
            CASE WHEN jsonb_typeof(a.verify_tags) = 'object' THEN a.verify_tags END)
            WHERE value NOT IN ('0', 'false', 'null', '""')
    ) AS f (figure, member)
    WHERE f.member IS NOT NULL AND (f.figure <> 'error' OR a.error_code IS NOT NULL)
    GROUP BY a.at, a.client_id, a.region, f.figure, left(f.member, 200)
"""
COUNT_INTO_MINUTES = COUNT.format(table="verification_rollup_minute", column="minute", spans=SPANS)
COUNT_INTO_HOURS = COUNT.format(table="verification_rollup", column="hour", spans=SPANS)

SUM = """
    INSERT INTO {table} ({column}, client_id, region, figure, member, count)
    SELECT t.begins, r.client_id, r.region, r.figure, r.member, sum(r.count)
    FROM {spans} JOIN {parts} AS r
        ON r.client_id = t.client_id AND r.{part} >= t.begins AND r.{part} < t.ends
    GROUP BY 1, 2, 3, 4, 5
"""
SUM_INTO_HOURS = SUM.format(
    table="verification_rollup", column="hour",
    parts="verification_rollup_minute", part="minute", spans=SPANS,
)  # fmt: skip
SUM_INTO_DAYS = SUM.format(
    table="verification_rollup_day", column="day",
    parts="verification_rollup", part="hour", spans=SPANS,
)  # fmt: skip
