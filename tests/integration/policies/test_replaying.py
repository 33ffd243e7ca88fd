"""A what-if: the version that judged gives what is on record, another one what would differ."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, islice, pairwise
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from procrastinate.contrib.django import app

from tests.factories import make_attempt
from tests.integration.ledger.lives import LIVES, Lives, ahead, attempt
from tests.integration.policies.changing import document, outcomes, propose, put_in_force
from verification.jobs import replay_policies
from verification.lifecycle import State
from verification.models import PolicyReplay, ReviewPolicy, VerificationAttempt
from verification.models.policy import ReplayState
from verification.outcomes import OUTCOMES, Outcome
from verification.policy.document import make_policy
from verification.selectors.policies import read_document
from verification.selectors.replays import fact_names, judged_page
from verification.services import replaying
from verification.services.errors import (
    BadPolicyError,
    NotPermittedError,
    PolicyDecidedError,
    UnknownPolicyError,
)
from verification.services.judging import FAILURES, MOST_FAILURES
from verification.services.replaying import cancel_replay, continue_replays, request_replay
from verification.services.runtime import Runtime
from verification.services.settlement import Settlement

pytestmark = pytest.mark.django_db(transaction=True)

COUNTED_ANEW = {"failures": {"count": 2, "hours": 48}}


def replayed(version: int, by: User, runtime: Runtime, days: int = 1) -> PolicyReplay:
    """Ask for a what-if and have it done."""
    later = ahead(runtime, 1)
    row = request_replay(version=version, days=days, by=by, runtime=later)
    while continue_replays(runtime=later):
        pass
    return PolicyReplay.objects.get(pk=row.pk)


def same(result: dict[str, Any]) -> bool:
    """Return whether every attempt was judged as it had been, for the same reasons."""
    changes = [each.split("|") for each in result["changes"]]
    sides = {when: Counter[str]() for when in ("before", "after")}
    for name in ("reasons", "queue"):
        for key, number in result[name].items():
            when, word = key.split("|")
            sides[when][f"{name}|{word}"] = number
    return (
        all(before == after for before, after in changes)
        and result["flips"] == []
        and result["other_reasons"] == 0
        and sides["before"] == sides["after"]
    )


NUMBERS = st.one_of(st.none(), st.decimals(0, 100, places=3))
TAGS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["is_root", "is_hook", "is_new", "\u4e2d"]),
        st.one_of(
            st.sampled_from([0, 1, 2, True, False, None, "", "1", [], {}, Decimal("0.0")]),
            st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=3),
        ),
    ),
    st.just([1, 2]),
)
ANSWERS = st.fixed_dictionaries(
    {
        "result_code": st.sampled_from([*OUTCOMES, 7321]),
        "is_attack": st.sampled_from([None, False, True]),
        **{
            f"{name}_{what}": NUMBERS
            for name in ("ref1", "ref2", "idcard")
            for what in ("confidence", "threshold_1e3", "threshold_1e4", "threshold_1e6")
        },
        "device_level": st.sampled_from([None, "0", "3", "\u4e2d"]),
        "device_tags": TAGS,
        "verify_tags": TAGS,
        "unknown_fields": st.sampled_from(
            [None, {"risk_info.device": 1}, {"other": {"risk_info.": 1}}, ["risk_info.x"]]
        ),
    }
)


def settlement(answer: dict[str, Any]) -> Settlement:
    """Return how such an answer is settled."""
    outcome = OUTCOMES.get(answer["result_code"], Outcome.UNRECOGNISED).value
    return Settlement(State.ANSWERED, {"http_status": 200, "outcome": outcome, **answer}, {})


def of_person(lives: Lives, number: int) -> Lives:
    """Return what leads attempts of one person through their lives."""

    def open_token(*_: str, **__: str) -> str:
        return lives.open_token(f"ONB-{number}", uuid=f"person-{number}")

    return replace(lives, open_token=open_token)


@given(st.lists(st.tuples(st.integers(0, 40), ANSWERS), min_size=1, max_size=6))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_version_in_force_replays_to_the_very_judgements(
    lives: Lives, paula: User, runtime: Runtime, answers: list[tuple[int, dict[str, Any]]]
) -> None:
    for person, answer in answers:
        of_person(lives, person).settled(settlement(answer))
    row = replayed(1, paula, runtime)
    assert row.state == ReplayState.DONE
    assert row.done == VerificationAttempt.objects.count()
    assert same(row.result)


def test_lives_of_every_kind_replay_to_the_very_judgements(
    lives: Lives, paula: User, runtime: Runtime
) -> None:
    for live in LIVES.values():
        live(lives)
    for _ in range(4):
        lives.submitted(comparison_type="0", uuid="repeats", biz_no="sandbox-different-person")
    row = replayed(1, paula, runtime)
    judged = VerificationAttempt.objects.exclude(verdict=None).count()
    assert row.done == judged > len(LIVES) - 4
    assert same(row.result)


def test_each_version_replays_to_what_it_has_judged_itself(
    lives: Lives, paula: User, dora: User, runtime: Runtime
) -> None:
    failed = settlement({"result_code": 4100})
    for _ in range(4):
        lives.settled(failed)
    put_in_force(paula, dora, runtime, **COUNTED_ANEW)
    for _ in range(4):
        lives.settled(failed)
    judged = {
        version: {row[1]: (row[-2], row[-1]) for row in page(version, runtime)}
        for version in (1, 2)
    }
    for each in VerificationAttempt.objects.all():
        stored = (each.subject_failures, each.biz_no_failures)
        assert each.policy_version is not None
        assert judged[each.policy_version][each.pk] == stored


def page(version: int, runtime: Runtime) -> list[Any]:
    """Return all rows as a version's what-if reads them."""
    policy = read_document(ReviewPolicy.objects.get(pk=version).document)
    now = runtime.now() + timedelta(seconds=1)
    return judged_page(
        policy,
        since=now - timedelta(days=400),
        until=now,
        before=None,
        failures=[Outcome(each) for each in FAILURES],
        most=MOST_FAILURES,
        size=1000,
    )


