"""The columns of the CSV export: an attempt's JSON, flat, in an order that only ever grows.

Each expression reads the attempt `a` (with its `client_name`), its evidence key `k` and its review
`r`, as `exports.ROWS` joins them. `docs/reference/csv.md` is the data dictionary.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from verification.faceid.contract import COMPARISON_NAMES, THRESHOLD_NAMES
from verification.models.attempt import threshold_column

FORMULA_STARTS = "\t\n\r+-=@\uff0b\uff0d\uff1d\uff20"
"""A spreadsheet may run a cell that begins with one of these; the last four are full-width."""

MASK = "\u2022\u2022\u2022\u2022"
MASKED_TAIL = 4
"""So much of a text that is twice as long or longer stays to be seen when it is masked."""

_FORMULA_CODES = ", ".join(str(ord(each)) for each in FORMULA_STARTS)


@dataclass(frozen=True, slots=True)
class Column:
    """`expression` is SQL over `a`, `k` and `r`; `is_outside_text` cells hold what others wrote.

    `json` is SQL for the value where JSON is written: text as it is stored, values with their type.
    `is_personal` cells name or describe a person. `is_masked` ones show at most MASKED_TAIL
    characters of that.
    """

    name: str
    expression: str
    json: str
    is_outside_text: bool = False
    is_personal: bool = False
    is_masked: bool = False


def masked(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns, of which personal ones show no more than their last characters."""
    return tuple(_mask(each) if each.is_personal else each for each in columns)


def _mask(column: Column) -> Column:
    """Show nothing of what is so short that its end would be most of it."""
    cell = f"a.{column.name}::text"
    expression = (
        f"CASE WHEN length({cell}) >= {2 * MASKED_TAIL} "
        f"THEN '{MASK}' || right({cell}, {MASKED_TAIL}) WHEN {cell} IS NOT NULL THEN '{MASK}' END"
    )
    if not column.is_outside_text:
        expression = f"CASE WHEN {cell} IS NOT NULL THEN '{MASK}' END"
    return replace(column, expression=expression, json=expression, is_masked=True)


def _same(name: str, expression: str) -> Column:
    return Column(name, expression, expression)


def _plain(name: str, *, is_personal: bool = False) -> Column:
    return Column(name, f"a.{name}", f"a.{name}", is_personal=is_personal)


def _outside(name: str, source: str | None = None, *, is_personal: bool = False) -> Column:
    """Put an apostrophe before a cell that a spreadsheet would take for a formula.

    `ascii` is the code point of the first character: 60 ns a cell, a third of a regular
    expression's time.
    """
    cell = f"a.{source or name}"
    guarded = f"CASE WHEN ascii({cell}) IN ({_FORMULA_CODES}) THEN '''' || {cell} ELSE {cell} END"
    return Column(name, guarded, cell, is_outside_text=True, is_personal=is_personal)


def _flag(name: str) -> Column:
    words = f"CASE WHEN a.{name} THEN 'true' WHEN NOT a.{name} THEN 'false' END"
    return Column(name, words, f"a.{name}")


def _instant(name: str, source: str | None = None) -> Column:
    """Write ISO 8601 without `to_char`, which takes twice the time; needs `datestyle` ISO."""
    cell = source or f"a.{name}"
    return _same(name, f"replace(({cell} AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'")


def _not_yet(name: str) -> Column:
    """Keep the place of a column that no attempt has a value for."""
    return _same(name, "NULL")


def _comparison(reference: str) -> tuple[Column, ...]:
    thresholds = (threshold_column(reference, rate) for rate in THRESHOLD_NAMES)
    return _plain(f"{reference}_confidence"), *(_plain(each) for each in thresholds)


# As `decisions.current_decision` has it.
_DECISION = """CASE WHEN r.attempt_id IS NULL THEN nullif(a.verdict, 'review')
    WHEN r.state = 'decided' THEN r.decision END"""

# By hand: `json_agg` puts line breaks between items. Null when there is no evidence.
_EVIDENCE = """(
    SELECT '[' || string_agg(
        '{"kind": ' || to_json(e.kind) || ', "size_bytes": ' || e.size_bytes
        || ', "sha256": "' || encode(e.sha256, 'hex') || '", "erased_at": '
        || coalesce(
            '"' || replace((k.erased_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z"', 'null')
        || '}', ', ' ORDER BY e.kind) || ']'
    FROM verification_evidence AS e WHERE e.attempt_id = a.id)"""

COLUMNS: tuple[Column, ...] = (
    _plain("id"),
    _plain("state"),
    _plain("outcome"),
    _same("decision", _DECISION),
    _outside("client", "client_name"),
    _plain("region"),
    _outside("biz_no", is_personal=True),
    _outside("subject", is_personal=True),
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
    *(column for reference in COMPARISON_NAMES for column in _comparison(reference)),
    _outside("device_level"),
    _plain("device_tags"),
    _plain("verify_tags"),
    _plain("visual_attributes", is_personal=True),
    Column("evidence", _EVIDENCE, f"{_EVIDENCE}::json"),
    _same("packet_sha256", "encode(a.packet_sha256, 'hex')"),
    _plain("packet_size_bytes"),
    _same("review_state", "r.state"),
    _instant("review_due_at", "r.due_at"),
    _not_yet("ledger_leaf_hash"),
    _not_yet("ledger_index"),
    _instant("created_at"),
    _instant("settled_at"),
    _plain("policy_version"),
    _plain("verdict"),
    Column("reasons", "array_to_string(a.reasons, ' ')", "a.reasons"),
    _same("reason_code", "CASE WHEN r.state = 'decided' THEN r.reason_code END"),
    _instant("decided_at", "r.decided_at"),
)
