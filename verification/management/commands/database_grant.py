"""`database_grant`: give the roles of web and worker what their work needs, and no more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.services.errors import RoleRefusedError
from verification.services.grants import compare, grant, held_by_table
from verification.services.privileges import Kind


class Command(BaseCommand):
    """For the owner of the tables, after each `migrate`; repeatable."""

    help = "Give the database roles of web and worker what their work needs, and no more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Two roles that exist."""
        parser.add_argument("--web", required=True, metavar="ROLE", help="the web process's role")
        parser.add_argument("--worker", required=True, metavar="ROLE", help="the worker's role")

    def handle(self, *, web: str, worker: str, verbosity: int, **_: Any) -> None:
        """Exit 1 if nothing could be granted, or if a role can do more by another way."""
        try:
            grant(web=web, worker=worker)
        except RoleRefusedError as error:
            raise CommandError(str(error)) from error
        roles = {Kind.WEB: web, Kind.WORKER: worker}
        if verbosity:
            for kind, role in roles.items():
                self._show(kind, role)
        self._refuse_differences(roles)

    def _show(self, kind: Kind, role: str) -> None:
        held = held_by_table(role=role)
        width = max(map(len, held), default=0)
        self.stdout.write(f"{role}, for {kind}:")
        for table, phrases in held.items():
            self.stdout.write(f"  {table:<{width}}  {', '.join(phrases)}")

    def _refuse_differences(self, roles: dict[Kind, str]) -> None:
        for kind, role in roles.items():
            found = compare(kind=kind, role=role)
            wrong = [f"lacks {each}" for each in found.missing]
            wrong += [f"still has {each}" for each in found.superfluous]
            if wrong:
                raise CommandError(f"Granted, but {role!r} {'; '.join(wrong)}.")
