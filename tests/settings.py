"""The site's settings for the suite: throw-away keys, the sandbox region, its own PostgreSQL."""

import os
from pathlib import Path

THROW_AWAY = {
    "SECRET_KEY": "only-for-tests-" + "x" * 40,
    "DEBUG": "false",
    "HTTPS": "false",
    # Its own tests switch it on: most others log in without a form.
    "SECOND_FACTOR": "false",
    "FACEID_REGION": "sandbox",
    "FACEID_API_KEY": "demo_key_0123456789abcdef",
    "FACEID_API_SECRET": "demo_secret_fedcba9876543210",
    "VERIFICATION_KEYRING": "test-1:" + "A" * 43 + "=",
    "VERIFICATION_DIGEST_KEY": "B" * 43 + "=",
    "VERIFICATION_LEDGER_KEY": "PRIVATE+KEY+test.verification/log+40524ef7+AX" + "R0dH" * 10 + "R0",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "LOG_LEVEL": "WARNING",
}
for _name, _value in THROW_AWAY.items():
    os.environ[_name] = _value

if "DATABASE_URL" not in os.environ:
    from project import embedded_postgres

    _home = Path(__file__).resolve().parent.parent / ".local" / "test-postgres"
    os.environ["DATABASE_URL"] = embedded_postgres.start(_home, durable=False).url()

from project.settings import *  # noqa: E402, F403 - the environment had to be set first

# The suite switches the second factor off on purpose.
SILENCED_SYSTEM_CHECKS = ["verification.W014"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.flushing"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# WhiteNoise warns where nothing was collected; the suite serves straight from the apps.
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = Path(__file__).resolve().parent.parent / ".local" / "test-static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
