"""Pages on which staff act on records: who may, and what is said when it is refused."""

from typing import cast

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from verification.admin.readonly import ReadOnlyAdmin, Record
from verification.admin.refusals import sentence_of, status_of
from verification.services.errors import BadReasonError, ServiceError

DECISIONS = {"approve": True, "refuse": False}


class ActingAdmin(ReadOnlyAdmin[Record]):
    """Each act is a form that is posted to an address of its own; services check who may again."""

    def require(self, request: HttpRequest, *codenames: str) -> None:
        """Answer 403 to who has none of these permissions."""
        if not any(may(request, each) for each in codenames):
            raise PermissionDenied

    def unless_posted(self, request: HttpRequest, *codenames: str) -> HttpResponse | None:
        """Return what to answer instead of acting, if anything; 403 as `require`."""
        self.require(request, *codenames)
        return None if request.method == "POST" else self.only_posted(request)

    def refusal(self, request: HttpRequest, error: ServiceError, back: str) -> HttpResponse:
        """Return the page that says why nothing was done; `back` is where to go on."""
        return self.page(
            request,
            "refusal",
            _("That was not done"),
            status=status_of(error),
            sentence=sentence_of(error),
            back=back,
        )


def may(request: HttpRequest, codename: str) -> bool:
    """Return whether who asks has a permission of ours."""
    return request.user.has_perm(f"verification.{codename}")


def person_of(request: HttpRequest) -> AbstractUser:
    """Return who asks; the admin lets in nobody else."""
    return cast("AbstractUser", request.user)


def read_approval(request: HttpRequest) -> bool:
    """Return whether the form approves or refuses; BadReasonError if it says neither."""
    approve = DECISIONS.get(request.POST.get("decision", ""))
    if approve is None:
        raise BadReasonError(_("Approve or refuse."))
    return approve
