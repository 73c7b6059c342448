"""SARA's own messages, and the languages of customers."""
