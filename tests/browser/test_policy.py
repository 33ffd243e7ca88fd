"""Changing the policy as people do it: by its form, by two, tried out before."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from tests.factories import make_attempt, make_client
from tests.integration.policies.changing import outcomes
from verification.models import PolicyReplay, ReviewPolicy
from verification.outcomes import Outcome
from verification.policy.document import BUILT_IN
from verification.services.policies import propose_policy
from verification.services.replaying import continue_replays, request_replay
from verification.services.runtime import get_runtime

POLICY = "/admin/verification/reviewpolicy/"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
NOTE = "agreed in the risk committee"


@pytest.fixture
def page(page: Page, officer: User) -> Page:
    """Return the tab of somebody who may propose and decide."""
    _allow(officer)
    return page


@pytest.fixture
def colleague(transactional_db: None) -> User:
    """Return somebody else who may."""
    return _allow(User.objects.create_user("dora", is_staff=True))


def _allow(user: User) -> User:
    codenames = ("view_reviewpolicy", "propose_policy", "decide_policy")
    own = Permission.objects.filter(content_type__app_label="verification")
    user.user_permissions.add(*own.filter(codename__in=codenames))
    return user


def _attempts() -> None:
    client = make_client("Mobile onboarding")
    verdicts = {"verified": "approved", "liveness_failed": "rejected", "different_person": "review"}
    for number in range(30):
        at = datetime.now(UTC) - timedelta(hours=number * 5)
        outcome = [*Outcome][number % 6].value
        reasons = [] if outcome == "verified" else [outcome]
        make_attempt(
            outcome,
            client=client,
            created_at=at,
            policy_version=1,
            verdict=verdicts.get(outcome, "retry"),
            reasons=reasons,
        )


def _proposed(by: User) -> int:
    changed = outcomes(verified="review", not_completed="rejected")
    document: dict[str, Any] = {**BUILT_IN, "outcomes": changed, "margin": "1.5"}
    document |= {"second_person": [], "device_levels": ["3"]}
    return propose_policy(document=document, note=NOTE, by=by, runtime=get_runtime()).version


def _replay(version: int, by: User) -> PolicyReplay:
    return request_replay(version=version, days=30, by=by, runtime=get_runtime())


def test_a_version_is_proposed_by_its_form_and_withdrawn(page: Page) -> None:
    page.goto(POLICY)
    page.get_by_role("link", name="Propose a version").click()
    page.get_by_label("Verified: a live person").select_option("review")
    page.get_by_label("Near means within").fill("1.5")
    page.get_by_label("Near the threshold: two people decide").check()
    page.get_by_label("Near the threshold: priority").select_option("high")
    page.get_by_label("Why, and who agreed to it").first.fill(NOTE)
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.get_by_text("Version 2 is proposed.")).to_be_visible()
    expect(page.get_by_text("A confidence within 1.5 of the threshold")).to_have_count(2)
    expect(page.get_by_text("somebody else must decide")).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Version 2 is withdrawn.")).to_be_visible()


def test_a_proposal_of_a_colleague_is_put_in_force(page: Page, colleague: User) -> None:
    version = _proposed(colleague)
    page.goto(f"{POLICY}{version}/")
    page.get_by_role("button", name="Put in force").click()
    assert ReviewPolicy.objects.get(pk=version).state == "proposed"
    page.get_by_label("I have read what changes.").check()
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text(f"Version {version} is in force")).to_be_visible()


def test_the_page_of_a_what_if_follows_it_by_itself(page: Page, colleague: User) -> None:
    _attempts()
    version = _proposed(colleague)
    page.goto(f"{POLICY}{version}/")
    page.get_by_label("Attempts of").select_option("30")
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_role("button", name="Cancel the what-if")).to_be_visible()
    while continue_replays(runtime=get_runtime()):
        pass
    expect(page.get_by_text("attempts would have another verdict")).to_be_visible(timeout=15_000)
    page.get_by_role("region", name="Attempts that would differ").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/verificationattempt/"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_every_page_fits_its_window_and_can_be_read(
    page: Page, colleague: User, officer: User, theme: Any, width: int
) -> None:
    _attempts()
    version = _proposed(colleague)
    done = _replay(version, officer)
    while continue_replays(runtime=get_runtime()):
        pass
    running = _replay(version, officer)
    addresses = {
        "list": POLICY,
        "version": f"{POLICY}{version}/",
        "first": f"{POLICY}1/",
        "form": f"{POLICY}propose/",
        "done": f"{POLICY}what-if/{done.pk}/",
        "running": f"{POLICY}what-if/{running.pk}/",
    }
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    for name, address in addresses.items():
        page.goto(address)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}-{width}-{theme}.png", full_page=True)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, address
        faint = page.evaluate(CONTRAST)
        assert faint == [], f"{address}: {json.dumps(faint, indent=1)}"
