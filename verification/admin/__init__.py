"""The admin site's pages for staff: records to read and never to change, and what goes on record.

Django's autodiscovery imports this package; its modules register what they show.
"""

from verification.admin import (
    access,
    attempts,
    clients,
    controls,
    costs,
    dashboard,
    erasures,
    exports,
    log,
    login,
    policies,
    preferences,
    queue,
    reveals,
    reviews,
    rights,
    second_factor,
    sessions,
    staff,
    subject_erasures,
    subjects,
)

__all__ = [
    "access",
    "attempts",
    "clients",
    "controls",
    "costs",
    "dashboard",
    "erasures",
    "exports",
    "log",
    "login",
    "policies",
    "preferences",
    "queue",
    "reveals",
    "reviews",
    "rights",
    "second_factor",
    "sessions",
    "staff",
    "subject_erasures",
    "subjects",
]
