"""Logs of other programs as sources of records: lines in, records out. What a log does not show stays unknown."""
