"""Command lines of front-ends and back-ends: where their vhost-user sockets are, and how to move them."""
