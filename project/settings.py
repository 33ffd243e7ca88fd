"""The site's settings, all from the environment (`docs/reference/settings.md`).

A file `.local/env` of the checkout, written by `script/up`, is read first; the environment wins.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

from project import embedded_postgres
from project.pooled_connection import PooledConnection
from verification.faceid.contract import REGIONS

BASE_DIR = Path(__file__).resolve().parent.parent

NOT_RUNNING = "postgres://verification@%2Fembedded-postgresql-is-not-running/verification"

env = environ.Env()
LOCAL_DIR = Path(env.str("LOCAL_DIR", str(BASE_DIR / ".local")))
if (LOCAL_DIR / "env").is_file():
    env.read_env(LOCAL_DIR / "env")

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "procrastinate.contrib.django",
    "verification",
]

MIDDLEWARE = [
    "verification.api.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "verification.admin.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "verification.admin.session_limits.SessionLimitsMiddleware",
    "verification.admin.second_step.SecondStepMiddleware",
    "verification.admin.preferences.PreferenceMiddleware",
    "verification.admin.middleware.ActingStaffMiddleware",
    "verification.admin.middleware.DatabaseRefusalMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "verification.admin.context.environment",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


DATABASE_ROLE = env.str("DATABASE_ROLE", "owner")


def _database() -> dict[str, Any]:
    """Return the database of DATABASE_URL, else the embedded PostgreSQL's, as DATABASE_ROLE."""
    if DATABASE_ROLE not in embedded_postgres.USERS:
        raise ImproperlyConfigured(
            f"DATABASE_ROLE must be owner, web or worker, not {DATABASE_ROLE!r}"
        )
    url = env.str("DATABASE_URL", "")
    if not url:
        server = embedded_postgres.status(LOCAL_DIR / "postgres")
        # Commands that need no database must work before it was started; the others fail with
        # a connection error that names this directory.
        url = server.url(role=DATABASE_ROLE) if server else NOT_RUNNING
    database: dict[str, Any] = env.db_url_config(url)
    if database["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database")
    # A socket directory stands %-encoded where a URL has its host, and django-environ leaves it so.
    database["HOST"] = unquote(database["HOST"])
    pool = {
        "min_size": env.int("DATABASE_POOL_MIN", 2),
        "max_size": env.int("DATABASE_POOL_MAX", 16),
        "timeout": env.float("DATABASE_POOL_TIMEOUT_S", 2.0),
        "connection_class": PooledConnection,
        # The pool tries at ever longer intervals while the database is away. Given up after this,
        # the next request asks again at once, so that service resumes with the database.
        "reconnect_timeout": 2.0,
    }
    database["OPTIONS"] = {
        **database.get("OPTIONS", {}),
        "connect_timeout": 5,
        "prepare_threshold": 5 if env.bool("DATABASE_PREPARE", True) else None,
        "pool": pool if env.bool("DATABASE_POOL", True) else False,
    }
    return database


DATABASES = {"default": _database()}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("id", "Bahasa Indonesia")]
# Before those of installed apps, so that Django's words for the same thing do not mix with ours.
LOCALE_PATHS = [BASE_DIR / "verification" / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# The API parses its own bodies, within its own limits; nothing else may send large ones.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
HTTPS = env.bool("HTTPS", not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if HTTPS else 0)
# Whether subdomains follow, and preload lists, is for the domain's owner to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if proxy_header := env.str("PROXY_HTTPS_HEADER", ""):
    SECURE_PROXY_SSL_HEADER = (proxy_header, "https")

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Verification API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}


def _faceid_base(region: str) -> str:
    """Return the base URL of a region; `sandbox` is the development server."""
    if region == "sandbox":
        return str(env.str("FACEID_SANDBOX_URL", "http://127.0.0.1:8001"))
    if region not in REGIONS:
        raise ImproperlyConfigured(f"FACEID_REGION must be sgp, idn or sandbox, not {region!r}")
    return REGIONS[region]


FACEID_REGION = env.str("FACEID_REGION", "sandbox" if DEBUG else "sgp")
VERIFICATION: dict[str, Any] = {
    "FACEID_REGION": FACEID_REGION,
    "FACEID_BASE_URL": _faceid_base(FACEID_REGION),
    "FACEID_API_KEY": env.str("FACEID_API_KEY"),
    "FACEID_API_SECRET": env.str("FACEID_API_SECRET"),
    "FACEID_TIMEOUT_S": env.float("FACEID_TIMEOUT_S", 25.0),
    "KEYRING": env.str("VERIFICATION_KEYRING", ""),
    "KEYRING_DIR": env.str("VERIFICATION_KEYRING_DIR", ""),
    "DIGEST_KEY": env.str("VERIFICATION_DIGEST_KEY"),
    "LEDGER_KEY": env.str("VERIFICATION_LEDGER_KEY", ""),
    "LEDGER_VKEYS": env.list("VERIFICATION_LEDGER_VKEYS", default=[]),
    "LEDGER_ANCHOR_FILE": env.str("VERIFICATION_LEDGER_ANCHOR_FILE", ""),
    "LEDGER_WITNESSES": env.list("VERIFICATION_LEDGER_WITNESSES", default=[]),
    "LEDGER_CHECKPOINT_S": env.float("VERIFICATION_LEDGER_CHECKPOINT_S", 30.0),
    "DATABASE_ROLE": DATABASE_ROLE,
    "REVEALS_PER_HOUR": env.int("VERIFICATION_REVEALS_PER_HOUR", 30),
    "EXPORT_DIR": env.str("VERIFICATION_EXPORT_DIR", ""),
    "EXPORT_KEEP_DAYS": env.int("VERIFICATION_EXPORT_KEEP_DAYS", 7),
    "EXPORT_BUSY_BYTES_PER_S": env.int("VERIFICATION_EXPORT_BUSY_BYTES_PER_S", 2_000_000),
    "EXPORT_PLACES": env.json("VERIFICATION_EXPORT_PLACES", {}),
    "POLICY_FILE": env.str("VERIFICATION_POLICY_FILE", ""),
    "SESSION_IDLE_S": env.float("VERIFICATION_SESSION_IDLE_S", 1800.0),
    "SESSION_ABSOLUTE_S": env.float("VERIFICATION_SESSION_ABSOLUTE_S", 43200.0),
    "SECOND_FACTOR": env.bool("SECOND_FACTOR", not DEBUG),
    "ADDRESS_HEADER": env.str("PROXY_ADDRESS_HEADER", ""),
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    # It greets every command with its list of tasks.
    "loggers": {"procrastinate": {"level": env.str("LOG_LEVEL", "WARNING")}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}
