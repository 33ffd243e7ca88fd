"""What our own rules refuse: with which status, and why, in the words of the reader."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType

from django.utils import timezone
from django.utils.translation import gettext as _

from verification.admin.fragments import day
from verification.admin.numbers import grouped
from verification.policy.document import PolicyError
from verification.services.errors import (
    BadPolicyError,
    BadPriceError,
    BadReasonError,
    BadRuleError,
    BadSubjectError,
    EvidenceBrokenError,
    EvidenceErasedError,
    ExportFilterError,
    ExportFormError,
    ExportsBusyError,
    NotPermittedError,
    RevealLimitError,
    ServiceError,
    TooManyTriesError,
    UnknownChangeError,
    UnknownErasureError,
    UnknownEvidenceError,
    UnknownExportError,
    UnknownHoldError,
    UnknownPolicyError,
    UnknownRunError,
)

STATUSES: Mapping[type[ServiceError], HTTPStatus] = MappingProxyType(
    {
        BadReasonError: HTTPStatus.BAD_REQUEST,
        BadPolicyError: HTTPStatus.BAD_REQUEST,
        BadPriceError: HTTPStatus.BAD_REQUEST,
        ExportFilterError: HTTPStatus.BAD_REQUEST,
        ExportFormError: HTTPStatus.BAD_REQUEST,
        BadSubjectError: HTTPStatus.BAD_REQUEST,
        BadRuleError: HTTPStatus.BAD_REQUEST,
        NotPermittedError: HTTPStatus.FORBIDDEN,
        UnknownEvidenceError: HTTPStatus.NOT_FOUND,
        UnknownErasureError: HTTPStatus.NOT_FOUND,
        UnknownPolicyError: HTTPStatus.NOT_FOUND,
        UnknownChangeError: HTTPStatus.NOT_FOUND,
        UnknownExportError: HTTPStatus.NOT_FOUND,
        UnknownHoldError: HTTPStatus.NOT_FOUND,
        UnknownRunError: HTTPStatus.NOT_FOUND,
        ExportsBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
        EvidenceErasedError: HTTPStatus.GONE,
        RevealLimitError: HTTPStatus.TOO_MANY_REQUESTS,
        TooManyTriesError: HTTPStatus.TOO_MANY_REQUESTS,
        EvidenceBrokenError: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)


def status_of(error: ServiceError) -> HTTPStatus:
    """Return the HTTP status of a refusal; 409 for those that depend on how things stand."""
    return STATUSES.get(type(error), HTTPStatus.CONFLICT)


def sentence_of(error: ServiceError) -> str:
    """Return why something was refused, in the reader's language and time zone."""
    values = {name: _shown(value) for name, value in error.values.items()}
    return _(error.sentence) % values if values else _(error.sentence)


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        local = timezone.localtime(value)
        clock = f"{local:%H:%M} {local.tzname()}"
        return clock if local.date() == timezone.localdate() else f"{day(local)} {clock}"
    if isinstance(value, PolicyError):
        return _(value.sentence) % value.values if value.values else _(value.sentence)
    return grouped(value) if isinstance(value, int) else value
