"""What can be installed."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from jackfield_common.connector.fields import FormField
from jackfield_common.connector.manifest import Category, JsonSchema
from jackfield_common.connector.repeat import Repeat
from jackfield_common.events.certification import Level
from jackfield_common.events.message import JsonObject
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.value import Value


class Sort(StrEnum):
    """The order of the marketplace: most popular first, by title, or by category and title."""

    POPULARITY = "popularity"
    NAME = "name"
    CATEGORY = "category"


class CatalogueItem(Value):
    """A connector as the marketplace lists it."""

    template_name: str = Field(examples=["github"])
    title: str
    description: str
    category: Category
    version: str
    docs: str
    popularity: int
    auth: tuple[str, ...] = Field(description="The ways to sign in, by kind.")
    receives_webhooks: bool
    actions: int = Field(description="How many actions it has.")
    level: Level = Field(description="Its certification.")
    icon: str = Field(description="SVG.")


class CataloguePage(Page[CatalogueItem]):
    """A page of the marketplace."""


class SignIn(Value):
    """One way to sign in at the vendor, and the fields it needs."""

    kind: str
    fields: tuple[FormField, ...]


class ActionSummary(Value):
    """An action of a connector, with the JSON Schemas of what it takes and gives."""

    name: str
    title: str
    description: str
    input: JsonSchema
    output: JsonSchema
    repeat: Repeat


class WebhookSummary(Value):
    """What a connector's webhooks are proven with, tell, and need at the vendor."""

    verification: str
    fields: tuple[FormField, ...]
    events: tuple[str, ...]
    setup: tuple[str, ...]


class Preset(Value):
    """A template: a connector with values already filled in."""

    template_name: str
    title: str
    description: str
    default_config: JsonObject
    required_fields: tuple[str, ...]
    auth: str | None


class CatalogueDetail(CatalogueItem):
    """Everything one needs to know to install a connector, or a template of it."""

    connector: str
    config: JsonSchema = Field(description="JSON Schema of the configuration.")
    default_config: JsonObject
    required_fields: tuple[str, ...]
    sign_in: tuple[SignIn, ...]
    action_list: tuple[ActionSummary, ...]
    webhook: WebhookSummary | None
    templates: tuple[Preset, ...]
    readme: str


class NeededField(Value):
    """A field that a person still has to fill in."""

    name: str
    title: str
    type: Literal["password", "text", "url"]
    required: bool
    description: str
    used_for: Literal["sign_in", "webhook"]
