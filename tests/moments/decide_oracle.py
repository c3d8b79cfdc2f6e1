"""Decisions told row by row in plain Python, for comparison with ``cjm.decide``."""

from __future__ import annotations

from datetime import timedelta

from cjm.durations import to_us


def us(duration):
    return timedelta(microseconds=to_us(duration))


def in_force(row, at):
    return (row["from"] is None or row["from"] <= at) and (row["to"] is None or row["to"] > at)


def blocked_by_consent(action, who, consent, at):
    if action.purpose is None:
        return None
    said = [
        row["given"]
        for row in consent
        if row["person"] == who
        and row["purpose"] == action.purpose
        and row["channel"] in (None, action.channel)
        and in_force(row, at)
    ]
    if not said:
        return "no consent on record"
    return None if all(said) else "consent refused"


def blocked_by_suppression(action, who, suppressions, at):
    rows = [
        row
        for row in suppressions
        if row["person"] == who and row["reason"] not in action.despite and in_force(row, at)
    ]
    if not rows:
        return None
    open_ended = sorted(row["reason"] for row in rows if row["to"] is None)
    if open_ended:
        return open_ended[0], None
    last = max(row["to"] for row in rows)
    return min(row["reason"] for row in rows if row["to"] == last), last


def blocked_by_budget(action, who, contacts, budgets, at):
    if not action.counts:
        return None
    found = []
    for budget in budgets:
        if budget.channel not in (None, action.channel):
            continue
        times = sorted(
            (
                row["time"]
                for row in contacts
                if row["person"] == who
                and budget.channel in (None, row["channel"])
                and at - us(budget.within) < row["time"] <= at
            ),
            reverse=True,
        )
        if len(times) >= budget.contacts:
            found.append((times[budget.contacts - 1] + us(budget.within), f"{budget} used up"))
    if not found:
        return None
    last = max(until for until, _ in found)
    return min(text for until, text in found if until == last), last


def decide_slowly(matches, actions, *, at, persons, effects, consent, suppressions, contacts, budgets, eligible):
    """Return ``{person: [(action, moment, rank, reason, released_at), ...]}``; lists of dicts in.

    ``eligible`` maps the name of an action to a function of a person's row (None: not known) and the match.
    """
    about = {row["person"]: row for row in persons}
    effect = {(row["moment"], row["action"]): row["effect"] for row in effects}
    window = {(row["moment"], row["action"]): row["within"] for row in effects}
    answer = {}
    for who in sorted({row["person"] for row in matches}):
        newest = {}
        for match in matches:
            since = match["confirmed_at"] or match["end"]
            known = newest.get(match["moment"])
            if match["person"] == who and since <= at and (known is None or since > known[0]):
                newest[match["moment"]] = (since, match)
        rows = []
        for number, action in enumerate(actions):
            told = []
            for moment in action.moments:
                if moment not in newest:
                    continue
                since, match = newest[moment]
                limits = [us(action.within), window.get((moment, action.name))]
                in_time = since + min(limit for limit in limits if limit is not None) >= at
                value = about.get(who, {}).get("value") if action.value is None else action.value
                gain = effect.get((moment, action.name))
                worth = None if value is None or gain is None else gain * value - action.cost
                until = None
                spared = blocked_by_suppression(action, who, suppressions, at)
                enough = blocked_by_budget(action, who, contacts, budgets, at)
                if not in_time:
                    reason = "too late"
                elif not eligible[action.name](about.get(who), match):
                    reason = "not eligible"
                elif (refused := blocked_by_consent(action, who, consent, at)) is not None:
                    reason = refused
                elif spared is not None:
                    reason, until = spared
                elif enough is not None:
                    reason, until = enough
                elif gain is None:
                    reason = "no effect is stated"
                elif value is None:
                    reason = "value unknown"
                elif not worth > 0:
                    reason = "not worth its cost"
                else:
                    reason = None
                minus = float("-inf")
                order = (
                    reason is not None, not in_time, -(minus if worth is None else worth),
                    -since.timestamp(), number, moment,
                )  # fmt: skip
                told.append((order, action.name, moment, reason, until))
            if told:
                rows.append(min(told))
        ranks = {row[1]: place + 1 for place, row in enumerate(sorted(row for row in rows if row[3] is None))}
        answer[who] = sorted(
            ((name, moment, ranks.get(name), reason, until) for _, name, moment, reason, until in rows),
            key=lambda row: (row[2] is None, row[2] or 0, [action.name for action in actions].index(row[0])),
        )
    return {who: rows for who, rows in answer.items() if rows}
