"""``learning_rules@D``: what networks learn by backpropagation and by other rules, and whether
their explanations hold alike."""

from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution.judging import judge
from glassnets.config.schema import Dataset, LearningRules, Params
from glassnets.data import Arrays
from glassnets.evaluation import metrics
from glassnets.models import families
from glassnets.models.families import feedforward
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def learning_rules(params: Params, dataset: str) -> None:
    """Trains a network by each learning rule and seed, each rule with the learning rate that suits
    it, and judges their explanations."""
    data = params.dataset(dataset)
    options = data.learning_rules
    train, validation, test = (
        artefacts.load_arrays(artefacts.part(dataset, name))
        for name in ("train", "validation", "test")
    )
    train = {name: array[: options.images] for name, array in train.items()}
    runtime.start_tensorflow(params.runtime)
    from glassnets.learning import feedback  # imports Keras
    from glassnets.learning import rules as learning

    def build(seed: int) -> Any:
        network = feedforward.Network(units=options.units, batch_normalization=None, dropout=0.0)
        runtime.set_seed(seed)
        return families.build("feedforward", network, data.input_shape, data.classes, data.kind)[0]

    reader = build(data.seeds[0])  # one for all: what it compiles serves each
    tried, angles, explained, probabilities = [], [], [], {}
    rounds = len(feedback.RULES) * (len(options.factors) + len(data.seeds) + 1)
    with tqdm(total=rounds, unit="network", disable=None) as bar:
        for rule in feedback.RULES:
            bar.set_description(rule)

            def learn(factor: float, seed: int, rule: str = rule) -> learning.Learnt:
                bar.update()
                return learning.learn(build, rule, train, validation, options, factor, seed)

            losses = {f: learn(f, data.seeds[0]).val_loss for f in options.factors}
            tried += [(rule, options.training.learning_rate * f, x) for f, x in losses.items()]
            learnt = [learn(min(losses, key=losses.__getitem__), seed) for seed in data.seeds]
            angles += [
                each.angles.assign(rule=rule, seed=seed)
                for each, seed in zip(learnt, data.seeds, strict=True)
            ]
            networks = [each.network for each in learnt]
            logits = []
            for network in networks:
                reader.set_weights(network.get_weights())
                logits.append(families.predict(reader, test["images"]))
            probabilities[rule] = np.stack([metrics.softmax(each) for each in logits])
            explained.append(_judged(networks, data, test, train, options).assign(rule=rule))
            bar.update()
    tables = {
        "rates": pd.DataFrame(tried, columns=["rule", "learning_rate", "val_loss"]),
        "networks": learning.compared(probabilities, test["labels"], params.evaluation),
        "angles": pd.concat(angles),
        "explained": pd.concat(explained),
    }
    with artefacts.replacing(artefacts.results(dataset) / "learning_rules") as (partial,):
        partial.mkdir()
        for name, table in tables.items():
            artefacts.save_table(partial / f"{name}.csv", table)
    print(tables["networks"].to_string(index=False))


def _judged(
    networks: list[Any], data: Dataset, test: Arrays, train: Arrays, options: LearningRules
) -> pd.DataFrame:
    """The leaderboard of the first network, those of other seeds beside it."""
    first, *others = networks
    judged = judge(
        first,
        test["images"],
        test["labels"],
        train["images"],
        train["labels"],
        kind=data.kind,
        others=others,
        sample=options.explained,
        methods=options.methods,
        memorise=data.memorise.images,
        seed=data.attribution.random_state,
    )
    methods: pd.DataFrame = judged.board[~judged.board["control"]]
    return methods.assign(supported=methods["method"].isin(judged.supported))


if __name__ == "__main__":
    run_dataset(learning_rules)
