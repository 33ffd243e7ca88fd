"""Charts as SVG, drawn here: no script, no style attribute, every figure a link and in a table.

Colour never speaks alone: a series has a name in the legend and a pattern of its own, every mark
a title that says what it stands for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.numbers import grouped, localised

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 10, 26
LABELS = 8
LINES = 5
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of mark: its name and the class that gives it colour and pattern."""

    name: str
    css_class: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One figure of a chart, where it leads, and what it says when asked."""

    value: float
    shown: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """What stands above one label of the horizontal axis; a mark for each series, or None."""

    label: str
    marks: tuple[Mark | None, ...]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table behind a chart: what it is about, and each series' name and figure."""

    label: str
    cells: tuple[tuple[str, Mark | None], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the table behind it; `note` says what of it is not complete, if anything."""

    title: str
    svg: SafeString
    legend: tuple[Series, ...]
    rows: tuple[Row, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of a list of bars: `width` is its share of the longest one, 0 to 100."""

    label: SafeString
    shown: str
    share: str
    width: str
    address: str | None


def stacked(title: str, columns: Sequence[Column], series: Sequence[Series]) -> Chart:
    """Draw counts on top of each other, column by column."""
    highest = max((sum(_value(each) for each in c.marks) for c in columns), default=0)
    top = max(nice_top(highest), LINES)
    parts = [_frame(top)]
    step = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)
    for place, column in enumerate(columns):
        base = 0.0
        for mark, kind in zip(column.marks, series, strict=True):
            if mark is not None and mark.value:
                parts.append(_block(mark, kind, column, (place, step), base, top))
                base += mark.value
        if column.is_partial and base:
            parts.append(_hatching((place, step), base, top))
    parts.append(_axis(columns, step))
    note = _note(columns, _("hatched, because more may be counted"))
    return Chart(title, _svg(title, parts), tuple(series), _table(columns, series), note)


def lines(title: str, columns: Sequence[Column], series: Sequence[Series]) -> Chart:
    """Draw percentages as lines with a dot for each column; a gap where there is no figure."""
    highest = max((_value(mark) for c in columns for mark in c.marks), default=0)
    top = min(nice_top(highest), PERCENT) or 1
    parts = [_frame(top, is_share=True)]
    step = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)
    for number, kind in enumerate(series):
        for run in _runs(columns, number):
            points = " ".join(f"{_x(place, step):.1f},{_y(value, top):.1f}" for place, value in run)
            parts.append(
                format_html('<polyline class="line {}" points="{}"/>', kind.css_class, points)
            )
        parts.append(_dots(columns, number, kind, (step, top)))
    parts.append(_axis(columns, step))
    note = _note(columns, _("hollow, because more may be counted"))
    return Chart(title, _svg(title, parts), tuple(series), _table(columns, series), note)


def bars(
    counts: Mapping[str, int], labels: Mapping[str, SafeString], addresses: Mapping[str, str]
) -> tuple[Bar, ...]:
    """Return the lines of a list of bars, the longest first."""
    total, longest = sum(counts.values()), max(counts.values(), default=0)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(
        Bar(
            labels[name],
            grouped(count),
            percent(count, total),
            f"{PERCENT * count / longest:.2f}",
            addresses.get(name),
        )
        for name, count in ordered
        if count
    )


def bar_drawing(width: str) -> SafeString:
    """Draw one bar; its figure stands beside it as text."""
    return format_html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="fill" width="{}" height="8"/>'
        "</svg>",
        width,
    )


def percent(part: float, whole: float) -> str:
    """Return a share for people, a dash where there is nothing to share."""
    if not whole:
        return "-"
    return _("%(number)s %%") % {"number": localised(f"{PERCENT * part / whole:.1f}")}


def nice_top(value: float) -> float:
    """Return the end of an axis: 1, 2 or 5 times a power of ten, at least 1."""
    if value <= 1:
        return 1
    power = 10.0 ** int(log10(value))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= value)


def _value(mark: Mark | None) -> float:
    return mark.value if mark else 0


def _x(place: int, step: float) -> float:
    return LEFT + (place + 0.5) * step


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _svg(title: str, parts: Iterable[SafeString]) -> SafeString:
    body = format_html_join("", "{}", ((each,) for each in parts))
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        _("%(title)s. The figures stand in the table below.") % {"title": title},
        body,
    )


