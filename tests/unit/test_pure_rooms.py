"""The pure rooms work where no framework can be imported, and know only what is below them."""

import subprocess
import sys

import pytest

SCRIPT = """
import importlib, pkgutil, sys

FOREIGN = {"django", "rest_framework", "psycopg", "procrastinate"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FOREIGN:
            raise ImportError(f"{name} is refused")

sys.meta_path.insert(0, Refuse())
try:
    import django
except ImportError:
    pass
else:
    raise SystemExit("the refusal does not work")

room = importlib.import_module(f"verification.{sys.argv[1]}")
names = [module.name for module in pkgutil.iter_modules(room.__path__)]
for name in names:
    importlib.import_module(f"{room.__name__}.{name}")

rooms = {name.split(".")[1] for name in sys.modules if name.startswith("verification.")}
print(len(names), *sorted(rooms))
"""


ROOMS = [
    ("faceid", 12),
    ("ledger", 11),
    ("vault", 4),
    ("policy", 3),
    ("billing", 5),
    ("controls", 5),
]
BELOW = {
    "policy": {"faceid", "ledger", "lifecycle", "outcomes"},
    "billing": {"faceid", "lifecycle", "outcomes"},
}
"""What a room stands on beside errors; the others stand on nothing."""


@pytest.mark.parametrize(("room", "modules"), ROOMS)
def test_a_room_works_where_no_framework_can_be_imported(room: str, modules: int) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, room],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    count, *rooms = result.stdout.split()
    assert int(count) >= modules
    assert set(rooms) - {"errors"} == {room} | BELOW.get(room, set())
