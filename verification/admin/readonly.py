"""Admin pages that show records and change nothing, for anyone, superusers included."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

Record = TypeVar("Record", bound=Model)

if TYPE_CHECKING:
    _Base = ModelAdmin[Record]
else:

    class _Base(ModelAdmin):
        """ModelAdmin takes no type parameter at run time."""

        def __class_getitem__(cls, _parameter: object) -> type:
            return cls


READING = ("GET", "HEAD")


class ReadOnlyAdmin(_Base[Record]):
    """A list and a page for each record, for those with the `view` permission.

    The stock list and form are replaced, not restricted: they build queries out of parameters
    and field names, ours take what `filters` names. There is no page to add, change or delete,
    no history of changes and no action.
    """

    actions = None
    id_converter: ClassVar[str] = "uuid"

    def get_urls(self) -> list[URLPattern]:
        """Route the two pages under the names that the admin's own links use."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path(
                f"<{self.id_converter}:record_id>/",
                wrap(self.record_view),
                name=f"{name}_change",
            ),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Records come from the API and commands only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Record | None = None) -> bool:  # noqa: ARG002
        """Nobody changes a record here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Record | None = None) -> bool:  # noqa: ARG002
        """Nobody deletes a record here."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; `list_page` of the subclass fills it."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        return self.list_page(request, extra_context or {})

    def record_view(self, request: HttpRequest, record_id: Any) -> HttpResponse:
        """Show one record; `record_page` of the subclass fills it. 404 for an unknown id."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        return self.record_page(request, record_id)

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the list."""
        raise NotImplementedError

    def record_page(self, request: HttpRequest, record_id: Any) -> HttpResponse:
        """Return the page of one record."""
        raise NotImplementedError

    def page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """Render one of our templates inside the admin site."""
        site = self.admin_site.each_context(request)
        return TemplateResponse(
            request,
            f"verification/admin/{template}.html",
            {**site, "opts": self.opts, "title": title, **context},
            status=status,
        )

    def only_posted(self, request: HttpRequest) -> HttpResponse:
        """Answer whoever comes to a form's address in another way, as after signing in again."""
        page = self.page(
            request,
            "refusal",
            _("Nothing was done"),
            status=HTTPStatus.METHOD_NOT_ALLOWED,
            sentence=_(
                "This takes a form only: go back to the page of the form, and fill it in again."
            ),
            back=reverse("admin:index"),
        )
        page.headers["Allow"] = "POST"
        return page

    def found(self, record: Record | None) -> Record:
        """Return the record, or answer 404."""
        if record is None:
            raise Http404("There is no such record.")
        return record

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
