"""Pure decisions: whether, when and what to answer, send, retry or give up."""
