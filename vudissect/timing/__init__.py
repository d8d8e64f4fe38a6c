"""How long what took, as values: answers, the phases of connections, and migrations.

Sans-I/O: events go in, values come out; the views are in `vudissect.render`.
"""
