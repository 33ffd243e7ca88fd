"""`verification` is an app like any other: pip install, INSTALLED_APPS, migrate."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST_SETTINGS = """
import os
from urllib.parse import unquote, urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "only-for-this-test-" + "x" * 40
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "verification.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "procrastinate.contrib.django",
    "verification",
]
MIDDLEWARE = ["verification.api.middleware.ProblemMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path[1:]),
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": unquote(url.hostname or ""),
        "PORT": url.port,
    }
}
USE_TZ = True
VERIFICATION = {
    "FACEID_REGION": "sgp",
    "FACEID_BASE_URL": "https://api-sgp.megvii.com",
    "FACEID_API_KEY": "ours",
    "FACEID_API_SECRET": "ours too",
    "KEYRING": "host-1:" + "A" * 43 + "=",
    "DIGEST_KEY": "B" * 43 + "=",
}
"""
REQUEST = """
import verification
from django.test import Client
client = Client()
print(verification.__file__)
print(client.get("/healthz").status_code, client.get("/readyz").status_code)
answer = client.get("/api/v1/attempts/")
print(answer.status_code, answer.headers["Content-Type"], answer.json()["code"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's wheel, built from a copy so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    files = subprocess.run(
        ["git", "ls-files", "-z", "verification", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_what_the_app_needs_and_nothing_of_the_site(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "verification/py.typed" in names
    assert "verification/sandbox/face.jpg" in names
    for folder, ends in [("templates", ".html"), ("static", ".css"), ("migrations", ".py")]:
        assert [n for n in names if n.startswith(f"verification/{folder}/") and n.endswith(ends)]
    assert [name for name in names if name.startswith(("project/", "tests/", "bench/"))] == []


def test_another_project_installs_it_migrates_and_serves(
    wheel: Path, database_url: str, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    (tmp_path / "host_settings.py").write_text(HOST_SETTINGS)

    def manage(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-m", "django", *arguments],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{site}:{tmp_path}",
                "DJANGO_SETTINGS_MODULE": "host_settings",
                "DATABASE_URL": database_url,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    manage("check", "--database", "default")
    manage("migrate", "--verbosity", "0")
    origin, health, refused = manage("shell", "--no-imports", "-c", REQUEST).splitlines()[-3:]
    assert Path(origin).is_relative_to(site)
    assert health == "200 200"
    assert refused == "401 application/problem+json unauthenticated"
