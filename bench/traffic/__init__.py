"""What all contenders of the benchmark are given: seeded mixes of letters, the same every time."""

from bench.traffic.messages import Letter, Mix
from bench.traffic.mixes import MIXES, mix

__all__ = ["MIXES", "Letter", "Mix", "mix"]
