"""The model's API: requests, results, errors."""
