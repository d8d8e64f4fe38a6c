"""What is wrong in a session, which rule it breaks, and who is to blame. One small function per rule; no parsing."""
