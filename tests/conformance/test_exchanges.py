"""Every action sends exactly the recorded request, and makes of the answer what is recorded."""

import pytest

from jackfield_common.connector.manifest import Exchange
from jackfield_connectors.discovery import Loaded
from tests.conformance.driver import Driver, exchanges, prefix, scheme
from tests.conformance.player import Player, answering, difference, playing, steps_of

every_exchange = pytest.mark.parametrize(
    ("loaded", "exchange"),
    [
        pytest.param(*one, id=f"{one[0].connector.slug}-{one[1].name.replace(' ', '_')}")
        for one in exchanges()
    ],
)


@every_exchange
async def test_an_action_sends_what_is_recorded(loaded: Loaded, exchange: Exchange) -> None:
    steps = steps_of(exchange)
    player: Player | None = None

    def base() -> str:
        assert player is not None
        return player.url + player.prefix

    driver = Driver.make()
    try:
        async with playing(
            answering([step.response for step in steps], base),
            prefix(loaded.manifest, scheme(loaded.manifest, exchange.auth)),
        ) as player:
            result = await driver.perform(
                loaded,
                exchange.action,
                exchange.input,
                player,
                auth=exchange.auth,
                config=exchange.config,
            )
    finally:
        await driver.transport.close()
    differences = [
        difference(seen, step.request) for seen, step in zip(player.seen, steps, strict=False)
    ]
    assert differences == [None] * len(steps)
    assert len(player.seen) == len(steps)
    if exchange.result is not None:
        assert result.data == exchange.result


@every_exchange
def test_a_recording_says_where_it_is_from(loaded: Loaded, exchange: Exchange) -> None:
    assert exchange.source.startswith("https://"), f"{loaded.connector.slug}: {exchange.name}"
