"""Accounts and roles in the admin: the stock pages, limited to what cannot be turned against us."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from verification.admin.fragments import moment, text
from verification.admin.permission_names import NamesPermissions, label_of
from verification.admin.reauth import requires_fresh_login
from verification.conf import get_conf
from verification.selectors.rights_changes import is_sealed
from verification.services.second_factor import standing

ACCOUNT_LOOKUPS = frozenset(
    {"is_staff__exact", "is_superuser__exact", "is_active__exact", "groups__id__exact"}
)
"""The filters of the list beside it. Any other could ask for what the list does not show."""

SUPERUSERS_ONLY = ("is_superuser", "user_permissions")
NOTED_BY_US = ("last_login", "date_joined")
WORKING = ("is_active", "is_staff")
OWN_RIGHTS = ("is_staff", "is_active", "groups")

if TYPE_CHECKING:
    _Accounts = UserAdmin[User]
    _AccountForm = UserChangeForm[User]
else:
    _Accounts = UserAdmin
    _AccountForm = UserChangeForm

MISSING = (
    gettext_noop("After you’ve created a user, you’ll be able to edit more user options."),  # noqa: RUF001
    gettext_noop("Breadcrumbs"),
)
"""What the stock pages say, and Django has not in every language that we have."""

for _model in (User, Group):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class AccountForm(_AccountForm):
    """The stock form, which says what the database would refuse: rights grow by two people."""

    def clean(self) -> dict[str, Any]:
        """Refuse what gives the account more than it has."""
        cleaned = super().clean() or {}
        if is_sealed():
            for name in self._growing(cleaned):
                self.add_error(
                    name,
                    ValidationError(
                        _("Rights grow by two people: use “More rights…”, above."), code="four_eyes"
                    ),
                )
        return cleaned

    def _growing(self, cleaned: dict[str, Any]) -> list[str]:
        """Return the fields by which the account would get more; those not in the form stay."""
        before = User.objects.get(pk=self.instance.pk)
        many = {"groups": before.groups.all(), "user_permissions": before.user_permissions.all()}
        found = [name for name, held in many.items() if set(cleaned.get(name, held)) - set(held)]
        if cleaned.get("is_superuser", before.is_superuser) and not before.is_superuser:
            found.append("is_superuser")
        works = {name: cleaned.get(name, getattr(before, name)) for name in WORKING}
        if all(works.values()) and (before.is_superuser or before.groups.exists()):
            found += [name for name in WORKING if not getattr(before, name)]
        return found


@admin.register(User)
class StaffAdmin(NamesPermissions, _Accounts):
    """Accounts: made, changed and switched off, but never deleted, because records name them."""

    form = AccountForm
    change_form_template = "verification/admin/account.html"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002
        """Allow the filters of the list and nothing else."""
        return lookup in ACCOUNT_LOOKUPS

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Add how the second factor stands, with the way to its reset."""
        shown = super().get_fieldsets(request, obj)
        if obj is None or not get_conf().second_factor:
            return shown
        return (*shown, (_("Second factor"), {"fields": ("second_factor",)}))

    @admin.display(description=gettext_lazy("Second factor"))
    def second_factor(self, person: User) -> SafeString:
        """Say since when somebody has one; the reset is a page of its own."""
        stands = standing(person)
        if stands is None:
            return text(None)
        since = moment(stands.confirmed_at)
        address = reverse("admin:verification_factor_reset", args=[person.pk])
        return format_html('{} <a href="{}">{}</a>', since, address, _("Reset it"))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Leave superusers to superusers: their password would be the way to every right."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not obj.is_superuser or _is_superuser(request))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """Nobody deletes an account."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Keep everyone but superusers from giving themselves, or anyone, more than a role.

        When somebody joined and was last here is noted by the site, and written by nobody.
        """
        fixed = (*super().get_readonly_fields(request, obj), "second_factor", *NOTED_BY_US)
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
    """Roles: what they include is read by administrators and changed by superusers.

    Once rights take two people, nobody changes it: what a role includes comes with the version.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Make none that could not include anything."""
        return super().has_add_permission(request) and not is_sealed()

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Change none where the database would refuse it."""
        return super().has_change_permission(request, obj) and not is_sealed()

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

    @requires_fresh_login
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """List roles; its one action deletes some."""
        return super().changelist_view(request, extra_context)

    @requires_fresh_login
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make a role."""
        return super().add_view(request, form_url, extra_context)

    @requires_fresh_login
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Change what a role includes."""
        return super().change_view(request, object_id, form_url, extra_context)

    @requires_fresh_login
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Delete a role."""
        return super().delete_view(request, object_id, extra_context)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
