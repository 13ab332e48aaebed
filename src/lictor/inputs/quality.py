"""The data-quality gate of one source: freshness, ranges, sequence, duplicates, outliers.

Schema is judged by decisions. Keeps what it needs to judge the next signal, bounded: for each stream (`Quality.per`)
the last number and a window of values for each judged field, and one memory of recent contents. O(log window)
comparisons a signal. This is soft state: after a restart it is recalled from the source's latest decisions.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from lictor.declarations.sources import Quality, Range
from lictor.records import Signal

from .finding import Finding, Reason, found
from .robust_scale import RobustScale

#: Streams of one source that are remembered; the one that was silent longest is forgotten first.
STREAMS_MAX = 1_000
#: Contents that are remembered for `duplicates_within_s`; beyond it the oldest is forgotten early.
CONTENTS_MAX = 10_000
#: That many numbers in a row below the last mean that the source has started to count anew.
RESTART_AFTER = 3

_DIGITS = re.compile("[0-9]{1,18}")
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string", enc_hook=repr).encode


class Stream:
    """What is remembered of one stream of a source."""

    __slots__ = ("behind", "last", "scales")

    def __init__(self) -> None:
        self.last: int | None = None
        #: The latest of the numbers below `last` that followed each other, and how many they are.
        self.behind: tuple[int, int] = (0, 0)
        self.scales: dict[str, RobustScale] = {}


class SourceQuality:
    """Judges the signals of one source in the order of their arrival."""

    def __init__(self, quality: Quality) -> None:
        self.quality = quality
        #: What was found so far, by reason; gaps that are only noted, and the numbers that were `missing`, too.
        self.counts: Counter[str] = Counter()
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._recent: OrderedDict[bytes, tuple[int, str | None]] = OrderedDict()
        self._excused: OrderedDict[bytes, bool] = OrderedDict()

    def judge(self, signal: Signal, content: Any, now_us: int, outside_us: int) -> Finding | None:
        """A finding, or None for a good signal; the first of several gives its reason, all are in the detail.

        Args:
            signal: The signal.
            content: Its payload as plain data, or as a value of the kind's type.
            now_us: The node's own time.
            outside_us: The wall clock as it is set now, which is what other machines go by.
        """
        quality, read = self.quality, _reader(content)
        findings = self._timely(signal, outside_us)
        out_of_range = self.out_of_range(read)
        findings += out_of_range
        if self._excused and self._excused.pop(_identity(signal), False):
            return self._first(findings)
        if quality.sequence is not None or quality.outliers:
            stream = self._stream(read)
            findings += self._in_sequence(stream, read)
            if not out_of_range:
                findings += self._outlying(stream, read)
        if quality.duplicates_within_s is not None:
            findings += self._seen(signal, content, now_us, remember=not findings)
        return self._first(findings)

    def _first(self, findings: list[Finding]) -> Finding | None:
        if not findings:
            return None
        for finding in findings:
            self.counts[finding.reason or ""] += 1
        first = findings[0]
        return first if len(findings) == 1 else first._replace(detail="; ".join(each.detail for each in findings))

    def excuse(self, signal: Signal) -> None:
        """It was good and was shed: when it comes again as it was asked to, it is neither late in order nor twice."""
        self._excused[_identity(signal)] = True
        if len(self._excused) > CONTENTS_MAX:
            self._excused.popitem(last=False)

    def content_finding(self, content: Any) -> Finding | None:
        """Judge only what is said, not when and in which order it came: for a replay that a person has corrected."""
        return next(iter(self.out_of_range(_reader(content))), None)

    @property
    def remembers(self) -> int:
        """How many of its latest signals are worth recalling."""
        quality = self.quality
        if quality.duplicates_within_s is not None or (
            quality.per is not None and (quality.sequence or quality.outliers)
        ):
            return CONTENTS_MAX
        return quality.outlier_window if quality.outliers else RESTART_AFTER if quality.sequence else 0

    def recall(self, signal: Signal, content: Any, at_us: int) -> None:
        """Remember a signal that was judged before the restart."""
        read = _reader(content)
        stream = self._stream(read)
        number = _whole(read(self.quality.sequence)) if self.quality.sequence is not None else None
        if number is not None:
            stream.last = max(number, stream.last or 0)
        for name in self.quality.outliers:
            if (value := _finite(read(name))) is not None:
                self._scale(stream, name).add(value)
        if self.quality.duplicates_within_s is not None:
            self._seen(signal, content, at_us, remember=True)

    # -- each check -----------------------------------------------------------------------------------------------

    def _timely(self, signal: Signal, outside_us: int) -> list[Finding]:
        if self.quality.max_age_s is None:
            return []
        if signal.sent_us is None:
            return [found(Reason.STALE, "it does not say when it was sent")]
        age_s = (outside_us - signal.sent_us) / 1e6
        if age_s > self.quality.max_age_s:
            return [found(Reason.STALE, f"sent {age_s:.3f} s ago; at most {self.quality.max_age_s:g} s")]
        if -age_s > self.quality.max_ahead_s:
            return [found(Reason.FUTURE, f"sent {-age_s:.3f} s from now; at most {self.quality.max_ahead_s:g} s")]
        return []

    def out_of_range(self, read: Callable[[str], Any]) -> list[Finding]:
        """Each field outside its declared range."""
        findings = []
        for name, bounds in (self.quality.ranges or {}).items():
            number = _number(read(name))
            if number is not None and not _within(number, bounds):
                low = "" if bounds.low is None else f"{bounds.low:g} <= "
                high = "" if bounds.high is None else f" <= {bounds.high:g}"
                findings.append(found(Reason.RANGE, f"{name}={number} is not {low}{name}{high}"))
        return findings

    def _in_sequence(self, stream: Stream, read: Callable[[str], Any]) -> list[Finding]:
        name = self.quality.sequence
        number = _whole(read(name)) if name is not None else None
        if number is None:
            return []
        last = stream.last
        if last is None or number == last + 1:
            stream.last, stream.behind = number, (0, 0)
            return []
        if number > last:
            stream.last, stream.behind = number, (0, 0)
            return self._gap(f"{name}={number} after {last}", number - last - 1)
        if number == last:
            return [found(Reason.REPEAT, f"{name}={number} again")]
        before, row = stream.behind
        row = row + 1 if row and number == before + 1 else 1
        stream.behind = (number, row)
        if row >= RESTART_AFTER:
            self.counts["restarted"] += 1
            stream.last, stream.behind = number, (0, 0)
            return []
        return [found(Reason.ORDER, f"{name}={number} after {last}")]

    def _gap(self, detail: str, missing: int) -> list[Finding]:
        self.counts["missing"] += missing
        if self.quality.on_gap == "quarantine":
            return [found(Reason.GAP, f"{detail}: {missing} missing")]
        self.counts[Reason.GAP] += 1
        return []

    def _outlying(self, stream: Stream, read: Callable[[str], Any]) -> list[Finding]:
        findings = []
        for name in self.quality.outliers:
            value = _finite(read(name))
            if value is None:
                continue
            scale = self._scale(stream, name)
            if len(scale) >= self.quality.outlier_min:
                distance = scale.distance(value)
                if distance > self.quality.outlier_mads:
                    told = (
                        f"{name}={value:g} is {distance:.1f} scales from {scale.median:g}, the median of {len(scale)}"
                    )
                    findings.append(found(Reason.OUTLIER, f"{told}; at most {self.quality.outlier_mads:g}"))
            # In the window all the same: a lasting shift becomes normal, and the median bears what is not.
            scale.add(value)
        return findings

    def _seen(self, signal: Signal, content: Any, now_us: int, *, remember: bool) -> list[Finding]:
        within_us = int((self.quality.duplicates_within_s or 0.0) * 1e6)
        recent = self._recent
        while recent and next(iter(recent.values()))[0] < now_us - within_us:
            recent.popitem(last=False)
        what = _canonical(content)
        where = f"{signal.kind}\0{signal.tenant}\0".encode()
        digest = blake2b(where + what, digest_size=16).digest()
        before = recent.get(digest)
        if before is not None:
            at_us, key = before
            if key is not None and key == signal.key:
                return []  # a retry: the journal has its answer (I10)
            return [found(Reason.DUPLICATE, f"the same content came {(now_us - at_us) / 1e6:.3f} s ago")]
        if remember:
            recent[digest] = (now_us, signal.key)
            if len(recent) > CONTENTS_MAX:
                recent.popitem(last=False)
        return []

    # -- what is remembered ---------------------------------------------------------------------------------------

    def _stream(self, read: Callable[[str], Any]) -> Stream:
        per = self.quality.per
        name = "" if per is None else str(read(per))
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Stream()
            if len(self._streams) > STREAMS_MAX:
                self._streams.popitem(last=False)
        elif per is not None:
            self._streams.move_to_end(name)
        return stream

    def _scale(self, stream: Stream, name: str) -> RobustScale:
        scale = stream.scales.get(name)
        if scale is None:
            scale = stream.scales[name] = RobustScale(self.quality.outlier_window, self.quality.outlier_floor)
        return scale


def _identity(signal: Signal) -> bytes:
    """What makes a signal that comes again the same."""
    said = _canonical(signal.value) if signal.payload is None else signal.payload
    which = f"{signal.kind}\0{signal.tenant}\0{signal.key}\0{signal.position}\0".encode()
    return blake2b(which + said, digest_size=16).digest()


def _reader(content: Any) -> Callable[[str], Any]:
    """Reads a field of the payload; None where there is none."""
    if isinstance(content, dict):
        return content.get
    return lambda name: getattr(content, name, None)


def _number(value: Any) -> int | float | Decimal | None:
    """A number, also one written as text, as Decimals are in JSON; None for anything else."""
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if kind is str:
        try:
            return Decimal(value)
        except ArithmeticError:
            return None
    return None


def _finite(value: Any) -> float | None:
    number = _number(value)
    if number is None:
        return None
    number = float(number)
    return number if isfinite(number) else None


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return value
    return int(value) if type(value) is str and _DIGITS.fullmatch(value) else None


def _within(number: float | Decimal, bounds: Range) -> bool:
    """Whether it is; what is not a number is not."""
    if number != number:  # noqa: PLR0124 - NaN, of whichever type
        return False
    return (bounds.low is None or number >= bounds.low) and (bounds.high is None or number <= bounds.high)
