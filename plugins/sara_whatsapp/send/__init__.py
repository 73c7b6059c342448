"""Outgoing messages: composed within WhatsApp's limits, and their payloads."""
