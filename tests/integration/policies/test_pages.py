"""The policy's pages: who may do what, that forms say what the document says, and what is shown."""

import re
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from tests.integration.ledger.lives import Lives, ahead
from tests.integration.policies.changing import NOTE, document, outcomes, propose
from verification.admin.policy_form import PolicyForm, fields_of
from verification.ledger.canonical import parse
from verification.models import PolicyReplay, ReviewPolicy
from verification.models.policy import PolicyState, ReplayState
from verification.policy.document import BUILT_IN, Policy, make_policy, write_document
from verification.services.replaying import continue_replays, request_replay
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/verification/reviewpolicy/"


def browser(user: User) -> Client:
    """Return a browser in which the person has signed in."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def shown(answer: Any) -> str:
    """Return a page's text without markup, white space made one."""
    text = re.sub(r"<[^>]*>", " ", answer.content.decode())
    return " ".join(text.split())


def posted(policy: Policy, **changes: str) -> dict[str, Any]:
    """Return what the browser sends for a form that was filled in as a policy."""
    sent = {name: value for name, value in fields_of(policy).items() if value is not False}
    return {**{n: "on" if v is True else v for n, v in sent.items()}, "note": NOTE, **changes}


def newest() -> ReviewPolicy:
    """Return the last version."""
    return ReviewPolicy.objects.order_by("-version")[0]


def post(client: Client, path: str, **data: Any) -> HttpResponse:
    """Post to a page of the policy."""
    return client.post(f"{LIST}{path}", data)  # type: ignore[return-value]


def test_versions_are_listed_and_read_in_sentences(paula: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3", device_tags=["is_root"])
    client = browser(paula)
    listed = shown(client.get(LIST))
    assert "Version 2 Proposed" in listed
    assert "Version 1 In force" in listed
    page = shown(client.get(f"{LIST}2/"))
    assert "What differs from version 1, which is in force" in page
    assert "A confidence within 2 of the threshold, above or below." in page
    assert "A confidence within 3 of the threshold, above or below." in page
    assert "3 failures of the subject or of the business number within 1 day before." in page
    assert "due within 4 hours" in page
    assert "You proposed this version, so somebody else must decide." in page
    assert write_document(BUILT_IN).decode().startswith("{")


def test_the_form_as_it_is_filled_in_says_the_policy_itself(paula: User) -> None:
    answer = browser(paula).get(f"{LIST}propose/")
    assert answer.status_code == HTTPStatus.OK
    form = PolicyForm(posted(make_policy(BUILT_IN)))
    assert form.is_valid(), form.errors
    assert make_policy(form.document()) == make_policy(BUILT_IN)
    again = post(browser(paula), "propose/", **posted(make_policy(BUILT_IN)))
    assert again.status_code == HTTPStatus.CONFLICT
    assert "which is in force, says the same" in shown(again)


def test_a_form_proposes_what_was_changed_in_it(paula: User) -> None:
    changes = {
        "margin": "1.5",
        "ending_verified": "review",
        "device_tags": "is_root\r\nis_hook\r\n",
        "priority_in_doubt": "urgent",
        "second_near_threshold": "on",
    }
    answer = post(browser(paula), "propose/", **posted(make_policy(BUILT_IN), **changes))
    assert answer.status_code == HTTPStatus.FOUND
    assert answer.headers["Location"] == f"{LIST}2/"
    policy = make_policy(_document(newest()))
    assert str(policy.margin) == "1.5"
    assert policy.outcomes["verified"] == "review"  # type: ignore[index]
    assert policy.device_tags == {"is_root", "is_hook"}
    assert policy.priorities["in_doubt"].name == "URGENT"  # type: ignore[index]
    assert "near_threshold" in policy.second_person
    assert newest().note == NOTE


def _document(row: ReviewPolicy) -> Any:
    return parse(row.document.encode())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("margin", "-1", "margin"),
        ("margin", "", "This field is required"),
        ("ending_verified", "maybe", "Select a valid choice"),
        ("failures_count", "0", "greater than or equal to 1"),
        ("reason_codes", "only a code", "is not made of a code, decisions and a label"),
        ("reason_codes", "x | approved | X", "none explains rejected, retry"),
        ("reason_codes", "x | approved, <b> | X", "reason_codes.x"),
        ("note", "short", "Give a reason of 10 to 500 characters."),
        ("device_tags", "a\na", "each may stand there once"),
    ],
)
def test_a_form_that_is_wrong_says_what_and_keeps_what_was_typed(
    name: str, value: str, told: str, paula: User
) -> None:
    given = posted(make_policy(BUILT_IN), **{"lease_minutes": "77", name: value})
    answer = post(browser(paula), "propose/", **given)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert told in shown(answer)
    assert 'value="77"' in answer.content.decode()
    assert newest().version == 1


