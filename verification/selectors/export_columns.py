"""The columns of the CSV export: an attempt's JSON, flat, in an order that only ever grows.

Each expression reads the row `a` of `exports.attempts_csv`. `docs/reference/csv.md` is the data
dictionary; a test keeps it equal to this table.
"""

from dataclasses import dataclass

from verification.models import Evidence, EvidenceKey
from verification.models.attempt import COMPARISON_NAMES, THRESHOLD_NAMES, threshold_column

FORMULA_STARTS = (*"\t\n\r+-=@", *"＋－＝＠")  # noqa: RUF001 - the full-width twins are meant
"""A spreadsheet may run a cell that begins with one of these; the last four are U+FF0B and on."""

_FORMULA_CODES = ", ".join(str(ord(each)) for each in FORMULA_STARTS)


@dataclass(frozen=True, slots=True)
class Column:
    """`expression` is SQL over the row `a`; `is_outside_text` cells hold what others wrote."""

    name: str
    expression: str
    is_outside_text: bool = False


def _plain(name: str, source: str | None = None) -> Column:
    return Column(name, f"a.{source or name}")


def _outside(name: str, source: str | None = None) -> Column:
    """Put an apostrophe before a cell that a spreadsheet would take for a formula.

    `ascii` is the code point of the first character: about 60 ns a cell, a third of a regular
    expression's time.
    """
    cell = f"a.{source or name}"
    guarded = f"CASE WHEN ascii({cell}) IN ({_FORMULA_CODES}) THEN '''' || {cell} ELSE {cell} END"
    return Column(name, guarded, is_outside_text=True)


def _flag(name: str) -> Column:
    return Column(name, f"CASE WHEN a.{name} THEN 'true' WHEN NOT a.{name} THEN 'false' END")


def _instant(name: str) -> Column:
    """Write ISO 8601 in UTC without `to_char`, which takes twice the time."""
    return Column(name, f"{_iso(f'a.{name}')}")


def _iso(instant: str) -> str:
    return f"replace(({instant} AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'"


def _scores(reference: str) -> tuple[Column, ...]:
    thresholds = (threshold_column(reference, rate) for rate in THRESHOLD_NAMES)
    return _plain(f"{reference}_confidence"), *(_plain(each) for each in thresholds)


# Put together by hand because `json_agg` takes twice the time; the whole is null without items.
_EVIDENCE = f"""(
    SELECT '[' || string_agg(
        '{{"kind": ' || to_json(e.kind) || ', "size_bytes": ' || e.size_bytes
        || ', "sha256": "' || encode(e.sha256, 'hex') || '", "erased_at": '
        || coalesce('"' || {_iso("k.erased_at")} || '"', 'null') || '}}',
        ', ' ORDER BY e.kind) || ']'
    FROM {Evidence._meta.db_table} e LEFT JOIN {EvidenceKey._meta.db_table} k
        ON k.attempt_id = e.attempt_id
    WHERE e.attempt_id = a.id)"""

COLUMNS: tuple[Column, ...] = (
    _plain("id"),
    _plain("state"),
    _plain("outcome"),
    Column("decision", "NULL"),
    _outside("client", "client_name"),
    _plain("region"),
    _outside("biz_no"),
    _outside("subject"),
    _outside("request_id"),
    _plain("result_code"),
    _outside("result_message"),
    _outside("error_code"),
    _outside("error_argument"),
    _flag("billable"),
    _plain("time_used_ms"),
    _plain("attack_score"),
    _plain("attack_threshold"),
    _flag("is_attack"),
    *(column for reference in COMPARISON_NAMES for column in _scores(reference)),
    _outside("device_level"),
    _plain("device_tags"),
    _plain("verify_tags"),
    _plain("visual_attributes"),
    Column("evidence", _EVIDENCE),
    Column("packet_sha256", "encode(a.packet_sha256, 'hex')"),
    _plain("packet_size_bytes"),
    Column("review_state", "NULL"),
    Column("review_due_at", "NULL"),
    Column("ledger_leaf_hash", "NULL"),
    Column("ledger_index", "NULL"),
    _instant("created_at"),
    _instant("settled_at"),
)
