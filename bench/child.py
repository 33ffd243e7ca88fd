"""`python -m bench.child NAME ARGUMENT...`: the `main` of bench/NAME.py, with Django set up."""

import sys
from importlib import import_module

import django


def main(name: str, arguments: list[str]) -> None:
    """Run one module; it may import models at its top, which the parent process cannot."""
    django.setup()
    import_module(f"bench.{name}").main(arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
