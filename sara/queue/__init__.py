"""The times at which jobs run: scheduler, worker, sweep, lanes and their circuit breaker."""
