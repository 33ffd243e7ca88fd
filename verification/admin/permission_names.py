"""Permissions as the reader's language calls them: the database keeps their English names."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission
from django.db.models import ManyToManyField
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

ACTIONS = {
    "add": gettext_noop("add"),
    "change": gettext_noop("change"),
    "delete": gettext_noop("delete"),
    "view": gettext_noop("view"),
}
"""What Django's own permissions allow."""

DUTIES = (
    gettext_noop("Can request the erasure of evidence"),
    gettext_noop("Can approve or refuse the erasure of evidence"),
    gettext_noop("Can propose a version of the review policy"),
    gettext_noop("Can put a version of the review policy in force, or refuse it"),
    gettext_noop("Can reveal evidence, on record"),
    gettext_noop("Can take, note, snooze and propose or decide reviews"),
    gettext_noop("Can second or return another person's proposal"),
    gettext_noop("Can assign and prioritise reviews"),
    gettext_noop("Can reopen what was decided"),
    gettext_noop("Can decide alone where two people are due, loudly"),
    gettext_noop("Can ask for rights for somebody"),
    gettext_noop("Can approve or refuse rights for somebody"),
    gettext_noop("Can export attempts, and ask for large exports"),
    gettext_noop("Can approve or refuse large exports"),
    gettext_noop("Can see recent logins"),
    gettext_noop("Can set what a call costs"),
    gettext_noop("Can see prices and what calls cost"),
    gettext_noop("Can see and check controls, and take the auditor's pack"),
    gettext_noop("Can set how long data is kept"),
    gettext_noop("Can see rules, runs and legal holds"),
    gettext_noop("Can ask for a retention run"),
    gettext_noop("Can approve or refuse a retention run"),
    gettext_noop("Can place and lift legal holds"),
    gettext_noop("Can take a report of what is held about a person"),
)
"""What our own permissions allow, as the models name them."""

if TYPE_CHECKING:
    _Choice = forms.ModelMultipleChoiceField[Permission]
    _Pages = ModelAdmin[Any]
else:
    _Choice = forms.ModelMultipleChoiceField
    _Pages = object


class PermissionField(_Choice):
    """A choice of permissions; give it a queryset that reads each one's model along."""

    def label_from_instance(self, obj: Permission) -> str:
        """Return application, model and what may be done."""
        return label_of(obj)


def label_of(permission: Permission) -> str:
    """Return application, model and what may be done; the stored name of what is not ours."""
    action, _rest = permission.codename.split("_", 1)
    name = permission.name
    if name in DUTIES:
        name = _(name)
    elif action in ACTIONS:
        name = _(ACTIONS[action])
    return f"{permission.content_type} | {name}"


class NamesPermissions(_Pages):
    """For pages on which roles and permissions are chosen; stands before the stock class.

    They are ticked: the stock pair of lists needs a script, and names its help on what has no role.
    """

    def formfield_for_manytomany(
        self,
        db_field: "ManyToManyField[Any, Any]",
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> "forms.ModelMultipleChoiceField[Any] | None":
        """Offer permissions under the names of the reader's language, as boxes to tick."""
        kwargs["widget"] = forms.CheckboxSelectMultiple
        if db_field.related_model is Permission:
            kwargs["form_class"] = PermissionField
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, cast("HttpRequest", request), **kwargs)
