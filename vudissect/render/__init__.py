"""What people look at: transcript, JSON, tables. No state of the protocol."""
