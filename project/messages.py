"""The catalogues of what people read: extracted, merged and compiled without tools of the system.

`script/messages` writes them; with `--check` it only says whether they lag behind the sources.
A catalogue holds no dates and no places in the code, so that it changes only with its words.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract as babel_extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE_DIR = ROOT / "verification" / "locale"
LOCALES = ("id", "zh_Hans")
PLURALS = "nplurals=1; plural=0;"
"""Of every locale here: neither Chinese nor Indonesian has a form of its own for many."""
SOURCES = ("verification", "templates")
KEYWORDS = {
    name: spec
    for spec, names in (
        (None, ("_", "gettext", "gettext_lazy", "gettext_noop")),
        ((1, 2), ("ngettext", "ngettext_lazy")),
        (((1, "c"), 2), ("pgettext", "pgettext_lazy")),
        (((1, "c"), 2, 3), ("npgettext", "npgettext_lazy")),
    )
    for name in names
}
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
HEADER = (
    "Language",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Plural-Forms",
)
Found = tuple[str | tuple[str, ...], str | None]
"""A message, or its singular and plural; and its context."""


def extract(root: Path = ROOT) -> Catalog:
    """Return a catalogue of every message of the Python modules and templates under `root`."""
    catalog = Catalog()
    for source in SOURCES:
        for path in sorted((root / source).rglob("*")):
            if path.suffix in {".py", ".html", ".txt"}:
                for message, context in _found(path):
                    catalog.add(message, context=context)
    return catalog


def catalogue_path(locale: str) -> Path:
    """Return where a locale's catalogue stands; its compiled form is beside it."""
    return LOCALE_DIR / locale / "LC_MESSAGES" / "django.po"


def read_catalogue(locale: str) -> Catalog:
    """Return a locale's catalogue; empty if there is none yet."""
    path = catalogue_path(locale)
    if not path.is_file():
        return _empty(locale)
    return read_po(io.BytesIO(path.read_bytes()), locale=locale)


def merged(locale: str, template: Catalog) -> Catalog:
    """Return a locale's translations of exactly the template's messages; new ones are empty."""
    catalog = _empty(locale)
    known = read_catalogue(locale)
    for message in template:
        if message.id:
            old = known.get(message.id, message.context)
            if old and old.pluralizable != message.pluralizable:
                old = None
            catalog.add(
                message.id,
                old.string if old else None,
                context=message.context,
                flags=old.flags if old else message.flags,
            )
    return catalog


def source_text(catalog: Catalog) -> bytes:
    """Return a catalogue as a `.po` file, its messages in alphabetical order."""
    kept = _empty(str(catalog.locale))
    for message in catalog:
        if message.id:
            kept.add(message.id, message.string, context=message.context, flags=message.flags)
    body = io.BytesIO()
    write_po(body, kept, omit_header=True, no_location=True, sort_output=True, width=100)
    lines = [f'"{name}: {value}\\n"' for name, value in kept.mime_headers if name in HEADER]
    head = "\n".join(['msgid ""', 'msgstr ""', *lines])
    return f"{head}\n\n".encode() + body.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """Return a catalogue as a `.mo` file."""
    again = read_po(io.BytesIO(source_text(catalog)), locale=catalog.locale)
    # Else the time of the run, which would make every file a new one.
    again.creation_date = again.revision_date = EPOCH
    body = io.BytesIO()
    write_mo(body, again)
    return body.getvalue()


def _empty(locale: str) -> Catalog:
    catalog = Catalog(locale=locale, fuzzy=False)
    catalog.mime_headers = [*catalog.mime_headers, ("Plural-Forms", PLURALS)]
    return catalog


def _found(path: Path) -> Iterator[Found]:
    text = path.read_text()
    if path.suffix != ".py":
        # What templatize leaves between messages is no Python, and need not be indented like it.
        text = "\n".join(line.strip() for line in templatize(text, origin=str(path)).splitlines())
    options = {"encoding": "utf-8"}
    for _line, message, _comments, context in babel_extract(
        "python", io.BytesIO(text.encode()), keywords=KEYWORDS, options=options
    ):
        yield message, context


def main() -> int:
    """Write the catalogues, or with `--check` return 1 where one lags behind."""
    parser = argparse.ArgumentParser(prog="script/messages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if one lags")
    is_check = parser.parse_args().check
    template = extract()
    stale = []
    for locale in LOCALES:
        catalog = merged(locale, template)
        path = catalogue_path(locale)
        for target, content in (
            (path, source_text(catalog)),
            (path.with_suffix(".mo"), compiled(catalog)),
        ):
            if target.is_file() and target.read_bytes() == content:
                continue
            stale.append(str(target.relative_to(ROOT)))
            if not is_check:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        waiting = sum(1 for each in catalog if each.id and not _is_translated(each.string))
        sys.stdout.write(f"{locale}: {len(catalog)} messages, {waiting} not translated\n")
    for each in stale:
        sys.stdout.write(f"{'lags behind' if is_check else 'written'}: {each}\n")
    return 1 if stale and is_check else 0


def _is_translated(string: object) -> bool:
    parts = string if isinstance(string, tuple | list) else (string,)
    return bool(parts) and all(parts)


if __name__ == "__main__":
    sys.exit(main())
