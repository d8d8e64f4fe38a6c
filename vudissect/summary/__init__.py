"""A capture in short, as one value for a page or a screen: who, what, how long, how it ended, and what is wrong.

Sans-I/O: events and findings go in, a `Summary` comes out; the views are in `vudissect.render`.
"""
