"""Health: is this process alive, and can it do its work."""

from functools import lru_cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from verification.api.endpoint import json_response
from verification.api.problems import Problem


@csrf_exempt
@no_append_slash
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Answer 200 as long as the process serves; asks nobody else."""
    return json_response({"status": "ok"})


@csrf_exempt
@no_append_slash
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Answer 200 when the database answers and has every migration, else 503."""
    missing = known_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    if missing:
        raise Problem("not_ready", f"{len(missing)} migrations are not applied yet.")
    return json_response({"status": "ready", "database": "ok", "migrations": "applied"})


@lru_cache(maxsize=1)
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations of the installed apps; they do not change while a process runs."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    replaced = {old for each in loader.disk_migrations.values() for old in each.replaces}
    return frozenset(set(loader.disk_migrations) - set(replaced))
