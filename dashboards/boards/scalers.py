"""Who scales, and why? What every scaler has, wants and is kept from, and what that costs beside an
HPA fed the same readings.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.house import Panel, build, line, lines, number, timeline, to_changes
from boards.promql import Scope, share
from borough_operator.decision.model import Freshness, Reason
from borough_operator.running import signals

SCALERS = Scope(("namespace", "scaler"))
OPERATORS = Scope(())
"""An operator looks after any namespaces, so it is shown whichever of them is chosen."""
GOAL = ("scaler", "goal")
BY_GOAL = "{{scaler}} {{goal}}"
OPERATOR = "namespace"
"""Tells operators apart: there is one where it is installed."""
OURS, HPAS = {"policy": '="scaler"'}, {"policy": '="hpa"'}

WELL, MOVED, HELD_BACK, AT_BOUND = "green", "blue", "light-blue", "yellow"
BLIND, HANDS_OFF, WRONG = "orange", "purple", "red"
REASONS = {
    Reason.STEADY: WELL,
    Reason.SCALED_UP: MOVED,
    Reason.SCALED_DOWN: MOVED,
    Reason.AT_MAX: AT_BOUND,
    Reason.AT_MIN: WELL,
    Reason.WINDOW: HELD_BACK,
    Reason.REVERSALS: HELD_BACK,
    Reason.AWAITING_READY: HELD_BACK,
    Reason.ROLLOUT: HELD_BACK,
    Reason.ROLLOUT_FAILING: WRONG,
    Reason.SATURATED: WRONG,
    Reason.METRICS_STALE: BLIND,
    Reason.METRICS_EMPTY: BLIND,
    Reason.METRICS_ERROR: BLIND,
    Reason.MANUAL_HOLD: HANDS_OFF,
    Reason.CONTESTED: HANDS_OFF,
    Reason.SCALED_TO_ZERO: HANDS_OFF,
    Reason.PAUSED: HANDS_OFF,
    Reason.TARGET_MISSING: WRONG,
    Reason.TARGET_UNREADABLE: WRONG,
    Reason.SPEC_INVALID: WRONG,
}
"""What is well, moves, waits, is at a bound, sees nothing, is somebody else's, is wrong."""
FRESHNESSES = {
    Freshness.FRESH: WELL,
    Freshness.STALE: AT_BOUND,
    Freshness.EMPTY: BLIND,
    Freshness.ERROR: WRONG,
}
KEPT_FROM = {"condition": '=~"ManualHold|Contested|Limited"'}
LEFT_ALONE = {"condition": '=~"ManualHold|Contested"'}
HEALTHY = {"condition": '="MetricsHealthy"'}


def board() -> Dashboard:
    """The board."""
    return build(
        "Who scales, and why?",
        "borough-who-scales-and-why",
        "Replicas of every scaler and the reason for them, what its goals ask for and how far their"
        " readings are trusted, who holds it, what it costs beside an HPA, how the operator is.",
        SCALERS,
        {
            "Now": _now(),
            "Why": _why(),
            "Replicas": _replicas(),
            "What is read": _readings(),
            "What it costs": _costs(),
            "The operators": _operators(),
        },
        among=signals.SCALER_INFO,
    )


def _now() -> list[Panel]:
    ours, hpas = (SCALERS.within_range(signals.REPLICA_SECONDS, where=w) for w in (OURS, HPAS))
    return [
        number(
            "Replicas",
            "All targets are asked to have, together.",
            "none",
            line("replicas", SCALERS.now(signals.CURRENT)),
        ),
        number(
            "Scalers that see",
            "The share whose metrics can be trusted, of those that need any. The others remove"
            " nothing, and add only by goals whose readings are fresh.",
            "percentunit",
            line("see", SCALERS.mean(signals.CONDITION, where=HEALTHY)),
            limits=((None, "red"), (1, "green")),
        ),
        number(
            "Left to somebody else",
            "Scalers whose target was given a number by somebody else, which is left alone.",
            "none",
            line("held", SCALERS.now(signals.CONDITION, where=LEFT_ALONE)),
            limits=((None, "green"), (1, "purple")),
        ),
        number(
            "Replica-hours beside the HPA's",
            "What the decisions said over the time that is shown, in mode Auto what the targets"
            " had, as a share of what an HPA with its defaults would have given. Below 100 % it was"
            " less.",
            "percentunit",
            line("share", share(ours, hpas)).instant(),
            limits=((None, "green"), (1, "yellow")),
        ),
    ]


def _why() -> list[Panel]:
    reasons = SCALERS.which(signals.REASON, "reason", (r.value for r in Reason), "scaler")
    states = {reason.value: REASONS[reason] for reason in Reason}
    return [
        to_changes(
            timeline(
                "The reason of every scaler",
                "Why each has the replicas it has: blue moves or waits, yellow is at its maximum,"
                " orange sees nothing, purple is somebody else's, red is wrong. A click leads to"
                " the traces of its changes.",
                line("{{scaler}}", reasons),
                states,
            ),
            signals.SERVICE,
            signals.span_name("${namespace}", "${__field.labels.scaler}"),
        ),
        timeline(
            "Held, contested, limited",
            "A person's number is held for a while; a number that another controller keeps changing"
            " is contested and left to it; a proposal beyond the bounds is limited.",
            line(
                "{{scaler}} {{condition}}",
                f"1 + {SCALERS.now(signals.CONDITION, 'scaler', 'condition', where=KEPT_FROM)}",
            ),
            {"no": WELL, "yes": HANDS_OFF},
        ),
    ]


