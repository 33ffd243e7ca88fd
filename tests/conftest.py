"""Fixtures of the whole suite: the vendor's sandbox, a runtime wired to it, a client and keys."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from verification.conf import get_conf
from verification.faceid.types import BizTokenRequest, Upload
from verification.models import ApiClient
from verification.models.client import Scope
from verification.sandbox.server import SandboxServer
from verification.services import clients
from verification.services.runtime import Runtime, make_runtime
from verification.services.sessions import open_session

LONG = ("browser", "acceptance", "faults")
"""Folders of files that take minutes: they begin first, so that none is left alone at the end."""

FACE = b"\xff\xd8\xff\xe0 not a real face \xff\xd9"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files first that take longest."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """Serve the vendor's side over real HTTP, once for the run."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """Return the running sandbox with an empty request log."""
    sandbox_server.requests.clear()
    return sandbox_server


@pytest.fixture
def runtime(sandbox: SandboxServer) -> Runtime:
    """Return a runtime with the real clock and network, pointed at the sandbox."""
    return make_runtime(replace(get_conf(), faceid_base_url=sandbox.base_url, faceid_timeout_s=5.0))


@pytest.fixture
def client_app(db: None) -> ApiClient:
    """Return an onboarding application that may do everything."""
    return clients.create_client(name="onboarding", scopes=Scope.values, now=datetime.now(UTC))


@pytest.fixture
def stranger_app(db: None) -> ApiClient:
    """Return another application, which must not see the first one's records."""
    return clients.create_client(name="stranger", scopes=Scope.values, now=datetime.now(UTC))


@pytest.fixture
def bearer(client_app: ApiClient) -> str:
    """Return a bearer key of the client."""
    return clients.issue_bearer_key(client=client_app, now=datetime.now(UTC)).secret


@pytest.fixture
def key_pair(client_app: ApiClient) -> tuple[str, str]:
    """Return a drop-in key pair of the client: (api_key, api_secret)."""
    issued = clients.issue_key_pair(
        client=client_app, keyring=get_conf().keyring, now=datetime.now(UTC)
    )
    return issued.key.public_id, issued.secret


OpenToken = Callable[..., str]


@pytest.fixture
def open_token(client_app: ApiClient, runtime: Runtime) -> OpenToken:
    """Return a function that gets a biz_token from the sandbox: `open_token(biz_no, **options)`."""

    def get(biz_no: str = "", **options: str) -> str:
        texts = {
            "liveness_type": "meglive",
            "comparison_type": "0",
            "uuid": "subject-1",
            "biz_no": biz_no,
            **options,
        }
        request = BizTokenRequest(texts=texts, files={"image_ref1": Upload(FACE)})
        return open_session(client=client_app, request=request, runtime=runtime).biz_token

    return get
