"""Lets the suite empty its own database, which no command of the product can do."""
