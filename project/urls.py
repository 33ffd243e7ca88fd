"""The site's addresses: the app at the root, the admin, and the way to it."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("verification.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
