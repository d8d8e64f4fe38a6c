"""Captures as flat tables, for databases and data frames: the schema as data, and events to rows.

Sans-I/O: events go in, batches of rows come out; `vudissect.export` writes them to files.
"""
