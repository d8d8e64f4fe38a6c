"""Pages about results of the conformance suite: pure functions from `vudissect.check.results` to text."""
