"""The reference front-end: right in everything, with one fault that can be switched on for each case.

`client` is the process, `connection` sends requests and checks answers, `session` is one session from the features to
the end, `channel` serves what the back-end asks, `disk` uses the ring.
"""
