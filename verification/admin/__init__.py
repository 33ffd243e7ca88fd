"""The admin site's pages for staff: lists and records, to read and never to change.

Django's autodiscovery imports this package; its modules register what they show.
"""

from verification.admin import attempts, clients, log, sessions

__all__ = ["attempts", "clients", "log", "sessions"]
