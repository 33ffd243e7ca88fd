"""The catalogues say everything that the sources say, with the same placeholders."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from django.utils.translation import gettext, ngettext, override, pgettext, to_language

from project import messages
from verification.faceid.contract import RESULTS

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
TAG = re.compile(r"</?\w+")
each_locale = pytest.mark.parametrize("locale", messages.LOCALES)


@pytest.fixture(scope="module")
def template() -> Catalog:
    return messages.extract()


def _messages(catalog: Catalog) -> list[Message]:
    return [each for each in catalog if each.id]


def _forms(value: object) -> list[str]:
    parts = value if isinstance(value, tuple | list) else (value,)
    return [str(each or "") for each in parts]


@each_locale
def test_a_catalogue_holds_exactly_what_the_sources_say(locale: str, template: Catalog) -> None:
    stored = {(str(each.id), each.context) for each in _messages(messages.read_catalogue(locale))}
    wanted = {(str(each.id), each.context) for each in _messages(template)}
    assert stored == wanted, "run script/messages and translate what is new"


@each_locale
def test_every_message_is_translated_and_none_is_a_guess(locale: str) -> None:
    catalog = _messages(messages.read_catalogue(locale))
    assert [each.id for each in catalog if not all(_forms(each.string))] == []
    assert [each.id for each in catalog if each.fuzzy] == []


@each_locale
def test_placeholders_and_tags_are_those_of_the_source(locale: str) -> None:
    for each in _messages(messages.read_catalogue(locale)):
        source = _forms(each.id)[-1]
        for form in _forms(each.string):
            for pattern in (PLACEHOLDER, TAG):
                assert sorted(pattern.findall(form)) == sorted(pattern.findall(source)), each.id


@each_locale
def test_files_are_what_the_script_would_write(locale: str, template: Catalog) -> None:
    catalog = messages.merged(locale, template)
    path = messages.catalogue_path(locale)
    assert path.read_bytes() == messages.source_text(catalog)
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(catalog)


@each_locale
def test_codes_of_the_vendor_are_not_translated(locale: str) -> None:
    codes = {row.message for row in RESULTS}
    assert [x.id for x in _messages(messages.read_catalogue(locale)) if x.id in codes] == []


@pytest.mark.parametrize(
    ("language", "word", "count"),
    [("zh-hans", "核验记录", "2 天"), ("id", "Percobaan", "2 hari"), ("en", "Attempts", "2 days")],
)
def test_django_finds_them(language: str, word: str, count: str) -> None:
    with override(language):
        assert gettext("Attempts") == word
        assert ngettext("%(number)d day", "%(number)d days", 2) % {"number": 2} == count


@each_locale
def test_our_words_win_over_those_of_django(locale: str) -> None:
    catalog = messages.read_catalogue(locale)
    with override(to_language(locale)):
        for each in _messages(catalog):
            if isinstance(each.id, str):
                said = pgettext(each.context, each.id) if each.context else gettext(each.id)
                assert said == each.string


def test_messages_are_found_in_modules_and_templates(tmp_path: Path) -> None:
    (tmp_path / "verification").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "verification" / "a.py").write_text(
        'gettext_noop("One")\nngettext("%(n)d tree", "%(n)d trees", n)\npgettext("verb", "Close")\n'
    )
    (tmp_path / "templates" / "b.html").write_text(
        '{% load i18n %}<p>\n  {% translate "Two" %}\n'
        "  {% blocktranslate trimmed %}Three\n  words{% endblocktranslate %}</p>"
    )
    found = {(each.id, each.context) for each in _messages(messages.extract(tmp_path))}
    assert found == {
        ("One", None),
        (("%(n)d tree", "%(n)d trees"), None),
        ("Close", "verb"),
        ("Two", None),
        ("Three words", None),
    }
