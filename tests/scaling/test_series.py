"""Which series does a scaler have while something about it is unknown?"""

from borough_operator.running import signals
from scaling.stage import Stage
from scaling.virtual import run_virtually


async def samples(stage: Stage) -> dict[str, dict[str, float]]:
    """The samples by metric and the labels after those of the scaler."""
    found: dict[str, dict[str, float]] = {}
    async for page in stage.telemetry.exposition():
        for line in page.decode().splitlines():
            if line.startswith("borough_scaler_") and 'scaler="pay"' in line:
                series, value = line.rsplit(" ", 1)
                name, labels = series.removesuffix("}").split("{")
                found.setdefault(name, {})[labels.partition('scaler="pay"')[2]] = float(value)
    return found


def test_scaler_without_a_target_has_no_number_and_no_cost() -> None:
    """A missing target is neither 0 replicas nor a saving."""

    async def scenario() -> None:
        stage = Stage()
        stage.scaler("pay")
        await stage.play(30.0)
        exposed = await samples(stage)
        assert exposed[signals.REASON.series] == {',reason="TargetMissing"': 1}
        assert signals.DESIRED.series not in exposed
        assert signals.ADVISED.series not in exposed
        assert set(exposed[signals.REPLICA_SECONDS.series].values()) == {0.0}

    run_virtually(scenario())


def test_unknown_condition_has_no_series() -> None:
    """A paused scaler reads no metric, and must not fire an alert on false."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", mode="Paused")
        await stage.play(10.0)
        exposed = (await samples(stage))[signals.CONDITION.series]
        assert ',condition="MetricsHealthy"' not in exposed
        assert exposed[',condition="Ready"'] == 1
        assert exposed[',condition="Contested"'] == 0

    run_virtually(scenario())
