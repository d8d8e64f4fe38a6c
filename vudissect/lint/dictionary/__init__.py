"""What programs write into their logs when vhost-user goes wrong, and what a capture shows of it."""
