"""probe@D-F, lesion@D-F, units@D and similarity@D on a made-up dataset in a project of its own."""

from pathlib import Path

import numpy as np
import pytest

from glassnets import config, runtime
from glassnets.models import memorise, training
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.stages.lesion import lesion
from glassnets.pipeline.stages.probe import probe
from glassnets.pipeline.stages.similarity import similarity
from glassnets.pipeline.stages.units import units
from glassnets.representations.units import stratified

pytestmark = pytest.mark.release  # for the minutes that all of these take together

ROOT = Path(__file__).parents[3]
FAMILIES = ("cnn", "feedforward")
CLASSES = 10


def lit(rng, count):
    """Images of 8×8 of which one of ten places is lit, the label's."""
    labels = (np.arange(count) % CLASSES).astype(np.uint8)
    images = rng.integers(0, 60, (count, 8, 8), np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 4)
        image[2 * row :, 2 * column :][:2, :2] += 150
    return {"images": images, "labels": labels, "index": np.arange(count) + 7}


def small(params):
    """With two families and two seeds, of small networks."""
    digits = params.dataset("digits")
    shapes = {"cnn": {"filters": ((4,), (6,))}, "feedforward": {"units": (12, 8)}}
    own = dict.fromkeys(digits.families) | {"seeds": (0, 1)}
    for family, shape in shapes.items():
        cell = digits.family(family)
        recipe = cell.training.model_copy(update={"epochs": 12, "augmentation": None})
        network = cell.network.model_copy(update=shape)
        own[family] = cell.model_copy(update={"network": network, "training": recipe})
    own["memorise"] = digits.memorise.model_copy(update={"images": 40, "accuracy": 0.6})
    update = {"images": 60, "gram_images": 30, "permutations": 19, "noise_images": 50}
    own["probe"] = digits.probe.model_copy(update=update)
    own["lesion"] = digits.lesion.model_copy(update={"images": 40, "units": 6, "steps": 3})
    own["similarity"] = digits.similarity.model_copy(update={"blocks": 5, "shuffles": 19})
    evaluation = params.evaluation.model_copy(update={"bootstrap_resamples": 100})
    return params.model_copy(
        update={"digits": digits.model_copy(update=own), "evaluation": evaluation}
    )


def leave_networks(params, parts):
    """What train and memorise leave; no network of the CNN's second seed has memorised."""
    digits = params.dataset("digits")
    for family in FAMILIES:

        def build(seed, family=family):
            runtime.set_seed(seed)
            return networks.build(digits, family)[0]

        folders = artefacts.models("digits", family), artefacts.memorised("digits", family)
        for folder in folders:
            folder.mkdir(parents=True)
        for seed in digits.seeds:
            recipe = digits.family(family).training
            model = build(seed)
            given = parts["train"], parts["validation"], recipe, seed
            training.fit(model, *given, lambda _: None, lambda *_: None)
            artefacts.save_weights(model, folders[0] / artefacts.weights_name(seed))
        train = parts["train"]
        learning = memorise.memorise(
            build, digits.seeds, train["images"], train["labels"], digits.memorise
        )
        for seed, (model, accuracy) in zip(digits.seeds, learning, strict=True):
            assert accuracy >= 0.6
            if (family, seed) != ("cnn", 1):
                artefacts.save_weights(model, folders[1] / artefacts.weights_name(seed))


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow):
    """A project in which the four stages have run twice, and what they wrote, as bytes."""
    project, logged, told = tmp_path_factory.mktemp("project"), [], []
    (project / "dvc.yaml").touch()
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr("glassnets.runtime.start_tensorflow", lambda runtime: None)  # it is
        patch.setattr("glassnets.tracking.from_files.log", lambda *cell: logged.append(cell[1:]))
        patch.setattr("glassnets.tracking.studies.log", lambda *named: told.append(named[1:]))
        rng = np.random.default_rng(0)
        counts = {"train": 300, "validation": 60, "test": 120}
        parts = {name: lit(rng, count) for name, count in counts.items()}
        artefacts.processed("digits").mkdir(parents=True)
        for name, part in parts.items():
            artefacts.save_arrays(artefacts.part("digits", name), part)
        params = small(config.load(artefacts.params_file()))
        leave_networks(params, parts)
        written = []
        for again in (FAMILIES, FAMILIES[:1]):
            for family in again:
                probe(params, "digits", family)
                lesion(params, "digits", family)
            units(params, "digits")
            similarity(params, "digits")
            files = sorted(p for p in (project / "results").rglob("*") if p.is_file())
            written.append({str(p.relative_to(project / "results")): p.read_bytes() for p in files})
    assert written[0] == written[1]
    assert logged == [("digits", family, "lesion") for family in (*FAMILIES, FAMILIES[0])]
    assert told == [("digits", "similarity")] * 2
    return project / "results" / "digits", written[0]


