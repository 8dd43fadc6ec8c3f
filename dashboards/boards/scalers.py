"""The dashboard *Who scales, and why?*: replicas of every scaler, their reason, and their cost
beside a simulated HPA.
"""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.panels import Panel, build, line, line_by, lines, number, timeline, to_changes
from boards.promql import Scope, share
from borough_operator.decision.model import Freshness, Reason
from borough_operator.running import signals

SCALERS = Scope(("namespace", "scaler"))
OPERATORS = Scope(())
"""Not restricted to the selected namespace, since an operator serves any namespaces."""
GOAL = ("scaler", "goal")
OPERATOR = "namespace"
"""The label that separates operators: one is installed in a namespace."""
REQUEST = (OPERATOR, "verb", "resource", "code")
OURS, HPAS = {"policy": '="scaler"'}, {"policy": '="hpa"'}

NORMAL, CHANGED, DELAYED, AT_BOUND = "green", "blue", "light-blue", "yellow"
NO_READING, NOT_OURS, BROKEN = "orange", "purple", "red"
COLOURS = {
    NORMAL: (Reason.STEADY, Reason.AT_MIN),
    CHANGED: (Reason.SCALED_UP, Reason.SCALED_DOWN),
    DELAYED: (Reason.WINDOW, Reason.REVERSALS, Reason.AWAITING_READY, Reason.ROLLOUT),
    AT_BOUND: (Reason.AT_MAX,),
    NO_READING: (Reason.METRICS_STALE, Reason.METRICS_EMPTY, Reason.METRICS_ERROR),
    NOT_OURS: (Reason.MANUAL_HOLD, Reason.CONTESTED, Reason.SCALED_TO_ZERO, Reason.PAUSED),
    BROKEN: (
        *(Reason.ROLLOUT_FAILING, Reason.SATURATED, Reason.SPEC_INVALID),
        *(Reason.TARGET_MISSING, Reason.TARGET_UNREADABLE),
    ),
}
"""The reasons of each colour, by the attention that they need."""
REASONS = {reason: colour for colour, reasons in COLOURS.items() for reason in reasons}
FRESHNESSES = {
    Freshness.FRESH: NORMAL,
    Freshness.STALE: AT_BOUND,
    Freshness.EMPTY: NO_READING,
    Freshness.ERROR: BROKEN,
}
LIMITED = {"condition": '=~"ManualHold|Contested|Limited"'}
HELD = {"condition": '=~"ManualHold|Contested"'}
HEALTHY = {"condition": '="MetricsHealthy"'}


def _of_scaler(what: str, signal: signals.Signal) -> Dataquery:
    return line(f"{{{{scaler}}}} {what}", SCALERS.now(signal, "scaler"))


