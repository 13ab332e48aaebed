"""Tamper-evident history: a Merkle tree over all facts, signed checkpoints, proofs, exports that prove themselves.

Arithmetic and text; only `keyring` and `anchor` touch a file.
"""
