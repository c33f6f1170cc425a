"""What is old is dropped, and nothing else."""

from datetime import timedelta

import pytest

from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.retention import BATCH, RetentionJob
from tests.integration.gateway.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ROWS = {
    "action": "INSERT INTO action (action_id, tenant, integration_id, connector, action, status,"
    " requested_at, recorded_at) SELECT $1 || n, 'default', 'i', 'c', 'a', 'pending', now(),"
    " now() - $2::interval FROM generate_series(1, $3) n",
    "idempotency": "INSERT INTO idempotency (tenant, actor, key, fingerprint, action_id, created_at)"
    " SELECT 'default', 'a', $1 || n, '', 'a', now() - $2::interval FROM generate_series(1, $3) n",
    "processed": "INSERT INTO processed (event_id, tenant, integration_id, status, actions, matched,"
    " at, recorded_at) SELECT $1 || n, 'default', 'i', 'processed', '{}', '{}', now(),"
    " now() - $2::interval FROM generate_series(1, $3) n",
}


async def test_each_table_has_its_age(gateway: Running) -> None:
    ages = gateway.settings.ages()
    assert set(ages) == set(_ROWS)
    pool = gateway.platform.pool
    many = BATCH + 10
    for table, statement in _ROWS.items():
        await pool.execute(statement, "old-", ages[table] + timedelta(minutes=1), many)
        await pool.execute(statement, "new-", ages[table] - timedelta(minutes=1), 3)
    job = RetentionJob(Store(pool, gateway.platform.outbox), ages, every=3600)
    assert await job.drop() == many * len(_ROWS)
    assert await job.drop() == 0
    for table in _ROWS:
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 3  # noqa: S608
