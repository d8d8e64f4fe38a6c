"""What holds for the whole suite."""

from hypothesis import settings

# No deadline: a busy machine is no failure. No database: a run depends on nothing but the sources.
settings.register_profile("suite", deadline=None, database=None)
settings.load_profile("suite")
