"""Measurements of vudissect, each against something that runs beside it in the same minute.

Run them with `python -m benchmarks [NAME ...]`; docs/performance.md says what they mean. Nothing here passes or fails.
"""
