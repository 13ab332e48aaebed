"""A bank as a process of its own: it books whatever arrives, twice if it comes twice, and can be asked what it has."""
