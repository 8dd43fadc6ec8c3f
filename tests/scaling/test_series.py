"""What is told of a scaler about which nothing is known?"""

from borough_operator.running import signals
from scaling.stage import Stage
from scaling.virtual import virtually


async def samples(stage: Stage) -> dict[str, dict[str, float]]:
    """By metric and the labels after those that name the scaler."""
    found: dict[str, dict[str, float]] = {}
    async for page in stage.telemetry.exposition():
        for line in page.decode().splitlines():
            if line.startswith("borough_scaler_") and 'scaler="pay"' in line:
                series, value = line.rsplit(" ", 1)
                name, labels = series.removesuffix("}").split("{")
                found.setdefault(name, {})[labels.partition('scaler="pay"')[2]] = float(value)
    return found


def test_a_scaler_without_a_target_wants_no_number_and_saves_nothing() -> None:
    """No replicas are not 0 replicas, and no target is no saving."""

    async def story() -> None:
        stage = Stage()
        stage.scaler("pay")
        await stage.play(30.0)
        told = await samples(stage)
        assert told[signals.REASON.series] == {',reason="TargetMissing"': 1}
        assert signals.DESIRED.series not in told
        assert signals.ADVISED.series not in told
        assert set(told[signals.REPLICA_SECONDS.series].values()) == {0.0}

    virtually(story())


def test_what_is_unknown_of_a_scaler_is_not_told_as_false() -> None:
    """A paused scaler asks for no metric: nobody is alerted that it reads none."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", mode="Paused")
        await stage.play(10.0)
        told = (await samples(stage))[signals.CONDITION.series]
        assert ',condition="MetricsHealthy"' not in told
        assert told[',condition="Ready"'] == 1
        assert told[',condition="Contested"'] == 0

    virtually(story())
