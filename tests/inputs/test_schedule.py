from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor import DeclarationError
from lictor.inputs.schedule import Schedule


def fires(expression, zone, start, count):
    """The next moments after a local time, as that zone's clock shows them."""
    begin = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    ticks = islice(Schedule(expression, zone).after(begin), count)
    return [tick.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for tick in ticks]


# What Debian's cron does, and cronsim 2.8 computes too. Berlin leaps from 2:00 to 3:00 on 2026-03-29 and falls back
# from 3:00 to 2:00 on 2026-10-25.
@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T01:00", ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"]),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T01:45",
            ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"],
        ),
        ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T03:00+02:00"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", ["2026-03-29T01:00+03:00", "2026-03-30T00:00+03:00"]),
        ("0 0 30 12 *", "Pacific/Apia", "2011-12-01T00:00", ["2011-12-31T00:00+14:00", "2012-12-30T00:00+14:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
        ("0 0 29 2 *", "UTC", "2097-01-01T00:00", ["2104-02-29T00:00+00:00"]),
        ("*/20 9-10 * * mon-fri", "UTC", "2026-01-02T10:30", ["2026-01-02T10:40+00:00", "2026-01-05T09:00+00:00"]),
        ("0 0 13 * fri", "UTC", "2026-01-01T00:00", ["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00"]),
        ("0 0 13 * */1", "UTC", "2026-01-01T00:00", ["2026-01-13T00:00+00:00", "2026-02-13T00:00+00:00"]),
        ("5 4 * jan,JUL 7", "UTC", "2026-01-20T00:00", ["2026-01-25T04:05+00:00", "2026-07-05T04:05+00:00"]),
    ],
)
def test_it_fires_when_cron_does(expression, zone, start, expected):
    assert fires(expression, zone, start, len(expected)) == expected


@given(
    st.sampled_from(["17 * * * *", "0 2 * * *", "*/13 1-3 * * *", "59 23 * * 0", "0 0 1 * *", "0 12 * * 1-5"]),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut"]
    ),
    st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - hypothesis wants them naive
)
def test_ticks_only_grow_and_a_later_start_changes_none(expression, zone, start):
    schedule = Schedule(expression, zone)
    begin = start.replace(tzinfo=UTC)
    ticks = list(islice(schedule.after(begin), 40))
    assert all(begin < ticks[0] and a < b for a, b in pairwise(ticks))
    assert all(tick.second == tick.microsecond == 0 for tick in ticks)
    assert list(islice(schedule.after(ticks[10]), 29)) == ticks[11:]
    assert list(islice(schedule.after(ticks[10] - timedelta(microseconds=1)), 1)) == [ticks[10]]


@given(st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001 - likewise
def test_a_daily_job_fires_once_a_local_day(start):
    zone = ZoneInfo("Europe/Berlin")
    days = [
        tick.astimezone(zone).date()
        for tick in islice(Schedule("30 2 * * *", "Europe/Berlin").after(start.replace(tzinfo=UTC)), 300)
    ]
    assert [b - a for a, b in pairwise(days)] == [timedelta(days=1)] * 299


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("* * * *", "UTC"),
        ("60 * * * *", "UTC"),
        ("* 24 * * *", "UTC"),
        ("* * 0 * *", "UTC"),
        ("* * * 13 *", "UTC"),
        ("* * * * 8", "UTC"),
        ("* * * * monday", "UTC"),
        ("5-1 * * * *", "UTC"),
        ("*/0 * * * *", "UTC"),
        ("*/x * * * *", "UTC"),
        ("5/10 * * * *", "UTC"),
        (", * * * *", "UTC"),
        ("-1 * * * *", "UTC"),
        ("٣ * * * *", "UTC"),
        ("0 0 31 2 *", "UTC"),
        ("* * * * *", "Mars/Olympus"),
        ("* * * * *", "../etc/passwd"),
    ],
)
def test_what_is_no_schedule_or_never_fires_is_refused_when_it_is_declared(expression, zone):
    with pytest.raises(DeclarationError):
        Schedule(expression, zone)
