"""An inclusion proof drawn for a person: from the entry, level by level, to the root."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.log_fragments import short_hash, whole_hash
from verification.admin.numbers import grouped
from verification.ledger.merkle import node_hash

WIRE_X = {"left": 25, "right": 75}
WIRE = (
    '<svg class="wire" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">'
    '<path d="M{} 0V8H{}V0M50 8V14H{}V20"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Node:
    """One hash: which entries it stands for, and whether it was computed or is given."""

    entries: str
    hash: SafeString
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Rung:
    """Two neighbours, the left one first, and the wire to their parent on the next rung."""

    sides: tuple[Node, Node]
    wire: SafeString


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs from the entry up, and what comes out; `whole` is every given hash in full."""

    rungs: tuple[Rung, ...]
    computed: SafeString
    computed_whole: SafeString
    whole: tuple[SafeString, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """Which entries (first, last) our hash and its sibling cover; where the sibling stands."""

    ours: tuple[int, int]
    sibling: tuple[int, int]
    is_left: bool


def draw_proof(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> Ladder | None:
    """Draw the way of a leaf; None if the proof has not the number of hashes it must have."""
    steps = tuple(_steps(index, size))
    if len(steps) != len(proof):
        return None
    rungs = []
    current = leaf
    for number, (step, sibling) in enumerate(zip(steps, proof, strict=True)):
        above = steps[number + 1] if number + 1 < len(steps) else None
        rungs.append(_rung(step, above, current, sibling))
        current = node_hash(sibling, current) if step.is_left else node_hash(current, sibling)
    whole = tuple(whole_hash(each) for each in proof)
    return Ladder(tuple(rungs), short_hash(current), whole_hash(current), whole)


def _steps(index: int, size: int) -> Iterator[_Step]:
    """Yield the steps from the leaf up: the reverse of halving the tree on the way down."""
    halves = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            halves.append(_Step((start, middle - 1), (middle, end - 1), is_left=False))
            end = middle
        else:
            halves.append(_Step((middle, end - 1), (start, middle - 1), is_left=True))
            start = middle
    yield from reversed(halves)


def _rung(step: _Step, above: _Step | None, current: bytes, sibling: bytes) -> Rung:
    ours = Node(_covers(step.ours), short_hash(current), is_ours=True)
    given = Node(_covers(step.sibling), short_hash(sibling), is_ours=False)
    return Rung((given, ours) if step.is_left else (ours, given), _wire(above))


def _covers(entries: tuple[int, int]) -> str:
    first, last = entries
    if first == last:
        return _("Entry %(index)s") % {"index": grouped(first)}
    return _("Entries %(first)s to %(last)s") % {"first": grouped(first), "last": grouped(last)}


def _wire(above: _Step | None) -> SafeString:
    """Join both neighbours and lead to the next rung's half, or to the root in the middle."""
    to = 50 if above is None else WIRE_X["right" if above.is_left else "left"]
    return format_html(WIRE, WIRE_X["left"], WIRE_X["right"], to)
