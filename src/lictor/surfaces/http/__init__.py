"""The HTTP surface: every path that is served, in one table, behind one door."""
