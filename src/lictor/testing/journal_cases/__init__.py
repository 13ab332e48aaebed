"""The cases of the journal's conformance suite, by what they promise."""
