"""Slow, obvious twins of the policies, and small logs to run both on."""

from functools import cache
from itertools import combinations
from types import SimpleNamespace

import polars as pl

from cjm.identity import person_numbers

SECOND = 1_000_000
NEVER = float("inf")


def log_of(rows, kinds):
    """Make a log of rows ``(seconds, {kind: id})``."""
    columns = {kind: [ids.get(kind) for _, ids in rows] for kind in kinds}
    frame = pl.DataFrame(
        {
            "time": pl.Series([at * SECOND for at, _ in rows], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
            "channel": pl.Series(["web"] * len(rows), dtype=pl.String),
            "event": pl.Series([str(row) for row in range(len(rows))], dtype=pl.String),
            **{kind: pl.Series(values, dtype=pl.String) for kind, values in columns.items()},
        }
    )
    return SimpleNamespace(frame=frame.lazy(), kinds=tuple(kinds))


@cache
def tie(text):
    """Return what settles ties: the hash that an identifier keeps when it is erased."""
    return person_numbers(pl.Series([text]), "", salt="place").item()


class Naive:
    """Nodes are ``(rank of kind, id)``; ``rows`` come in time order."""

    def __init__(self, rows, kinds, unique, max_per_person):
        self.kinds = [kind for kind in kinds if kind in unique] + [kind for kind in kinds if kind not in unique]
        self.unique = len(unique)
        self.order = sorted(range(len(rows)), key=lambda row: rows[row][0])
        self.time = [rows[row][0] for row in self.order]
        self.nodes = [
            sorted((self.kinds.index(kind), text) for kind, text in rows[row][1].items() if text is not None)
            for row in self.order
        ]
        self.first = {}
        for at, nodes in zip(self.time, self.nodes, strict=True):
            for node in nodes:
                self.first.setdefault(node, at)
        self.links = {}
        for at, nodes in zip(self.time, self.nodes, strict=True):
            for link in combinations(nodes, 2):
                first, count = self.links.get(link, (at, 0))
                self.links[link] = (first, count + 1)
        self.tripped_at = {node: self._tripped_at(node, max_per_person) for node in self.first}
        self.tripped = {node for node, row in self.tripped_at.items() if row < NEVER}

    def _tripped_at(self, node, most):
        met = {}
        for row, nodes in enumerate(self.nodes):
            if node in nodes:
                for other in nodes:
                    if other != node and other[0] < self.unique:
                        met.setdefault(other[0], set()).add(other)
            if most is not None and any(len(values) > most for values in met.values()):
                return row
        return NEVER

    def merge(self, links, max_size):
        group = {node: {node} for node in self.first}
        accepted, self.refused = [], []

        def strength(link):
            ranks, places = zip(*((rank, tie(text)) for rank, text in link), strict=True)
            return sum(ranks), -links[link][1], links[link][0], *zip(ranks, places, strict=True)

        for link in sorted(links, key=strength):
            a, b = group[link[0]], group[link[1]]
            if a is b:
                accepted.append(link)
                continue
            ranks = [node[0] for node in a | b if node[0] < self.unique]
            if len(ranks) > len(set(ranks)):
                self.refused.append((link, "unique"))
            elif max_size is not None and len(a | b) > max_size:
                self.refused.append((link, "max_size"))
            else:
                accepted.append(link)
                joined = a | b
                for node in joined:
                    group[node] = joined
        self.anchor = {
            node: min(members, key=lambda other: (other[0], self.first[other], other[1]))
            for node, members in group.items()
        }
        self.since = {node: self._since(node, accepted, links) for node in self.first}

    def _since(self, node, accepted, links):
        for at in sorted({self.first[node], *(links[link][0] for link in accepted)}):
            reached, grown = {node}, True
            while grown:
                grown = False
                for a, b in accepted:
                    if links[a, b][0] <= at and (a in reached) != (b in reached):
                        reached |= {a, b}
                        grown = True
            if self.anchor[node] in reached and at >= self.first[node]:
                return at
        raise AssertionError(node)

    def linking(self, keep):
        return {
            link: found for link, found in self.links.items() if not {*link} & self.tripped and keep(link[0], link[1])
        }

    def _named(self, labels):
        """Return labels ``(kind, id, reason, known)`` in the order of the log."""
        out = [None] * len(labels)
        for row, label in zip(self.order, labels, strict=True):
            if label is not None:
                (rank, text), reason, known = label
                out[row] = (self.kinds[rank], text, reason, known)
        return out

    def device_split(self, *, replay, stale, as_of="end", max_size=None):
        self.merge(self.linking(lambda a, b: b[0] < self.unique), max_size)
        owners = [next((node for node in nodes if node[0] < self.unique), None) for nodes in self.nodes]
        return self._named([self._label(row, owners, replay, stale, as_of) for row in range(len(owners))])

    def _label(self, row, owners, replay, stale, as_of):
        now, nodes = self.time[row], self.nodes[row]

        def known(at):
            return max(self.time[at], self.since[owners[at]])

        if owners[row]:
            return self.anchor[owners[row]], "own", known(row)
        usable = [
            node for node in nodes if (node not in self.tripped if as_of == "end" else row < self.tripped_at[node])
        ]
        for node in usable:
            seen = [at for at in range(row) if owners[at] and node in self.nodes[at]]
            if seen and (stale is None or now - self.time[seen[-1]] <= stale):
                return self.anchor[owners[seen[-1]]], "live", max(now, known(seen[-1]))
        if as_of == "end" and replay is not None:
            seen = [at for at in range(row, len(owners)) if owners[at] and {*usable} & {*self.nodes[at]}]
            if seen and self.time[seen[0]] - now <= replay:
                return self.anchor[owners[seen[0]]], "replay", known(seen[0])
        if usable:
            return usable[0], "anonymous", now
        return (nodes[0], "shared", now) if nodes else None

    def components(self, *, max_size=None):
        self.merge(self.linking(lambda a, b: True), max_size)
        labels = []
        for now, nodes in zip(self.time, self.nodes, strict=True):
            unique = [node for node in nodes if node[0] < self.unique]
            free = [node for node in nodes if node not in self.tripped]
            chosen = (unique or free or nodes or [None])[0]
            if chosen is None:
                labels.append(None)
                continue
            anchor = self.anchor[chosen]
            rest = "link" if anchor[0] < self.unique else "anonymous"
            reason = "own" if unique else "shared" if not free else rest
            labels.append((anchor, reason, max(now, self.since[chosen])))
        return self._named(labels)
