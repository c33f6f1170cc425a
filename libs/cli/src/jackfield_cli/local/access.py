"""How other programs reach an installation: addresses, API key, database login."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from jackfield_cli.local.databases import in_database
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.postgres import Postgres


@dataclass(frozen=True)
class Access:
    """Everything a client needs. Holds secrets: print it only where it was asked for."""

    url: str
    webhook_url: str
    oauth_url: str
    api_key: str
    kafka_bootstrap_servers: str
    postgres_dsn: str

    def variables(self) -> dict[str, str]:
        """As environment variables."""
        return {
            "JACKFIELD_URL": self.url,
            "JACKFIELD_WEBHOOK_URL": self.webhook_url,
            "JACKFIELD_OAUTH_URL": self.oauth_url,
            "JACKFIELD_API_KEY": self.api_key,
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            "JACKFIELD_POSTGRES_DSN": self.postgres_dsn,
        }


def access(installation: Installation, environment: Mapping[str, str] = os.environ) -> Access:
    """Read it from the installation's files.

    Raises `LocalError` before the first run.
    """
    run = installation.last_run()
    try:
        if run is None:
            raise FileNotFoundError(installation.run_file)
        if run.external_postgres:
            dsn = environment.get("JACKFIELD_POSTGRES_DSN", "")
        else:
            embedded = Postgres(installation.directory / "postgres", run.ports["postgres"], {})
            dsn = in_database(embedded.dsn)
        return Access(
            url=run.url("api"),
            webhook_url=run.url("webhook"),
            oauth_url=run.url("oauth"),
            api_key=installation.api_key.read_text().strip(),
            kafka_bootstrap_servers=run.kafka_bootstrap_servers,
            postgres_dsn=dsn,
        )
    except FileNotFoundError as error:
        raise LocalError(
            f"Nothing has run from {installation.directory} yet.", "Run `jackfield up` first."
        ) from error
