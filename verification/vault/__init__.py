"""Envelope encryption over bytes: a random key per attempt, wrapped by a keyring."""
