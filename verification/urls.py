"""The addresses of the app; include them at the root of a site."""

from django.urls import path

from verification.api import (
    attempts,
    documents,
    dropin,
    exports,
    health,
    ledger,
    proofs,
    sessions,
)

urlpatterns = [
    path("api/v1/sessions/", sessions.SessionList.as_view(), name="session-list"),
    path("api/v1/attempts/", attempts.AttemptList.as_view(), name="attempt-list"),
    path("api/v1/attempts/export.csv", attempts.AttemptExport.as_view(), name="attempt-export"),
    path(
        "api/v1/attempts/<uuid:attempt_id>/",
        attempts.AttemptDetail.as_view(),
        name="attempt-detail",
    ),
    path(
        "api/v1/attempts/<uuid:attempt_id>/proof/",
        proofs.AttemptProof.as_view(),
        name="attempt-proof",
    ),
    path("api/v1/exports/", exports.ExportList.as_view(), name="export-list"),
    path("api/v1/exports/<uuid:export_id>/", exports.ExportDetail.as_view(), name="export-detail"),
    path("api/v1/exports/<uuid:export_id>/file", exports.ExportFile.as_view(), name="export-file"),
    path("api/v1/ledger/checkpoint/", ledger.CheckpointDetail.as_view(), name="ledger-checkpoint"),
    path("api/v1/ledger/entries/", ledger.EntryList.as_view(), name="ledger-entries"),
    path(
        "api/v1/ledger/consistency/",
        ledger.ConsistencyProof.as_view(),
        name="ledger-consistency",
    ),
    path("api/schema/", documents.schema_document, name="api-schema"),
    path("api/docs/", documents.ReadableDocument.as_view(), name="api-docs"),
    path("faceid/v3/sdk/get_biz_token", dropin.get_biz_token, name="faceid-get-biz-token"),
    path("faceid/v3/sdk/verify", dropin.verify, name="faceid-verify"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
