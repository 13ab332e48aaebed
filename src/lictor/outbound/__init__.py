"""Calls out into the world: the guard that says where they may go, the effector that makes them, and signatures."""

from lictor.declarations.secret import SecretRef, env, secret_file

from .calling import Answer, Outbound
from .guard import Guard
from .http_effector import http_effector

__all__ = ["Answer", "Guard", "Outbound", "SecretRef", "env", "http_effector", "secret_file"]
