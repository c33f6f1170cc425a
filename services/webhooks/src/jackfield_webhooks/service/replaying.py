"""Replays: a record put on its topic again, with a header that says that it is on purpose."""

from collections.abc import Iterable
from typing import Final

from jackfield_common.envelope import Headers, OutgoingRecord, header
from jackfield_common.ids import SubscriptionId, derived_id
from jackfield_common.kafka import Record
from jackfield_webhooks.models import Replay

REPLAY: Final = "ce_replay"
ROUTES: Final = "ce_replayroutes"
_DROPPED: Final = frozenset({REPLAY, ROUTES, "traceparent", "tracestate"})


def read_replay(headers: Iterable[tuple[str, bytes]]) -> Replay | None:
    """The replay that a record belongs to. Raises ContractError when a header is not UTF-8."""
    pairs = list(headers)
    replay_id = header(pairs, REPLAY)
    if not replay_id:
        return None
    routes = (header(pairs, ROUTES) or "").split(",")
    return Replay(replay_id, frozenset(SubscriptionId(one) for one in routes if one))


def replay_record(
    record: Record, command: str, event_id: str, routes: tuple[SubscriptionId, ...]
) -> OutgoingRecord:
    """A record to be routed again by a command; the same command gives the same replay."""
    kept: Headers = [(name, value) for name, value in record.headers if name not in _DROPPED]
    kept.append((REPLAY, derived_id("replay", command, event_id).encode()))
    if routes:
        kept.append((ROUTES, ",".join(routes).encode()))
    return OutgoingRecord(record.topic, record.key or b"", record.value, kept)