def _replicas() -> list[Panel]:
    return [
        lines(
            "Asked for, and ready",
            "What the target is asked to have, and the ready pods of its newest template: surge"
            " pods are no capacity.",
            "none",
            line("{{scaler}} asked for", SCALERS.now(signals.CURRENT, "scaler")),
            line("{{scaler}} ready", SCALERS.now(signals.READY, "scaler")),
        ),
        lines(
            "Wanted, beside the HPA's answer",
            "What the target should have now, what it would be given were the mode Auto, and what"
            " an HPA with its defaults would have, fed the same readings.",
            "none",
            line("{{scaler}} wanted", SCALERS.now(signals.DESIRED, "scaler")),
            line("{{scaler}} advised", SCALERS.now(signals.ADVISED, "scaler")),
            line("{{scaler}} HPA", SCALERS.now(signals.HPA, "scaler")),
        ),
        lines(
            "What each goal asks for",
            "The largest wins.",
            "none",
            line(BY_GOAL, SCALERS.now(signals.GOAL_REPLICAS, *GOAL)),
        ),
    ]


def _readings() -> list[Panel]:
    states = SCALERS.which(signals.GOAL_FRESHNESS, "freshness", (t.value for t in Freshness), *GOAL)
    return [
        lines(
            "What was read",
            "Requests a second, requests in flight, seconds, or what a query of one's own answers.",
            "none",
            line(BY_GOAL, SCALERS.now(signals.GOAL_VALUE, *GOAL)),
        ),
        lines(
            "How old it is",
            "Since when a reading has been true.",
            "s",
            line(BY_GOAL, SCALERS.now(signals.METRIC_AGE, *GOAL)),
        ),
        timeline(
            "How far it is trusted",
            "Only what is fresh removes a replica. Empty is not zero, unless the goal says so.",
            line(BY_GOAL, states),
            {freshness.value: FRESHNESSES[freshness] for freshness in Freshness},
            width=8,
        ),
    ]


def _costs() -> list[Panel]:
    changes = SCALERS.per_second(signals.CHANGES, "direction")
    return [
        lines(
            "Replicas: ours, the HPA's, always the most",
            "Paid for at each moment: by what the decisions said, in mode Auto what the targets"
            " had, by what an HPA would have given, and by running the maximum all the time.",
            "none",
            line("{{policy}}", SCALERS.per_second(signals.REPLICA_SECONDS, "policy")),
        ),
        lines(
            "Cores: ours, the HPA's, always the most",
            "The same, times the CPU that one replica requests.",
            "none",
            line("{{policy}}", SCALERS.per_second(signals.CORE_SECONDS, "policy")),
        ),
        lines(
            "Changes an hour",
            "Numbers given to targets, and how many of them went against the one before.",
            "none",
            line("{{direction}}", f"3600 * {changes}"),
            line("reversals", f"3600 * {SCALERS.per_second(signals.REVERSALS)}"),
        ),
    ]


def _operators() -> list[Panel]:
    late, takes = (
        OPERATORS.quantile(0.99, signal, OPERATOR)
        for signal in (signals.TICK_LAG, signals.DECISION_DURATION)
    )
    reading = OPERATORS.quantile(0.95, signals.SOURCE_DURATION, OPERATOR, "source")
    requests = OPERATORS.per_second(signals.API_REQUESTS, OPERATOR, "verb", "resource", "code")
    return [
        lines(
            "Scalers, by mode",
            "How many each operator looks after.",
            "none",
            line("{{namespace}} {{mode}}", OPERATORS.now(signals.SCALERS, OPERATOR, "mode")),
            width=6,
        ),
        lines(
            "Decisions per second, by reason",
            "Each scaler is decided about once an interval.",
            "none",
            line(
                "{{namespace}} {{reason}}",
                OPERATORS.per_second(signals.DECISIONS, OPERATOR, "reason"),
            ),
            width=6,
        ),
        lines(
            "Decisions late, and long, 99 %",
            "How long after its time a decision began, and how long its arithmetic took.",
            "s",
            line("{{namespace}} late", late),
            line("{{namespace}} long", takes),
            width=6,
        ),
        lines(
            "What the watches owe",
            "For how long a watch has not brought what a list showed, 0 where all is well. The"
            " probe is red above 90 s.",
            "s",
            line(
                "{{namespace}} {{resource}}",
                OPERATORS.now(signals.WATCH_LAG, OPERATOR, "resource"),
            ),
            width=6,
        ),
        lines(
            "Requests to the API server",
            "The operator's own: looking, scaling, writing status. What stays is not written.",
            "reqps",
            line("{{namespace}} {{verb}} {{resource}} {{code}}", requests),
            width=8,
        ),
        lines(
            "Readings per second, by freshness",
            "How far what the sources say can be trusted.",
            "none",
            line(
                "{{namespace}} {{source}} {{outcome}}",
                OPERATORS.per_second(signals.SOURCE_READS, OPERATOR, "source", "outcome"),
            ),
        ),
        lines(
            "A reading takes, 95 %",
            "From asking a source for all that is due until the last answer.",
            "s",
            line("{{namespace}} {{source}}", reading),
        ),
    ]
