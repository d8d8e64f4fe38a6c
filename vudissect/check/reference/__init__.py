"""A back-end that is right in everything that the suite asks, with one fault for each case that can be switched on.

It is a disk in memory. `session` knows the messages, `vring` the rings, `disk` the requests, `server` the process; a
fault has the id of the case that must find it.
"""
