#!/usr/bin/env python3
"""Django's command-line entry point for the site in project/."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run one management command with the site's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
