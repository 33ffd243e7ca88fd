"""Numbers as the reader's language writes them: the same digits, with its own signs between."""

from django.utils.formats import get_format

COMMA = ","


def localised(shown: str) -> str:
    """Return a number that Python wrote, `1,234.50`, with the signs of the reader's language."""
    thousands = get_format("THOUSAND_SEPARATOR") or COMMA
    return shown.translate(str.maketrans({",": thousands, ".": get_format("DECIMAL_SEPARATOR")}))


def grouped(number: int) -> str:
    """Return a whole number, grouped by thousands."""
    return localised(f"{number:,}")
