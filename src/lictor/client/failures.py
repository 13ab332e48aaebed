"""What a call of the API may raise. Refusals and sheds are answers and are not raised."""

from __future__ import annotations

from lictor.errors import LictorError


class ApiError(LictorError):
    """The node answered that it cannot do this; `code` is the engine's."""

    code = "API"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        status: int = 0,
        hint: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code or type(self).code
        self.status = status
        self.retry_after_s = retry_after_s


class BadRequestError(ApiError):
    """What was sent cannot be understood, or not in this state."""


class NotAllowedError(ApiError):
    """There is no good key, or it may not do this."""


class NotThereError(ApiError):
    """There is no such thing, or not for this key."""


class BusyError(ApiError):
    """Not now: too much, or the node stops. Ask again after `retry_after_s`."""


class ServerError(ApiError):
    """The node has a defect, or what stands between is broken."""


class UnreachableError(ApiError):
    """Nobody answered. With `unknown` it may have been done all the same: ask again under the same key."""

    code = "UNREACHABLE"

    def __init__(self, message: str | None = None, *, unknown: bool = False) -> None:
        hint = "it may have been done: ask again under the same key" if unknown else "is the node running there?"
        super().__init__(message, hint=hint)
        self.unknown = unknown
