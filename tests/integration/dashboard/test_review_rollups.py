"""What people did with reviews is counted by day as counting it directly gives, at any moment."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tests.conftest import OpenToken
from tests.factories import make_client
from tests.integration.dashboard.desk import Act, Desk, hold, is_of
from tests.integration.dashboard.test_rollups import catch_up
from tests.integration.ledger.lives import Lives, ahead, drain
from verification.models import (
    ApiClient,
    Review,
    RollupHandlingDay,
    RollupPosition,
    RollupReviewDay,
)
from verification.models.rollup import HANDLING_S
from verification.selectors.figures import Span, counted_at
from verification.selectors.review_figures import (
    FRESH_DAYS,
    median_of,
    parts_of,
    queue_figures,
    work_figures,
)
from verification.services.rollups import rebuild
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOUR_S, DAY_S = 3600.0, 86400.0


@pytest.fixture
def desk(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Desk:
    """Return a desk with its people."""
    return Desk.open(Lives(client_app, runtime, open_token), runtime)


def shuffled(ways: Iterable[list[Act]]) -> list[Act]:
    """Mix ways without changing the order within one."""
    queues, any_ = [list(each) for each in ways], random.Random(7)
    found = []
    while queues := [each for each in queues if each]:
        found.append(any_.choice(queues).pop(0))
    return found


@pytest.mark.parametrize("every_s", [1.0, 0.7 * HOUR_S, 0.4 * DAY_S])
def test_they_are_the_direct_count_after_every_act(desk: Desk, every_s: float) -> None:
    """An act is days after the one before it: what is opened again was decided on another day."""
    ways = [desk.ways(desk.new(), every_s * scale) for scale in (1, 1.7, 3)]
    for number, act in enumerate(shuffled(ways)):
        act()
        if number % 3 == 0:
            drain(desk.runtime)
            catch_up(desk.runtime)
            assert hold(), number
    drain(desk.runtime)
    catch_up(desk.runtime)
    assert hold()
    assert RollupHandlingDay.objects.count() == len(
        set(RollupHandlingDay.objects.values_list("day", "client", "bucket"))
    )
    assert RollupReviewDay.objects.exists()


def test_what_was_opened_again_counts_no_more_on_its_day(desk: Desk) -> None:
    attempt_id = desk.new()
    ways = desk.ways(attempt_id, DAY_S)
    for act in ways[:5]:
        act()
    drain(desk.runtime)
    catch_up(desk.runtime)
    row = RollupReviewDay.objects.get(rejected=1)
    assert (row.seconded, row.glass, row.decided) == (1, 0, 1)
    ways[5]()
    drain(desk.runtime)
    catch_up(desk.runtime)
    same = RollupReviewDay.objects.get(day=row.day, by=row.by)
    assert (same.rejected, same.seconded, same.decided) == (0, 0, 1)
    assert not RollupHandlingDay.objects.exists()
    assert hold()


def test_repeating_changes_nothing(desk: Desk) -> None:
    desk.decided()
    drain(desk.runtime)
    catch_up(desk.runtime)
    before = list(RollupReviewDay.objects.values_list("day", "by", "rejected", "decided"))
    for _ in range(2):
        RollupPosition.objects.update(index=0)
        catch_up(desk.runtime)
        assert hold()
    now = list(RollupReviewDay.objects.values_list("day", "by", "rejected", "decided"))
    assert sorted(now) == sorted(before)


def test_all_of_it_can_be_counted_anew_and_is_found_by_an_upgrade(desk: Desk) -> None:
    for every_s in (1.0, HOUR_S, 2.5 * DAY_S):
        desk.decided(every_s)
    desk.ways(desk.new(), DAY_S)[0]()
    drain(desk.runtime)
    rebuild(runtime=desk.runtime)
    assert hold()
    RollupReviewDay.objects.update(rejected=99)
    RollupHandlingDay.objects.update(count=99)
    call_command("rollups_rebuild", verbosity=0)
    assert hold()
    for table in (RollupReviewDay, RollupHandlingDay):
        table.objects.all().delete()
    upgrade = import_module("verification.migrations.0023_rollup_review")
    with connection.cursor() as cursor:
        for statement in (upgrade.WORK, upgrade.HANDLING):
            cursor.execute(statement)
    assert RollupReviewDay.objects.exists()
    assert hold()


def test_figures_are_exact_at_any_edge_in_any_zone_while_the_worker_lags(desk: Desk) -> None:
    """Days as sums; parts of days and what was not counted directly: nothing twice, or lost."""
    for number, act in enumerate(
        shuffled(desk.ways(desk.new(), scale * HOUR_S) for scale in (0.2, 0.9, 1.4))
    ):
        act()
        if number == 15:
            drain(desk.runtime)
            catch_up(desk.runtime)
    now = datetime.now(UTC)
    for zone in ("UTC", "Asia/Kolkata", "Pacific/Kiritimati", "America/New_York"):
        midnight = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        for first, last in ((0, 1), (-3, 1), (1, 2), (0, 2), (-360, 3)):
            span = Span(midnight + first * DAY, midnight + last * DAY)
            fresh = work_figures(span, counted_at=counted_at())
            assert _agree(fresh, span), (zone, first, last)


def _agree(found: object, span: Span) -> bool:
    return is_of(found, lambda at: span.start <= at < span.end)  # type: ignore[arg-type]


def test_they_are_of_one_client(desk: Desk) -> None:
    desk.decided()
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    span = Span(today, today + 2 * DAY)
    drain(desk.runtime)
    catch_up(desk.runtime)
    at = datetime.now(UTC)
    for counted in (None, at, at - 9 * DAY):
        own = replace(span, client_id=desk.lives.client.pk)
        assert work_figures(own, counted_at=counted).decided == 1
        other = replace(span, client_id=make_client().pk)
        assert work_figures(other, counted_at=counted).decided == 0
        assert work_figures(other, counted_at=counted).loads == []
    assert queue_figures(span, at=at).open == 0
    assert Review.objects.count() == 1


def test_no_more_is_read_directly_than_some_days() -> None:
    """However long no worker ran, and however long the span is."""
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    for hours in (0, 5.5, 13):
        span = Span(midnight - 366 * DAY - hours * HOUR, midnight - hours * HOUR)
        for ago in (0, 1, 3, 90, 300, 900):
            sums, direct = parts_of(span, midnight - ago * DAY)
            parts = sorted([*sums, *direct])
            assert parts[0][0] == span.start
            assert parts[-1][1] == span.end
            assert all(a[1] == b[0] for a, b in pairwise(parts))
            assert sum((b - a for a, b in direct), timedelta()) <= (FRESH_DAYS + 2) * DAY
    assert parts_of(Span(midnight, midnight + DAY), None) == ([(midnight, midnight + DAY)], [])
    part = (midnight + HOUR, midnight + DAY + HOUR)
    assert parts_of(Span(*part), midnight + 9 * DAY) == ([], [part])


@pytest.mark.parametrize("seed", range(5))
def test_a_median_is_wrong_by_a_tenth_at_most(seed: int) -> None:
    any_ = random.Random(seed)
    times = sorted(any_.lognormvariate(8, 2) for _ in range(any_.randrange(1, 400)))
    buckets: dict[int, int] = {}
    for each in times:
        bucket = sum(each >= top for top in HANDLING_S)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    found, exact = median_of(buckets), times[(len(times) - 1) // 2]
    assert found is not None
    assert abs(found - exact) <= max(0.1 * exact, HANDLING_S[0])


def test_buckets_are_narrow_and_the_ends_are_open() -> None:
    ratios = [b / a for a, b in pairwise(HANDLING_S)]
    assert max(ratios) < 1.1
    assert min(ratios) > 1.07
    assert median_of({}) is None
    assert median_of({len(HANDLING_S): 3}) == HANDLING_S[-1]
    assert median_of({0: 2}) == HANDLING_S[0] / 2


def test_a_worker_that_is_behind_by_hours_is_read_around(desk: Desk, runtime: Runtime) -> None:
    """What was decided after the last count is in the figures at once."""
    drain(runtime)
    catch_up(runtime)
    desk.decided()
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    span = Span(today - 30 * DAY, today + 2 * DAY)
    assert not RollupReviewDay.objects.exists()
    assert work_figures(span, counted_at=counted_at()).rejected == 1
    catch_up(ahead(runtime, 1))
    assert work_figures(span, counted_at=counted_at()).rejected == 1
