"""The states of an attempt and the ways between them."""

from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import sampled_from

from verification.lifecycle import OPEN, SENDABLE, SETTLED, TRANSITIONS, State

FINAL = {State.ANSWERED, State.REJECTED, State.CLOSED}


def test_every_state_says_where_it_may_go() -> None:
    assert set(TRANSITIONS) == set(State)


def test_final_states_lead_nowhere() -> None:
    assert {state for state, after in TRANSITIONS.items() if not after} == FINAL


def test_doubt_is_left_only_by_reconciliation() -> None:
    assert TRANSITIONS[State.IN_DOUBT] == {State.ANSWERED, State.CLOSED}


def test_nothing_is_sent_again_unless_no_byte_left() -> None:
    into_sending = {state for state, after in TRANSITIONS.items() if State.SENDING in after}
    assert into_sending == SENDABLE


def test_open_settled_and_unsent_states_are_all_states() -> None:
    assert OPEN | SETTLED | {State.NOT_SENT} == set(State)
    assert not OPEN & SETTLED


class Life(RuleBasedStateMachine):
    """Walks any way that the table allows; nothing may be sent after it was settled."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.ACCEPTED
        self.was_settled = False

    @rule(after=sampled_from(sorted(State)))
    def move(self, after: State) -> None:
        if after in TRANSITIONS[self.state]:
            self.was_settled = self.was_settled or self.state in SETTLED
            self.state = after

    @invariant()
    def never_sent_after_settling(self) -> None:
        assert not (self.was_settled and self.state in {State.SENDING, State.NOT_SENT})


TestLife = Life.TestCase
