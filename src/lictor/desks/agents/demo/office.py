"""The App of the demo: two functions that an agent uses, governed in one declaration each.

Reads where the bank is, and in which folder letters are written, from the environment.
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx2

from lictor import App, Call, Report, allow, deny, report

BANK, FOLDER = "LICTOR_DEMO_BANK", "LICTOR_DEMO_FOLDER"
CASH, ALONE_UP_TO = 400, 150
PAYEES = ("Ada Ltd", "Bolt GmbH", "Cargo SA", "Dock BV", "Echo Inc")


def make() -> App:
    """The office: 400 to spend, 150 at once without asking, five payees that are known."""
    app, bank, folder = App("office", version="1"), os.environ[BANK], Path(os.environ[FOLDER])
    cash = app.balance("cash", limit=CASH)

    async def pay(call: Call, to: str, amount: int) -> str:
        """Pay an invoice; the amount is whole euros."""
        async with httpx2.AsyncClient(timeout=30) as client:
            wanted = {"to": to, "amount": amount}
            answer = await client.post(f"{bank}/payments", json=wanted, headers={"idempotency-key": call.key})
            answer.raise_for_status()
            return str(answer.json()["receipt"])

    def write_letter(name: str, text: str) -> int:
        """Write a letter; it is a file in the folder of letters."""
        letters = folder / "letters"
        letters.mkdir(exist_ok=True)
        return (letters / f"{name}.txt").write_text(text, encoding="utf-8")

    paying = app.govern(
        pay,
        check=lambda to: allow() if to in PAYEES else deny("PAYEE_UNKNOWN", allowed={"to": ", ".join(PAYEES)}),
        approve_if=lambda amount: amount > ALONE_UP_TO,
        budget=lambda amount: cash.reserve(amount),  # noqa: PLW0108 - reads as what it is
        idempotent=False,
        timeout_s=20,
    )

    @paying.effector.reconcile
    async def ask_bank(call: Call, to: str, amount: int) -> Report | None:  # noqa: ARG001 - the action's arguments
        async with httpx2.AsyncClient(timeout=5) as client:
            found = (await client.get(f"{bank}/payments", params={"key": call.key})).json()["booked"]
        if not found:
            return report(f"{call.key} absent", final=True, result="absent")
        return report(f"{call.key} booked", final=True, result="succeeded", value=found[0]["receipt"])

    app.govern(write_letter, limit=app.rate("letters", per_minute=10, burst=3), idempotent=True, timeout_s=5)
    return app
