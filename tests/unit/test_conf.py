"""Settings are read once, strictly."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from verification.conf import build_conf

KEY = "A" * 43 + "="
GOOD: dict[str, Any] = {
    "FACEID_REGION": "sandbox",
    "FACEID_BASE_URL": "http://127.0.0.1:1",
    "FACEID_API_KEY": "k",
    "FACEID_API_SECRET": "very secret",
    "KEYRING": f"a:{KEY}",
    "DIGEST_KEY": KEY,
}


def test_good_settings_become_one_value() -> None:
    conf = build_conf(GOOD)
    assert conf.keyring.primary == "a"
    assert len(conf.digest_key) == 32
    assert "very secret" not in repr(conf)


def test_a_keyring_directory_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "primary").write_text("a")
    (tmp_path / "a.key").write_text(KEY)
    given = {**GOOD, "KEYRING": "", "KEYRING_DIR": str(tmp_path)}
    assert build_conf(given).keyring.primary == "a"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NOSUCH": 1}, "unknown keys: NOSUCH"),
        ({"DIGEST_KEY": "short"}, "DIGEST_KEY"),
        ({"DIGEST_KEY": "QUJD"}, "at least 32 bytes"),
        ({"KEYRING": ""}, "one of"),
        ({"KEYRING_DIR": "/also"}, "one of"),
        ({"KEYRING": "a:b"}, "KEYRING"),
        ({"FACEID_TIMEOUT_S": 0}, "FACEID_TIMEOUT_S"),
        ({"BODY_TIMEOUT_S": -1.0}, "BODY_TIMEOUT_S"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        build_conf({**GOOD, **change})


def test_a_missing_setting_is_named() -> None:
    incomplete = {name: value for name, value in GOOD.items() if name != "FACEID_API_SECRET"}
    with pytest.raises(ImproperlyConfigured, match="faceid_api_secret"):
        build_conf(incomplete)
