"""Lictor: the layer between deciding and acting. The public names, nothing else."""

__all__: list[str] = []
