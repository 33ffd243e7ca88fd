"""The suite's settings with limits that a test can reach in a second or two."""

import os

from tests.settings import *  # noqa: F403 - settings are names
from tests.settings import VERIFICATION

VERIFICATION["BODY_TIMEOUT_S"] = 2.0
VERIFICATION["FACEID_TIMEOUT_S"] = 3.0
VERIFICATION["EXPORT_DIR"] = os.environ.get("LIVE_EXPORT_DIR", "")
VERIFICATION["MAX_BYTES_IN_FLIGHT"] = 64 * 1024 * 1024
