"""What an HTTP call as data cannot say."""

import base64
import binascii
from fnmatch import fnmatchcase

from pydantic import JsonValue

from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.connector.vendor import Vendor
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.catalog.slack.inputs import NotifyEvent, UploadFile
from jackfield_connectors.catalog.slack.outputs import File, Notified

COLOURS = {"failed": "danger", "success": "good", "merged": "good", "resolved": "good"}


async def upload_file(vendor: Vendor, given: UploadFile) -> File:
    """Ask for an address, put the bytes there, share the file (https://docs.slack.dev, "Uploading files")."""
    content = _content(given)
    place = (
        await vendor.request(
            "POST",
            "/files.getUploadURLExternal",
            form={"filename": given.filename, "length": len(content)},
        )
    ).json
    url, file_id = as_text(at_path(place, "upload_url")), as_text(at_path(place, "file_id"))
    if url is None or file_id is None:
        raise Failure(ErrorKind.BUG, "Slack answered without an address to upload to")
    await vendor.request("POST", url, content=content, signed_in=False)
    share: dict[str, JsonValue] = {
        "files": [{"id": file_id, "title": given.title or given.filename}],
    }
    if given.channel is not None:
        share["channel_id"] = given.channel
    if given.initial_comment is not None:
        share["initial_comment"] = given.initial_comment
    if given.thread_ts is not None:
        share["thread_ts"] = given.thread_ts
    done = (await vendor.request("POST", "/files.completeUploadExternal", json=share)).json
    return File.model_validate(at_path(done, "files.0") or {"id": file_id})


async def notify_event(vendor: Vendor, given: NotifyEvent) -> Notified:
    """Send one line about an event, unless the installation's settings leave it out."""
    reason = left_out(given)
    if reason is not None:
        return Notified(sent=False, reason=reason)
    message: dict[str, JsonValue] = {"attachments": [_attachment(given)]}
    if given.channel is not None:
        message["channel"] = given.channel
    if given.username is not None:
        message["username"] = given.username
    by_webhook = vendor.auth == "secret_url"
    reply = await vendor.request("POST", "" if by_webhook else "/chat.postMessage", json=message)
    if by_webhook and reply.body.strip() != b"ok":
        raise Failure(ErrorKind.BUG, "Slack took the message and did not answer ok")
    return Notified(
        sent=True,
        channel=as_text(at_path(reply.json, "channel")),
        ts=as_text(at_path(reply.json, "ts")),
    )


def left_out(given: NotifyEvent) -> str | None:
    """Why an event is not told of; None when it is."""
    names = [name for name in (given.event_type, given.canonical_type) if name]
    if given.events and not any(
        fnmatchcase(name, pattern) for name in names for pattern in given.events
    ):
        return "none of the chosen events"
    state = (given.occurrence or {}).get("state")
    if (
        given.notify_only_broken_pipelines
        and given.canonical_type == "pipeline"
        and state != "failed"
    ):
        return f"a pipeline that is {state or 'in no known state'}, not broken"
    return None


def _attachment(given: NotifyEvent) -> dict[str, JsonValue]:
    what = {name: escaped(value) for name, value in (given.occurrence or {}).items() if value}
    kind = escaped(given.canonical_type or given.event_type).replace("_", " ")
    where = what.get("repository") or what.get("project") or ""
    state = what.get("state", "")
    title = " ".join(part for part in (f"{where}:" if where else "", kind, state) if part)
    lines = [what.get("title", "").split("\n")[0]]
    lines.append(" · ".join(what[name] for name in ("ref", "environment", "actor") if name in what))
    text = "\n".join(line for line in lines if line)
    attachment: dict[str, JsonValue] = {
        "color": COLOURS.get(state, "#439FE0"),
        "title": title,
        "text": text,
        "fallback": f"{title} {text}".strip(),
    }
    if given.occurrence and given.occurrence.get("url"):
        attachment["title_link"] = given.occurrence["url"]
    return attachment


def escaped(text: str) -> str:
    """The three characters that mean something to Slack, so that a title cannot mention anybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _content(given: UploadFile) -> bytes:
    if (given.content is None) == (given.content_base64 is None):
        raise Failure(ErrorKind.INVALID, "give either content or content_base64", field="content")
    if given.content is not None:
        return given.content.encode()
    try:
        return base64.b64decode(given.content_base64 or "", validate=True)
    except binascii.Error:
        raise Failure(
            ErrorKind.INVALID, "content_base64 is not base64", field="content_base64"
        ) from None
