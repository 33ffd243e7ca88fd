"""Which control answers which requirement, and what a check of one says.

Knows no Django and no sibling.
"""
