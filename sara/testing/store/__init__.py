"""Contract tests of a store."""