def board() -> Dashboard:
    """The dashboard."""
    ours, hpas = (SCALERS.within_range(signals.REPLICA_SECONDS, where=w) for w in (OURS, HPAS))
    now = [
        number(
            "Replicas",
            "The sum over all targets' specs.",
            line("replicas", SCALERS.now(signals.CURRENT)),
        ),
        number(
            "Scalers with healthy metrics",
            "The share of the scalers whose readings are all fresh. The others remove no replica,"
            " and add replicas only by goals whose readings are fresh.",
            line("healthy", SCALERS.mean(signals.CONDITION, where=HEALTHY)),
            limits=((None, "red"), (1, "green")),
            unit="percentunit",
        ),
        number(
            "Held or contested",
            "Scalers whose target has a number of another manager, which is left alone.",
            line("held", SCALERS.now(signals.CONDITION, where=HELD)),
            limits=((None, "green"), (1, "purple")),
        ),
        number(
            "Replica-hours beside the HPA's",
            "Replica-hours of the decisions over the selected time range as a share of those of a"
            " simulated HPA with its defaults. Below 100 % is less than the HPA.",
            line("share", share(ours, hpas)).instant(),
            limits=((None, "green"), (1, "yellow")),
            unit="percentunit",
        ),
    ]
    reasons = SCALERS.which(signals.REASON, "reason", Reason, "scaler")
    why = [
        to_changes(
            timeline(
                "The reason of every scaler",
                "The reason of the last decision: blue is a change or a delay, yellow the maximum,"
                " orange a missing reading, purple a number that is left alone, red an error. A"
                " click opens the traces of its changes.",
                line("{{scaler}}", reasons),
                {str(reason): REASONS[reason] for reason in Reason},
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
    replicas = [
        lines(
            "Requested and ready",
            "The replicas in the target's spec, and the ready pods of its newest template without"
            " surge pods.",
            _of_scaler("requested", signals.CURRENT),
            _of_scaler("ready", signals.READY),
        ),
        lines(
            "Decided, advised and the HPA's",
            "The last decision, the number that mode Auto would write, and that of a simulated HPA"
            " with its defaults and the same readings.",
            _of_scaler("decided", signals.DESIRED),
            _of_scaler("advised", signals.ADVISED),
            _of_scaler("HPA", signals.HPA),
        ),
        lines(
            "Replicas that each goal demands",
            "The largest wins.",
            line_by(SCALERS.now, signals.GOAL_REPLICAS, *GOAL),
        ),
    ]
    states = SCALERS.which(signals.GOAL_FRESHNESS, "freshness", Freshness, *GOAL)
    readings: list[Panel] = [
        lines(
            "Reading of each goal",
            "Requests per second, requests in flight, seconds, or the number of a query.",
            line_by(SCALERS.now, signals.GOAL_VALUE, *GOAL),
        ),
        lines(
            "Age of each reading",
            "Seconds since it was measured.",
            line_by(SCALERS.now, signals.METRIC_AGE, *GOAL),
            unit="s",
        ),
        timeline(
            "Freshness of each reading",
            "Only a fresh reading can cause a removal. Empty is not zero unless the goal says so.",
            line("{{scaler}} {{goal}}", states),
            {str(freshness): colour for freshness, colour in FRESHNESSES.items()},
            width=8,
        ),
    ]
    changes = SCALERS.per_second(signals.CHANGES, "direction")
    costs = [
        lines(
            "Replicas: the scaler's, the HPA's, the maximum",
            "Replicas paid for: of the decisions, of the simulated HPA, and of the maximum all the"
            " time.",
            line_by(SCALERS.per_second, signals.REPLICA_SECONDS, "policy"),
        ),
        lines(
            "Cores: the scaler's, the HPA's, the maximum",
            "The same, times the CPU that one replica requests.",
            line_by(SCALERS.per_second, signals.CORE_SECONDS, "policy"),
        ),
        lines(
            "Changes an hour",
            "Changes of targets' numbers, and those against the direction of the one before.",
            line("{{direction}}", f"3600 * {changes}"),
            line("reversals", f"3600 * {SCALERS.per_second(signals.REVERSALS)}"),
        ),
    ]
    late, takes = (
        OPERATORS.quantile(0.99, signal, OPERATOR)
        for signal in (signals.TICK_LAG, signals.DECISION_DURATION)
    )
    reading = OPERATORS.quantile(0.95, signals.SOURCE_DURATION, OPERATOR, "source")
    operators = [
        lines(
            "Scalers, by mode",
            "Scalers that each operator serves.",
            line_by(OPERATORS.now, signals.SCALERS, OPERATOR, "mode"),
            width=6,
        ),
        lines(
            "Decisions per second, by reason",
            "Each scaler has one decision an interval.",
            line_by(OPERATORS.per_second, signals.DECISIONS, OPERATOR, "reason"),
            width=6,
        ),
        lines(
            "Delay and duration of decisions, 99 %",
            "How long after its due time an evaluation started, and how long a decision took.",
            line("{{namespace}} delay", late),
            line("{{namespace}} duration", takes),
            width=6,
            unit="s",
        ),
        lines(
            "Lag of the watches",
            "Time since a list showed an object that the watch has not delivered, 0 where there is"
            " none. Above 90 s the liveness probe fails.",
            line_by(OPERATORS.now, signals.WATCH_LAG, OPERATOR, "resource"),
            width=6,
            unit="s",
        ),
        lines(
            "Requests to the API server",
            "Requests of the operator's own client: lists, scale, status, Events.",
            line_by(OPERATORS.per_second, signals.API_REQUESTS, *REQUEST),
            width=8,
            unit="reqps",
        ),
        lines(
            "Readings per second, by freshness",
            "Readings of all sources by their freshness.",
            line_by(OPERATORS.per_second, signals.SOURCE_READS, OPERATOR, "source", "outcome"),
        ),
        lines(
            "Duration of reads, 95 %",
            "From the request to a source for all due scalers to its last response.",
            line("{{namespace}} {{source}}", reading),
            unit="s",
        ),
    ]
    return build(
        "Who scales, and why?",
        "borough-who-scales-and-why",
        "Replicas of every scaler and their reason, the demands of its goals and the freshness of"
        " their readings, manual holds, cost beside a simulated HPA, and the operator's health.",
        SCALERS,
        {
            "Now": now,
            "Why": why,
            "Replicas": replicas,
            "Readings": readings,
            "Cost": costs,
            "Operators": operators,
        },
        among=signals.SCALER_INFO,
    )
