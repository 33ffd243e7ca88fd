"""The page of one attempt says what happened, in every state, and shows no secret."""

import html
import re
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import (
    ANSWERS,
    NOON,
    make_attempt,
    make_bearer_key,
    make_client,
    make_evidence,
    make_session,
)
from verification.admin import wording
from verification.admin.timeline import duration
from verification.faceid.contract import RESULTS
from verification.models import ApiClient, VerificationAttempt, VerificationSession
from verification.outcomes import read_outcome

STATES = ("accepted", "sending", "rejected", "not_sent", "in_doubt", "closed")


def _page(browser: Client, attempt: VerificationAttempt) -> str:
    answer = browser.get(f"/admin/verification/verificationattempt/{attempt.pk}/")
    assert answer.status_code == HTTPStatus.OK
    return html.unescape(answer.content.decode())


def _words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize("outcome", ANSWERS)
def test_an_answer_is_told_in_a_sentence(officer: Client, outcome: str) -> None:
    page = _page(officer, make_attempt(outcome))
    assert wording.OUTCOME_SENTENCES[outcome] in page


@pytest.mark.parametrize("state", STATES)
def test_a_state_without_an_answer_says_what_it_means_and_what_to_do(
    officer: Client, state: str
) -> None:
    page = _page(officer, make_attempt(None, state=state))
    assert wording.STATE_SENTENCES[state] in page
    assert wording.NEXT_STEPS[state] in page


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: f"{row.code} {row.message}")
def test_each_documented_pair_is_shown_with_its_meaning(officer: Client, row: Any) -> None:
    attempt = make_attempt(
        str(read_outcome(row.code, is_attack=None)) if row.code != 9000 else "unrecognised",
        result_code=row.code,
        result_message=row.message,
    )
    said = _words(_page(officer, attempt)).lower()
    assert f" {row.code} " in said
    assert row.meaning.split(",")[0].lower() in said


def test_an_undocumented_pair_is_shown_as_it_came(officer: Client) -> None:
    page = _page(officer, make_attempt("liveness_failed", result_message="NEW_REASON"))
    assert "NEW_REASON" in page
    assert wording.UNLISTED_PAIR in page


def test_a_match_beside_a_suspected_attack_is_not_called_verified(officer: Client) -> None:
    answered = {**ANSWERS["verified"], "is_attack": True, "attack_score": Decimal("0.9")}
    page = _page(officer, make_attempt("liveness_failed", **answered))
    assert wording.ATTACK_BESIDE_COMPARISON in page
    assert "FaceID suspects an attack." in page


@pytest.mark.parametrize(("state", "code"), wording.CAUSES)
def test_each_error_code_is_explained(officer: Client, state: str, code: str) -> None:
    attempt = make_attempt(None, state=state, error_code=code)
    assert wording.CAUSES[(state, code)] in _page(officer, attempt)


def test_an_unknown_error_code_is_shown_with_its_argument(officer: Client) -> None:
    attempt = make_attempt(None, state="rejected", error_code="BRAND_NEW", error_argument="why")
    words = _words(_page(officer, attempt))
    assert "HTTP 400 BRAND_NEW why" in words
    assert wording.UNLISTED_ERROR in words


def test_scores_keep_their_digits_and_stand_against_the_thresholds(officer: Client) -> None:
    attempt = make_attempt(
        "different_person",
        ref1_confidence=Decimal("70.10"),
        idcard_confidence=Decimal(100),
        ref2_threshold_1e3=Decimal("62.1"),
    )
    page = _page(officer, attempt)
    words = _words(page)
    assert "70.10 of 100" in words
    assert "1e-4 69.315 ✓ at or above" in words
    assert "1e-5 74.399 ✕ below" in words
    assert "ID card" in words
    assert "no confidence given" in words
    assert 'width="70.10"' in page
    assert 'x1="62.17"' in page


