"""How people and programs reach a node: thin, above everything, deciding nothing."""
