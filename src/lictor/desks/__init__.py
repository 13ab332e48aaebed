"""Applications built on the public API alone, found by entry point."""
