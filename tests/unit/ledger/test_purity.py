import subprocess
import sys

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

import verification.ledger
names = [module.name for module in pkgutil.iter_modules(verification.ledger.__path__)]
for name in names:
    importlib.import_module(f"verification.ledger.{name}")

siblings = {
    name.split(".")[1] for name in sys.modules if name.startswith("verification.")
}
print(len(names), *sorted(siblings))
"""


def test_the_package_works_where_no_framework_can_be_imported() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    count, *siblings = result.stdout.split()
    assert int(count) >= 11
    assert siblings == ["errors", "ledger"]
