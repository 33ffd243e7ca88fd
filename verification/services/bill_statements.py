"""The statements that hold a usage file against the record: a temporary table, and one join."""

THEIRS = """
    CREATE TEMPORARY TABLE verification_bill (
        line bigint NOT NULL, request_id text COLLATE "C" NOT NULL, billed boolean,
        amount numeric, code integer
    ) ON COMMIT DROP
"""
TAKE = "COPY pg_temp.verification_bill (line, request_id, billed, amount, code) FROM STDIN"
LOOK = "ANALYZE pg_temp.verification_bill"

# The first line of an id belongs to the first call with it, the second to the second. Calls a
# little outside of the month are there to be found, not to be missed.
JOIN = """
    WITH theirs AS (
        SELECT *, row_number() OVER (PARTITION BY request_id ORDER BY line) AS n
        FROM pg_temp.verification_bill
    ), call AS (
        SELECT 'verify' AS kind, id, client_id, region, state, result_code, result_message,
            request_id COLLATE "C" AS request_id, sent_at
        FROM verification_attempt
        WHERE 'verify' = ANY(%(kinds)s)
            AND sent_at >= %(start)s - interval '2 days' AND sent_at < %(end)s + interval '2 days'
        UNION ALL
        SELECT 'biz_token', id, client_id, region, NULL, NULL, NULL, request_id COLLATE "C",
            created_at
        FROM verification_session
        WHERE 'biz_token' = ANY(%(kinds)s) AND created_at >= %(start)s - interval '2 days'
            AND created_at < %(end)s + interval '2 days'
    ), ours AS (
        SELECT *, row_number() OVER (PARTITION BY request_id ORDER BY sent_at, id) AS n FROM call
    )
    SELECT t.line, t.request_id, t.billed, t.amount, t.code, t.n,
        o.kind, o.id, o.client_id, o.region, o.state, o.result_code, o.result_message,
        o.request_id, o.sent_at
    FROM theirs AS t FULL JOIN ours AS o ON o.request_id = t.request_id AND o.n = t.n
    WHERE t.line IS NOT NULL OR (o.sent_at >= %(start)s AND o.sent_at < %(end)s)
    ORDER BY t.line NULLS LAST, o.sent_at, o.id
"""
