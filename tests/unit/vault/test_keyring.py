"""A keyring is read from text or a directory, and refused if it could not do its work."""

import base64
from pathlib import Path

import pytest

from verification.vault.digest import DIGEST_BYTES, keyed_digest
from verification.vault.errors import KeyringError
from verification.vault.keyring import parse_keyring, read_keyring

ONE = base64.b64encode(b"1" * 32).decode()
TWO = base64.b64encode(b"2" * 32).decode()


def test_the_first_key_of_a_text_is_primary() -> None:
    ring = parse_keyring(f"new:{ONE}, old:{TWO},")
    assert ring.primary == "new"
    assert ring.key("old") == b"2" * 32


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        (" , ", "empty"),
        (f"a:{ONE},a:{TWO}", "twice"),
        ("a:not base64!", "not Base64"),
        ("a:QUJD", "not 32 bytes"),
        (f"a b:{ONE}", "key id"),
        (f":{ONE}", "key id"),
        (f"{'a' * 33}:{ONE}", "key id"),
        ("no-colon", "not 32 bytes"),
    ],
)
def test_an_unusable_text_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(KeyringError, match=sentence):
        parse_keyring(text)


def test_a_refusal_never_quotes_a_key() -> None:
    with pytest.raises(KeyringError) as refused:
        parse_keyring("a:c2VjcmV0")
    assert "c2VjcmV0" not in str(refused.value)


def test_a_directory_names_its_primary(tmp_path: Path) -> None:
    (tmp_path / "primary").write_text("new\n")
    (tmp_path / "new.key").write_text(ONE + "\n")
    (tmp_path / "old.key").write_text(TWO)
    ring = read_keyring(tmp_path)
    assert (ring.primary, sorted(ring.keys)) == ("new", ["new", "old"])


def test_a_directory_without_its_primary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "primary").write_text("gone")
    (tmp_path / "new.key").write_text(ONE)
    with pytest.raises(KeyringError, match="primary key 'gone'"):
        read_keyring(tmp_path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="cannot be read"):
        read_keyring(tmp_path / "nowhere")


def test_a_keyed_digest_depends_on_key_and_value() -> None:
    digest = keyed_digest(b"k" * 32, "token")
    assert len(digest) == DIGEST_BYTES
    assert digest != keyed_digest(b"l" * 32, "token")
    assert digest != keyed_digest(b"k" * 32, "token2")
    assert digest == keyed_digest(b"k" * 32, "token")
