"""Values, states and errors. Pure."""
