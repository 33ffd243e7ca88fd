"""A site that routes a view of its own inside the admin, under a namespace and a tempting name."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def _secret(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("what nobody may see yet")


_inner = ([path("logout/", _secret, name="logout")], "inner")
_routes, _app_name, _name = admin.site.urls

urlpatterns = [
    path("admin/", ([path("inner/", include(_inner)), *_routes], _app_name, _name)),
]
