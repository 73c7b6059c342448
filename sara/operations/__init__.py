"""Work around the message path: operator actions, retention, erasure, load shedding, checks."""
