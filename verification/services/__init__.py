"""Writes: one module per group of actions; each owns its transaction."""
