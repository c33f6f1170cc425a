"""Datadog: metrics, logs, events, monitors, downtimes; and its alerts by webhook. API, versions 1 and 2."""

from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.auth import KeyHeaders
from jackfield_common.connector.declaration import Config, Connector, delete, get, post, put
from jackfield_common.connector.error_map import on
from jackfield_common.connector.fields import Input, NoInput, NoOutput, Output, Paged, secret
from jackfield_common.connector.limits import HeaderBudget
from jackfield_common.connector.manifest import Category, TemplateManifest
from jackfield_common.connector.pages import CursorPages, OnePage, PageNumbers
from jackfield_common.connector.repeat import Repeat
from jackfield_common.connector.verification import StaticToken
from jackfield_common.connector.webhook import EventMapping, Webhook
from jackfield_common.errors import ErrorKind


class Settings(Config):
    """Which site, and which service logs are of when they do not say."""

    site: str = Field(
        default="datadoghq.com",
        title="Site",
        pattern=r"^[a-z0-9.-]+$",
        examples=["datadoghq.com", "datadoghq.eu", "us5.datadoghq.com"],
    )
    service: str | None = Field(default=None, title="Service", description="Of logs that name none")


class Point(Input):
    """A value at a time."""

    timestamp: int = Field(description="Seconds since 1970")
    value: float


class Series(Input):
    """Values of one metric."""

    metric: str = Field(pattern=r"^[A-Za-z][\w.]{0,199}$")
    points: tuple[Point, ...] = Field(min_length=1)
    type: Literal[0, 1, 2, 3] = Field(
        default=3, description="0 unspecified, 1 count, 2 rate, 3 gauge"
    )
    tags: tuple[str, ...] = ()
    unit: str | None = None


class SubmitMetrics(Input):
    """Send values of metrics."""

    series: tuple[Series, ...] = Field(min_length=1, max_length=1000)


class SendLog(Input):
    """Send one log entry."""

    message: str = Field(min_length=1)
    status: Literal["debug", "info", "warn", "error", "critical"] = "info"
    service: str | None = None
    hostname: str | None = None
    source: str | None = Field(default=None, description="The technology it comes from")
    tags: str | None = Field(default=None, examples=["env:prod,team:ops"])


class CreateEvent(Input):
    """Put an event into the event stream."""

    title: str = Field(min_length=1, max_length=500)
    text: str = Field(max_length=4000)
    alert_type: Literal["error", "warning", "info", "success"] | None = None
    priority: Literal["normal", "low"] | None = None
    aggregation_key: str | None = Field(default=None, max_length=100)
    source_type_name: str | None = None
    tags: tuple[str, ...] | None = None


class GetEvent(Input):
    """Read an event."""

    event_id: int


class CheckRun(Input):
    """Say how a service does."""

    check: str
    status: Literal[0, 1, 2, 3] = Field(description="0 ok, 1 warning, 2 critical, 3 unknown")
    host_name: str
    message: str | None = None
    tags: tuple[str, ...] = ()


class QueryMetrics(Input):
    """Read values of a metric."""

    query: str = Field(examples=["avg:system.cpu.user{env:prod}"])
    start: int = Field(description="Seconds since 1970")
    end: int = Field(description="Seconds since 1970")


class SearchLogs(Paged):
    """Search logs."""

    query: str = "*"
    start: str = Field(default="now-15m", description="A time, or now-15m")
    end: str = "now"


class CreateMonitor(Input):
    """Create a monitor."""

    name: str
    type: str = Field(default="metric alert")
    query: str
    message: str | None = None
    tags: tuple[str, ...] | None = None
    priority: int | None = Field(default=None, ge=1, le=5)
    options: dict[str, JsonValue] | None = None


class OneMonitor(Input):
    """A monitor."""

    monitor_id: int


class GetMonitor(OneMonitor):
    """Read a monitor."""


class ListMonitors(Paged):
    """List monitors."""

    name: str | None = None
    tags: str | None = None


