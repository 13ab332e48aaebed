"""Who asks, and what they may do: keys, sessions, principals. Default deny."""
