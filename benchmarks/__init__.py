"""Benchmarks of vudissect, each with a reference that is measured at the same time.

Run them with `python -m benchmarks [NAME ...]`; docs/performance.md explains the results. Nothing here passes or fails.
"""
