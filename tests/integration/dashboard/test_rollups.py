"""Rollups are what counting the attempts directly gives, whatever happened in which order."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from tests.conftest import OpenToken
from tests.factories import NOON, make_attempt, make_client
from tests.integration.ledger.lives import LIVES, Lives, drain
from verification.models import ApiClient, Rollup, RollupPosition, VerificationAttempt
from verification.models.rollup import Figure
from verification.policy.judging import raised_tags
from verification.selectors.figures import Span, Step, figure_series, quantile, shares
from verification.services.rollups import LATENCY_MS, LOCK, count_changes, rebuild
from verification.services.runtime import Runtime

Key = tuple[str, datetime, UUID, str, str]


def counted() -> Counter[Key]:
    rows = Rollup.objects.values_list("figure", "hour", "client_id", "region", "member", "count")
    return Counter({(f, h, c, r, m): n for f, h, c, r, m, n in rows})


def direct() -> Counter[Key]:
    """Count in Python, as slowly and plainly as can be."""
    found: Counter[Key] = Counter()
    for each in VerificationAttempt.objects.all():
        hour = each.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for figure, member in _members(each):
            found[figure, hour, each.client_id, each.region, member[:200]] += 1
    return found


def _members(attempt: VerificationAttempt) -> list[tuple[str, str]]:
    is_answered = attempt.state == "answered"
    yes_no: dict[bool | None, str] = {True: "yes", False: "no"}
    single = {
        "state": attempt.state,
        "outcome": attempt.outcome,
        "verdict": attempt.verdict,
        "attack": None if attempt.is_attack is None else yes_no[attempt.is_attack],
        "billable": yes_no.get(attempt.billable, "unknown") if is_answered else None,
        "latency": _bucket(attempt) if is_answered else None,
    }
    if attempt.result_code is not None:
        single["result"] = f"{attempt.result_code} {attempt.result_message}"
    if attempt.error_code is not None:
        status = "" if attempt.http_status is None else f"{attempt.http_status} "
        single["error"] = f"{status}{attempt.error_code}"
    pairs = [(name, value) for name, value in single.items() if value is not None]
    pairs += [("reason", each) for each in attempt.reasons or []]
    pairs += [("device_tag", each) for each in raised_tags(attempt.device_tags)]
    pairs += [("verify_tag", each) for each in raised_tags(attempt.verify_tags)]
    return pairs


def _bucket(attempt: VerificationAttempt) -> str | None:
    if attempt.settled_at is None or attempt.sent_at is None:
        return None
    took_ms = (attempt.settled_at - attempt.sent_at) / timedelta(milliseconds=1)
    return next((str(top) for top in LATENCY_MS if took_ms < top), "more")


def catch_up(runtime: Runtime) -> None:
    while count_changes(runtime=runtime).is_behind:
        pass


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.mark.django_db(transaction=True)
def test_they_are_the_direct_count_after_every_life_in_any_order(
    lives: Lives, runtime: Runtime
) -> None:
    order = [*LIVES.values(), *(lead for name, lead in LIVES.items() if name != "keyed")]
    random.Random(7).shuffle(order)
    for number, lead in enumerate(order):
        lead(lives)
        if number % 3 == 0:
            drain(runtime)
        if number % 4 == 0:
            catch_up(runtime)
    drain(runtime)
    catch_up(runtime)
    assert counted() == direct()
    assert counted()


@pytest.mark.django_db(transaction=True)
def test_what_leaves_doubt_days_later_is_counted_anew(lives: Lives, runtime: Runtime) -> None:
    attempt_id = lives.in_doubt()
    drain(runtime)
    catch_up(runtime)
    assert Rollup.objects.get(figure="state").member == "in_doubt"
    VerificationAttempt.objects.get(pk=attempt_id)
    lives.late()
    drain(runtime)
    catch_up(runtime)
    assert counted() == direct()


@pytest.mark.django_db(transaction=True)
def test_repeating_changes_nothing_and_reads_nothing(lives: Lives, runtime: Runtime) -> None:
    lives.submitted("ONB-1", verbose="1")
    drain(runtime)
    catch_up(runtime)
    before = counted()
    assert count_changes(runtime=runtime).entries == 0
    RollupPosition.objects.update(index=0)
    catch_up(runtime)
    assert counted() == before


@pytest.mark.django_db(transaction=True)
def test_a_run_that_breaks_leaves_the_position_where_it_was(lives: Lives, runtime: Runtime) -> None:
    lives.submitted("ONB-1", verbose="1")
    drain(runtime)

    def broken() -> datetime:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        count_changes(runtime=replace(runtime, now=broken))
    assert not Rollup.objects.exists()
    catch_up(runtime)
    assert counted() == direct()


@pytest.mark.django_db(transaction=True)
def test_who_counts_at_the_same_moment_is_not_waited_for(lives: Lives, runtime: Runtime) -> None:
    lives.submitted("ONB-1")
    drain(runtime)
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{n: parameters[n] for n in names if n in parameters}) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [LOCK])
        assert count_changes(runtime=runtime).entries == 0
        other.execute("SELECT pg_advisory_unlock_all()")
        assert count_changes(runtime=runtime).entries > 0


@pytest.mark.django_db(transaction=True)
def test_all_of_it_can_be_counted_anew(lives: Lives, runtime: Runtime) -> None:
    lives.submitted("ONB-1", verbose="1")
    drain(runtime)
    for days in (0, 1, 40):
        make_attempt("verified", created_at=NOON - timedelta(days=days), client=lives.client)
    Rollup.objects.create(
        hour=NOON.replace(minute=0, second=0, microsecond=0), client=lives.client,
        region="sandbox", figure="state", member="answered", count=99,
    )  # fmt: skip
    rebuild(runtime=runtime)
    assert counted() == direct()
    call_command("rollups_rebuild", verbosity=0)
    assert counted() == direct()
    assert count_changes(runtime=runtime).entries == 0


@pytest.mark.django_db
def test_figures_are_summed_by_step_zone_client_and_region() -> None:
    one, two = make_client(), make_client()
    hour = NOON.replace(minute=0, second=0, microsecond=0)
    for client, region, at, member, count in (
        (one, "sgp", hour, "verified", 5),
        (one, "sgp", hour - timedelta(hours=20), "verified", 2),
        (two, "idn", hour, "different_person", 3),
    ):
        Rollup.objects.create(
            hour=at, client=client, region=region, figure="outcome", member=member, count=count
        )
    month = Span(hour - timedelta(days=10), hour + timedelta(hours=1))
    assert month.step is Step.DAY
    series = figure_series(month)[Figure.OUTCOME]
    assert series.totals == {"verified": 7, "different_person": 3}
    assert [sum(each.values()) for each in series.steps.values()] == [2, 8]
    of_one = replace(month, client_id=one.pk)
    assert figure_series(of_one)[Figure.OUTCOME].total == 7
    of_idn = replace(month, region="idn")
    assert figure_series(of_idn)[Figure.OUTCOME].totals == {"different_person": 3}
    before = replace(month, end=hour)
    assert figure_series(before)[Figure.OUTCOME].total == 2
    assert {(each.region, each.attempts) for each in shares(month)} == {("sgp", 7), ("idn", 3)}


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.5, None),
        ({"250": 10}, 0.5, 250),
        ({"250": 1, "1000": 1}, 0.5, 250),
        ({"250": 1, "1000": 1}, 0.95, 1000),
        ({"250": 1, "more": 99}, 0.5, None),
    ],
)
def test_a_quantile_is_the_upper_end_of_its_bucket(
    buckets: dict[str, int], share: float, expected: int | None
) -> None:
    assert quantile(buckets, share, LATENCY_MS) == expected
