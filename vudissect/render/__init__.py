"""Output for people and programs: transcript, JSON, tables. No protocol state."""
