"""Stage 5, what is going on: anything that happens becomes an Observation. It sees and never steers."""
