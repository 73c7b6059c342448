"""The plugin boundary: contracts, loading, and guarded calls."""
