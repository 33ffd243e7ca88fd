"""One module a command, named noun_verb."""
