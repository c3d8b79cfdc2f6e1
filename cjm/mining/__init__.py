"""Mining: frequent sequences, itemsets and rules, and how they differ between two groups of persons."""

from cjm.mining._contrast import contrast
from cjm.mining._discriminative import mine_discriminative
from cjm.mining._groups import split_persons
from cjm.mining._itemsets import mine_itemsets
from cjm.mining._rules import mine_rules
from cjm.mining._sequences import mine_sequences
from cjm.mining._sequential_rules import mine_sequential_rules
from cjm.mining._times import sequence_times

__all__ = [
    "contrast",
    "mine_discriminative",
    "mine_itemsets",
    "mine_rules",
    "mine_sequences",
    "mine_sequential_rules",
    "sequence_times",
    "split_persons",
]
