"""Incoming webhooks: parsing of messages, receipts and account events."""
