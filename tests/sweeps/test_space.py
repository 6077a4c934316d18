"""What a search chooses from, as it is written on the command line."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from glassnets.errors import ParameterError
from glassnets.sweeps import space


def test_every_form_is_a_distribution():
    found, fixed = space.parse(
        [
            "a=tag(log,interval(0.001,0.1))",
            "b=interval(0,0.5)",
            "c=int(interval(16,64))",
            "d=range(2,9,3)",
            "+e=[8],[8,4]",
            "f=choice(lstm,gru)",
            "g=3",
            "h=null,0.9",
        ]
    )
    assert found == {
        "a": FloatDistribution(0.001, 0.1, log=True),
        "b": FloatDistribution(0, 0.5),
        "c": IntDistribution(16, 64),
        "d": IntDistribution(2, 8, step=3),
        "+e": CategoricalDistribution(["[8]", "[8,4]"]),
        "f": CategoricalDistribution(["lstm", "gru"]),
        "h": CategoricalDistribution(["null", "0.9"]),
    }
    assert fixed == ("g=3",)
    first, *others = space.corners(found)
    assert space.overrides(first)[:5] == ("a=0.001", "b=0.0", "c=16", "d=2", "+e=[8]")
    values = {key: {each[key] for each in (first, *others)} for key in found}
    assert values["a"] == {0.001, 0.1}
    assert values["d"] == {2, 8}
    assert values["f"] == {"lstm", "gru"}
    logarithmic, _ = space.parse(["a=tag(log,range(1,65))"])
    assert logarithmic == {"a": IntDistribution(1, 64, log=True)}


@pytest.mark.parametrize(
    "wrong",
    [
        "a",
        "a=interval(1)",
        "a=interval(2,1)",
        "a=tag(log,interval(0,1))",
        "a=range(0.5,2)",
        "a=1",
        "a=shuffle(1,2)",
        "a=range(1,5,0)",
    ],
)
def test_what_leaves_no_choice_or_cannot_be_read_is_refused(wrong):
    with pytest.raises(ParameterError, match="expected") as refused:
        space.parse([wrong])
    assert "\n" not in str(refused.value)
