"""Decisions and outcomes as the learner gets them, made by hand."""

from lictor.records import Decision, Outcome, Reservation

ARRIVED_US = 1_767_225_600_000_000


def decision(id_=1, *, source="desk", kind="Payout", tenant="acme", expires_in_s=10.0, **fields):
    return Decision(
        id=id_,
        kind=kind,
        version=1,
        tenant=tenant,
        source=source,
        key=None,
        digest=b"d",
        payload=b"{}",
        received_us=ARRIVED_US,
        deadline_us=ARRIVED_US + int(expires_in_s * 1e6),
        priority=2,
        **fields,
    )


def outcome(result="succeeded", *, after_s=1.0, started=True, settled=(), **fields):
    return Outcome(
        decision=1,
        result=result,
        at_us=ARRIVED_US + int(after_s * 1e6),
        started_us=ARRIVED_US if started else None,
        settled=tuple(Reservation(budget, "all", amount) for budget, amount in settled),
        **fields,
    )