def test_another_window_counts_anew_as_a_send_would_have(
    lives: Lives, paula: User, runtime: Runtime
) -> None:
    """Three failures a day and a half ago: of no weight in 24 hours, of much in 48."""
    earlier, now = ahead(runtime, -36 * 3600), runtime
    failed = settlement({"result_code": 4100})
    tokens = [lives.open_token("ONB-2") for _ in range(4)]
    then = replace(lives, runtime=earlier, open_token=lambda *_, **__: tokens.pop())
    for _ in range(3):
        then.settled(failed)
    last = replace(then, runtime=now).settled(settlement({"result_code": 1000}))
    assert attempt(last).verdict == "approved"
    propose(paula, runtime, **COUNTED_ANEW)
    row = replayed(2, paula, runtime, days=1)
    assert row.done == 1
    assert row.result["flips"] == [[str(last), "approved", "review"]]
    assert row.result["reasons"] == {"after|subject_failures": 1, "after|biz_no_failures": 1}
    wide = replayed(2, paula, runtime, days=3)
    # The third failure had two before it.
    assert len(wide.result["flips"]) == 2


def test_what_would_differ_is_counted_by_change_reason_client_and_day(
    lives: Lives, paula: User, runtime: Runtime
) -> None:
    near = {"result_code": 1000, "ref1_confidence": Decimal(70), "ref1_threshold_1e4": Decimal(69)}
    passed = [lives.settled(settlement({"result_code": 1000})) for _ in range(3)]
    looked_at = lives.settled(settlement(near))
    verified_is_looked_at = outcomes(verified="rejected")
    propose(paula, runtime, outcomes=verified_is_looked_at, margin="0", second_person=[])
    result = replayed(2, paula, runtime).result
    assert result["changes"] == {"approved|rejected": 3, "review|rejected": 1}
    assert result["reasons"] == {"before|near_threshold": 1}
    client = lives.client.pk
    assert result["clients"] == {
        f"{client}|approved|rejected": 3,
        f"{client}|review|rejected": 1,
    }
    day = attempt(looked_at).created_at.date().isoformat()
    assert result["days"] == {f"{day}|before": 1}
    assert result["queue"] == {"before|normal": 1, "before|second": 0}
    flips = {UUID(each[0]) for each in result["flips"]}
    assert flips == {*passed, looked_at}
    assert UUID(result["flips"][0][0]) == looked_at  # the newest first


