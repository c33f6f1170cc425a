"""Handshakes: how a vendor asks whether an address is ours, and what it must be answered.

A handshake is recognised by the method and by what stands at `when`; it is answered and does not
become a delivery.
"""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from jackfield_common.connector.fields import Model
from jackfield_common.connector.verification import Place, template_parts

_FILLED: Final = ("header:", "query:", "body:", "hmac:")


def _answer(value: str) -> str:
    for kind, name in template_parts(value):
        if kind == "value" and not name.startswith(_FILLED):
            raise ValueError(f"answer {value!r}: {{{name}}} means nothing")
    return value


AnswerTemplate = Annotated[str, AfterValidator(_answer)]
"""Literal text with places in braces; `{hmac:PLACE}` is hex HMAC-SHA256 of the value with the secret."""


class Condition(Model):
    """Holds when there is a value at `place`, and it is `equals` where that is given."""

    place: Place
    equals: str | None = None


class Handshake(Model):
    """One question and its answer.

    `verified` says whether the question itself must carry the scheme's proof. `text` is a plain text
    answer, `json` an object of templates. `delivers` is the place of a secret that the vendor chose:
    it is taken only while the integration has none. `confirms` is the place of an https address that
    has to be fetched, on one of `hosts` (a leading dot matches subdomains).
    """

    method: Literal["POST", "GET", "HEAD", "OPTIONS"] = "POST"
    when: tuple[Condition, ...] = ()
    verified: bool = True
    status: int = Field(default=200, ge=200, le=299)
    text: AnswerTemplate | None = None
    json_fields: dict[str, AnswerTemplate] = {}
    headers: dict[str, AnswerTemplate] = {}
    delivers: Place | None = None
    confirms: Place | None = None
    hosts: tuple[str, ...] = ()