def test_they_write_what_they_promise(made):
    _, written = made
    of_cell = ("cumulative.csv", "layers.csv", "lesions.csv", "units.csv", "units.npz")
    expected = {f"digits/units/{family}/{name}" for family in FAMILIES for name in of_cell}
    expected |= {f"digits/grams/{family}.npz" for family in FAMILIES}
    of_dataset = ("units.csv", "similarity.csv", "similarity_measures.csv")
    of_dataset += ("units.md", "units.png", "units-fields.png", "units-lesions.png")
    of_dataset += ("units-orders.png", "similarity.md", "similarity.png")
    of_dataset += ("similarity-layers.png", "similarity-measures.png")
    assert set(written) == expected | {f"digits/{name}" for name in of_dataset}
    pages = {name: text.decode() for name, text in written.items() if name.endswith(".md")}
    for name, text in written.items():
        if name.endswith(".png"):
            assert text.startswith(b"\x89PNG")
            assert any(f"]({name.removeprefix('digits/')})" in page for page in pages.values())
    for page in pages.values():
        assert "nan" not in page.split()


def test_every_unit_of_every_network_is_described(made):
    folder, _ = made
    table = artefacts.load_table(folder / "units" / "cnn" / "units.csv")
    counts = table.groupby(["network", "seed", "layer"]).size().to_dict()
    networks_ = [("trained", 0), ("trained", 1), ("memorised", 0)]
    assert counts == {
        (*network, layer): count
        for network in networks_
        for layer, count in (("block_0", 4), ("block_1", 6))
    }
    layers = artefacts.load_table(folder / "units" / "cnn" / "layers.csv")
    images = layers.groupby("network")["images"].first()
    assert images.to_dict() == {"memorised": 40, "trained": 60}
    trained = table[(table["network"] == "trained") & (table["layer"] == "block_1")]
    assert (trained["p"] <= 0.05).mean() > 0.5


def test_units_have_tuning_curves_preferred_images_and_receptive_fields(made):
    folder, _ = made
    arrays = artefacts.load_arrays(folder / "units" / "feedforward" / "units.npz")
    assert arrays["index"].shape == (60,)
    assert arrays["tuning/trained/1/block_0"].shape == (CLASSES, 12)
    assert arrays["preferred/trained/0/block_1"].shape == (8, 5)
    shown = arrays["shown/block_0"]
    for field in ("average", "noise_gradient", "gradient"):
        assert arrays[f"{field}/block_0"].shape == (len(shown), 8, 8)


def test_lesions_are_of_what_each_network_knows(made):
    folder, _ = made
    lesions = artefacts.load_table(folder / "units" / "feedforward" / "lesions.csv")
    known = lesions[["network", "images"]].drop_duplicates().to_numpy().tolist()
    assert known == [["trained", "test"], ["memorised", "training"]]
    assert len(lesions) == 2 * 2 * 2 * 6 * 2  # networks, seeds, layers, units, fills
    cumulative = artefacts.load_table(folder / "units" / "feedforward" / "cumulative.csv")
    intact = cumulative[cumulative["share"] == 0].groupby(["network", "images"])["accuracy"].min()
    assert intact["trained", "test"] > 0.5
    assert intact["trained", "training"] > 0.5
    assert intact["memorised", "training"] >= 0.6
    all_ = cumulative[cumulative["share"] == 1]
    assert all_["accuracy"].max() < 0.4


def test_the_images_of_lesions_are_none_of_the_probed_where_there_are_enough():
    labels = np.arange(120) % CLASSES
    order = stratified(labels, 0)
    assert sorted(order) == list(range(120))
    assert not set(order[:60]) & set(order[-40:])
    for part in (order[:60], order[-40:]):
        assert np.ptp(np.bincount(labels[part])) <= 1


def test_similarity_has_every_layer_trained_and_untrained(made):
    folder, _ = made
    table = artefacts.load_table(folder / "similarity.csv")
    cka = table[table["measure"] == "cka"]
    counts = cka["comparison"].value_counts().to_dict()
    layers = 4 + 3  # with the logits, and the CNN's pooled maps
    pairs = layers * (layers + 1) // 2
    assert counts["trained"] == counts["untrained"] == pairs
    assert counts["gained"] == 12
    assert counts["pixels"] == counts["classes"] == layers
    assert counts["shuffled"] == 2
    assert cka["value"].between(-1, 1.001).all()
