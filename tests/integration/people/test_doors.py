"""Everyone at every door of the admin: a table, and no door without a row."""

from collections.abc import Mapping
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponseBase
from django.test import Client

from tests.integration.people.doors import doors
from verification.services.roles import ROLES

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY: frozenset[str] = frozenset()
APPROVERS = frozenset({"approver"})
ADMINS = frozenset({"administrator"})
POLICY = APPROVERS | ADMINS
EXPORTING = APPROVERS | {"auditor"}
CONTROLS = POLICY | {"auditor"}
LOGINS = ADMINS | {"auditor"}
OFFICERS = APPROVERS | {"officer"}
COSTS = POLICY | {"auditor"}
REVIEWING = OFFICERS | {"auditor"}
DECIDING = REVIEWING | ADMINS
KEEPING = REVIEWING | ADMINS
ROLES_ALL = frozenset(ROLES)
STAFF = ROLES_ALL | {"no role"}

DOORS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "index": (STAFF, STAFF),
    "login": (STAFF, STAFF),
    "password_change_done": (STAFF, STAFF),
    "autocomplete": (NOBODY, STAFF),
    "view_on_site": (STAFF, STAFF),
    "verification_reveal_changelist": (REVIEWING, REVIEWING),
    "verification_erasure_request": (OFFICERS, OFFICERS),
    "verification_erasure_decide": (APPROVERS, APPROVERS),
    "verification_erasure_certificate": (REVIEWING, REVIEWING),
    "verification_erasure_changelist": (REVIEWING, REVIEWING),
    "verification_erasure_change": (REVIEWING, REVIEWING),
    "verification_verificationattempt_verify": (ROLES_ALL, ROLES_ALL),
    "verification_verificationattempt_changelist": (ROLES_ALL, ROLES_ALL),
    "verification_verificationattempt_change": (ROLES_ALL, ROLES_ALL),
    "verification_apiclient_changelist": (ROLES_ALL, ROLES_ALL),
    "verification_apiclient_change": (ROLES_ALL, ROLES_ALL),
    "verification_rollup_changelist": (ROLES_ALL, ROLES_ALL),
    "verification_ledgerentry_changelist": (DECIDING, DECIDING),
    "verification_ledgerentry_change": (DECIDING, DECIDING),
    "verification_ledgercheckpoint_changelist": (DECIDING, DECIDING),
    "verification_ledgercheckpoint_change": (DECIDING, DECIDING),
    "verification_reviewpolicy_propose": (ADMINS, ADMINS),
    "verification_reviewpolicy_paste": (ADMINS, ADMINS),
    "verification_reviewpolicy_decide": (POLICY, POLICY),
    "verification_reviewpolicy_withdraw": (ADMINS, ADMINS),
    "verification_reviewpolicy_try": (POLICY, POLICY),
    "verification_reviewpolicy_replay": (DECIDING, DECIDING),
    "verification_reviewpolicy_cancel": (POLICY, POLICY),
    "verification_reviewpolicy_changelist": (DECIDING, DECIDING),
    "verification_reviewpolicy_change": (DECIDING, DECIDING),
    "verification_controlrun_changelist": (CONTROLS, CONTROLS),
    "verification_controlrun_check": (CONTROLS, CONTROLS),
    "verification_controlrun_pack": (CONTROLS, CONTROLS),
    "verification_controlrun_control": (CONTROLS, CONTROLS),
    "verification_subjectreport_changelist": (EXPORTING, EXPORTING),
    "verification_subjectreport_take": (EXPORTING, EXPORTING),
    "verification_subjecterasure_changelist": (REVIEWING, REVIEWING),
    "verification_subjecterasure_change": (REVIEWING, REVIEWING),
    "verification_subjecterasure_request": (OFFICERS, OFFICERS),
    "verification_subjecterasure_decide": (APPROVERS, APPROVERS),
    "verification_subjecterasure_answer": (REVIEWING, REVIEWING),
    "verification_retentionrun_changelist": (KEEPING, KEEPING),
    "verification_retentionrun_change": (KEEPING, KEEPING),
    "verification_retentionrun_due": (KEEPING, KEEPING),
    "verification_retentionrun_rule": (ADMINS, ADMINS),
    "verification_retentionrun_request": (POLICY, POLICY),
    "verification_retentionrun_decide": (POLICY, POLICY),
    "verification_retentionrun_cancel": (POLICY, POLICY),
    "verification_legalhold_changelist": (KEEPING, KEEPING),
    "verification_legalhold_change": (KEEPING, KEEPING),
    "verification_legalhold_place": (OFFICERS, OFFICERS),
    "verification_legalhold_lift": (OFFICERS, OFFICERS),
    "verification_preference": (STAFF, STAFF),
    "verification_reauth": (STAFF, STAFF),
    "verification_factor": (STAFF, STAFF),
    "verification_factor_enrol": (STAFF, STAFF),
    "verification_factor_code": (STAFF, STAFF),
    "verification_factor_codes": (STAFF, STAFF),
    "verification_factor_reset": (ADMINS, ADMINS),
    "verification_logins": (LOGINS, LOGINS),
    "verification_evidence_reveal": (OFFICERS, OFFICERS),
    "verification_review_next": (DECIDING, OFFICERS),
    "verification_review_mentions": (DECIDING, DECIDING),
    "verification_review_bulk": (DECIDING, DECIDING),
    "verification_review_save": (DECIDING, DECIDING),
    "verification_review_filter": (DECIDING, DECIDING),
    "verification_review_act": (DECIDING, DECIDING),
    "verification_review_glass": (DECIDING, DECIDING),
    "verification_review_changelist": (DECIDING, DECIDING),
    "verification_review_change": (DECIDING, DECIDING),
    "verification_exportrequest_attempts": (EXPORTING, EXPORTING),
    "verification_exportrequest_take": (EXPORTING, EXPORTING),
    "verification_exportrequest_decide": (POLICY, POLICY),
    "verification_exportrequest_withdraw": (EXPORTING, EXPORTING),
    "verification_exportrequest_prepare": (EXPORTING, EXPORTING),
    "verification_exportrequest_end": (POLICY | EXPORTING, POLICY | EXPORTING),
    "verification_exportjob_changelist": (EXPORTING, EXPORTING),
    "verification_exportjob_change": (EXPORTING, EXPORTING),
    "verification_exportjob_cancel": (EXPORTING, EXPORTING),
    "verification_exportjob_take": (EXPORTING, EXPORTING),
    "verification_exportrequest_changelist": (POLICY | {"auditor"}, POLICY | {"auditor"}),
    "verification_exportrequest_change": (POLICY | {"auditor"}, POLICY | {"auditor"}),
    "verification_price_changelist": (COSTS, COSTS),
    "verification_price_set": (ADMINS, ADMINS),
    "verification_price_costs": (COSTS, COSTS),
    "verification_price_csv": (COSTS, COSTS),
    "verification_rightschange_request": (ADMINS, ADMINS),
    "verification_rightschange_decide": (POLICY, POLICY),
    "verification_rightschange_withdraw": (ADMINS, ADMINS),
    "verification_rightschange_look": (POLICY, POLICY),
    "verification_rightschange_changelist": (POLICY | {"auditor"}, POLICY | {"auditor"}),
    "verification_rightschange_change": (POLICY | {"auditor"}, POLICY | {"auditor"}),
    "verification_verificationsession_changelist": (ROLES_ALL, ROLES_ALL),
    "verification_verificationsession_change": (ROLES_ALL, ROLES_ALL),
    "auth_user_password_change": (ADMINS, ADMINS),
    "auth_user_changelist": (ADMINS, ADMINS),
    "auth_user_add": (ADMINS, ADMINS),
    "auth_user_history": (STAFF, STAFF),
    "auth_user_delete": (NOBODY, NOBODY),
    "auth_user_change": (ADMINS, ADMINS),
    "auth_group_changelist": (ADMINS, ADMINS),
    "auth_group_add": (NOBODY, NOBODY),
    "auth_group_history": (STAFF, STAFF),
    "auth_group_delete": (NOBODY, NOBODY),
    "auth_group_change": (ADMINS, NOBODY),
    "app_list": (STAFF, STAFF),
    "password_change": (STAFF, STAFF),
    "logout": (STAFF, STAFF),
}
"""Address -> who is not refused when they read, and when they post. What is behind it is for the
services, which check again."""

