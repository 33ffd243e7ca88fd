"""Rollups are what counting the attempts directly gives, whatever happened in which order."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tests.conftest import OpenToken
from tests.factories import NOON, make_attempt, make_client
from tests.integration.ledger.lives import LIVES, Lives, ahead, drain
from verification.conf import get_conf
from verification.models import (
    ApiClient,
    Rollup,
    RollupDay,
    RollupMinute,
    RollupPosition,
    VerificationAttempt,
)
from verification.models.rollup import LATENCY_MS, Figure
from verification.policy.judging import raised_tags
from verification.selectors.figures import Span, Step, attempt_figures, quantile
from verification.services.rollups import LOCK, count_changes, rebuild
from verification.services.runtime import Runtime, make_runtime

COLUMNS = ("figure", "client_id", "region", "member", "count")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2020, 1, 1, tzinfo=UTC)
Key = tuple[str, datetime, UUID, str, str]


def counted() -> Counter[Key]:
    rows = Rollup.objects.values_list("figure", "hour", "client_id", "region", "member", "count")
    return Counter({(f, h, c, r, m): n for f, h, c, r, m, n in rows})


def holds() -> bool:
    """Return whether hours are the direct count, and minutes and days agree with them."""
    minutes = _summed(RollupMinute.objects.values_list("minute", *COLUMNS), HOUR)
    hours = {key: number for key, number in counted().items() if key[1:3] in _places(minutes)}
    assert minutes == hours
    days = _summed(RollupDay.objects.values_list("day", *COLUMNS), DAY)
    assert days == _summed(Rollup.objects.values_list("hour", *COLUMNS), DAY)
    return counted() == direct()


def _summed(rows: Iterable[tuple[Any, ...]], width: timedelta) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for at, figure, client, region, member, number in rows:
        found[figure, at - (at - MIDNIGHT) % width, client, region, member] += number
    return found


def _places(found: Counter[Key]) -> set[tuple[datetime, UUID]]:
    return {(at, client) for _figure, at, client, _region, _member in found}


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


@pytest.mark.parametrize("late_s", [0, DAY / timedelta(seconds=4)])
@pytest.mark.django_db(transaction=True)
def test_they_are_the_direct_count_after_every_life_in_any_order(
    lives: Lives, runtime: Runtime, late_s: float
) -> None:
    """Seen from later, every second count finds the hours too old to have minutes."""
    order = [*LIVES.values(), *(lead for name, lead in LIVES.items() if name != "keyed")]
    random.Random(7).shuffle(order)
    for number, lead in enumerate(order):
        lead(lives)
        if number % 3 == 0:
            drain(runtime)
        if number % 4 == 0:
            catch_up(ahead(runtime, late_s * number))
    drain(runtime)
    catch_up(runtime)
    assert holds()
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
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_only_the_minutes_that_the_log_names_are_counted_anew(
    lives: Lives, runtime: Runtime
) -> None:
    first = lives.submitted("ONB-1", verbose="1")
    drain(runtime)
    catch_up(runtime)
    # Not told by the log: a minute that is not counted anew does not notice.
    at = VerificationAttempt.objects.get(pk=first).created_at
    begin = at.replace(minute=0, second=0, microsecond=0)
    apart = begin + timedelta(minutes=(at.minute + 30) % 60)
    make_attempt("verified", created_at=apart, client=lives.client)
    assert RollupPosition.objects.update(index=0) == 1
    catch_up(runtime)
    assert Rollup.objects.get(figure="state", hour=begin).count == 1
    # An hour without minutes is counted as a whole.
    RollupMinute.objects.all().delete()
    RollupPosition.objects.update(index=0)
    catch_up(runtime)
    assert Rollup.objects.get(figure="state", hour=begin, region="sandbox").count == 2
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_minutes_are_kept_for_days_and_hours_and_days_for_ever(
    lives: Lives, runtime: Runtime
) -> None:
    lives.submitted("ONB-1", verbose="1")
    drain(runtime)
    catch_up(runtime)
    assert RollupMinute.objects.exists()
    before = counted()
    lives.submitted("ONB-2")
    drain(runtime)
    catch_up(ahead(runtime, 4 * DAY / timedelta(seconds=1)))
    assert not RollupMinute.objects.exists()
    assert set(counted()) >= set(before)
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_days_are_those_of_utc(runtime: Runtime) -> None:
    midnight = NOON.replace(hour=0, minute=0, second=0, microsecond=0)
    client = make_client()
    for at in (midnight, midnight - timedelta.resolution):
        make_attempt("verified", created_at=at, client=client)
    rebuild(runtime=runtime)
    days = RollupDay.objects.filter(figure="outcome").order_by("day")
    assert [(each.day, each.count) for each in days] == [(midnight - DAY, 1), (midnight, 1)]
    assert holds()


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
    assert holds()


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
    RollupDay.objects.create(
        day=NOON.replace(hour=0, minute=0, second=0, microsecond=0), client=lives.client,
        region="moon", figure="state", member="answered", count=99,
    )  # fmt: skip
    rebuild(runtime=runtime)
    assert holds()
    call_command("rollups_rebuild", verbosity=0)
    assert holds()
    assert count_changes(runtime=runtime).entries == 0


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_sums_the_hours_that_were_counted_before(runtime: Runtime) -> None:
    client = make_client()
    for hours in (0, 5, 30):
        make_attempt("verified", created_at=NOON - timedelta(hours=hours), client=client)
    rebuild(runtime=runtime)
    RollupDay.objects.all().delete()
    upgrade = import_module("verification.migrations.0020_rollup_day")
    with connection.cursor() as cursor:
        cursor.execute(upgrade.SUM_OF_DAYS)
    assert RollupDay.objects.exists()
    assert holds()


@pytest.mark.django_db
def test_figures_are_summed_by_step_client_and_region() -> None:
    one, two = make_client(), make_client()
    for client, region, at, outcome in (
        (one, "sgp", NOON, "verified"),
        (one, "sgp", NOON - timedelta(hours=20), "verified"),
        (two, "idn", NOON, "different_person"),
    ):
        make_attempt(outcome, client=client, region=region, created_at=at)
    rebuild(runtime=make_runtime(get_conf()))
    end = NOON.replace(microsecond=0) + HOUR
    month = Span(end - timedelta(days=10), end)
    assert month.step is Step.DAY
    found = attempt_figures(month)
    series = found.series[Figure.OUTCOME]
    assert series.totals == {"verified": 2, "different_person": 1}
    assert [sum(each.values()) for each in series.steps.values()] == [1, 2]
    assert {(each.region, each.attempts) for each in found.shares} == {("sgp", 2), ("idn", 1)}
    assert found.total == 3
    of_one = attempt_figures(replace(month, client_id=one.pk))
    assert of_one.series[Figure.OUTCOME].total == of_one.total == 2
    of_idn = attempt_figures(replace(month, region="idn"))
    assert of_idn.series[Figure.OUTCOME].totals == {"different_person": 1}
    assert attempt_figures(replace(month, end=end - HOUR)).total == 1


ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago")
SPANS = (1, 2, 3, 62, 63, 366)


@pytest.mark.django_db
def test_days_and_hours_together_count_each_attempt_once_in_any_zone() -> None:
    """The clocks change within the longer spans."""
    client, any_ = make_client(), random.Random(7)
    times = [
        NOON - timedelta(minutes=any_.randrange(days * 24 * 60))
        for days in SPANS
        for _ in range(20)
    ]
    for at in times:
        make_attempt("verified", client=client, created_at=at)
    rebuild(runtime=make_runtime(get_conf()))
    for zone in map(ZoneInfo, ZONES):
        for days in SPANS:
            assert _days_hold(times, days, zone), (zone, days)


def _days_hold(times: list[datetime], days: int, zone: ZoneInfo) -> bool:
    with timezone.override(zone):
        last = timezone.localdate(NOON)
        first = last - timedelta(days=days - 1)
        span = Span(_midnight(first, zone), _midnight(last + DAY, zone))
        found = attempt_figures(span)
    inside = [at.astimezone(zone) for at in times if span.start <= at < span.end]
    steps = found.series[Figure.OUTCOME].steps
    counts = {at: sum(members.values()) for at, members in steps.items()}
    number = sum(each.attempts for each in found.shares)
    expected = Counter(_step(at, span.step) for at in inside)
    return counts == expected and found.total == number == len(inside)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _step(at: datetime, step: Step) -> datetime:
    local = at.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if step is Step.HOUR:
        return local
    day = local.replace(hour=0)
    return day if step is Step.DAY else day - timedelta(days=day.weekday())


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
