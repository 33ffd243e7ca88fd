"""Where everything in a furnished house can be looked at."""

from django.urls import reverse

from tests.integration.languages.world import House
from tests.integration.people.doors import NOBODY, SAMPLES, doors

NARROWED = {
    "verificationattempt": (
        "?q=nothing&period=7d",
        "?since=2026-11-01&until=2026-11-30",
        "?since=x",
        "?e=1&state=in_doubt",
    ),
    "ledgerentry": ("?q=nothing", "?q=0"),
    "review": ("?show=decided", "?show=proposed", "?q=nothing"),
    "rollup": ("?period=30d", "?since=2001-01-01&until=2001-01-02"),
    "controlrun": ("?show=broken",),
    "reveal": ("?attempt=x", "?subject=nobody"),
}
"""Lists as they look when they are narrowed, empty or asked for nonsense."""


def addresses_of(house: House) -> dict[str, str]:
    """Return the path of every page that shows something, by what it shows."""
    unknown = (str(NOBODY), str(SAMPLES["int"]))
    lists = {
        name: path for name, path in doors().items() if not any(each in path for each in unknown)
    }
    narrowed = {
        f"{name}{query}": reverse(f"admin:verification_{name}_changelist") + query
        for name, queries in NARROWED.items()
        for query in queries
    }
    return {**lists, **narrowed, **house.pages}
