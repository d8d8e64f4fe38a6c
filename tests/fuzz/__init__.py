"""Mutated captures and conversations through every reader: `python -m tests.fuzz`, and a part of it in `make test`."""
