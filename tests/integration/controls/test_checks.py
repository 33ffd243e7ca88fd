"""Each check can fail: what breaks a control, and nothing else, makes it say so."""

from datetime import timedelta

import pytest
from django.db import DatabaseError

from tests.integration.controls.breaking import (
    CASES,
    House,
    find_damage,
    seal_and_anchor,
    seal_log,
    verify_once,
    work,
)
from tests.integration.database.conftest import execute
from verification.controls.matrix import BY_ID
from verification.controls.results import CheckResult, State
from verification.services.controls import CHECKS, run_checks
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db


def check(house: House, control: str) -> CheckResult:
    """Check one control."""
    return run_checks(runtime=house.runtime, only=[control])[control]


def test_each_control_has_a_check_and_a_test_that_breaks_it() -> None:
    assert set(CHECKS) == set(BY_ID)
    assert set(CASES) == set(BY_ID)


@pytest.mark.parametrize("control", CHECKS)
def test_a_check_holds_in_a_sound_house_and_fails_when_its_control_is_broken(
    house: House, control: str
) -> None:
    case = CASES[control]
    case.sound(house)
    before = check(house, control)
    assert before.state == State.HOLDS, before
    case.broken(house)
    after = check(house, control)
    assert after.state == State.FAILS, after
    assert case.named in after.sentence


@pytest.mark.parametrize(
    "control",
    ["ledger_verified", "checkpoint_fresh", "anchored", "worker_alive", "rights_sealed"],
)
def test_what_never_happened_does_not_hold(house: House, control: str) -> None:
    assert check(house, control).state == State.FAILS


@pytest.mark.parametrize(
    ("control", "sound", "span"),
    [
        ("ledger_verified", verify_once, timedelta(hours=27)),
        ("anchored", seal_and_anchor, timedelta(hours=25)),
        ("worker_alive", work, timedelta(minutes=11)),
    ],
)
def test_what_is_too_old_does_not_hold(
    house: House, control: str, sound: object, span: timedelta
) -> None:
    sound(house)  # type: ignore[operator]
    house.wait(span)
    found = check(house, control)
    assert found.state == State.FAILS
    assert "too" in found.sentence


def test_an_anchor_that_this_process_cannot_read_is_unknown(house: House) -> None:
    seal_log(house)
    house.configure(ledger_anchor_file=house.folder / "elsewhere")
    assert check(house, "anchored").state == State.UNKNOWN


def test_an_anchor_file_that_does_not_hold_fails(house: House) -> None:
    seal_and_anchor(house)
    file = house.runtime.conf.ledger_anchor_file
    assert file is not None
    file.write_bytes(file.read_bytes().replace(b"test.verification", b"best.verification"))
    assert check(house, "anchored").state == State.FAILS


def test_the_owner_of_the_tables_is_more_than_a_service_needs(house: House) -> None:
    assert "owner" in check(house, "database_role").sentence
    house.configure(database_role="web")
    assert "superuser or owns" in check(house, "database_role").sentence


def test_a_switch_that_is_off_fails(house: House) -> None:
    house.configure(second_factor=False)
    assert check(house, "second_factor").state == State.FAILS
    house.settings.MIDDLEWARE = []
    assert "MIDDLEWARE" in check(house, "session_limits").sentence


def test_what_a_deployment_lacks_is_named(house: House) -> None:
    assert "security.W" in check(house, "deployment").sentence


def test_what_cannot_be_read_is_unknown_and_the_others_are_still_checked(house: House) -> None:
    find_damage(house)
    execute("ALTER TABLE verification_reveal RENAME TO verification_reveal_away")
    found = run_checks(
        runtime=house.runtime, only=["reveals_on_record", "ledger_verified", "lockout"]
    )
    assert found["reveals_on_record"].state == State.UNKNOWN
    assert "ProgrammingError" in found["reveals_on_record"].sentence
    assert found["ledger_verified"].state == State.FAILS
    assert found["lockout"].state == State.HOLDS


@pytest.mark.parametrize("error", [ValueError, DatabaseError, KeyError, AssertionError])
def test_whatever_a_check_raises_is_unknown_and_not_told(
    house: House, error: type[Exception]
) -> None:
    def raises(_runtime: Runtime) -> CheckResult:
        raise error("the subject person-000001")

    found = run_checks(runtime=house.runtime, only=["guards"], checks={"guards": raises})
    assert found["guards"].state == State.UNKNOWN
    assert "person" not in found["guards"].sentence


def test_results_come_in_the_order_of_the_catalogue_and_unknown_ids_are_refused(
    house: House,
) -> None:
    found = run_checks(runtime=house.runtime, only=["worker_alive", "guards"])
    assert list(found) == ["guards", "worker_alive"]
    with pytest.raises(KeyError):
        run_checks(runtime=house.runtime, only=["nonsense"])
