"""The page at the root."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Jackfield</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } a { color: #8cf } }
</style>
<h1>Jackfield</h1>
<p>The patch panel between your systems: it proves who sent a webhook, puts it on Kafka as a clean
CloudEvent, routes it, and calls vendors in return.</p>
<p>This is the gateway's API. <a href="/docs">Its reference</a> can be tried from the browser;
<a href="/openapi.json">the OpenAPI document</a> feeds a client generator. Webhooks go to a port of their
own.</p>
</html>
"""


@router.get("/", response_class=HTMLResponse)
async def root() -> str:
    """What this is, and where to go from here."""
    return _PAGE
