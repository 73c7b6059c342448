"""Images and voice messages."""
