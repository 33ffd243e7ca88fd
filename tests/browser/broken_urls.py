"""The site with an address that fails, to see what is shown then."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from project.urls import urlpatterns as whole


def _fail(_request: HttpRequest) -> HttpResponse:
    raise ValueError("on purpose")


urlpatterns = [path("admin/fails/", _fail), *whole]