def test_the_sample_has_room_for_every_kind_of_change(
    lives: Lives, paula: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verification.services.tally.MOST_OF_A_KIND", 2)
    for code in (4100, 1000, 1000, 1000):
        lives.settled(settlement({"result_code": code}))
    changed = outcomes(verified="retry", liveness_failed="review")
    propose(paula, runtime, outcomes=changed)
    result = replayed(2, paula, runtime).result
    changes = Counter(tuple(each[1:]) for each in result["flips"])
    assert changes == {("approved", "retry"): 2, ("rejected", "review"): 1}
    assert result["changes"]["approved|retry"] == 3


def slices(monkeypatch: pytest.MonkeyPatch, page_size: int) -> None:
    monkeypatch.setattr(replaying, "PAGE_SIZE", page_size)


class Ticking:
    """A clock for which each look takes a second."""

    def __init__(self) -> None:
        self._ticks = count()

    def __call__(self) -> float:
        return float(next(self._ticks))


def test_it_is_done_in_slices_and_may_be_cancelled(
    lives: Lives, paula: User, dora: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices(monkeypatch, 2)
    for _ in range(7):
        lives.settled(settlement({"result_code": 1000}))
    later = ahead(runtime, 1)
    row = request_replay(version=1, days=1, by=paula, runtime=later)
    progress = []
    while continue_replays(runtime=later, slice_s=1.5, monotonic=Ticking()):
        progress.append(PolicyReplay.objects.get(pk=row.pk).done)
    row.refresh_from_db()
    assert progress == [2, 4, 6]
    assert (row.state, row.done, row.total) == (ReplayState.DONE, 7, 7)
    assert row.result["changes"] == {"approved|approved": 7}
    other = request_replay(version=1, days=2, by=paula, runtime=later)
    assert continue_replays(runtime=later, slice_s=1.5, monotonic=Ticking())
    cancelled = cancel_replay(replay_id=other.pk, by=dora, runtime=later)
    assert not continue_replays(runtime=later)
    assert (cancelled.state, cancelled.done) == (ReplayState.CANCELLED, 2)
    with pytest.raises(PolicyDecidedError):
        cancel_replay(replay_id=other.pk, by=dora, runtime=later)


def test_one_that_was_cancelled_meanwhile_is_not_counted_on(
    lives: Lives, paula: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices(monkeypatch, 1)
    for _ in range(3):
        lives.settled(settlement({"result_code": 1000}))
    later = ahead(runtime, 1)
    row = request_replay(version=1, days=1, by=paula, runtime=later)
    looks = count()

    def clock() -> float:
        if next(looks) == 2:
            cancel_replay(replay_id=row.pk, by=paula, runtime=later)
        return 0.0

    assert not continue_replays(runtime=later, monotonic=clock)
    row.refresh_from_db()
    assert (row.state, row.done) == (ReplayState.CANCELLED, 1)


def test_two_workers_at_once_count_each_attempt_once(
    lives: Lives, paula: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices(monkeypatch, 1)
    for _ in range(3):
        lives.settled(settlement({"result_code": 1000}))
    later = ahead(runtime, 1)
    row = request_replay(version=1, days=1, by=paula, runtime=later)
    looks = count()

    def clock() -> float:
        if next(looks) == 2:
            assert not continue_replays(runtime=later)  # the other one, to the end
        return 0.0

    assert not continue_replays(runtime=later, monotonic=clock)
    row.refresh_from_db()
    assert (row.state, row.done) == (ReplayState.DONE, 3)
    assert row.result["changes"] == {"approved|approved": 3}


def test_the_job_does_it_every_five_seconds(lives: Lives, paula: User, runtime: Runtime) -> None:
    lives.settled(settlement({"result_code": 1000}))
    row = request_replay(version=1, days=1, by=paula, runtime=ahead(runtime, 1))
    replay_policies.func(timestamp=0)
    row.refresh_from_db()
    assert (row.state, row.done) == (ReplayState.DONE, 1)
    [periodic] = (
        each
        for each in app.periodic_registry.periodic_tasks.values()
        if each.task.name == replay_policies.name
    )
    times = list(islice(periodic.croniter.all_next(float, start_time=1_700_000_003.0), 50))
    assert {after - before for before, after in pairwise(times)} == {5.0}


def test_asking_twice_is_asking_once(paula: User, dora: User, runtime: Runtime) -> None:
    first = request_replay(version=1, days=7, by=paula, runtime=runtime)
    assert request_replay(version=1, days=7, by=dora, runtime=runtime).pk == first.pk
    assert request_replay(version=1, days=8, by=dora, runtime=runtime).pk != first.pk


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_range_without_sense_is_refused(days: int, paula: User, runtime: Runtime) -> None:
    with pytest.raises(BadPolicyError):
        request_replay(version=1, days=days, by=paula, runtime=runtime)


def test_who_has_no_part_in_policies_asks_for_none(
    paula: User, nobody: User, runtime: Runtime
) -> None:
    with pytest.raises(NotPermittedError):
        request_replay(version=1, days=1, by=nobody, runtime=runtime)
    row = request_replay(version=1, days=1, by=paula, runtime=runtime)
    with pytest.raises(NotPermittedError):
        cancel_replay(replay_id=row.pk, by=nobody, runtime=runtime)
    with pytest.raises(UnknownPolicyError):
        request_replay(version=9, days=1, by=paula, runtime=runtime)
    with pytest.raises(UnknownPolicyError):
        cancel_replay(replay_id=UUID(int=1), by=paula, runtime=runtime)


def test_one_that_cannot_be_done_holds_up_no_other(
    lives: Lives, paula: User, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives.settled(settlement({"result_code": 1000}))
    later = ahead(runtime, 1)
    row = request_replay(version=1, days=1, by=paula, runtime=later)
    PolicyReplay.objects.filter(pk=row.pk).update(result={"changes": 1})
    other = request_replay(version=1, days=2, by=paula, runtime=later)
    while continue_replays(runtime=later):
        pass
    states = dict(PolicyReplay.objects.values_list("pk", "state"))
    assert states == {row.pk: ReplayState.FAILED, other.pk: ReplayState.DONE}


def test_attempts_from_before_there_was_a_policy_are_judged_and_flip_nothing(
    paula: User, runtime: Runtime
) -> None:
    for outcome in Outcome:
        make_attempt(outcome.value, created_at=runtime.now() - timedelta(hours=1))
    result = replayed(1, paula, runtime).result
    assert {key.split("|")[0] for key in result["changes"]} == {"none"}
    assert sum(result["changes"].values()) == len(Outcome)
    assert result["flips"] == []


def test_the_names_of_facts_fit_the_rows(runtime: Runtime, lives: Lives) -> None:
    lives.settled()
    [row] = page(1, runtime)
    names = fact_names(make_policy(document()))
    facts = dict(zip(names, row[-len(names) :], strict=True))
    assert facts["state"] == "answered"
    assert facts["outcome"] == "verified"
    assert isinstance(row[0], datetime)
