"""The one durable truth and only arbiter: the port that everyone above speaks, and the stores behind it."""
