"""`faceid_sandbox`: serve the vendor's side of the contract, for development only."""

import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from verification.faceid.contract import REGIONS
from verification.sandbox.server import SandboxServer


class Command(BaseCommand):
    """Runs in the foreground until SIGTERM or Ctrl-C."""

    help = "Serve a FaceID sandbox on a loopback port. Its index page lists the scenarios."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's interface; the sandbox needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
        parser.add_argument("--port", type=int, default=8001, help="0 picks a free one")

    def handle(self, *_: Any, **options: Any) -> None:
        """Refuse production settings; serve until told to stop."""
        _refuse_production()
        given = settings.VERIFICATION
        try:
            server = SandboxServer(
                host=options["host"],
                port=options["port"],
                credentials={given["FACEID_API_KEY"]: given["FACEID_API_SECRET"]},
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = f"{options['host']}:{options['port']}"
            raise CommandError(
                f"The sandbox cannot serve at {where}: {error.strerror}."
                " Choose another --port, or 0 for a free one."
            ) from error
        self._serve(server)

    def _serve(self, server: SandboxServer) -> None:
        ended = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ended.set()

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, end)
        with server:
            self.stdout.write(f"FaceID sandbox at {server.base_url}/")
            self.stdout.flush()
            ended.wait()


def _refuse_production() -> None:
    region = settings.VERIFICATION["FACEID_REGION"]
    if not settings.DEBUG or region in REGIONS:
        raise CommandError(
            "The sandbox refuses to start with production settings:"
            f" DEBUG is {settings.DEBUG}, FACEID_REGION is {region}."
        )
