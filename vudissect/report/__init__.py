"""HTML pages, as pure functions to text: about a session, and about results of the conformance suite."""
