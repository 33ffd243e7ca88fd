"""The job queue's own pages are not part of this admin.

They write styles into their lists, which the policy of every page here forbids, speak one language,
and would let a superuser cancel the work that keeps the log going, with nothing on record. What
waits or failed is told by `manage.py procrastinate shell`.
"""

from django.contrib import admin
from procrastinate.contrib.django import admin as registered  # before it is taken away again
from procrastinate.contrib.django.models import ProcrastinateJob

__all__ = ["registered"]

admin.site.unregister(ProcrastinateJob)