def test_device_tags_are_told_and_other_tags_are_shown_as_they_came(officer: Client) -> None:
    attempt = make_attempt(
        "verified",
        device_tags={"is_root": 1, "is_hook": 0, "brand_new": 7, "flag": True},
        verify_tags={"some": {"deep": [1, 2]}},
        visual_attributes={"mask": Decimal("0.0200")},
        unknown_fields={"extra": None},
    )
    words = _words(_page(officer, attempt))
    assert "is_root yes" in words
    assert "is_hook no" in words
    assert "brand_new 7" in words
    assert 'some {"deep": [1, 2]}' in words
    assert "mask 0.0200" in words
    assert "extra null" in words


@pytest.mark.parametrize("odd", [[], "text", 3, {}, [1, {"a": 2}]])
def test_tags_of_another_shape_do_not_break_the_page(officer: Client, odd: object) -> None:
    attempt = make_attempt("verified", device_tags=odd, verify_tags=odd, visual_attributes=odd)
    assert "Verified" in _page(officer, attempt)


def test_a_huge_value_is_cut(officer: Client) -> None:
    page = _page(officer, make_attempt("verified", unknown_fields={"big": "x" * 60_000}))
    assert len(page) < 60_000


def test_missing_facts_say_so(officer: Client) -> None:
    attempt = make_attempt("not_completed", biz_no=None, subject="", request_id=None)
    words = _words(_page(officer, attempt))
    assert "No business number" in words
    assert "Subject not given" in words
    assert "Request ID not given" in words
    assert "The answer holds no comparison." in words
    assert "The answer holds no attack result." in words
    assert "No device risk was reported." in words


def test_the_timeline_tells_steps_and_the_time_between(officer: Client) -> None:
    words = _words(_page(officer, make_attempt("verified", send_no=2)))
    assert "Accepted from the client 20 Nov 2026 12:00:00.123 UTC" in words
    assert "after 14 ms Sent to FaceID (send 2)" in words
    assert "after 1.42 s FaceID answered" in words


def test_the_timeline_tells_a_reconciliation(officer: Client) -> None:
    found = make_attempt("verified", reconciled_at=NOON + timedelta(days=2))
    words = _words(_page(officer, found))
    assert "Found in doubt" in words
    assert "after 1 d 23 h Reconciled: the answer was found" in words
    closed = _words(_page(officer, make_attempt(None, state="closed")))
    assert "Reconciled: closed without an answer" in closed
    assert "no trace of it at the vendor" in closed


