"""What other people's tools make of Lictor's tools."""
