"""Runs every reader on mutated captures and conversations: `python -m tests.fuzz`; `make test` runs a part of it."""
