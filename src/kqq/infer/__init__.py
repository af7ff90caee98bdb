"""A protocol nobody knows: its framing and fields, guessed from what was said."""

from kqq.infer.findings import Fact, Field, Findings, MessageKind
from kqq.infer.inference import infer
from kqq.infer.kinds import Proposal
from kqq.infer.sample import BUDGET

__all__ = ["BUDGET", "Fact", "Field", "Findings", "MessageKind", "Proposal", "infer"]
