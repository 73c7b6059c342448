"""What runs around the message path: operators' actions, retention, erasure, load shedding, checks."""
