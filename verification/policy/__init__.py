"""The review policy: what we conclude from an attempt, and why. Pure; docs/formats/policy.md.

`document.py` reads a policy from its text, `judging.py` applies it to one attempt.
"""