OPEN = {"login", "logout", "jsi18n"}


def _signed_in(name: str, *roles: str) -> Client:
    person = User.objects.create_user(name, is_staff=True)
    person.groups.set(Group.objects.filter(name__in=roles))
    browser = Client(raise_request_exception=False)
    browser.force_login(person)
    return browser


def _is_let_in(answer: HttpResponseBase) -> bool:
    answer.close()  # an export holds its slot until it is read
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    return answer.status_code != HTTPStatus.FORBIDDEN


def test_every_door_has_a_row_and_every_row_a_door() -> None:
    assert doors().keys() - OPEN == DOORS.keys() - OPEN


@pytest.mark.parametrize("role", ["no role", *ROLES])
def test_who_is_let_in(role: str) -> None:
    browser = _signed_in("somebody", role)
    found = {}
    for name, path in doors().items():
        if name not in OPEN:
            found[name] = (_is_let_in(browser.get(path)), _is_let_in(browser.post(path)))
    assert found == {name: (role in DOORS[name][0], role in DOORS[name][1]) for name in found}


def test_a_stranger_is_sent_to_the_login() -> None:
    browser = Client(raise_request_exception=False)
    for name, path in doors().items():
        for answer in (browser.get(path), browser.post(path)):
            is_login = answer.headers.get("Location", "").startswith("/admin/login/")
            assert name in OPEN or is_login, name
