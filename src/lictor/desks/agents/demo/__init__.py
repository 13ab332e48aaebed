"""The demo: an agent with governed tools, a bank that remembers what arrived, a person, and a node that is killed."""
