"""Simulators of the providers, for `sara demo`, `sara simulate` and tests. A running daemon imports none of them."""
