"""Every event on the bus, one module a noun. An event class carries its topic, so the two cannot disagree."""

from jackfield_common.connector.repeat import Repeat
from jackfield_common.events.action import ActionCompleted, ActionRequested
from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.certification import (
    Check,
    Level,
    LevelState,
    RunCompleted,
    RunRequested,
)
from jackfield_common.events.command import ConnectorsCommand, WebhooksCommand, WorkCommand
from jackfield_common.events.credential import (
    ConnectionCompleted,
    ConnectionRequested,
    CredentialState,
    JwksState,
    RefreshRequested,
    RevocationState,
)
from jackfield_common.events.dead import DeadLetter
from jackfield_common.events.delivery import DeliveryProcessed, DeliveryVerified
from jackfield_common.events.health import Health, HealthState
from jackfield_common.events.history import HistoryCommand, HistorySelection
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.integration_event import EventIngested, IntegrationEvent, Occurrence
from jackfield_common.events.manifest import ManifestState
from jackfield_common.events.message import Event, State
from jackfield_common.events.question import Answer, Question
from jackfield_common.events.statistics import WebhooksStatisticsState
from jackfield_common.events.subscription import SubscriptionState, Target

__all__ = [
    "ActionCompleted",
    "ActionRequested",
    "Answer",
    "AuditRecorded",
    "Check",
    "ConnectionCompleted",
    "ConnectionRequested",
    "ConnectorsCommand",
    "CredentialState",
    "DeadLetter",
    "DeliveryProcessed",
    "DeliveryVerified",
    "Event",
    "EventIngested",
    "Health",
    "HealthState",
    "HistoryCommand",
    "HistorySelection",
    "IntegrationEvent",
    "IntegrationState",
    "JwksState",
    "Level",
    "LevelState",
    "ManifestState",
    "Occurrence",
    "Question",
    "RefreshRequested",
    "Repeat",
    "RevocationState",
    "RunCompleted",
    "RunRequested",
    "SealedSecret",
    "State",
    "SubscriptionState",
    "Target",
    "WebhooksCommand",
    "WebhooksStatisticsState",
    "WorkCommand",
]
