"""What a verification can find, and how it says so."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class FaultCode(StrEnum):
    """What can be wrong with log or records; docs/reference/ledger-verify.md explains each."""

    # What is read.
    TABLE = "table_differs"
    # The log itself.
    LOG = "log_broken"
    ANCHOR = "anchor_broken"
    LABEL = "entry_mislabelled"
    TIME = "entry_out_of_time"
    LEAF = "leaf_hash_differs"
    NODE = "node_differs"
    CHECKPOINT = "checkpoint_differs"
    # Records of attempts.
    NO_ROW = "entry_without_row"
    NO_ENTRY = "row_without_entry"
    ROW = "row_differs"
    STATE = "state_differs"
    ORDER = "entries_out_of_order"
    EVIDENCE = "evidence_differs"
    KEY = "key_differs"
    KEY_LOST = "key_does_not_open"
    ERASURE = "erasure_differs"
    FOUR_EYES = "four_eyes"
    REVEAL = "reveal_differs"
    REVIEW = "review_differs"
    # Clients, keys, staff.
    REGISTER = "register_differs"
    # What keeps all of it as it was written.
    GUARD = "guard_differs"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold: at which entry, of which attempt, if it is about one."""

    code: FaultCode
    sentence: str
    index: int | None = None
    attempt_id: UUID | None = None

    def __str__(self) -> str:
        """Return one line for a person."""
        places = [f"attempt {self.attempt_id}"] if self.attempt_id else []
        places += [] if self.index is None else [f"entry {self.index}"]
        place = f"{', '.join(places)}: " if places else ""
        return f"{self.code}: {place}{self.sentence}"
