from verification.faceid.deadline import Deadline


def test_a_deadline_counts_down_to_zero_and_stays_there() -> None:
    now = [100.0]
    deadline = Deadline.after(2.5, lambda: now[0])
    states = []
    for now[0] in (100.0, 102.0, 102.5, 200.0):
        states.append((deadline.remaining_s(), deadline.expired))
    assert states == [(2.5, False), (0.5, False), (0.0, True), (0.0, True)]


def test_the_default_clock_goes_on() -> None:
    assert 0 < Deadline.after(5).remaining_s() <= 5
    assert Deadline.after(-1).expired
