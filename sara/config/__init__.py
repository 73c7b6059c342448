"""sara.yaml → checked options."""