def test_steps_still_to_come_are_open(officer: Client) -> None:
    assert _words(_page(officer, make_attempt(None, state="accepted"))).count("not yet") == 2
    assert _words(_page(officer, make_attempt(None, state="sending"))).count("not yet") == 1


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(milliseconds=14), "14 ms"),
        (timedelta(milliseconds=999.4), "999 ms"),
        (timedelta(seconds=1.417), "1.42 s"),
        (timedelta(seconds=59.7), "1 min 0 s"),
        (timedelta(seconds=185), "3 min 5 s"),
        (timedelta(hours=2, minutes=10), "2 h 10 min"),
        (timedelta(days=4, hours=3), "4 d 3 h"),
    ],
)
def test_durations_read_like_speech(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_evidence_is_listed_and_stays_sealed(
    officer: Client, records: tuple[ApiClient, VerificationSession, VerificationAttempt]
) -> None:
    with CaptureQueriesContext(connection) as captured:
        words = _words(_page(officer, records[2]))
    for kind in ("image_best", "raw_answer", "video_key"):
        assert f"{kind} encrypted 47.1 KB (48,213 bytes) SHA-256" in words
    assert not [each for each in captured if '"sealed"' in each["sql"]]
    assert not [each for each in captured if '"token_digest"' in each["sql"]]


def test_erased_evidence_says_when(officer: Client) -> None:
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best", erased=True)
    words = _words(_page(officer, attempt))
    assert "image_best erased" in words
    assert "The key was destroyed on 18 Feb 2027" in words


def test_an_attempt_without_evidence_says_so(officer: Client) -> None:
    assert "Nothing was kept." in _page(officer, make_attempt(None, state="not_sent"))


def test_other_attempts_of_the_person_are_linked(officer: Client) -> None:
    client = make_client()
    mine = make_attempt("verified", client=client, subject="cust-1", biz_no="A 1")
    for number in range(7):
        make_attempt("not_completed", client=client, subject="cust-1", biz_no=f"B{number}")
    make_attempt("verified", client=client, subject="cust-2", biz_no="C")
    page = _page(officer, mine)
    assert len(re.findall(r"<bdi>B\d</bdi></a>", page)) == 5
    assert "<bdi>C</bdi>" not in page
    assert "?q=cust-1" in page
    assert "?q=A+1" in page


def test_attempts_without_a_subject_are_not_related(officer: Client) -> None:
    client = make_client()
    mine = make_attempt(client=client, subject="", biz_no="")
    make_attempt(client=client, subject="", biz_no="")
    assert "None with the same subject" in _page(officer, mine)


def test_queries_of_a_page_do_not_grow(officer: Client) -> None:
    client = make_client()
    bare = make_attempt("verified", client=client, subject="s")
    make_evidence(bare, "image_0")
    with CaptureQueriesContext(connection) as few:
        _page(officer, bare)
    rich = make_attempt("verified", client=client, subject="s", session=make_session(client))
    make_evidence(rich, *(f"image_{number}" for number in range(12)))
    for _ in range(9):
        make_attempt("verified", client=client, subject="s")
    with CaptureQueriesContext(connection) as many:
        _page(officer, rich)
    assert len(many) == len(few)


def test_a_session_shows_its_options_and_its_attempt(officer: Client) -> None:
    session = make_session(options={"security_level": "3"})
    make_attempt("verified", client=session.client, session=session, biz_no="LOAN-9")
    answer = officer.get(f"/admin/verification/verificationsession/{session.pk}/")
    words = _words(html.unescape(answer.content.decode()))
    assert "security_level 3" in words
    assert "LOAN-9" in words
    assert "Token valid until 20 Nov 2026 13:00:00.123 UTC" in words


def test_a_session_tells_what_became_of_it(officer: Client) -> None:
    make_session(biz_no="old")
    make_session(biz_no="new", expires_at=NOON + timedelta(days=36_500))
    doubted = make_session(biz_no="doubted")
    make_attempt(None, state="in_doubt", client=doubted.client, session=doubted)
    text = officer.get("/admin/verification/verificationsession/").content.decode()
    for word in ("Expired unused", "Open", "In doubt"):
        assert f"<span>{word}</span>" in text
    for session in VerificationSession.objects.all():
        page = officer.get(f"/admin/verification/verificationsession/{session.pk}/")
        assert page.status_code == HTTPStatus.OK


def test_a_client_shows_the_standing_of_its_keys_and_no_secret(officer: Client) -> None:
    client = make_client(is_active=False, scopes=["attempts:read"])
    answer = officer.get(f"/admin/verification/apiclient/{client.pk}/")
    words = _words(answer.content.decode())
    assert "Switched off" in words
    assert "May read its attempts" in words
    assert "None. An operator makes keys" in words


def test_each_key_has_its_standing(officer: Client) -> None:
    client = make_client()
    make_bearer_key(client, public_id="inforce")
    make_bearer_key(client, public_id="expired", expires_at=NOON)
    make_bearer_key(client, public_id="revoked", revoked_at=NOON)
    with CaptureQueriesContext(connection) as captured:
        answer = officer.get(f"/admin/verification/apiclient/{client.pk}/")
    words = _words(answer.content.decode())
    assert "inforce bearer key In force" in words
    assert "expired bearer key Expired" in words
    assert "revoked bearer key Revoked" in words
    assert not [each for each in captured if "secret" in each["sql"]]
    row = _words(officer.get("/admin/verification/apiclient/").content.decode())
    assert "Active 1 " in row
