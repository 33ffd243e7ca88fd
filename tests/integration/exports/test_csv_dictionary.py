"""The data dictionary names every column, in the file's order."""

import re
from pathlib import Path

from verification.selectors.export_columns import COLUMNS

DICTIONARY = Path(__file__).parents[3] / "docs" / "reference" / "csv.md"


def test_the_data_dictionary_lists_the_columns_in_order() -> None:
    [section] = re.findall(
        r"^## Columns$(.*?)^## ", DICTIONARY.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert documented == [column.name for column in COLUMNS]