class UpdateMonitor(OneMonitor):
    """Change a monitor: what is left out stays."""

    name: str | None = None
    query: str | None = None
    message: str | None = None
    options: dict[str, JsonValue] | None = None


class DeleteMonitor(OneMonitor):
    """Delete a monitor."""


class CreateDowntime(Input):
    """Silence alerts for a while."""

    scope: str = Field(examples=["env:staging"])
    monitor_tags: tuple[str, ...] = ("*",)
    start: str | None = Field(default=None, description="ISO 8601; now when left out")
    end: str | None = Field(default=None, description="ISO 8601; for ever when left out")
    message: str | None = None


class CancelDowntime(Input):
    """End a downtime."""

    downtime_id: str


class ListDashboards(Input):
    """List dashboards."""


class ListHosts(Input):
    """List hosts that reported lately."""

    filter: str | None = None
    count: int = Field(default=100, ge=1, le=1000)


class Valid(Output):
    """Whether the API key is valid."""

    valid: bool


class Accepted(Output):
    """What Datadog said to what was submitted."""

    errors: tuple[str, ...] = ()


class Event(Output):
    """An event."""

    id: int
    title: str
    url: str | None = None


class Made(Output):
    """An event that was created."""

    status: str
    event: Event


class Found(Output):
    """An event that was read."""

    event: Event


class Values(Output):
    """Values of one series: pairs of milliseconds and value."""

    metric: str
    scope: str | None = None
    pointlist: tuple[tuple[float, float | None], ...]


class Answered(Output):
    """The answer to a query."""

    status: str
    series: tuple[Values, ...] = ()


class LogAttributes(Output):
    """What a log entry says."""

    message: str | None = None
    service: str | None = None
    status: str | None = None
    timestamp: str | None = None
    tags: tuple[str, ...] = ()


class Log(Output):
    """A log entry."""

    id: str
    attributes: LogAttributes


class Monitor(Output):
    """A monitor."""

    id: int
    name: str
    type: str
    query: str
    message: str | None = None
    overall_state: str | None = None


class Removed(Output):
    """A monitor that was deleted."""

    deleted_monitor_id: int


class Downtime(Output):
    """A downtime."""

    id: str


class Dashboard(Output):
    """A dashboard."""

    id: str
    title: str
    url: str | None = None


class Host(Output):
    """A host."""

    name: str
    up: bool | None = None
    last_reported_time: int | None = None


