"""What an HTTP call as data cannot say."""

import base64
import binascii

from pydantic import JsonValue

from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.connector.vendor import Vendor
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.catalog.slack.inputs import UploadFile
from jackfield_connectors.catalog.slack.outputs import File


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
