"""The models that declarations are made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/{}]\S*$")]
"""An https address; what it leads to is still checked at connect time."""


class Model(BaseModel):
    """Frozen, and strict about names: a typo is an error, not an ignored key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(Model):
    """Parameters of an action; its JSON Schema draws the form in the UI."""


class NoInput(Input):
    """An action without parameters."""


class Paged(Input):
    """Parameters of an action that lists: how many items at most, over as many pages as that takes."""

    limit: int = Field(default=100, ge=1, le=10_000, description="How many items at most")


class Output(BaseModel):
    """What an action returns; fields that are not named are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NoOutput(Output):
    """An action that returns nothing worth naming."""


class FormField(Model):
    """One field of a form that a person fills in: a credential or a webhook secret.

    A `password` is secret: it is sealed where it is typed and never shown again.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    title: str
    type: Literal["password", "text", "url"] = "password"
    required: bool = True
    description: str = ""
    pattern: str | None = None


def secret(name: str, title: str, description: str = "", *, required: bool = True) -> FormField:
    """A field whose value is secret."""
    return FormField(name=name, title=title, description=description, required=required)


def text(
    name: str,
    title: str,
    description: str = "",
    *,
    required: bool = True,
    pattern: str | None = None,
) -> FormField:
    """A field whose value may be seen."""
    return FormField(
        name=name,
        title=title,
        type="text",
        description=description,
        required=required,
        pattern=pattern,
    )
