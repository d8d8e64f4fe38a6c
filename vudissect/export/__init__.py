"""Captures to files of tables, one for each capture and table: `vudissect export`, and queries on them."""
