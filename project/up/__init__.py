"""`script/up`: the whole service on one machine, with sample attempts going through it."""
