"""Every address of the admin, found in the resolver, with ids that nothing has."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse

NOBODY = UUID(int=0)
SAMPLES = {
    "uuid": NOBODY,
    "int": 999_999_999,
    "path": "999999999",
    "string": "999999999",
    "slug": "note",
}


def doors() -> dict[str, str]:
    """Return the path of each named address of the admin."""
    return dict(_walk(admin.site.get_urls()))


def _walk(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[tuple[str, str]]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns)
        elif each.name is not None:
            yield each.name, reverse(f"admin:{each.name}", kwargs=_sample(each))


def _sample(pattern: URLPattern) -> dict[str, object]:
    names = pattern.pattern.regex.groupindex
    converters = pattern.pattern.converters
    return {each: "auth" if each == "app_label" else _value(converters[each]) for each in names}


def _value(converter: object) -> object:
    return SAMPLES[type(converter).__name__.removesuffix("Converter").lower()]
