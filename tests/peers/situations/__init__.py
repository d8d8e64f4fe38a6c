"""What real programs do together, a module for each family of devices.

Each class is a situation (see `situation`): it can start its back-end alone, its front-end alone, or both with
`vuproxy` between them. Whether what they did was right is for the tests to say.
"""
