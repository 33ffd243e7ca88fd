"""The form of an export: what the file is to be, who it is for, and how often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.models.export import Repeats
from verification.models.reveal import Purpose
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import Layout
from verification.selectors.record import AttemptFilter
from verification.services.errors import ExportFormError
from verification.services.export_shape import ALL, Shape
from verification.services.staff_exports import Wanted

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

BUNDLE = "bundle"
LAYOUTS: Mapping[str, "_StrPromise"] = {
    Layout.CSV: gettext_lazy("CSV"),
    Layout.EXCEL: gettext_lazy("CSV that Excel opens rightly"),
    Layout.JSONL: gettext_lazy("JSON lines"),
    Layout.PARQUET: gettext_lazy("Parquet"),
    BUNDLE: gettext_lazy("CSV with the proof that nothing was changed or left out (ZIP)"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several; `value` is posted."""

    value: str
    label: str | Promise
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """What can be chosen, and what was."""

    layouts: list[Choice]
    columns: list[Choice]
    repeats: list[Choice]
    places: list[Choice]
    purposes: list[Choice]
    is_gzipped: bool
    is_unmasked: bool
    reason: str


def choices_of(posted: QueryDict, places: Iterable[str]) -> ExportChoices:
    """Return the form as it was filled in; at first all columns, as CSV, masked, once."""
    layout = posted.get("layout", Layout.CSV.value)
    columns = posted.getlist("column") or ALL
    return ExportChoices(
        layouts=[Choice(each, label, each == layout) for each, label in LAYOUTS.items()],
        columns=[Choice(each.name, each.name, each.name in columns) for each in COLUMNS],
        repeats=_chosen(Repeats.choices, posted.get("repeats", "")),
        places=_chosen(((each, each) for each in places), posted.get("place", "")),
        purposes=_chosen(Purpose.choices, posted.get("purpose", "")),
        is_gzipped="gzip" in posted,
        is_unmasked="unmasked" in posted,
        reason=posted.get("reason", ""),
    )


def read_choices(posted: QueryDict) -> Shape:
    """Return what the file is to be; ExportFormError for a layout that there is not."""
    layout = posted.get("layout", Layout.CSV.value)
    if layout not in LAYOUTS:
        raise ExportFormError(_("Choose one of the layouts."))
    return Shape(
        columns=tuple(posted.getlist("column")) or ALL,
        layout=Layout.CSV if layout == BUNDLE else Layout(layout),
        is_gzipped="gzip" in posted,
        is_masked="unmasked" not in posted,
        is_bundle=layout == BUNDLE,
    )


def read_wanted(posted: QueryDict, which: AttemptFilter) -> Wanted:
    """Return what a second person is asked for; ExportFormError as `read_choices`."""
    shape = read_choices(posted)
    return Wanted(
        which=which,
        reason=posted.get("reason", ""),
        shape=shape,
        purpose=None if shape.is_masked else posted.get("purpose") or None,
        repeats=posted.get("repeats") or None,
        place=posted.get("place") or None,
    )


def shape_words(shape: Shape) -> str:
    """Return in words what a file is."""
    words = [str(LAYOUTS[BUNDLE if shape.is_bundle else shape.layout])]
    if shape.form.is_gzipped:
        words.append(_("compressed"))
    words.append(_("masked") if shape.is_masked else _("unmasked"))
    if len(shape.columns) < len(ALL):
        words.append(_("%(count)s columns") % {"count": len(shape.columns)})
    return ", ".join(words)


def _chosen(choices: Iterable[tuple[str, str | Promise]], chosen: str) -> list[Choice]:
    return [Choice(value, label, value == chosen) for value, label in choices]
