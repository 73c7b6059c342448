"""Meta's Graph API: client, error codes, rate limits, upload and download of media."""
