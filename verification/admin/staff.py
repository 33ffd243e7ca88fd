"""Accounts and roles in the admin: the stock pages, limited to what cannot be turned against us."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from verification.admin.permission_names import NamesPermissions, label_of
from verification.admin.reauth import requires_fresh_login

ACCOUNT_LOOKUPS = frozenset(
    {"is_staff__exact", "is_superuser__exact", "is_active__exact", "groups__id__exact"}
)
"""The filters of the list beside it. Any other could ask for what the list does not show."""

SUPERUSERS_ONLY = ("is_superuser", "user_permissions")
OWN_RIGHTS = ("is_staff", "is_active", "groups")

if TYPE_CHECKING:
    _Accounts = UserAdmin[User]
else:
    _Accounts = UserAdmin

MISSING = (
    gettext_noop("After you’ve created a user, you’ll be able to edit more user options."),  # noqa: RUF001
    gettext_noop("Breadcrumbs"),
)
"""What the stock pages say, and Django has not in every language that we have."""

for _model in (User, Group):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class StaffAdmin(NamesPermissions, _Accounts):
    """Accounts: made, changed and switched off, but never deleted, because records name them."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002
        """Allow the filters of the list and nothing else."""
        return lookup in ACCOUNT_LOOKUPS

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Leave superusers to superusers: their password would be the way to every right."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not obj.is_superuser or _is_superuser(request))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """Nobody deletes an account."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Keep everyone but superusers from giving themselves, or anyone, more than a role."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        if _is_superuser(request):
            return fixed
        is_own = obj is not None and obj.pk == request.user.pk
        return (*fixed, *SUPERUSERS_ONLY, *(OWN_RIGHTS if is_own else ()))

    @requires_fresh_login
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make an account."""
        return super().add_view(request, form_url, extra_context)

    @requires_fresh_login
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Change an account and its roles."""
        return super().change_view(request, object_id, form_url, extra_context)

    @requires_fresh_login
    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Set somebody's password."""
        return super().user_change_password(request, id, form_url)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say what to do instead."""
        user = self.get_object(request, object_id)
        if user is None or not self.has_view_permission(request, user):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": _("That was not done"),
            "sentence": _(
                "An account is never deleted, because records name it. "
                "Take the tick from “Active” instead: nobody can log in with it any more."
            ),
            "back": reverse("admin:auth_user_change", args=[user.pk]),
        }
        template = "verification/admin/refusal.html"
        return TemplateResponse(request, template, context, status=HTTPStatus.CONFLICT)


@admin.register(Group)
class RoleAdmin(NamesPermissions, GroupAdmin):
    """Roles: what they include is read by administrators and changed by superusers."""

    readonly_fields = ("permitted",)

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        """Show what a role includes in the reader's language to who cannot choose it."""
        may = self.has_change_permission(request, obj) if obj else True
        return ("name", "permissions" if may else "permitted")

    @admin.display(description=gettext_lazy("Permissions"))
    def permitted(self, role: Group) -> SafeString:
        """Return the permissions of a role, one in a line."""
        found = role.permissions.select_related("content_type")
        return format_html_join(SafeString("<br>"), "{}", ((label_of(each),) for each in found))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002
        """Allow no filter: the list has none."""
        return False


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
