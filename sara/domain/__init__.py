"""Values, states and errors that all packages share."""
