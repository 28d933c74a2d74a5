"""Which facts a query's filter lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from genesys_sandbox import fields
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Lookup: TypeAlias = Callable[[str], "str | None"]
    Test: TypeAlias = Callable[[Lookup], bool]


def compile_filter(clause: Mapping[str, object], allowed: frozenset[str]) -> Test:
    """The test of `{type: and|or, clauses: […], predicates: […]}`; without any part it lets all through."""
    joined = _join(clause)
    parts = [compile_predicate(entry, allowed) for entry in fields.records(clause, "predicates")]
    parts += [compile_filter(entry, allowed) for entry in fields.records(clause, "clauses")]
    if not parts:
        return lambda _: True
    return lambda lookup: joined(part(lookup) for part in parts)


def compile_tree_filter(clause: Mapping[str, object], allowed: frozenset[str]) -> Test:
    """The test of a group-tree expression, whose clauses are predicates or clauses again."""
    joined = _join(clause)
    parts = [
        compile_predicate(entry, allowed)
        if entry.get("type") == "dimension"
        else compile_tree_filter(entry, allowed)
        for entry in fields.records(clause, "clauses")
    ]
    if not parts:
        return lambda _: True
    return lambda lookup: joined(part(lookup) for part in parts)


def compile_predicate(predicate: Mapping[str, object], allowed: frozenset[str]) -> Test:
    """The test of one predicate on a dimension."""
    if fields.text(predicate, "type", "dimension") != "dimension":
        refuse("The sandbox filters by dimensions only")
    name = fields.known((fields.text(predicate, "dimension"),), allowed, "dimension")[0]
    operator = fields.text(predicate, "operator", "matches")
    if operator == "exists":
        return lambda lookup: lookup(name) is not None
    if operator == "notExists":
        return lambda lookup: lookup(name) is None
    value = fields.text(predicate, "value")
    if operator in {"matches", "equals"}:
        return lambda lookup: lookup(name) == value
    if operator == "notEquals":
        return lambda lookup: lookup(name) != value
    return refuse("Invalid operator: {operator}", "invalid.value", operator=operator)


def _join(clause: Mapping[str, object]) -> Callable[..., bool]:
    kind = fields.text(clause, "type")
    if kind not in {"and", "or"}:
        refuse("Invalid filter type: {type}", "invalid.value", type=kind)
    return all if kind == "and" else any
