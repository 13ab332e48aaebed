"""One HTTP connection of uvicorn, bounded: in the size of a request's head, and in the time that it may take to come.

uvicorn has no such bounds. Here a connection costs its node a bounded amount of memory, and one that sends a byte a
minute costs it nothing for long: whoever looks once a second closes it. The same look closes an idle one, without a
timer for each answer; and an answer that is known whole leaves in one write, not in two.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .answers import WHOLE, Answer
from .problem import HttpError, problem

#: Path, query and headers of a request.
HEAD_BYTES_MAX = 64 << 10
#: The head of a request is there after so long.
HEAD_S = 10.0
#: Bytes of a body come at least so often, unless we do not read them.
STALL_S = 30.0
#: Who does not read what is sent is given up after so long.
UNREAD_S = 60.0
#: What still comes of a body after its answer is thrown away for so long.
DISCARD_S = 10.0
CONNECTIONS_MAX = 2_000


class Connection(HttpToolsProtocol):
    """One connection."""

    connections_max: ClassVar[int] = CONNECTIONS_MAX
    transport: Any
    cycle: Any
    #: Since when more waits to be sent than should; None where the other side reads.
    unread_s: float | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        #: When the request that comes now began, None between two; and when something of it came last.
        self.began_s: float | None = None
        self.heard_s = 0.0
        self.answered_s = 0.0
        self._head = 0

    def connection_made(self, transport: Any) -> None:
        """Turn away who is one too many."""
        super().connection_made(transport)
        self.heard_s = self.loop.time()
        if len(self.connections) > self.connections_max:
            self.refuse(HttpError(503, "BUSY", f"{self.connections_max} connections are open", retry_after_s=1.0))

    def pause_writing(self) -> None:
        """The other side reads more slowly than it is told."""
        self.unread_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self.unread_s = None
        super().resume_writing()

    def drop_unread(self, now_s: float) -> None:
        """Give it up where nobody reads; an orderly close would wait for them."""
        if self.unread_s is not None and now_s - self.unread_s > UNREAD_S:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some bytes."""
        self.heard_s = self.loop.time()
        if self._head >= 0:
            self._head += len(data)
        super().data_received(data)
        if self._head > HEAD_BYTES_MAX:
            self.refuse(_too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        self.began_s = self.heard_s
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._head = -1
        if len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > HEAD_BYTES_MAX:
            self.refuse(_too_large())
            raise ValueError("the head is too large")  # the parser stops
        super().on_headers_complete()
        scope: Any = self.scope
        scope["extensions"] = {WHOLE: partial(_whole, self.cycle)}

    def on_message_complete(self) -> None:
        """All of it is."""
        self.began_s = None
        self._head = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer has gone; the next request that came meanwhile begins."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.answered_s = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def send_400_response(self, msg: str) -> None:
        """It is no HTTP."""
        self.refuse(HttpError(400, "MALFORMED", msg))

    def refuse(self, error: HttpError) -> None:
        """Say why, and close."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            answer = problem(error)
            lines = b"".join(b"%b: %b\r\n" % pair for pair in (*answer.headers, (b"connection", b"close")))
            self.transport.write(b"HTTP/1.1 %d \r\n%b\r\n%b" % (answer.status, lines, answer.body))
        self.transport.close()

    def look(self, now_s: float) -> None:
        """Close it where it takes too long."""
        if self.began_s is None:
            if self.cycle is None:
                if now_s - self.heard_s > HEAD_S:
                    self.refuse(HttpError(408, "TIMEOUT", f"no request came within {HEAD_S:g} s"))
            elif self.cycle.response_complete and now_s - self.answered_s > self.timeout_keep_alive:
                self.transport.close()
        elif self._head >= 0:
            if now_s - self.began_s > HEAD_S:
                self.refuse(HttpError(408, "TIMEOUT", f"the head of the request had not come within {HEAD_S:g} s"))
        elif self.cycle is not None and self.cycle.response_complete:
            if now_s - self.began_s > DISCARD_S:
                self.transport.close()
        elif now_s - self.heard_s > STALL_S and not self.flow.read_paused:
            self.refuse(HttpError(408, "TIMEOUT", f"nothing of the body came for {STALL_S:g} s"))


def _whole(cycle: Any, answer: Answer) -> bool:
    """Send head and body in one write; False where that cannot be now, and nothing was sent.

    uvicorn writes them one by one, and each is a call to the system and a packet.
    """
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
        return False
    pairs = [*cycle.default_headers, *answer.headers]
    if not cycle.keep_alive:
        pairs.append((b"connection", b"close"))
    head = b"".join([b"%b: %b\r\n" % pair for pair in pairs])
    if not head.count(b"\r") == head.count(b"\n") == len(pairs):
        raise ValueError("a header has a line break")
    body = b"" if cycle.scope["method"] == "HEAD" else answer.body
    cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[answer.status], head, body))
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _too_large() -> HttpError:
    return HttpError(431, "TOO_LARGE", f"the head of a request has at most {HEAD_BYTES_MAX} bytes")
