"""An App that an agent uses: two governed functions whose effects are lines of a file, and a kind of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OFFICE = '''
import asyncio
from dataclasses import dataclass
from pathlib import Path

from lictor import App, Call, allow, deny

app = App("office")
stamps = app.balance("stamps", limit=10)


async def send_mail(to: str, text: str = "hi") -> str:
    """Send a mail.

    It costs a stamp a letter."""
    with Path("sent.txt").open("a") as sent:
        sent.write(f"{to} {text}\\n")
    return f"sent to {to}"


async def wait_for_post(hours: int) -> str:
    """Wait until a letter has come."""
    while not Path("post.txt").exists():
        await asyncio.sleep(0.01)
    return Path("post.txt").read_text()


mail = app.govern(
    send_mail,
    check=lambda to: deny("UNKNOWN", allowed={"to": "ann, bob or cy@far"}) if to == "eve" else allow(),
    approve_if=lambda to: "@" in to,
    budget=lambda text: stamps.reserve(len(text)),
)
post = app.govern(wait_for_post, reads_only=True, idempotent=True)


@app.decision()
@dataclass(frozen=True)
class Note:
    """Note something down."""

    words: str


@app.effector(idempotent=True, timeout_s=5)
async def write(call: Call, words: str) -> int:
    return len(words)


@app.plan(Note)
def note(value):
    return write.action(value.words)
'''


@dataclass
class Office:
    """A folder with the App in it, and what truly happened there."""

    folder: Path

    @property
    def sent(self) -> list[str]:
        """Mails that were sent."""
        file = self.folder / "sent.txt"
        return file.read_text().splitlines() if file.exists() else []

    def letter(self, text: str) -> None:
        """A letter comes, whole at once."""
        coming = self.folder / "coming.txt"
        coming.write_text(text)
        coming.rename(self.folder / "post.txt")
