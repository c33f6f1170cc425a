"""What a worker holds in memory, counted in records and bytes."""

import asyncio
from typing import Final

from jackfield_common.errors import ContractError
from jackfield_common.lanes.lane import Item, Key, Lane
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.policy import Limits

MAX_NAME: Final = 1024
"""Bytes of a key or an ordering key; they name rows and are held for every parked lane."""


def _text(name: bytes, what: str) -> str:
    if len(name) > MAX_NAME:
        raise ContractError(f"the {what} is longer than {MAX_NAME} bytes")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise ContractError(f"the {what} is not UTF-8") from None
    if "\x00" in text:
        raise ContractError(f"the {what} holds a NUL character")
    return text


class Hold:
    """The records between the log and being done; the lanes and keys they belong to."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.records = 0
        self.bytes = 0
        self.keys: dict[bytes, Key] = {}
        self.paused: set[tuple[str, str]] = set()
        """Tenant and key of what waits until someone says otherwise."""
        self.room = asyncio.Event()
        """Set whenever something was released."""

    @property
    def full(self) -> bool:
        """Whether nothing more may be read."""
        return self.records >= self._limits.records or self.bytes >= self._limits.bytes

    @property
    def roomy(self) -> bool:
        """Whether reading is worth while again: an eighth is free."""
        return (
            self.records <= self._limits.records * 7 // 8
            and self.bytes <= self._limits.bytes * 7 // 8
        )

    async def make_room(self) -> None:
        """Wait until something leaves; at most half a second."""
        self.room.clear()
        try:
            async with asyncio.timeout(0.5):
                await self.room.wait()
        except TimeoutError:
            pass

    def enter(self, size: int) -> None:
        """A record was read."""
        self.records += 1
        self.bytes += size

    def leave(self, size: int) -> None:
        """A record is done, or its row has been written."""
        self.records -= 1
        self.bytes -= size
        if not self.room.is_set():
            self.room.set()

    def lane(self, partition: Partition, key_name: bytes, name: bytes, tenant: str) -> Lane:
        """The lane of these names, made if need be. Raises ContractError when a name is unusable."""
        lane = partition.lanes.get((key_name, name))
        if lane is None:
            key = self.keys.get(key_name)
            if key is None:
                key = Key(key_name, _text(key_name, "record key"), tenant)
                key.paused = (tenant, key.text) in self.paused
            lane = Lane(partition, key, name, _text(name, "ordering key"))
            self.keys[key_name] = key
            key.lanes += 1
            partition.lanes[key_name, name] = lane
        return lane

    def push(self, lane: Lane, item: Item) -> None:
        """Put an item at the end of a lane; it has entered."""
        lane.items.append(item)
        lane.size += item.size
        lane.key.records += 1
        lane.key.size += item.size

    def pop(self, lane: Lane) -> Item:
        """Take a lane's head; it has still to leave."""
        item = lane.items.popleft()
        lane.size -= item.size
        lane.key.records -= 1
        lane.key.size -= item.size
        return item

    def drop_last(self, lane: Lane) -> Item:
        """Take a lane's last item; it has still to leave."""
        item = lane.items.pop()
        lane.size -= item.size
        lane.key.records -= 1
        lane.key.size -= item.size
        return item

    def over(self, lane: Lane) -> bool:
        """Whether a lane or its key holds more than its share."""
        limits, key = self._limits, lane.key
        return (
            len(lane.items) >= limits.lane_records
            or lane.size >= limits.lane_bytes
            or key.records >= limits.key_records
            or key.size >= limits.key_bytes
        )

    def eased(self, lane: Lane) -> bool:
        """Whether a lane and its key are down to half of their shares."""
        limits, key = self._limits, lane.key
        return (
            len(lane.items) * 2 <= limits.lane_records
            and lane.size * 2 <= limits.lane_bytes
            and key.records * 2 <= limits.key_records
            and key.size * 2 <= limits.key_bytes
        )

    def drop(self, lane: Lane) -> None:
        """Forget an empty lane, and its key with the last of them."""
        partition = lane.partition
        if partition.lanes.get(lane.id) is lane:
            del partition.lanes[lane.id]
            key = lane.key
            key.lanes -= 1
            self.tidy(key)

    def tidy(self, key: Key) -> None:
        """Forget a key without lanes."""
        if not key.lanes and not key.running and self.keys.get(key.name) is key:
            del self.keys[key.name]

    def abandon(self, partition: Partition) -> None:
        """Forget everything of a partition that was lost."""
        for lane in list(partition.lanes.values()):
            while lane.items:
                self.leave(self.pop(lane).size)
            self.drop(lane)
