"""What is said about codes is complete, and numbers, days and refusals suit their reader."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.utils import timezone
from django.utils.translation import override

from project.messages import ROOT
from verification.admin.charts import percent
from verification.admin.fragments import day, figure
from verification.admin.log_fragments import kind_label
from verification.admin.log_wording import FAULTS, KINDS
from verification.admin.numbers import grouped, localised
from verification.admin.permission_names import DUTIES
from verification.admin.policy_wording import CODE_LABELS, code_name
from verification.admin.refusals import sentence_of
from verification.admin.timeline import duration
from verification.admin.wording import MEANINGS
from verification.faceid.contract import RESULTS
from verification.policy.document import BUILT_IN, PolicyError, make_policy
from verification.services.errors import BadPolicyError, BadReasonError, ReviewTakenError
from verification.services.faults import FaultCode

AT = datetime(2026, 5, 3, 17, 30, tzinfo=UTC)


def test_meanings_are_those_of_the_contract() -> None:
    assert {(row.code, row.message): row.meaning for row in RESULTS} == MEANINGS


def test_every_kind_of_entry_that_is_documented_has_words() -> None:
    formats = (ROOT / "docs" / "formats" / "events.md").read_text()
    rows = [line.split("|")[1] for line in formats.splitlines() if line.startswith("| `")]
    found = {kind for row in rows for kind in re.findall(r"`([a-z_]+\.[a-z_]+|heartbeat)`", row)}
    assert found == KINDS.keys()
    assert {kind_label(each) for each in found} == set(KINDS.values())


def test_every_fault_has_words() -> None:
    assert FAULTS.keys() == set(FaultCode)


def test_every_duty_of_our_models_has_words() -> None:
    named = {
        name
        for model in apps.get_app_config("verification").get_models()
        for _codename, name in model._meta.permissions
    }
    assert named == set(DUTIES)


def test_labels_of_the_built_in_policy_are_known_and_others_stay() -> None:
    assert {each.label for each in make_policy(BUILT_IN).reason_codes} == CODE_LABELS
    with override("zh-hans"):
        assert code_name("Same person") == "同一人"
        assert code_name("Open") == "Open"


@pytest.mark.parametrize(
    ("language", "whole", "score", "share", "shown"),
    [
        ("en", "1,234,567", "84.305", "12.5 %", "3 May 2026"),
        ("zh-hans", "1,234,567", "84.305", "12.5%", "2026年5月3日"),
        ("id", "1.234.567", "84,305", "12,5%", "3 Mei 2026"),
    ],
)
def test_numbers_and_days(language: str, whole: str, score: str, share: str, shown: str) -> None:
    with override(language):
        assert grouped(1_234_567) == whole
        assert score in figure(Decimal("84.305"))
        assert percent(1, 8) == share
        assert day(date(2026, 5, 3)) == shown


def test_digits_stay_whatever_stands_between_them() -> None:
    for language in ("en", "zh-hans", "id"):
        with override(language):
            assert re.sub(r"\D", "", localised("1,234.500")) == "1234500"


def test_a_span_is_said_in_the_readers_units() -> None:
    span = timedelta(hours=2, minutes=10)
    assert duration(span) == "2 h 10 min"
    with override("zh-hans"):
        assert duration(span) == "2 小时 10 分"


def test_a_refusal_is_english_for_machines_and_translated_for_people() -> None:
    error = ReviewTakenError("olga", AT)
    with override("zh-hans"), timezone.override(ZoneInfo("Asia/Jakarta")):
        assert str(error) == "olga works on it until 2026-05-03 at 17:30 UTC."
        assert "2026年5月4日 00:30 WIB" in sentence_of(error)
    with override("id"):
        assert sentence_of(BadReasonError("At most %(most)s.", {"most": 2000})) == "At most 2.000."


def test_what_is_wrong_with_a_policy_is_translated_with_it() -> None:
    with pytest.raises(PolicyError, match="lease_minutes: a whole number from 1 to") as caught:
        make_policy({**BUILT_IN, "lease_minutes": 0})
    error = BadPolicyError("This is not a policy: %(fault)s.", {"fault": caught.value})
    assert str(error) == f"This is not a policy: {caught.value}."
    with override("zh-hans"):
        assert "须为 1 至" in sentence_of(error)
