"""The life of an attempt: its states and the only ways between them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where an attempt is in its life."""

    ACCEPTED = "accepted"
    SENDING = "sending"
    ANSWERED = "answered"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    IN_DOUBT = "in_doubt"
    CLOSED = "closed"


TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.ACCEPTED: frozenset({State.SENDING, State.NOT_SENT}),
        State.SENDING: frozenset({State.ANSWERED, State.REJECTED, State.NOT_SENT, State.IN_DOUBT}),
        State.NOT_SENT: frozenset({State.SENDING}),
        State.IN_DOUBT: frozenset({State.ANSWERED, State.CLOSED}),
        State.ANSWERED: frozenset(),
        State.REJECTED: frozenset(),
        State.CLOSED: frozenset(),
    }
)
"""From each state, where an attempt may go. `in_doubt` moves by reconciliation only."""

SENDABLE = frozenset({State.ACCEPTED, State.NOT_SENT})
"""States in which no byte has left: a send may begin."""

OPEN = frozenset({State.ACCEPTED, State.SENDING})
"""States in which a process owes the next step; the reaper takes over when it is dead."""

SETTLED = frozenset({State.ANSWERED, State.REJECTED, State.IN_DOUBT, State.CLOSED})
"""States with `settled_at`: the call is over, as far as we can know."""