def _frame(top: float, *, is_share: bool = False) -> SafeString:
    """Draw the horizontal lines with their values."""
    values = [top * part / LINES for part in range(LINES + 1)]
    marks = [(value, _y(value, top)) for value in values]
    return format_html_join(
        "",
        '<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
        '<text class="tick" x="{3}" y="{4}">{5}</text>',
        (
            (
                LEFT,
                WIDTH - RIGHT,
                f"{y:.1f}",
                LEFT - 6,
                f"{y + 4:.1f}",
                _tick(value, is_share=is_share),
            )
            for value, y in marks
        ),
    )


def _tick(value: float, *, is_share: bool) -> str:
    """Return a value of the axis with no more digits than it has, two at most."""
    shown = localised(f"{value:,.2f}".rstrip("0").rstrip("."))
    return _("%(number)s %%") % {"number": shown} if is_share else shown


def _axis(columns: Sequence[Column], step: float) -> SafeString:
    every = max(1, ceil(len(columns) / LABELS))
    return format_html_join(
        "",
        '<text class="label" x="{}" y="{}">{}</text>',
        (
            (f"{_x(place, step):.1f}", HEIGHT - 8, column.label)
            for place, column in enumerate(columns)
            if place % every == 0
        ),
    )


def _block(
    mark: Mark, kind: Series, column: Column, where: tuple[int, float], base: float, top: float
) -> SafeString:
    place, step = where
    low, high = _y(base, top), _y(base + mark.value, top)
    width = max(step * 0.8, 1)
    said = _said(column, kind, mark)
    block = format_html(
        '<rect class="block {}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        kind.css_class,
        f"{_x(place, step) - width / 2:.1f}",
        f"{high:.1f}",
        f"{width:.1f}",
        f"{max(low - high, 0.5):.1f}",
        said,
    )
    return _linked(mark, block, said)


def _hatching(where: tuple[int, float], value: float, top: float) -> SafeString:
    """Draw the pattern of what is not complete over a column; the page defines it once."""
    place, step = where
    width, high = max(step * 0.8, 1), _y(value, top)
    return format_html(
        '<rect class="hatching" fill="url(#hatch)" x="{}" y="{}" width="{}" height="{}"/>',
        f"{_x(place, step) - width / 2:.1f}",
        f"{high:.1f}",
        f"{width:.1f}",
        f"{max(HEIGHT - BOTTOM - high, 0.5):.1f}",
    )


def _note(columns: Sequence[Column], drawn: str) -> str:
    """Say which columns are not complete."""
    partial = [each.label for each in columns if each.is_partial]
    if not partial:
        return ""
    values = {"first": partial[0], "last": partial[-1], "drawn": drawn}
    if len(partial) == 1:
        return _("Not complete: %(first)s (%(drawn)s).") % values
    return _("Not complete: %(first)s to %(last)s (%(drawn)s).") % values


def _dots(
    columns: Sequence[Column], number: int, kind: Series, scale: tuple[float, float]
) -> SafeString:
    step, top = scale
    drawn = []
    for place, column in enumerate(columns):
        mark = column.marks[number]
        if mark is not None:
            said = _said(column, kind, mark)
            dot = format_html(
                '<circle class="dot {}{}" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>',
                kind.css_class,
                " partial" if column.is_partial else "",
                f"{_x(place, step):.1f}",
                f"{_y(mark.value, top):.1f}",
                said,
            )
            drawn.append(_linked(mark, dot, said))
    return format_html_join("", "{}", ((each,) for each in drawn))


def _said(column: Column, kind: Series, mark: Mark) -> str:
    return _("%(time)s, %(name)s: %(figure)s") % {
        "time": column.label,
        "name": kind.name,
        "figure": mark.shown,
    }


def _linked(mark: Mark, drawn: SafeString, said: str) -> SafeString:
    """Make a mark a link for the mouse; the table behind has the same links for everybody."""
    if mark.address is None:
        return drawn
    return format_html(
        '<a href="{}" tabindex="-1" aria-label="{}">{}</a>', mark.address, said, drawn
    )


def _runs(columns: Sequence[Column], number: int) -> list[list[tuple[int, float]]]:
    """Return the stretches of neighbouring columns that have a figure."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, column in enumerate(columns):
        mark = column.marks[number]
        if mark is None:
            runs.append([])
        else:
            runs[-1].append((place, mark.value))
    return [each for each in runs if len(each) > 1]


def _table(columns: Sequence[Column], series: Sequence[Series]) -> tuple[Row, ...]:
    names = [each.name for each in series]
    return tuple(
        Row(
            _("%(time)s (so far)") % {"time": each.label} if each.is_partial else each.label,
            tuple(zip(names, each.marks, strict=True)),
        )
        for each in columns
    )
