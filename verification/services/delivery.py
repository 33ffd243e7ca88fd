"""Places to which finished exports go: folders, and buckets of S3-compatible storage.

Nothing there is ever replaced: a name that is taken by the same bytes is a delivery that was made
before, one that is taken by others is refused.
"""

import base64
import os
import secrets
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from django.utils.translation import gettext_noop as _

from verification.conf import BucketConf, FolderConf
from verification.services.errors import DeliveryError, DeliveryRefusedError
from verification.services.export_files import digest_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

PRIVATE = 0o600
MOST_BYTES = 5 * 1024**3
"""What S3 takes in one request; of a file in several it cannot promise to replace nothing."""

CONNECT_S, READ_S = 5, 60
TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class Place(Protocol):
    """Keeps files of exports."""

    def deliver(self, name: str, file: BinaryIO, sha256: str) -> str:
        """Keep a file, and return where it is; safe to repeat.

        `file` is read from its beginning; `sha256` is its digest in hexadecimal. Raises
        DeliveryError if it may succeed later, DeliveryRefusedError if a person must look.
        """


class Folder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, name: str, file: BinaryIO, sha256: str) -> str:
        """As in Place: the file gets its name when it is whole, mode 0600."""
        path = self._path / name
        try:
            if path.exists():
                return self._known(path, sha256)
            part = self._path / f".{name}.{secrets.token_hex(4)}.part"
            try:
                self._write(part, file)
                path.hardlink_to(part)  # unlike a rename, it fails when the name is taken
            finally:
                part.unlink(missing_ok=True)
        except FileExistsError:
            return self._known(path, sha256)
        except OSError as error:
            raise DeliveryError(_("The folder cannot be written to.")) from error
        return str(path)

    def _write(self, part: Path, file: BinaryIO) -> None:
        file.seek(0)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(file, target, 1024 * 1024)
            target.flush()
            os.fsync(target.fileno())

    def _known(self, path: Path, sha256: str) -> str:
        with path.open("rb") as found:
            if digest_of(found) != sha256:
                raise DeliveryRefusedError(_("Another file has the name already."))
        return str(path)


class Bucket:
    """A bucket of S3-compatible storage, which must know `If-None-Match` and checksums."""

    def __init__(self, conf: BucketConf) -> None:
        self._conf = conf

    def deliver(self, name: str, file: BinaryIO, sha256: str) -> str:
        """As in Place: the storage checks the digest, and refuses a name that is taken."""
        key = f"{self._conf.prefix}{name}"
        if file.seek(0, os.SEEK_END) > MOST_BYTES:
            raise DeliveryRefusedError(_("The file is larger than 5 GB: compress it."))
        file.seek(0)
        from botocore.exceptions import (  # noqa: PLC0415 - an optional dependency
            BotoCoreError,
            ClientError,
        )

        try:
            client = self._client()
            try:
                client.put_object(
                    Bucket=self._conf.bucket,
                    Key=key,
                    Body=file,
                    IfNoneMatch="*",
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                    Metadata={"sha256": sha256},
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in TAKEN:
                    raise
                self._check_known(client, key, sha256)
        except ClientError as error:
            raise _of_answer(error) from error
        except BotoCoreError as error:
            raise DeliveryError(_("The storage was not reached.")) from error
        return f"{self._conf.bucket}/{key}"

    def _check_known(self, client: "BaseClient", key: str, sha256: str) -> None:
        found: Mapping[str, Any] = client.head_object(Bucket=self._conf.bucket, Key=key)
        if found.get("Metadata", {}).get("sha256") != sha256:
            raise DeliveryRefusedError(_("Another file has the name already."))

    def _client(self) -> "BaseClient":
        from botocore.config import Config  # noqa: PLC0415 - an optional dependency
        from botocore.session import Session  # noqa: PLC0415 - the same

        return Session().create_client(
            "s3",
            endpoint_url=self._conf.endpoint,
            region_name=self._conf.region,
            aws_access_key_id=self._conf.key_id,
            aws_secret_access_key=self._conf.secret,
            config=Config(
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                retries={"total_max_attempts": 2},
                s3={"addressing_style": "path"},
            ),
        )


def places_of(given: Mapping[str, FolderConf | BucketConf]) -> Mapping[str, Place]:
    """Return the places that the settings name."""
    return MappingProxyType({name: _place(each) for name, each in given.items()})


def lacks_library(given: Mapping[str, FolderConf | BucketConf]) -> bool:
    """Return whether a bucket is named, and nothing is installed that speaks to it."""
    return any(isinstance(each, BucketConf) for each in given.values()) and not find_spec(
        "botocore"
    )


def _place(given: FolderConf | BucketConf) -> Place:
    return Folder(given.folder) if isinstance(given, FolderConf) else Bucket(given)


def _of_answer(error: Any) -> DeliveryError | DeliveryRefusedError:
    """Tell what a storage refuses for good from what it may take later; no text of its answer."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if 400 <= status < 500 and status not in (408, 429):  # noqa: PLR2004 - HTTP's own numbers
        return DeliveryRefusedError(_("The storage refused the file."))
    return DeliveryError(_("The storage cannot take the file now."))
