"""The answer's figures, drawn against the thresholds of the same answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from verification.admin.fragments import figure
from verification.faceid.contract import COMPARISON_NAMES, THRESHOLD_NAMES
from verification.models import VerificationAttempt
from verification.models.attempt import threshold_column

LABELS = {"ref1": _("Reference image 1"), "ref2": _("Reference image 2"), "idcard": _("ID card")}
PERCENT = Decimal(100)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold of an answer; `is_reached` is None where there is nothing to compare."""

    name: str
    value: Decimal
    is_reached: bool | None

    @property
    def value_shown(self) -> SafeString:
        """The value with its own digits."""
        return figure(self.value)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reference's confidence, 0 to 100, and the thresholds of the same answer."""

    label: str
    confidence: Decimal | None
    thresholds: tuple[Threshold, ...]

    @property
    def reached(self) -> int:
        """How many of the thresholds the confidence is at or above."""
        return sum(1 for each in self.thresholds if each.is_reached)

    @property
    def confidence_shown(self) -> SafeString:
        """The confidence with its own digits."""
        return figure(self.confidence)

    @property
    def scale(self) -> SafeString:
        """The bar of the record's page."""
        return self._drawn("scale")

    @property
    def small_scale(self) -> SafeString:
        """The bar of a list's row."""
        return self._drawn("scale scale-small")

    def _drawn(self, css_class: str) -> SafeString:
        marks = [each.value for each in self.thresholds]
        return draw_scale(self.confidence, marks, top=PERCENT, css_class=css_class)


def comparisons_of(attempt: VerificationAttempt) -> tuple[Comparison, ...]:
    """Return the comparisons that the answer holds, in the contract's order."""
    every = (_comparison(attempt, name) for name in COMPARISON_NAMES)
    return tuple(each for each in every if each.confidence is not None or each.thresholds)


def attack_scale(attempt: VerificationAttempt) -> SafeString:
    """Draw the attack score, 0 to 1, and its threshold."""
    marks = [] if attempt.attack_threshold is None else [attempt.attack_threshold]
    tone = "scale scale-bad" if attempt.is_attack else "scale scale-plain"
    return draw_scale(attempt.attack_score, marks, top=ONE, css_class=tone)


def draw_scale(
    value: Decimal | None, marks: Iterable[Decimal], *, top: Decimal, css_class: str
) -> SafeString:
    """Draw a bar up to `value` on a scale from 0 to `top`, with a line at each mark.

    The figures stand beside it as text, so it is hidden from screen readers.
    """
    lines = format_html_join(
        "", '<line class="mark" x1="{0}" x2="{0}" y1="0" y2="12"/>',
        ((_place(mark, top),) for mark in marks),
    )  # fmt: skip
    return format_html(
        '<svg class="{}" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="3" width="100" height="6"/>'
        '<rect class="fill" y="3" width="{}" height="6"/>{}</svg>',
        css_class,
        _place(value or Decimal(0), top),
        lines,
    )


def _place(value: Decimal, top: Decimal) -> str:
    return format(min(max(value, Decimal(0)), top) / top * 100, ".2f")


def _comparison(attempt: VerificationAttempt, name: str) -> Comparison:
    confidence = getattr(attempt, f"{name}_confidence")
    found = ((rate, getattr(attempt, threshold_column(name, rate))) for rate in THRESHOLD_NAMES)
    return Comparison(
        str(LABELS[name]),
        confidence,
        tuple(
            Threshold(rate, value, None if confidence is None else confidence >= value)
            for rate, value in found
            if value is not None
        ),
    )
