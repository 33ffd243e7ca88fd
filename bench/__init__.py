"""Benchmarks that print ratios: ours against a bare counterpart, paired in one run."""
