"""What programs log when vhost-user fails, and what a capture shows about it."""
