"""What a caller learns of a decision: what holds now, and nothing of who or why in words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_attempt
from tests.integration.api.conftest import LiveSite
from tests.reviewing import NOTE, NOW, decide, open_review, propose
from verification.models import ApiClient, VerificationAttempt

pytestmark = pytest.mark.django_db

Read = Callable[[VerificationAttempt], dict[str, Any]]
List = Callable[[str], set[str]]


@pytest.fixture
def read(client: Client, bearer: str) -> Read:
    """Return a function that reads an attempt as its client does."""

    def get(attempt: VerificationAttempt) -> dict[str, Any]:
        path = f"/api/v1/attempts/{attempt.pk}/"
        found: dict[str, Any] = client.get(
            path, headers={"Authorization": f"Bearer {bearer}"}
        ).json()
        return found

    return get


@pytest.fixture
def listed(client: Client, bearer: str) -> List:
    """Return a function that lists the ids of the attempts that a filter keeps."""

    def get(query: str) -> set[str]:
        path = f"/api/v1/attempts/?page_size=200&{query}"
        answer = client.get(path, headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == 200, answer.content
        return {each["id"] for each in answer.json()["results"]}

    return get


def judged(client_app: ApiClient, verdict: str, *reasons: str) -> VerificationAttempt:
    """Store an attempt that version 1 judged."""
    return make_attempt(
        client=client_app,
        created_at=NOW,
        policy_version=1,
        verdict=verdict,
        reasons=list(reasons),
    )


@pytest.mark.parametrize("verdict", ["approved", "rejected", "retry"])
def test_the_policy_decides_where_nobody_must_look(
    client_app: ApiClient, read: Read, verdict: str
) -> None:
    shown = read(judged(client_app, verdict, "near_threshold"))
    assert shown["decision"] == verdict
    assert shown["policy"] == {"version": 1, "verdict": verdict, "reasons": ["near_threshold"]}
    assert shown["review"] is None


def test_what_nobody_judged_has_no_decision(client_app: ApiClient, read: Read) -> None:
    shown = read(make_attempt(client=client_app, created_at=NOW))
    assert (shown["decision"], shown["policy"], shown["review"]) == (None, None, None)


def test_an_open_review_leaves_the_decision_null(client_app: ApiClient, read: Read) -> None:
    attempt = judged(client_app, "review", "different_person")
    assert read(attempt)["decision"] is None
    open_review(attempt)
    shown = read(attempt)
    assert shown["decision"] is None
    assert shown["review"] == {
        "state": "open",
        "due_at": "2026-11-21T12:00:00.000000Z",
        "decided_at": None,
        "reason_code": None,
    }


def test_a_proposal_is_not_told(client_app: ApiClient, read: Read, listed: List) -> None:
    attempt = judged(client_app, "review", "device_tag")
    open_review(attempt, needs_second=True)
    propose(attempt, "approved")
    shown = read(attempt)
    assert shown["decision"] is None
    assert (shown["review"]["state"], shown["review"]["reason_code"]) == ("proposed", None)
    assert not listed("decision=approved")


def test_the_officers_decision_is_the_decision(client_app: ApiClient, read: Read) -> None:
    attempt = judged(client_app, "review", "different_person")
    open_review(attempt)
    decide(attempt, "approved")
    shown = read(attempt)
    assert (shown["decision"], shown["policy"]["verdict"]) == ("approved", "review")
    assert shown["review"] == {
        "state": "decided",
        "due_at": "2026-11-21T12:00:00.000000Z",
        "decided_at": "2026-11-20T12:00:00.000000Z",
        "reason_code": "same_person",
    }


def test_a_review_over_a_policys_decision_suspends_it(
    client_app: ApiClient, read: Read, listed: List
) -> None:
    attempt = judged(client_app, "approved")
    open_review(attempt, needs_second=True)
    assert read(attempt)["decision"] is None
    assert not listed("decision=approved")
    propose(attempt, "rejected")
    decide(attempt, "rejected", by="omar")
    assert read(attempt)["decision"] == "rejected"
    assert listed("decision=rejected") == {str(attempt.pk)}


def test_no_answer_tells_notes_or_people(client_app: ApiClient, read: Read) -> None:
    attempt = judged(client_app, "review", "device_tag")
    open_review(attempt, needs_second=True)
    propose(attempt, "approved")
    decide(attempt, "approved", by="omar")
    told = json.dumps(read(attempt))
    assert not [each for each in (NOTE, "ines", "omar") if each in told]


def test_filters_keep_what_holds(client_app: ApiClient, listed: List) -> None:
    plain = str(judged(client_app, "approved").pk)
    waiting = judged(client_app, "review", "different_person")
    open_review(waiting)
    reviewed = judged(client_app, "review", "different_person")
    open_review(reviewed)
    decide(reviewed, "approved")
    unjudged = str(make_attempt(client=client_app, created_at=NOW).pk)
    assert listed("decision=approved") == {plain, str(reviewed.pk)}
    assert listed("decision=rejected") == set()
    assert listed("verdict=review") == {str(waiting.pk), str(reviewed.pk)}
    assert listed("verdict=approved&decision=approved") == {plain}
    assert listed("review_state=open") == {str(waiting.pk)}
    assert listed("review_state=decided&decision=approved") == {str(reviewed.pk)}
    assert listed("state=answered") >= {plain, unjudged}


@pytest.mark.parametrize(
    "query", ["decision=review", "decision=", "verdict=Approved", "review_state=closed"]
)
def test_a_filter_of_no_such_word_is_refused(client: Client, bearer: str, query: str) -> None:
    path = f"/api/v1/attempts/?{query}"
    answer = client.get(path, headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameter"
    assert answer.json()["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("biz_no", "decision", "verdict"),
    [
        ("", "approved", "approved"),
        ("sandbox:different-person", None, "review"),
        ("sandbox:bad-packet", "retry", "retry"),
        ("sandbox:close-after", None, "review"),
    ],
)
def test_a_submission_answers_what_a_later_read_does(
    live: LiveSite, biz_no: str, decision: str | None, verdict: str
) -> None:
    answer = live.submit(live.token(f"J {biz_no}", uuid=f"judged {biz_no}"))
    attempt = answer.json()
    assert (attempt["decision"], attempt["policy"]["verdict"]) == (decision, verdict)
    assert (attempt["review"] is not None) == (verdict == "review")
    read = live.call("GET", answer.headers["Location"]).json()
    assert {**read, "ledger": None} == attempt
