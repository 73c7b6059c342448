"""When a job runs: scheduler, worker, lanes and their circuit breaker."""
