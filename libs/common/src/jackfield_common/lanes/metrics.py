"""What lanes tell Prometheus. `consumer` is the lanes' name."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from jackfield_common.telemetry import LATENCY_BUCKETS

DONE: Final = Counter("jackfield_lanes_done_total", "Records done", ["consumer"])
RETRIES: Final = Counter(
    "jackfield_lanes_retries_total", "Failed attempts that will be repeated", ["consumer", "kind"]
)
PARKED: Final = Counter(
    "jackfield_lanes_parked_total", "Records parked in the database", ["consumer", "cause"]
)
DEAD: Final = Counter("jackfield_lanes_dead_total", "Records given up", ["consumer", "kind"])
COMMIT_FAILURES: Final = Counter(
    "jackfield_lanes_commit_failures_total", "Offset commits that failed", ["consumer", "error"]
)
RESETS: Final = Counter(
    "jackfield_lanes_offset_resets_total",
    "Times a committed offset was no longer in the log: records were lost to retention",
    ["consumer", "topic"],
)
FENCED: Final = Counter(
    "jackfield_lanes_fenced_total", "Attempts refused because the partition moved", ["consumer"]
)
OVERRUNS: Final = Counter(
    "jackfield_lanes_overruns_total",
    "Attempts that had been allowed an outside call and ended after the deadline for one",
    ["consumer"],
)
CUT_OFF: Final = Counter(
    "jackfield_lanes_cut_off_total",
    "Attempts cancelled because their partition moved",
    ["consumer"],
)
REBALANCES: Final = Counter("jackfield_lanes_rebalances_total", "Rebalances", ["consumer"])
DATABASE_AWAY: Final = Counter(
    "jackfield_lanes_database_away_total", "Times PostgreSQL stopped answering", ["consumer"]
)
KAFKA_AWAY: Final = Counter(
    "jackfield_lanes_consumer_restarts_total",
    "Times the Kafka consumer was made anew",
    ["consumer"],
)
WRITE_FAILURES: Final = Counter(
    "jackfield_lanes_write_failures_total", "Journal writes that were refused", ["consumer"]
)
DURATION: Final = Histogram(
    "jackfield_lanes_handler_seconds", "One run of a handler", ["consumer"], buckets=LATENCY_BUCKETS
)

LAG: Final = Gauge(
    "jackfield_lanes_lag_records", "Records between the commit and the log's end", ["consumer"]
)
ACTIVE: Final = Gauge("jackfield_lanes_active_lanes", "Lanes with records in memory", ["consumer"])
PARKED_LANES: Final = Gauge(
    "jackfield_lanes_parked_lanes", "Lanes with parked records", ["consumer"]
)
PARKED_RECORDS: Final = Gauge(
    "jackfield_lanes_parked_records", "Records parked in the database", ["consumer"]
)
HELD_RECORDS: Final = Gauge("jackfield_lanes_held_records", "Records in memory", ["consumer"])
HELD_BYTES: Final = Gauge("jackfield_lanes_held_bytes", "Their size", ["consumer"])
RUNNING: Final = Gauge("jackfield_lanes_running", "Handlers that are running", ["consumer"])
WATERMARK_AGE: Final = Gauge(
    "jackfield_lanes_watermark_age_seconds",
    "How long the oldest watermark has not moved",
    ["consumer"],
)
BACKLOG: Final = Gauge(
    "jackfield_lanes_backlog_records",
    "Work that could run now if there were more workers: unread, ready, and parked work that is due",
    ["consumer"],
)
PARTITIONS: Final = Gauge("jackfield_lanes_partitions", "Partitions owned and open", ["consumer"])
