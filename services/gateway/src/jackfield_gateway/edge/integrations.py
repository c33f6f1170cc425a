"""Installed integrations as the listener needs them: compiled once per version, found by id or path."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol, TypeVar

import structlog
from aiokafka.partitioner import murmur2

from jackfield_common.connector.selector import CompiledSelector, Request, compile_selector
from jackfield_common.connector.webhook import Webhook
from jackfield_common.errors import JackfieldError
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.manifest import ManifestState
from jackfield_common.events.message import State
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.handshakes import CompiledHandshake
from jackfield_gateway.edge.limits import Networks
from jackfield_gateway.edge.record import RecordMaker
from jackfield_gateway.edge.schemes.compile import Compiler, chosen
from jackfield_gateway.edge.schemes.verifier import Preparing, Secrets, Unusable, Verifier
from jackfield_gateway.edge.settings import ALWAYS_KEPT

log = structlog.get_logger(__name__)

S_co = TypeVar("S_co", bound=State, covariant=True)

MAX_DELIVERY_ID: Final = 512
_MAX_TYPES: Final = 64
PATH_FIELD: Final = "webhook_path"
ALLOW_FIELD: Final = "webhook_allow"
NEVER_KEPT: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-ssl-client-cert", "x-api-key"}
)
"""Whatever a manifest says: what these carry is somebody's secret."""


class Lookup(Protocol[S_co]):
    """What the listener needs of a read model."""

    @property
    def ready(self) -> bool:
        """Whether everything there was at start is known."""
        ...

    def get(self, key: str) -> S_co | None:
        """The state of one entity."""
        ...

    def values(self) -> Collection[S_co]:
        """The state of every entity."""
        ...


class Opening(Protocol):
    """Opens what was sealed to this service."""

    def open(self, sealed: SealedSecret) -> bytes:
        """The content. Raises SealError."""
        ...


class Integration:
    """One integration, ready to receive."""

    __slots__ = (
        "_content_types",
        "_delivery_id",
        "_delivery_id_header",
        "_known_types",
        "allowed",
        "handshakes",
        "id",
        "manifest",
        "partition",
        "preparing",
        "records",
        "secrets",
        "state",
        "unusable",
        "verifier",
        "webhook",
    )

    def __init__(
        self,
        state: IntegrationState,
        manifest: ManifestState,
        webhook: Webhook,
        keys: Opening,
        compiler: Compiler,
        partitions: int,
        kept: tuple[str, ...],
    ) -> None:
        self.id = state.integration_id
        self.state = state
        self.manifest = manifest
        self.webhook = webhook
        self.secrets = _open(state, keys)
        self.verifier: Verifier | None = None
        self.unusable = ""
        try:
            self.verifier = compiler.compile(chosen(webhook.verify, state.config), self.secrets)
            self.allowed = _networks(state)
        except Unusable as error:
            self.unusable = str(error)
            self.verifier = None
            self.allowed = Networks(())
        verifier = self.verifier
        self.preparing = verifier if isinstance(verifier, Preparing) else None
        secrets = self.secrets.values.get("webhook_secret", ())
        self.handshakes = tuple(CompiledHandshake(one, secrets) for one in webhook.handshakes)
        self._content_types = frozenset(one.lower().encode() for one in webhook.content_types)
        self._known_types: dict[bytes, bool] = {}
        selector = None if webhook.delivery_id is None else compile_selector(webhook.delivery_id)
        self._delivery_id = selector
        self._delivery_id_header = _only_header(selector)
        names = _kept_headers(webhook, kept)
        if self.verifier is not None:
            names -= {name.decode("latin-1") for name in self.verifier.proof_headers}
        self.records = RecordMaker(
            state.integration_id, state.tenant, state.connector, frozenset(names)
        )
        self.partition = (murmur2(self.records.key) & 0x7FFFFFFF) % partitions

    def asked(
        self, exchange: Exchange, *, verified: bool, by_body: bool
    ) -> CompiledHandshake | None:
        """The handshake that this request is, among those of one kind."""
        for one in self.handshakes:
            if one.verified is verified and one.reads_body is by_body and one.matches(exchange):
                return one
        return None

    def takes(self, content_type: bytes) -> bool:
        """Whether a Content-Type, as it was sent, is one that the manifest declares."""
        known = self._known_types.get(content_type)
        if known is None:
            if len(self._known_types) >= _MAX_TYPES:
                self._known_types.clear()
            known = self._known_types[content_type] = self._declares(content_type)
        return known

    def _declares(self, content_type: bytes) -> bool:
        media = content_type.partition(b";")[0].strip().lower()
        known = self._content_types
        if media in known or b"*/*" in known:
            return True
        return media.endswith(b"+json") and b"application/json" in known

    def delivery_id(self, exchange: Exchange) -> str | None:
        """The vendor's own id of this delivery; one that is too long is replaced by its hash."""
        if self._delivery_id is None:
            return None
        if self._delivery_id_header is not None:
            raw = exchange.headers.get(self._delivery_id_header)
            found = None if not raw else raw.decode("latin-1")
        else:
            found = self._delivery_id.of(_selectable(exchange, self._delivery_id.needs_body))
        if found is not None and len(found) > MAX_DELIVERY_ID:
            return "sha256:" + hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()
        return found


