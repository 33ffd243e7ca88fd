"""What an export is to be: the form of its file, masked or not, with proof or without."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext_noop as _

from verification.selectors.export_columns import COLUMNS, masked
from verification.selectors.export_form import STREAMED, FileForm, Layout, choose_columns
from verification.selectors.export_parquet import has_parquet
from verification.selectors.record import AttemptFilter
from verification.services.bundling import check_provable, provable_query
from verification.services.errors import ExportFormError

CONTENT_TYPES = {
    Layout.CSV: "text/csv; charset=utf-8",
    Layout.EXCEL: "text/csv; charset=utf-8",
    Layout.JSONL: "application/jsonl",
    Layout.PARQUET: "application/vnd.apache.parquet",
}
ALL = tuple(each.name for each in COLUMNS)


@dataclass(frozen=True, slots=True)
class Shape:
    """`columns` are names. A bundle's file is CSV, and has personal columns in full or not at all:
    the log can prove nothing of a cell that is masked.
    """

    columns: tuple[str, ...] = ALL
    layout: Layout = Layout.CSV
    is_gzipped: bool = False
    is_masked: bool = True
    is_bundle: bool = False

    @property
    def form(self) -> FileForm:
        """Return what the file looks like."""
        chosen = choose_columns(self.columns)
        if self.is_bundle and self.is_masked:
            chosen = tuple(each for each in chosen if not each.is_personal)
        elif self.is_masked:
            chosen = masked(chosen)
        is_gzipped = self.is_gzipped and not self.is_bundle and self.layout in STREAMED
        return FileForm(chosen, self.layout, is_gzipped)

    @property
    def suffix(self) -> str:
        """Return how the file is called at the end, from the dot on."""
        return ".bundle.zip" if self.is_bundle else self.form.suffix


MASKED = Shape()


def content_type(shape: Shape) -> str:
    """Return the media type of a file."""
    if shape.is_bundle:
        return "application/zip"
    return "application/gzip" if shape.form.is_gzipped else CONTENT_TYPES[shape.layout]


def is_streamed(shape: Shape) -> bool:
    """Return whether its lines can leave as they are read."""
    return not shape.is_bundle and shape.layout in STREAMED


def write_shape(shape: Shape) -> dict[str, object]:
    """Return a shape as it is stored."""
    return {
        "columns": list(shape.columns),
        "layout": shape.layout.value,
        "gzip": shape.is_gzipped,
        "is_masked": shape.is_masked,
        "is_bundle": shape.is_bundle,
    }


def read_shape(stored: Mapping[str, object]) -> Shape:
    """Return the shape that `write_shape` stored; MASKED for what was asked for before there were
    any. KeyError, ValueError for anything else.
    """
    if not stored:
        return MASKED
    columns = stored["columns"]
    assert isinstance(columns, Iterable)  # noqa: S101 - narrows the type
    return replace(
        MASKED,
        columns=tuple(str(each) for each in columns),
        layout=Layout(str(stored["layout"])),
        is_gzipped=bool(stored["gzip"]),
        is_masked=bool(stored["is_masked"]),
        is_bundle=bool(stored["is_bundle"]),
    )


def check_shape(shape: Shape, which: AttemptFilter) -> None:
    """Raise ExportFormError, or UnprovableExportError, for what could not be made."""
    if not shape.columns or not set(shape.columns) <= set(ALL):
        raise ExportFormError(_("Choose columns that there are."))
    if shape.layout is Layout.PARQUET and not has_parquet():
        raise ExportFormError(_("Parquet is not installed here: ask an engineer."))
    if shape.is_bundle:
        check_provable(provable_query(which), shape.form)
