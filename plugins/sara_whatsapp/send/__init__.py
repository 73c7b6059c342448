"""Outgoing messages: composing within WhatsApp's limits, and payloads."""
