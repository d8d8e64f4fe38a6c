"""What one session has that another had not: messages, field by field, under a policy. No sockets, no prose."""
