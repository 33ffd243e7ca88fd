"""A sandbox of its own, on a clock that the tests set."""

from collections.abc import Iterator

import pytest

from tests.integration.sandbox.speaking import Clock, Speaker
from verification.faceid.transport import Transport
from verification.sandbox.server import SandboxServer

NOW = 1_700_000_000.0


@pytest.fixture(scope="session")
def standing() -> Iterator[tuple[SandboxServer, Clock]]:
    """One sandbox for the run."""
    clock = Clock(NOW)
    with SandboxServer(clock=clock) as server:
        yield server, clock


@pytest.fixture
def clock(standing: tuple[SandboxServer, Clock]) -> Clock:
    """The sandbox's clock, at NOW."""
    standing[1].now = NOW
    return standing[1]


@pytest.fixture
def speaker(standing: tuple[SandboxServer, Clock], clock: Clock) -> Iterator[Speaker]:
    """A client of the sandbox, whose request log is empty."""
    standing[0].requests.clear()
    transport = Transport()
    yield Speaker(standing[0], transport)
    transport.close()
