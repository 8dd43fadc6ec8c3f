"""The dashboard *Who scales, and why?*: replicas of every scaler, their reason, and their cost
beside a simulated HPA.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import Panel, build, line, lines, number, timeline, to_changes
from boards.promql import Scope, share
from borough_operator.decision.model import Freshness, Reason
from borough_operator.running import signals

SCALERS = Scope(("namespace", "scaler"))
OPERATORS = Scope(())
"""The series of operators do not depend on the selected namespace, since an operator serves any
namespaces."""
GOAL = ("scaler", "goal")
BY_GOAL = "{{scaler}} {{goal}}"
OPERATOR = "namespace"
"""The label that separates operators: one is installed in a namespace."""
OURS, HPAS = {"policy": '="scaler"'}, {"policy": '="hpa"'}

NORMAL, CHANGED, DELAYED, AT_BOUND = "green", "blue", "light-blue", "yellow"
NO_READING, NOT_OURS, BROKEN = "orange", "purple", "red"
REASONS = {
    Reason.STEADY: NORMAL,
    Reason.SCALED_UP: CHANGED,
    Reason.SCALED_DOWN: CHANGED,
    Reason.AT_MAX: AT_BOUND,
    Reason.AT_MIN: NORMAL,
    Reason.WINDOW: DELAYED,
    Reason.REVERSALS: DELAYED,
    Reason.AWAITING_READY: DELAYED,
    Reason.ROLLOUT: DELAYED,
    Reason.ROLLOUT_FAILING: BROKEN,
    Reason.SATURATED: BROKEN,
    Reason.METRICS_STALE: NO_READING,
    Reason.METRICS_EMPTY: NO_READING,
    Reason.METRICS_ERROR: NO_READING,
    Reason.MANUAL_HOLD: NOT_OURS,
    Reason.CONTESTED: NOT_OURS,
    Reason.SCALED_TO_ZERO: NOT_OURS,
    Reason.PAUSED: NOT_OURS,
    Reason.TARGET_MISSING: BROKEN,
    Reason.TARGET_UNREADABLE: BROKEN,
    Reason.SPEC_INVALID: BROKEN,
}
"""The colour of each reason, by the attention that it needs."""
FRESHNESSES = {
    Freshness.FRESH: NORMAL,
    Freshness.STALE: AT_BOUND,
    Freshness.EMPTY: NO_READING,
    Freshness.ERROR: BROKEN,
}
LIMITED = {"condition": '=~"ManualHold|Contested|Limited"'}
HELD = {"condition": '=~"ManualHold|Contested"'}
HEALTHY = {"condition": '="MetricsHealthy"'}


def board() -> Dashboard:
    """The dashboard."""
    return build(
        "Who scales, and why?",
        "borough-who-scales-and-why",
        "Replicas of every scaler and their reason, the demands of its goals and the freshness of"
        " their readings, manual holds, cost beside a simulated HPA, and the operator's health.",
        SCALERS,
        {
            "Now": _now(),
            "Why": _why(),
            "Replicas": _replicas(),
            "Readings": _readings(),
            "Cost": _costs(),
            "Operators": _operators(),
        },
        among=signals.SCALER_INFO,
    )


def _now() -> list[Panel]:
    ours, hpas = (SCALERS.within_range(signals.REPLICA_SECONDS, where=w) for w in (OURS, HPAS))
    return [
        number(
            "Replicas",
            "The sum over all targets' specs.",
            "none",
            line("replicas", SCALERS.now(signals.CURRENT)),
        ),
        number(
            "Scalers with healthy metrics",
            "The share of the scalers whose readings are all fresh. The others remove no replica,"
            " and add replicas only by goals whose readings are fresh.",
            "percentunit",
            line("healthy", SCALERS.mean(signals.CONDITION, where=HEALTHY)),
            limits=((None, "red"), (1, "green")),
        ),
        number(
            "Held or contested",
            "Scalers whose target has a number of another manager, which is left alone.",
            "none",
            line("held", SCALERS.now(signals.CONDITION, where=HELD)),
            limits=((None, "green"), (1, "purple")),
        ),
        number(
            "Replica-hours beside the HPA's",
            "Replica-hours of the decisions over the selected time range as a share of those of a"
            " simulated HPA with its defaults. Below 100 % is less than the HPA.",
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
                "The reason of the last decision: blue is a change or a delay, yellow the maximum,"
                " orange a missing reading, purple a number that is left alone, red an error. A"
                " click opens the traces of its changes.",
                line("{{scaler}}", reasons),
                states,
            ),
            signals.SERVICE,
            signals.span_name("${namespace}", "${__field.labels.scaler}"),
        ),
        timeline(
            "Held, contested, limited",
            "A number that was set by hand is held for a while; one that another controller keeps"
            " restoring is contested; a proposal that a rule changed is limited.",
            line(
                "{{scaler}} {{condition}}",
                f"1 + {SCALERS.now(signals.CONDITION, 'scaler', 'condition', where=LIMITED)}",
            ),
            {"no": NORMAL, "yes": NOT_OURS},
        ),
    ]


def _replicas() -> list[Panel]:
    return [
        lines(
            "Requested and ready",
            "The replicas in the target's spec, and the ready pods of its newest template without"
            " surge pods.",
            "none",
            line("{{scaler}} requested", SCALERS.now(signals.CURRENT, "scaler")),
            line("{{scaler}} ready", SCALERS.now(signals.READY, "scaler")),
        ),
        lines(
            "Decided, advised and the HPA's",
            "The last decision, the number that mode Auto would write, and that of a simulated HPA"
            " with its defaults and the same readings.",
            "none",
            line("{{scaler}} decided", SCALERS.now(signals.DESIRED, "scaler")),
            line("{{scaler}} advised", SCALERS.now(signals.ADVISED, "scaler")),
            line("{{scaler}} HPA", SCALERS.now(signals.HPA, "scaler")),
        ),
        lines(
            "Replicas that each goal demands",
            "The largest wins.",
            "none",
            line(BY_GOAL, SCALERS.now(signals.GOAL_REPLICAS, *GOAL)),
        ),
    ]


def _readings() -> list[Panel]:
    states = SCALERS.which(signals.GOAL_FRESHNESS, "freshness", (t.value for t in Freshness), *GOAL)
    return [
        lines(
            "Reading of each goal",
            "Requests per second, requests in flight, seconds, or the number of a query.",
            "none",
            line(BY_GOAL, SCALERS.now(signals.GOAL_VALUE, *GOAL)),
        ),
        lines(
            "Age of each reading",
            "Seconds since it was measured.",
            "s",
            line(BY_GOAL, SCALERS.now(signals.METRIC_AGE, *GOAL)),
        ),
        timeline(
            "Freshness of each reading",
            "Only a fresh reading can cause a removal. Empty is not zero unless the goal says so.",
            line(BY_GOAL, states),
            {freshness.value: FRESHNESSES[freshness] for freshness in Freshness},
            width=8,
        ),
    ]


def _costs() -> list[Panel]:
    changes = SCALERS.per_second(signals.CHANGES, "direction")
    return [
        lines(
            "Replicas: the scaler's, the HPA's, the maximum",
            "Replicas paid for: of the decisions, of the simulated HPA, and of the maximum all the"
            " time.",
            "none",
            line("{{policy}}", SCALERS.per_second(signals.REPLICA_SECONDS, "policy")),
        ),
        lines(
            "Cores: the scaler's, the HPA's, the maximum",
            "The same, times the CPU that one replica requests.",
            "none",
            line("{{policy}}", SCALERS.per_second(signals.CORE_SECONDS, "policy")),
        ),
        lines(
            "Changes an hour",
            "Changes of targets' numbers, and those against the direction of the one before.",
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
            "Scalers that each operator serves.",
            "none",
            line("{{namespace}} {{mode}}", OPERATORS.now(signals.SCALERS, OPERATOR, "mode")),
            width=6,
        ),
        lines(
            "Decisions per second, by reason",
            "Each scaler has one decision an interval.",
            "none",
            line(
                "{{namespace}} {{reason}}",
                OPERATORS.per_second(signals.DECISIONS, OPERATOR, "reason"),
            ),
            width=6,
        ),
        lines(
            "Delay and duration of decisions, 99 %",
            "How long after its due time an evaluation started, and how long a decision took.",
            "s",
            line("{{namespace}} delay", late),
            line("{{namespace}} duration", takes),
            width=6,
        ),
        lines(
            "Lag of the watches",
            "Time since a list showed an object that the watch has not delivered, 0 where there is"
            " none. Above 90 s the liveness probe fails.",
            "s",
            line(
                "{{namespace}} {{resource}}",
                OPERATORS.now(signals.WATCH_LAG, OPERATOR, "resource"),
            ),
            width=6,
        ),
        lines(
            "Requests to the API server",
            "Requests of the operator's own client: lists, scale, status, Events.",
            "reqps",
            line("{{namespace}} {{verb}} {{resource}} {{code}}", requests),
            width=8,
        ),
        lines(
            "Readings per second, by freshness",
            "Readings of all sources by their freshness.",
            "none",
            line(
                "{{namespace}} {{source}} {{outcome}}",
                OPERATORS.per_second(signals.SOURCE_READS, OPERATOR, "source", "outcome"),
            ),
        ),
        lines(
            "Duration of reads, 95 %",
            "From the request to a source for all due scalers to its last response.",
            "s",
            line("{{namespace}} {{source}}", reading),
        ),
    ]
