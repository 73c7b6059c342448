"""One process: the daemon, its listeners, background tasks and state folder."""
