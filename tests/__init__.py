"""The tests; they mirror the package, and `peers` runs real programs."""