def test_a_document_can_be_pasted(paula: User) -> None:
    raw = write_document(document(margin="4")).decode()
    answer = post(browser(paula), "paste/", document=f"  {raw}\r\n", note=NOTE)
    assert answer.headers["Location"] == f"{LIST}2/"
    assert newest().document == raw
    for bad in ("{}", "no json", '{"schema": 1}', "", "\u0000"):
        refused = post(browser(paula), "paste/", document=bad, note=NOTE)
        assert refused.status_code == HTTPStatus.BAD_REQUEST, bad
    assert newest().version == 2


def test_names_that_may_be_typed_wrong_are_pointed_out(paula: User, runtime: Runtime) -> None:
    propose(paula, runtime, device_tags=["is_root", "is_hook, is_injection", "is_rooot"])
    page = shown(browser(paula).get(f"{LIST}2/"))
    assert "Look for typing errors" in page
    assert re.search("never match. is_hook, is_injection is_rooot What differs", page)
    propose(
        paula, runtime, device_tags=["*"], verify_tags=["any <b>name</b>"], device_levels=["3 "]
    )
    page = browser(paula).get(f"{LIST}3/").content.decode()
    assert "Look for typing errors" in page
    assert "<b>name" not in page
    assert "Look for typing errors" not in shown(browser(paula).get(f"{LIST}1/"))


