"""Webhook sources: what a connector's manifest says of its webhooks, with the selectors compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from jackfield_common.connector.selector import (
    CompiledSelector,
    Request,
    Selector,
    compile_selector,
)
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.events import ManifestState, Occurrence
from jackfield_common.ids import Slug

log = structlog.get_logger(__name__)

MAX_TYPES: Final = 1_000
"""Event types of one source that are remembered with their mapping."""


@dataclass(frozen=True, slots=True)
class TypeMapping:
    """How one event type reads in the shared vocabulary."""

    canonical: str | None
    occurrence: Mapping[str, CompiledSelector]
    states: Mapping[str, str]

    def occurrence_in(self, request: Request) -> Occurrence | None:
        """The shared shape, from a request; None where the mapping declares none."""
        if not self.occurrence:
            return None
        values = {name: selector.of(request) for name, selector in self.occurrence.items()}
        if (state := values.get("state")) is not None:
            values["state"] = self.states.get(state, state)
        return Occurrence.model_validate(values)


class Source:
    """One connector as a source of webhooks."""

    def __init__(self, slug: Slug, webhook: Webhook) -> None:
        self.slug = slug
        self.content_types = webhook.content_types
        self.event_type = compile_selector(webhook.event_type)
        self.ordering = _compiled(webhook.ordering)
        self.subject = _compiled(webhook.subject)
        self._webhook = webhook
        self._mappings: dict[str, TypeMapping | None] = {}

    def mapping(self, event_type: str) -> TypeMapping | None:
        """The mapping of a type; None when the manifest does not declare it."""
        if event_type in self._mappings:
            return self._mappings[event_type]
        declared = self._webhook.mapping(event_type)
        compiled = None if declared is None else self._compile(event_type, declared)
        # types come from outside: what is remembered of them is bounded
        if len(self._mappings) >= MAX_TYPES:
            self._mappings.clear()
        self._mappings[event_type] = compiled
        return compiled

    def _compile(self, event_type: str, declared: EventMapping) -> TypeMapping:
        unknown = declared.occurrence.keys() - Occurrence.model_fields.keys()
        if unknown:
            log.warning(
                "occurrence_fields_unknown",
                connector=self.slug,
                event_type=event_type,
                fields=sorted(unknown),
            )
        return TypeMapping(
            canonical=declared.canonical,
            occurrence={
                name: compile_selector(selector)
                for name, selector in declared.occurrence.items()
                if name not in unknown
            },
            states=declared.states,
        )


def _compiled(selector: Selector | None) -> CompiledSelector | None:
    return None if selector is None else compile_selector(selector)


class Sources:
    """The sources of all connectors, compiled once a manifest version."""

    def __init__(self) -> None:
        self._known: dict[Slug, tuple[int, Source | None]] = {}

    def of(self, state: ManifestState) -> Source | None:
        """The source that a manifest declares; None when it declares no webhook."""
        slug = state.manifest.slug
        known = self._known.get(slug)
        if known is not None and known[0] == state.version:
            return known[1]
        webhook = state.manifest.webhook
        source = None if webhook is None else Source(slug, webhook)
        self._known[slug] = (state.version, source)
        return source
