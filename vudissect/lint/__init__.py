"""What is wrong in a session, by which rule, and who is to blame. One small function a rule; no parsing."""
