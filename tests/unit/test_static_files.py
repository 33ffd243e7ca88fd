"""Every file that a page names is there: a page that misses one looks right, and does less."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"""\{%\s*static\s+["']([^"']+)["']""")
FOLDERS = (ROOT / "templates", ROOT / "verification" / "templates")
PAGES = sorted(each for folder in FOLDERS for each in folder.rglob("*.*") if each.is_file())
NAMES = sorted({name for page in PAGES for name in NAMED.findall(page.read_text())})


def test_pages_name_files() -> None:
    assert "verification/progress.js" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_a_page_names_is_there(name: str) -> None:
    assert finders.find(name) is not None
