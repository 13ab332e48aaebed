"""Measurements of Lictor beside what people use today; each writes its evidence under `out/`."""
