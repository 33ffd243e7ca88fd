"""An onboarding backend as a customer would write it: the public HTTP API and nothing else."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests

from project.up.errors import UpError

TIMEOUT_S = 60.0
CSV_BLOCK_BYTES = 262_144
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the API: status, whether it is a replay, and the JSON, decimals exact."""

    status: int
    is_replay: bool
    body: Json


@dataclass(frozen=True, slots=True)
class Backend:
    """Calls the service at `base_url` with a bearer key."""

    base_url: str
    key: str = field(repr=False)
    http: requests.Session = field(repr=False)

    def open_session(self, *, texts: Mapping[str, str], reference: bytes) -> Answer:
        """Ask for a biz_token with a reference image (JPEG)."""
        files = {"image_ref1": ("reference.jpg", reference, "image/jpeg")}
        return self._post("/api/v1/sessions/", texts, files)

    def submit(self, *, biz_token: str, packet: bytes) -> Answer:
        """Post what the phone's SDK produced."""
        files = {"meglive_data": ("meglive_data", packet, "application/octet-stream")}
        return self._post("/api/v1/attempts/", {"biz_token": biz_token}, files)

    def attempt(self, attempt_id: str) -> Answer:
        """Read one attempt."""
        path = f"/api/v1/attempts/{attempt_id}/"
        return _answer(self.http.get(self.base_url + path, headers=self._auth(), timeout=TIMEOUT_S))

    def export(self, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the CSV of the client's attempts in blocks."""
        response = self.http.get(
            f"{self.base_url}/api/v1/attempts/export.csv",
            params=query,
            headers=self._auth(),
            timeout=TIMEOUT_S,
            stream=True,
        )
        with response:
            if response.status_code != requests.codes.ok:
                raise UpError(f"The CSV export answered {response.status_code}.")
            yield from response.iter_content(CSV_BLOCK_BYTES)

    def _post(self, path: str, texts: Mapping[str, str], files: Mapping[str, Any]) -> Answer:
        return _answer(
            self.http.post(
                self.base_url + path,
                data=texts,
                files=files,
                headers=self._auth(),
                timeout=TIMEOUT_S,
            )
        )

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def _answer(response: requests.Response) -> Answer:
    try:
        body = json.loads(response.content, parse_float=Decimal)
    except ValueError:
        raise UpError(
            f"{response.request.method} {response.request.path_url} answered "
            f"{response.status_code} with something that is not JSON."
        ) from None
    return Answer(
        status=response.status_code,
        is_replay=response.headers.get("Idempotent-Replayed") == "true",
        body=body,
    )
