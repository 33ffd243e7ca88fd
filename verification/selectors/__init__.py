"""Reads: querysets and figures, without effects."""
