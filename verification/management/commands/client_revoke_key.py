"""`manage.py client_revoke_key ID`: refuse a key from now on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.management.operator import operator
from verification.models import ApiKey
from verification.services.acting import acting_as
from verification.services.clients import revoke_key
from verification.services.runtime import utc_now


class Command(BaseCommand):
    """Takes the public part alone: a whole key would stay in the shell's history."""

    help = "Revoke one key, named by its public part. Repeating keeps the first time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the key."""
        parser.add_argument(
            "public_id",
            help="the 12 characters between vk_ and the second _ of a bearer key, "
            "or the api_key of a FaceID key pair",
        )

    def handle(self, *, public_id: str, **_: Any) -> None:
        """Revoke it; CommandError if no key has this public part."""
        key = ApiKey.objects.select_related("client").filter(public_id=public_id).first()
        if key is None:
            raise CommandError(
                "No key has this public part. A bearer key's is the 12 characters after vk_."
            )
        with acting_as(operator()):
            revoke_key(key=key, now=utc_now())
        self.stdout.write(f"Revoked {key.public_id} of {key.client.name}.")
