"""A real process that pulls a real file is killed again and again; each row is paid once."""

import signal
import subprocess
import sys
from collections import Counter

ROWS = 1_500


def test_a_file_whose_run_is_killed_is_finished_by_running_it_again_and_nothing_is_paid_twice(tmp_path):
    file, journal, ledger = tmp_path / "pay.csv", tmp_path / "bank.db", tmp_path / "ledger"
    rows = [(f"a{i % 40}", i + 1) for i in range(ROWS)]
    file.write_text("account,amount\n" + "".join(f"{account},{amount}\n" for account, amount in rows))
    kills = 0
    for run in range(40):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.inputs.bank_run", file, journal, ledger], stdout=subprocess.PIPE, text=True
        )
        with process:
            line = process.stdout.readline()
            if line.startswith("paid") and run < 4:
                process.send_signal(signal.SIGKILL)
                kills += 1
                continue
            while line and not line.startswith("done"):
                line = process.stdout.readline()
        assert process.returncode == 0
        break
    paid = [line.split() for line in ledger.read_text().splitlines()]
    assert Counter((account, int(amount)) for _, account, amount in paid) == Counter(rows)
    assert len({key for key, _, _ in paid}) == ROWS
    assert kills == 4
    assert line.startswith(f"done {ROWS} ")
