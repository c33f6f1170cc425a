"""Pages for people: plain HTML, no script, nothing loaded from anywhere, not to be framed."""

from html import escape
from typing import Final

from fastapi.responses import HTMLResponse

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;"
    "color:#1b1f24;background:#f6f7f9}main{background:#fff;border:1px solid #d8dde3;"
    "border-radius:10px;padding:1.5rem 1.75rem}h1{font-size:1.25rem;margin-top:0}"
    "label{display:block;margin:.75rem 0 .25rem}input[type=text],input[type=password],"
    "input[type=email]{width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #98a2ad;"
    "border-radius:6px;font:inherit}button{font:inherit;padding:.5rem 1.25rem;margin:1rem .5rem 0 0;"
    "border:0;border-radius:6px;background:#0b5fff;color:#fff;cursor:pointer}"
    "button.quiet{background:#e4e8ed;color:#1b1f24}.wrong{color:#a40e26}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}"
    "main{background:#161b22;border-color:#30363d}input{background:#0d1117;color:inherit}"
    "button.quiet{background:#30363d;color:#e6edf3}.wrong{color:#ff7b72}}"
)


def secured(
    headers: dict[str, str] | None = None, *, form_action: str = "'self'"
) -> dict[str, str]:
    """Headers of every page: no script, no frame, no referrer, no copy kept."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
            f" frame-ancestors 'none'; form-action {form_action}"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        **(headers or {}),
    }


def page(
    title: str, body: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """A page. `body` is HTML already: escape what comes from anywhere else."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · Jackfield</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, secured(headers))


def message(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """A page that only says something."""
    return page(title, f"<p>{escape(text)}</p>", status=status)
