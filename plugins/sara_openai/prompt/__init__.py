"""The content of a model request: system prompt, messages, context blocks, summaries."""
