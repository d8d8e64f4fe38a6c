"""The protocol as data: messages, payload layouts, feature bits, devices, dialects. No logic beyond look-up."""
