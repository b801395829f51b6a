"""Benchmarks: each is a command that prints its table, with ratios taken in one run.

A benchmark runs the data plane in its own process, so that it can read the counters, and the load generator in another
one on the other processors.
"""