def test_two_people_put_a_version_in_force(paula: User, dora: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    own = post(browser(paula), "2/decide/", decision="approve", sure="on")
    assert own.status_code == HTTPStatus.CONFLICT
    assert "You proposed this version: somebody else must decide." in shown(own)
    hasty = post(browser(dora), "2/decide/", decision="approve")
    assert hasty.status_code == HTTPStatus.BAD_REQUEST
    assert "Put in force" in shown(browser(dora).get(f"{LIST}2/"))
    vague = post(browser(dora), "2/decide/", decision="approve", sure="on", note="ok")
    assert vague.status_code == HTTPStatus.BAD_REQUEST
    why = "<b>stricter</b> margins"
    post(browser(dora), "2/decide/", decision="approve", sure="on", note=why)
    assert "&lt;b&gt;stricter&lt;/b&gt; margins" in (
        browser(paula).get(f"{LIST}2/").content.decode()
    )
    assert newest().state == PolicyState.ACTIVE
    again = post(browser(dora), "2/decide/", decision="refuse")
    assert again.status_code == HTTPStatus.CONFLICT
    assert "Put in force" not in shown(browser(dora).get(f"{LIST}2/"))


def test_a_version_is_refused_or_withdrawn(paula: User, dora: User, runtime: Runtime) -> None:
    propose(paula, runtime, margin="3")
    propose(paula, runtime, margin="4")
    post(browser(dora), "2/decide/", decision="refuse")
    post(browser(paula), "3/withdraw/")
    states = list(ReviewPolicy.objects.order_by("version").values_list("state", flat=True))
    assert states == ["active", "refused", "withdrawn"]


def test_a_what_if_is_asked_for_watched_and_read(
    lives: Lives, paula: User, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    changed = outcomes(verified="retry")
    propose(paula, runtime, outcomes=changed)
    asked = post(browser(paula), "2/what-if/", days="7")
    address = asked.headers["Location"]
    waiting = browser(paula).get(address)
    assert 'data-progress="open"' in waiting.content.decode()
    assert "Cancel the what-if" in shown(waiting)
    while continue_replays(runtime=ahead(runtime, 1)):
        pass
    done = browser(paula).get(address)
    page = shown(done)
    assert 'data-progress="ended"' in done.content.decode()
    assert "1 attempt would have another verdict." in page
    assert f"/admin/verification/verificationattempt/{attempt_id}/" in done.content.decode()
    assert "onboarding approved another try 1" in page
    assert "progress.js" not in done.content.decode()


def test_a_what_if_can_be_cancelled_and_says_what_it_is_of(paula: User, runtime: Runtime) -> None:
    row = request_replay(version=1, days=1, by=paula, runtime=runtime)
    assert post(browser(paula), f"what-if/{row.pk}/cancel/").status_code == HTTPStatus.FOUND
    assert PolicyReplay.objects.get(pk=row.pk).state == ReplayState.CANCELLED
    page = shown(browser(paula).get(f"{LIST}what-if/{row.pk}/"))
    assert "It was cancelled after 0 of 0 attempts" in page
    again = post(browser(paula), f"what-if/{row.pk}/cancel/")
    assert again.status_code == HTTPStatus.CONFLICT


@pytest.mark.parametrize("days", ["", "0", "-1", "367", "9999", "x", "\u0663"])
def test_days_without_sense_are_refused(days: str, paula: User) -> None:
    answer = post(browser(paula), "1/what-if/", days=days)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert not PolicyReplay.objects.exists()


ACTIONS = (
    "propose/",
    "paste/",
    "1/decide/",
    "1/withdraw/",
    "1/what-if/",
    "what-if/{replay}/cancel/",
)


def test_who_may_only_look_sees_everything_and_changes_nothing(
    paula: User, nobody: User, runtime: Runtime
) -> None:
    row = request_replay(version=1, days=1, by=paula, runtime=runtime)
    client = browser(nobody)
    for page in ("", "1/", f"what-if/{row.pk}/"):
        answer = client.get(f"{LIST}{page}")
        assert answer.status_code == HTTPStatus.OK
        assert "<form class" not in answer.content.decode()
    for action in ACTIONS:
        path = action.format(replay=row.pk)
        assert post(client, path).status_code == HTTPStatus.FORBIDDEN, path
    assert client.get(f"{LIST}propose/").status_code == HTTPStatus.FORBIDDEN


def test_strangers_see_nothing(transactional_db: None) -> None:
    stranger = User.objects.create_user("stranger", is_staff=True)
    for page in ("", "1/", "propose/", f"what-if/{UUID(int=1)}/"):
        answer = browser(stranger).get(f"{LIST}{page}")
        assert answer.status_code == HTTPStatus.FORBIDDEN, page
        assert Client().get(f"{LIST}{page}").status_code == HTTPStatus.FOUND


def test_what_is_not_there_is_not_found_and_reading_never_acts(paula: User) -> None:
    client = browser(paula)
    for page in ("7/", f"what-if/{UUID(int=1)}/"):
        assert client.get(f"{LIST}{page}").status_code == HTTPStatus.NOT_FOUND
    for action in ACTIONS[1:]:
        path = action.format(replay=UUID(int=1))
        assert client.get(f"{LIST}{path}").status_code == HTTPStatus.METHOD_NOT_ALLOWED, path
    assert post(client, "7/decide/", decision="refuse").status_code == HTTPStatus.NOT_FOUND
    checked = Client(enforce_csrf_checks=True)
    checked.force_login(paula)
    assert post(checked, "1/what-if/", days="7").status_code == HTTPStatus.FORBIDDEN


def test_hostile_texts_in_a_document_are_shown_as_texts(paula: User, runtime: Runtime) -> None:
    tags = ["<script>alert(1)</script>", "\u202egnol", "a'\"&"]
    codes = [{"code": "x", "decisions": ["approved", "rejected", "retry"], "label": "</dd><b>"}]
    propose(paula, runtime, device_tags=tags, reason_codes=codes)
    for page in ("2/", "", "propose/"):
        content = browser(paula).get(f"{LIST}{page}").content.decode()
        assert "<script>alert" not in content
        assert "</dd><b>" not in content
    assert (
        "\u202e" not in browser(paula).get(f"{LIST}2/").content.decode().partition("<details>")[0]
    )
