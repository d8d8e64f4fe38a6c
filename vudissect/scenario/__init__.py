"""Faults between two real peers, and whether the next session works: `vudissect check --scenario`."""