connector = Connector(
    slug="datadog",
    title="Datadog",
    description="Metrics, logs, events, monitors and downtimes.",
    category=Category.MONITORING,
    docs="https://docs.datadoghq.com/api/latest/",
    version="1.0.0",
    base_url="https://api.{site}",
    auth=(
        KeyHeaders(
            headers={"DD-API-KEY": "api_key", "DD-APPLICATION-KEY": "application_key"},
            fields=(
                secret("api_key", "API key"),
                secret(
                    "application_key",
                    "Application key",
                    "Only needed to read and to manage monitors",
                    required=False,
                ),
            ),
        ),
    ),
    config=Settings,
    limits=(
        HeaderBudget(
            remaining="X-RateLimit-Remaining", resets_at="X-RateLimit-Reset", relative=True
        ),
    ),
    errors=(on(403, ErrorKind.AUTH), on(413, ErrorKind.INVALID)),
    error_message=("errors.0", "errors.0.detail"),
    test=get("test_connection", "/api/v1/validate", NoInput, returns=Valid),
    actions=(
        post("submit_metrics", "/api/v2/series", SubmitMetrics, returns=Accepted),
        post(
            "send_log",
            "/api/v2/logs",
            SendLog,
            returns=NoOutput,
            base_url="https://http-intake.logs.{site}",
            rename={"source": "ddsource", "tags": "ddtags"},
        ),
        post("create_event", "/api/v1/events", CreateEvent, returns=Made),
        get("get_event", "/api/v1/events/{event_id}", GetEvent, returns=Found),
        post("submit_check", "/api/v1/check_run", CheckRun, returns=NoOutput, repeat=Repeat.SAFE),
        get(
            "query_metrics",
            "/api/v1/query",
            QueryMetrics,
            returns=Answered,
            rename={"start": "from", "end": "to"},
        ),
        post(
            "search_logs",
            "/api/v2/logs/events/search",
            SearchLogs,
            returns=Log,
            repeat=Repeat.SAFE,
            body={"filter": {"query": "{query}", "from": "{start}", "to": "{end}"}},
            pages=CursorPages(
                cursor_param="page.cursor",
                next_path="meta.page.after",
                items_path="data",
                place="body",
                size_param="page.limit",
                max_size=1000,
            ),
        ),
        post("create_monitor", "/api/v1/monitor", CreateMonitor, returns=Monitor),
        get("get_monitor", "/api/v1/monitor/{monitor_id}", GetMonitor, returns=Monitor),
        get(
            "list_monitors",
            "/api/v1/monitor",
            ListMonitors,
            returns=Monitor,
            pages=PageNumbers(size_param="page_size", first=0),
        ),
        put("update_monitor", "/api/v1/monitor/{monitor_id}", UpdateMonitor, returns=Monitor),
        delete("delete_monitor", "/api/v1/monitor/{monitor_id}", DeleteMonitor, returns=Removed),
        post(
            "create_downtime",
            "/api/v2/downtime",
            CreateDowntime,
            returns=Downtime,
            body={
                "data": {
                    "type": "downtime",
                    "attributes": {
                        "scope": "{scope}",
                        "message": "{message}",
                        "monitor_identifier": {"monitor_tags": "{monitor_tags}"},
                        "schedule": {"start": "{start}", "end": "{end}"},
                    },
                }
            },
            result_path="data",
        ),
        delete(
            "cancel_downtime", "/api/v2/downtime/{downtime_id}", CancelDowntime, returns=NoOutput
        ),
        get(
            "list_dashboards",
            "/api/v1/dashboard",
            ListDashboards,
            returns=Dashboard,
            pages=OnePage(items_path="dashboards"),
        ),
        get(
            "list_hosts",
            "/api/v1/hosts",
            ListHosts,
            returns=Host,
            pages=OnePage(items_path="host_list"),
        ),
    ),
    webhook=Webhook(
        verify=StaticToken(header="X-Jackfield-Token"),
        delivery_id="body:id",
        event_type="body:event_type",
        ordering="body:alert_id",
        subject="body:alert_id",
        events={
            "*": EventMapping(
                canonical="alert",
                occurrence={
                    "number": "body:alert_id",
                    "title": "body:title",
                    "description": "body:text",
                    "state": "body:alert_transition",
                    "severity": "body:priority",
                    "url": "body:link",
                },
                states={
                    "Triggered": "triggered",
                    "Re-Triggered": "triggered",
                    "Recovered": "resolved",
                    "No Data": "no_data",
                },
            )
        },
        setup=(
            "Open Datadog: Integrations → Webhooks → New, with the URL {url}.",
            'Custom headers: {"X-Jackfield-Token": "…"} with a long random text; enter it here as secret.',
            'Payload: {"id": "$ID", "event_type": "$EVENT_TYPE", "alert_id": "$ALERT_ID",'
            ' "title": "$EVENT_TITLE", "text": "$TEXT_ONLY_MSG", "priority": "$ALERT_PRIORITY",'
            ' "alert_transition": "$ALERT_TRANSITION", "link": "$LINK"}',
            "Name the webhook in a monitor's message, for example @webhook-jackfield.",
        ),
    ),
    templates=(
        TemplateManifest(
            name="datadog",
            title="Datadog",
            description="Send metrics, logs and events.",
            required_fields=("site",),
            auth="key_headers",
        ),
    ),
    popularity=86,
)
