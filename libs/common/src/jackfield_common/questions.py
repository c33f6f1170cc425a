"""Interactive request and reply over Kafka: a command carries a question, its answer comes back here.

Every asking process follows the answers' topic from its end; an answer names the instance and the
correlation id it is for. A question that timed out goes on as ordinary work, and can be asked about.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog
from aiokafka.errors import KafkaError

from jackfield_common.errors import ContractError, NotReady
from jackfield_common.events.question import Answer, Question
from jackfield_common.ids import new_id
from jackfield_common.kafka import Kafka
from jackfield_common.topics import ANSWER

log = structlog.get_logger(__name__)

MAX_PENDING: Final = 10_000
"""Questions that may be open in one process at a time."""


class PendingAnswer:
    """A question under way. Use as a context manager, so that an abandoned one is forgotten."""

    def __init__(self, questions: "Questions", question: Question, timeout: float) -> None:
        self.question = question
        self._questions = questions
        self._future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._until = asyncio.get_running_loop().time() + timeout

    async def answer(self) -> Answer:
        """The answer. Raises TimeoutError at the deadline."""
        async with asyncio.timeout_at(self._until):
            return await asyncio.shield(self._future)

    def resolve(self, answer: Answer) -> None:
        """Hand over the answer; a second one is ignored."""
        if not self._future.done():
            self._future.set_result(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._questions.forget(self.question.correlation_id)
        self._future.cancel()


class Questions:
    """The asking side."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._pending: dict[str, PendingAnswer] = {}
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen for answers."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="answers")

    async def stop(self) -> None:
        """Stop listening; open questions time out."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether an answer would be heard."""
        return self._listening.is_set()

    def ask(self, timeout: float) -> PendingAnswer:
        """Open a question; attach its `.question` to a command and await `.answer()`.

        Raises NotReady when answers cannot be heard, or too many questions are open.
        """
        if not self.ready:
            raise NotReady("answers cannot be heard yet")
        if len(self._pending) >= MAX_PENDING:
            raise NotReady(f"{MAX_PENDING} questions are open")
        question = Question(
            correlation_id=new_id(),
            instance=self._kafka.instance,
            deadline=datetime.now(UTC) + timedelta(seconds=timeout),
        )
        pending = PendingAnswer(self, question, timeout)
        self._pending[question.correlation_id] = pending
        return pending

    def forget(self, correlation_id: str) -> None:
        """Stop waiting for an answer."""
        self._pending.pop(correlation_id, None)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (KafkaError, OSError) as error:
                log.warning("answers_reconnect", error=type(error).__name__)
            self._listening.clear()
            await asyncio.sleep(0.5)

    async def _listen_once(self) -> None:
        partitions = await self._kafka.partitions(ANSWER)
        consumer = self._kafka.consumer(group_id=None, auto_offset_reset="latest")
        await consumer.start()
        try:
            consumer.assign(partitions)
            for partition in partitions:
                await consumer.position(partition)  # resolved now: what is answered later is heard
            self._listening.set()
            async for record in consumer:
                try:
                    answer = Answer.from_bytes(record.value or b"")
                except ContractError as error:
                    log.error("answer_rejected", offset=record.offset, error=str(error))
                    continue
                pending = self._pending.get(answer.correlation_id)
                if pending is not None:
                    pending.resolve(answer)
        finally:
            await consumer.stop()
