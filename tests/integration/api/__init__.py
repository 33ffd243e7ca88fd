"""A package, so that the live site serves these tests alone and is gone before the next."""
