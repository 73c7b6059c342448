"""The two model APIs: requests, responses, errors, and the loop of tool calls."""
