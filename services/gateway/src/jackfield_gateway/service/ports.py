"""What the rules need from around them."""

from collections.abc import Collection
from typing import Protocol, TypeVar

from jackfield_common.errors import NotReady
from jackfield_common.events.message import Event, State
from jackfield_common.questions import PendingAnswer

S = TypeVar("S", bound=State, covariant=True)


class View(Protocol[S]):
    """The latest state of every entity of one kind; `jackfield_common.state.ReadModel` is one."""

    @property
    def ready(self) -> bool:
        """Whether it is complete up to its start."""
        ...

    def get(self, key: str) -> S | None:
        """One entity."""
        ...

    def values(self) -> Collection[S]:
        """All of them."""
        ...

    async def wait_for(self, key: str, version: int, timeout: float) -> S:
        """One entity at this version or later. Raises StaleRead."""
        ...


class Announcer(Protocol):
    """Publishes events; `jackfield_common.kafka.Publisher` is one."""

    async def publish(self, event: Event) -> None:
        """Publish one, acknowledged. Raises NotReady."""
        ...


class Asker(Protocol):
    """Opens questions; `jackfield_common.questions.Questions` is one."""

    def ask(self, timeout: float) -> PendingAnswer:
        """Open a question. Raises NotReady."""
        ...


def loaded(view: View[S], what: str) -> View[S]:
    """The same view, for whoever concludes from absence. Raises NotReady while it is loading."""
    if not view.ready:
        raise NotReady(f"{what} are still being loaded")
    return view
