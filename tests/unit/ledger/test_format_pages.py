"""The pages in docs/formats say what the vectors and the code say."""

import re
from pathlib import Path

import pytest

from tests.unit.ledger.samples import LOG, WITNESS, vector
from verification.ledger import canonical, keys, note
from verification.ledger.checkpoint import open_checkpoint
from verification.ledger.errors import CanonicalError

FORMATS = Path(__file__).resolve().parents[3] / "docs/formats"


def _page(name: str) -> str:
    return (FORMATS / f"{name}.md").read_text()


def test_the_roots_on_the_page_are_those_of_the_vectors() -> None:
    rows = re.findall(r"^\| (\d) \| `([0-9a-f]{64})` \|$", _page("tree"), re.MULTILINE)
    roots = vector("go_tree.json")["roots"]
    assert [root for _, root in rows] == roots[: len(rows)]
    assert len(rows) == 9


def test_the_checkpoint_on_the_page_opens_with_the_keys_on_the_page() -> None:
    page = _page("checkpoint")
    vkeys = re.findall(r"^\| \w+ \| `\w` \| `(\S+)` \|$", page, re.MULTILINE)
    assert vkeys == [str(LOG.verifier), str(WITNESS.verifier)]
    example = page.split("```text\n")[1].split("```")[0]
    opened = open_checkpoint(
        example.encode(),
        log_keys=[keys.parse_vkey(vkeys[0])],
        witnesses=[keys.parse_vkey(vkeys[1])],
    )
    assert [each.time_s for each in opened.cosignatures] == [1700000000]


def test_the_commitments_on_the_page_are_those_of_the_vectors() -> None:
    page = _page("commitment")
    known = [case["commitment"] for case in vector("commitment.json")["commitments"]]
    assert re.findall(r"[0-9a-f]{64}", page)[1:] == [known[0], *known]


@pytest.mark.parametrize(
    ("raw", "verdict"), re.findall(r"^\| `(\{.*\})` \| (\w+)", _page("entry"), re.MULTILINE)
)
def test_the_entries_on_the_page_are_judged_as_it_says(raw: str, verdict: str) -> None:
    try:
        canonical.parse(raw.encode())
    except CanonicalError:
        assert verdict == "refused"
    else:
        assert verdict == "entry"


@pytest.mark.parametrize(
    ("page", "figure"),
    [
        ("entry", canonical.MAX_BYTES),
        ("entry", canonical.MAX_DEPTH),
        ("checkpoint", note.MAX_NOTE_BYTES),
        ("checkpoint", note.MAX_SIGNATURES),
    ],
)
def test_the_limits_on_the_pages_are_those_of_the_code(page: str, figure: int) -> None:
    assert re.search(rf"\b{figure:,}\b", _page(page))
