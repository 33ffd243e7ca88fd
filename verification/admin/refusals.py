"""The small page that says why something was not done, for what our own rules refuse."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from verification.services.errors import (
    BadPolicyError,
    BadReasonError,
    EvidenceBrokenError,
    EvidenceErasedError,
    ExportsBusyError,
    NotPermittedError,
    RevealLimitError,
    ServiceError,
    TooManyTriesError,
    UnknownChangeError,
    UnknownErasureError,
    UnknownEvidenceError,
    UnknownExportError,
    UnknownPolicyError,
)

STATUSES: Mapping[type[ServiceError], HTTPStatus] = MappingProxyType(
    {
        BadReasonError: HTTPStatus.BAD_REQUEST,
        BadPolicyError: HTTPStatus.BAD_REQUEST,
        NotPermittedError: HTTPStatus.FORBIDDEN,
        UnknownEvidenceError: HTTPStatus.NOT_FOUND,
        UnknownErasureError: HTTPStatus.NOT_FOUND,
        UnknownPolicyError: HTTPStatus.NOT_FOUND,
        UnknownChangeError: HTTPStatus.NOT_FOUND,
        UnknownExportError: HTTPStatus.NOT_FOUND,
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
