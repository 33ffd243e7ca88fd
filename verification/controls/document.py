"""The matrix as files that can be read anywhere: CSV, and HTML that needs nothing beside it."""

import csv
import io
from collections.abc import Iterator, Mapping
from html import escape

from verification.controls.catalogue import CONTROLS
from verification.controls.matrix import lines_by_instrument, place_of, state_of
from verification.controls.results import CheckResult, State

COLUMNS = ("instrument", "where", "subject", "asks_for", "controls", "state", "left_to_operator")
DUTY = "no check"
NEVER = "never checked"
STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin-bottom:2rem}"
    "th,td{border:1px solid #888;padding:.4rem .6rem;text-align:left;vertical-align:top}"
)

Results = Mapping[str, CheckResult]


def to_csv(results: Results) -> str:
    """Return a line for each requirement, with the worst state of its controls."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for name, rows in _lines(results):
        writer.writerows((name, *row) for row in rows)
    return out.getvalue()


def to_html(results: Results, *, title: str) -> str:
    """Return one page: the controls with what was found, then the requirements."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><h2>Controls</h2>",
        _table(("Control", "It holds that", "State", "What was found"), _controls(results)),
    ]
    heads = ("Where", "Subject", "It asks for", "Controls", "State", "Left to the operator")
    for name, rows in _lines(results):
        parts += [f"<h2>{escape(name)}</h2>", _table(heads, rows)]
    return "\n".join([*parts, "</body></html>\n"])


def _controls(results: Results) -> Iterator[tuple[str, ...]]:
    for each in CONTROLS:
        found = results.get(each.id, CheckResult(State.UNKNOWN, NEVER))
        yield f"{each.title} ({each.id})", each.holds, found.state.value, found.sentence


def _lines(results: Results) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    states = {control: found.state for control, found in results.items()}
    for instrument, lines in lines_by_instrument():
        yield (
            instrument.name,
            [
                (
                    place_of(line),
                    line.subject,
                    line.says,
                    " ".join(line.controls),
                    (state_of(line, states) or DUTY),
                    line.duty,
                )
                for line in lines
            ],
        )


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
