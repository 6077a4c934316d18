"""What a search chooses from: a distribution for each key of params.yaml."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from glassnets.errors import ParameterError
from glassnets.sweeps import plan

Space = dict[str, BaseDistribution]


def parse(given: Sequence[str]) -> tuple[Space, tuple[str, ...]]:
    """The space that overrides in Hydra's form describe, and those of a single value, which every
    trial has: ``KEY=first,second``, ``KEY=range(1,5)`` (without 5), ``KEY=interval(0,0.5)``,
    ``KEY=int(interval(16,64))``, ``KEY=tag(log,interval(0.0001,0.1))``. A key is as it is to stand
    in the override: ``+KEY`` where params.yaml leaves it out.

    Raises ParameterError where one cannot be read or none leaves a choice.
    """
    plan.check_distinct(given)
    space: Space = {}
    fixed = []
    for text in given:
        override = plan.parsed(text)
        if override.is_sweep_override():
            try:
                space[text.partition("=")[0]] = _distribution(override)
            except ValueError as error:
                said = " ".join(str(error).split())[:200]
                raise ParameterError(
                    f"{text}: expected values, or a range of numbers to choose from, got {said}"
                ) from None
        else:
            fixed.append(text)
    if not space:
        raise ParameterError(
            "expected a key to choose, as KEY=first,second or KEY=tag(log,interval(0.001,0.1)), "
            "got none"
        )
    return space, tuple(fixed)


def corners(space: Space) -> list[dict[str, Any]]:
    """Values by key that have every choice, and both ends of every range, once: to see that
    params.yaml can have them."""
    ends = {}
    for key, distribution in space.items():
        match distribution:
            case CategoricalDistribution(choices=choices):
                ends[key] = [*choices]
            case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
                ends[key] = [low, high]
    first = {key: values[0] for key, values in ends.items()}
    return [first, *({**first, key: v} for key, values in ends.items() for v in values[1:])]


def overrides(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The overrides of a trial, from its values by key."""
    return tuple(f"{key}={value}" for key, value in values.items())


def _distribution(override: Override) -> BaseDistribution:
    """Raises ValueError where it is none that can be searched."""
    value: Any = override.value()
    log = "log" in getattr(value, "tags", ())
    match value:
        case IntervalSweep(start=int() as low, end=int() as high):
            return IntDistribution(low, high, log=log)
        case IntervalSweep(start=low, end=high) if low is not None and high is not None:
            return FloatDistribution(low, high, log=log)
        case RangeSweep(start=int() as low, stop=int() as stop, step=int() as step):
            if log and step != 1:
                raise ValueError("steps of a range by order of magnitude")
            return IntDistribution(low, low + (stop - 1 - low) // step * step, log=log, step=step)
        case ChoiceSweep():
            return CategoricalDistribution([*override.sweep_string_iterator()])
    raise ValueError(f"a {type(value).__name__} of other than numbers")
