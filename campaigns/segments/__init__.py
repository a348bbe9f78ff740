"""Whom a mailing means: rules over everything that is known, and lists (`docs/segments.md`)."""

from campaigns.segments.audiences import audience, problems, reference, rule_of
from campaigns.segments.checking import Known, faults
from campaigns.segments.compiling import matching
from campaigns.segments.explaining import Line, explain
from campaigns.segments.members import Count, count, sample
from campaigns.segments.tree import Fault, RuleError
from campaigns.segments.wording import sentence

__all__ = [
    "Count", "Fault", "Known", "Line", "RuleError", "audience", "count", "explain", "faults", "matching", "problems",
    "reference", "rule_of", "sample", "sentence",
]  # fmt: skip