def _selectable(exchange: Exchange, needs_body: bool) -> Request:
    body = None
    if needs_body:
        try:
            body = exchange.document()
        except ValueError:
            body = None
    return Request(exchange.text_headers(), body, exchange.parameters())


def _only_header(selector: CompiledSelector | None) -> bytes | None:
    """The header's name when the selector is a header and nothing else: the fast path."""
    if selector is None or len(selector.terms) != 1 or selector.terms[0].where != "header":
        return None
    return selector.terms[0].name.lower().encode()


def _kept_headers(webhook: Webhook, always: tuple[str, ...]) -> set[str]:
    names = {*ALWAYS_KEPT, *always, *webhook.headers}
    selectors = [webhook.event_type, webhook.delivery_id, webhook.ordering, webhook.subject]
    for mapping in webhook.events.values():
        selectors += mapping.occurrence.values()
    for text in selectors:
        if text is not None:
            terms = compile_selector(text).terms
            names.update(term.name for term in terms if term.where == "header")
    return {name.lower() for name in names} - NEVER_KEPT


def _networks(state: IntegrationState) -> Networks:
    given = state.config.get(ALLOW_FIELD, [])
    texts = [one.strip() for one in given.split(",")] if isinstance(given, str) else given
    if not isinstance(texts, list):
        raise Unusable(f"{ALLOW_FIELD} is no list of networks")
    try:
        return Networks(tuple(str(one) for one in texts if one))
    except ValueError:
        raise Unusable(f"{ALLOW_FIELD} holds something that is no network (CIDR)") from None


def _open(state: IntegrationState, keys: Opening) -> Secrets:
    opened: dict[str, tuple[str, ...]] = {}
    for sealed in state.webhook_secrets:
        try:
            value = keys.open(sealed).decode()
        except (JackfieldError, UnicodeDecodeError) as error:
            log.error(
                "webhook_secret_unusable",
                integration_id=state.integration_id,
                field=sealed.label,
                error=type(error).__name__,
            )
            continue
        opened[sealed.label] = (*opened.get(sealed.label, ()), value)
    return Secrets(opened)


class Integrations:
    """Finds integrations. What is compiled is kept until the state or the manifest is a newer one."""

    def __init__(
        self,
        states: Lookup[IntegrationState],
        manifests: Lookup[ManifestState],
        keys: Opening,
        compiler: Compiler,
        partitions: Callable[[], int],
        kept: tuple[str, ...],
    ) -> None:
        self._states = states
        self._manifests = manifests
        self._keys = keys
        self._compiler = compiler
        self._partitions = partitions
        self._kept = kept
        self._compiled: dict[str, Integration] = {}
        self._paths: Mapping[str, str] = {}
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether absence means that there is no such integration."""
        if not self._ready:
            # none of them is taken back later
            self._ready = self._states.ready and self._manifests.ready and self._partitions() > 0
        return self._ready

    def find(self, name: str) -> Integration | None:
        """The enabled integration with this id or path that has a webhook; None is "not found"."""
        state = self._states.get(name)
        if state is None:
            key = self._paths.get(name)
            state = None if key is None else self._states.get(key)
        if state is None or not state.enabled:
            return None
        manifest = self._manifests.get(state.connector)
        if manifest is None:
            return None
        known = self._compiled.get(state.integration_id)
        if known is not None and known.state is state and known.manifest is manifest:
            return known
        return self._compile(state, manifest)

    def refresh(self) -> None:
        """Learn new paths and forget uninstalled integrations; call once a second."""
        paths: dict[str, str] = {}
        for state in sorted(self._states.values(), key=lambda one: one.integration_id):
            path = state.config.get(PATH_FIELD)
            if isinstance(path, str) and path.strip("/"):
                taken = paths.setdefault(path.strip("/"), state.integration_id)
                if taken != state.integration_id and path.strip("/") not in self._paths:
                    log.warning("webhook_path_taken", integration_id=state.integration_id, by=taken)
        self._paths = paths
        for key in [key for key in self._compiled if self._states.get(key) is None]:
            del self._compiled[key]

    def _compile(self, state: IntegrationState, manifest: ManifestState) -> Integration | None:
        webhook = manifest.manifest.webhook
        if webhook is None:
            return None
        compiled = Integration(
            state, manifest, webhook, self._keys, self._compiler, self._partitions(), self._kept
        )
        if compiled.unusable:
            log.warning("webhook_unusable", integration_id=compiled.id, reason=compiled.unusable)
        self._compiled[compiled.id] = compiled
        return compiled
