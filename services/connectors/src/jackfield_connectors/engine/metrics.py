"""What is counted of calls to vendors."""

from typing import Final

from prometheus_client import Counter, Histogram

from jackfield_common.telemetry import LATENCY_BUCKETS

CALLS: Final = Counter(
    "jackfield_vendor_calls_total",
    "Requests to vendors by what came of them: ok, or the kind of failure",
    ["connector", "action", "outcome"],
)
SECONDS: Final = Histogram(
    "jackfield_vendor_seconds",
    "Time until a vendor's whole answer was there",
    ["connector"],
    buckets=LATENCY_BUCKETS,
)
ACTIONS: Final = Counter(
    "jackfield_actions_total",
    "Actions by what came of them: ok, or the kind of failure",
    ["connector", "action", "outcome"],
)
OWN_SECONDS: Final = Histogram(
    "jackfield_action_own_seconds",
    "Time of an action that was not the vendor's",
    buckets=LATENCY_BUCKETS,
)
