"""The matrix as files: everything is in them, and nothing in them is markup by accident."""

import csv
import io
from html.parser import HTMLParser

from verification.controls.catalogue import CONTROLS
from verification.controls.document import COLUMNS, to_csv, to_html
from verification.controls.requirements import LINES
from verification.controls.results import CheckResult, State

HELD = {each.id: CheckResult(State.HOLDS, "It holds.") for each in CONTROLS}


def test_the_csv_has_a_row_for_each_line() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(HELD))))
    assert tuple(rows[0]) == COLUMNS
    assert [each["subject"] for each in rows] == [each.subject for each in LINES]
    assert {each["state"] for each in rows} == {"holds", "no check"}
    assert {each["state"] for each in csv.DictReader(io.StringIO(to_csv({})))} == {
        "unknown",
        "no check",
    }


def test_the_page_needs_nothing_beside_it_and_says_all() -> None:
    page = to_html({**HELD, "guards": CheckResult(State.FAILS, "<b>lifted</b>")}, title="A & B")
    assert "<title>A &amp; B</title>" in page
    assert "&lt;b&gt;lifted&lt;/b&gt;" in page
    assert "never checked" in to_html({}, title="x")
    assert not {"src", "href"} & _attributes(page)
    assert page.count("<tr>") == len(CONTROLS) + len(LINES) + page.count("<thead>")


def _attributes(page: str) -> set[str]:
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
            found.update(name for name, _value in attrs)

    Reader().feed(page)
    return found
