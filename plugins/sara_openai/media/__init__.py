"""Pictures and voice messages."""
