"""Samplers of one's own, as a user would write them, and some that cannot be used."""

from optuna.samplers import RandomSampler


class Halving(RandomSampler):
    """Draws at random; a user's would do better."""


class Stubborn(RandomSampler):
    """Always proposes the same."""

    def sample_independent(self, study, trial, name, distribution):
        return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


class NoSampler:
    def __init__(self, seed: int) -> None: ...


class NoSeed(RandomSampler):
    def __init__(self) -> None:
        super().__init__()
