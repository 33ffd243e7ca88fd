"""The vendor's API, both sides of the wire: contract, signature, messages, client.

This package knows no web framework and no database: bytes and frozen values go in and out, and
the clock, the nonce and the transport are given by the caller.
"""
