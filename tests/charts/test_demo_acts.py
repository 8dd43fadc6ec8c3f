"""Does the demonstration run its acts in any shop, and restore its former state?"""

from types import ModuleType

import pytest

from charts.demo_stage import Stage, stage

BEFORE = {"gateway": 2, "orders": 1, "payments": 3}


@pytest.fixture
def shop(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A shop with parts that were scaled before."""
    return stage(demo, BEFORE, monkeypatch)


@pytest.mark.parametrize("before", [dict.fromkeys(BEFORE, 1), BEFORE, {**BEFORE, "payments": 6}])
def test_every_act_is_shown_from_any_former_sizes(
    demo: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: dict[str, int],
) -> None:
    """With the decisions of the operator; in the end each part has its former size."""
    shop = stage(demo, before, monkeypatch)

    demo.main()

    output = capsys.readouterr().out
    assert "payments grew from 1 to 3 pods and back, and no other part did." in output
    assert shop.sizes == before
    assert shop.scalers == {}
    changed = {part: pods for part, pods in before.items() if pods != 1}
    for part, pods in changed.items():
        assert f"{part}: {pods} -> 1 pods, to begin with" in output
    assert output.count("as before") == len(changed)


@pytest.mark.parametrize("verb", ["scale", "apply", "delete"])
def test_failure_restores_the_former_state(demo: ModuleType, shop: Stage, verb: str) -> None:
    """Also a failure half way through: before there are scalers, among them, and at their end."""
    shop.fails[verb] = demo.CommandFailed("the API server is away")

    with pytest.raises(demo.CommandFailed):
        demo.main()
    assert (shop.sizes, shop.scalers) == (BEFORE, {})


def test_early_end_restores_the_former_state(demo: ModuleType, shop: Stage) -> None:
    """During the act in which payments has grown."""
    shop.patience = 80.0

    with pytest.raises(KeyboardInterrupt):
        demo.main()
    assert (shop.sizes, shop.scalers) == (BEFORE, {})
    assert shop.jobs[-1].killed
    assert shop.deleted == ["borough-load"]


def test_unfinished_load_ends_the_demonstration(demo: ModuleType, shop: Stage) -> None:
    """With an error; and the load is stopped."""
    shop.endless = True

    with pytest.raises(SystemExit, match="The load of 45 s has not ended 120 s later"):
        demo.main()
    (job,) = shop.jobs
    assert job.killed
    assert shop.deleted == ["borough-load"]
    assert (shop.sizes, shop.scalers) == (BEFORE, {})
