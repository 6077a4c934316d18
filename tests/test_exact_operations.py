"""All of training, prediction, attribution and metrics runs operations that give the same bytes on
every processor, and no others.

The graphs that TensorFlow ran are read after its optimiser rewrote them; an operation that ran
eagerly counts as a graph of its own.
"""

import functools

import numpy as np
import pytest

from glassnets import registry, runtime
from glassnets.attribution.methods import METHODS, Explained, requested_variants
from glassnets.attribution.metrics import METRICS, Judged
from glassnets.models import additive, families, training
from glassnets.representations import activations
from glassnets.representations.lesions import Lesions

FAMILIES = registry.names(registry.FAMILIES)
AT_ONCE = ("feedforward", "cnn")  # the others' graphs take seconds each

INEXACT = {
    # Approximations of the processor's own, and one Newton step.
    *("Rsqrt", "RsqrtGrad", "Reciprocal", "ReciprocalGrad", "Inv", "InvGrad"),
    # These compute the same within.
    *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "_FusedBatchNormEx"),
    *("_MklFusedBatchNormV3", "_MklNativeFusedBatchNormV3", "_MklLayerNorm"),
    # Its blocks have the size of the processor's caches.
    "Qr",
}
DIVISION = "division by a constant array"  # becomes a product with its Reciprocal, computed early


def inexact(run):
    """Names of the inexact operations that run() ran; all of them must run for the first time."""
    import tensorflow as tf
    from tensorflow.python.eager import context  # there is no public way to the optimised graphs

    def mapped(dataset, function, map_=tf.data.Dataset.map, **options):
        # The graphs of tf.data are not collected. As one of tf.function's, its function is.
        element = next(iter(dataset))
        tf.function(function)(*(element if isinstance(element, tuple) else (element,)))
        return map_(dataset, function, **options)

    context.context().clear_kernel_cache()  # eager operations of which are not collected again
    context.enable_graph_collection()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tf.data.Dataset, "map", mapped)
            run()
        functions = context.export_run_metadata().function_graphs
    finally:
        context.disable_graph_collection()
    assert functions
    optimised = [
        graph
        for function in functions
        for graph in (function.post_optimization_graph, *function.partition_graphs)
    ]
    operations = {node.op for graph in optimised for nodes in bodies(graph) for node in nodes}
    divisions = any(
        divides_by_a_constant_array(nodes)
        for function in functions
        for nodes in bodies(function.pre_optimization_graph)
    )
    return (operations & INEXACT) | ({DIVISION} if divisions else set())


def bodies(graph):
    """The nodes of a graph, and of each function that it may call."""
    return [graph.node, *(function.node_def for function in graph.library.function)]


def divides_by_a_constant_array(nodes):
    """Whether a divisor depends on constants alone, one of them an array."""
    by_name = {node.name: node for node in nodes}

    @functools.cache
    def largest(name):
        """Elements of the largest of the constants that alone decide a node's value, or None."""
        node = by_name.get(name.split(":")[0])
        if node is None or name.startswith("^"):
            return None
        if node.op == "Const":
            return np.prod([side.size for side in node.attr["value"].tensor.tensor_shape.dim])
        sizes = [largest(each) for each in node.input]
        return max(sizes) if sizes and None not in sizes else None

    divisors = [node.input[1] for node in nodes if node.op in ("Div", "RealDiv", "Xdivy")]
    return any((largest(divisor) or 0) > 1 for divisor in divisors)


# Planted operations


ARRAY = np.arange(1, 9, dtype=np.float32)


def compiled(function):
    def run():
        import tensorflow as tf

        tf.function(function, autograph=False)(tf.constant(ARRAY))

    return run


def sqrt(x):
    import tensorflow as tf

    return tf.sqrt(x)


def eager(package, name, shape=(2, 4)):
    def run():
        import tensorflow as tf

        getattr(getattr(tf, package), name)(tf.reshape(ARRAY, shape))

    return run


def in_a_loop():
    import tensorflow as tf

    tf.function(lambda x: tf.map_fn(lambda each: 2 / tf.sqrt(each), x))(tf.constant(ARRAY))


def in_a_dataset():
    import tensorflow as tf

    list(tf.data.Dataset.from_tensors(ARRAY).map(lambda x: x / tf.sqrt(x)))


def normalisation_of_keras():
    import keras

    keras.layers.BatchNormalization()(np.ones((2, 3, 3, 4), np.float32), training=True)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (compiled(lambda x: x / sqrt(x + 1)), {"Rsqrt"}),
        (compiled(lambda x: 1 / x), {"Reciprocal"}),
        (compiled(lambda x: x**-0.5), {"Rsqrt"}),
        (compiled(lambda x: x / ARRAY), {DIVISION}),
        (compiled(lambda x: x / sqrt(ARRAY + np.float32(1))), {DIVISION}),
        (in_a_loop, {"Rsqrt"}),
        (in_a_dataset, {"Rsqrt"}),
        (eager("math", "rsqrt"), {"Rsqrt"}),
        (eager("math", "reciprocal"), {"Reciprocal"}),
        (eager("linalg", "qr"), {"Qr"}),
        (normalisation_of_keras, {"Rsqrt"}),
    ],
)
def test_an_inexact_operation_is_detected(tensorflow, run, expected):
    assert inexact(run) >= expected


def exact_division(x):
    import tensorflow as tf

    return tf.math.divide_no_nan(tf.ones_like(x), tf.sqrt(x))


def normalisation(name, shape):
    """A layer of ours and its gradients, training and predicting."""

    def run():
        import tensorflow as tf

        from glassnets.models import layers

        layer = getattr(layers, name)()
        layer.build(shape)

        @tf.function
        def gradients(x, is_training):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=is_training) if name == "BatchNormalization" else layer(x)
            return tape.gradient(y, [x, *layer.trainable_variables])

        for is_training in (False, True):
            gradients(tf.ones(shape), is_training)

    return run


@pytest.mark.parametrize(
    "run",
    [
        normalisation("BatchNormalization", (8, 4, 3, 6)),
        normalisation("BatchNormalization", (8, 5)),
        normalisation("LayerNormalization", (8, 7, 6)),
        compiled(exact_division),
        compiled(lambda x: x / 3),
        compiled(lambda x: x / x[:1]),
        eager("math", "sqrt"),
    ],
)
def test_an_exact_operation_is_not(tensorflow, run):
    assert inexact(run) == set()


# Everything that runs


def parameter(family, *values):
    marks = () if family in AT_ONCE else pytest.mark.exhaustive
    return pytest.param(*values, family, marks=marks)


@pytest.fixture(scope="module", params=[parameter(family) for family in FAMILIES])
def network(request, tensorflow, parameters, draw_images):
    """A network of digits, of which nothing is compiled yet, by family."""
    digits = parameters.dataset("digits")
    shape = digits.family(request.param).network
    runtime.set_seed(0)
    model, named = families.build(request.param, shape, digits.image_shape, digits.classes)
    model.set_weights([weight + 0.01 for weight in model.get_weights()])  # as if it had learnt
    references, labels = draw_images(10, seed=1), np.arange(10)
    return Explained(model, named, references=references, labels=labels)


@pytest.fixture(scope="module")
def attribute(network, parameters):
    """``attribute(variant, images, targets)``, with the options of digits."""
    variants = requested_variants(parameters.dataset("digits").attribution, network)

    def attribute(name, images, targets):
        return variants[name](network, images, targets)

    attribute.variants = variants
    return attribute


CELLS = [(family, "digits") for family in FAMILIES] + [("cnn", "mnist")]  # this one by Muon


@pytest.mark.parametrize(("dataset", "family"), [parameter(*cell) for cell in CELLS])
def test_training_and_prediction_run_exact_operations(
    tensorflow, parameters, draw_images, dataset, family
):
    """A network of digits, from its initialisers on, by the recipe of a dataset."""
    shape = parameters.dataset("digits")
    recipe = parameters.dataset(dataset).family(family).training
    recipe = recipe.model_copy(update={"epochs": 1, "batch_size": 4, "warmup_epochs": 0.5})
    part = {"images": draw_images(8).astype(np.uint8), "labels": np.arange(8, dtype=np.uint8)}

    def run():
        runtime.set_seed(0)
        network = shape.family(family).network
        model, _ = families.build(family, network, shape.image_shape, shape.classes)
        training.fit(model, part, part, recipe, 0, lambda loss: None, lambda epoch, logs: None)
        families.predict(model, part["images"])

    assert inexact(run) == set()


def test_an_additive_network_runs_exact_operations(tensorflow, parameters, draw_images):
    digits = parameters.dataset("digits")
    recipe = {"epochs": 1, "batch_size": 4, "warmup_epochs": 0.5}
    recipe = digits.additive.training.model_copy(update=recipe)
    part = {"images": draw_images(8).astype(np.uint8), "labels": np.arange(8, dtype=np.uint8)}

    def run():
        runtime.set_seed(0)
        model = additive.build(digits.image_shape, digits.classes, digits.additive)
        training.fit(model, part, part, recipe, 0, lambda loss: None, lambda epoch, logs: None)
        families.predict(model, part["images"])
        additive.contributions(model, part["images"])
        for name in ("gradient", "kernel_shap"):
            METHODS[name](Explained(model), part["images"], part["labels"].astype(int))

    assert inexact(run) == set()


def test_units_and_lesions_run_exact_operations(network, draw_images):
    images, labels = draw_images(12), np.arange(12) % 10

    def run():
        layers = activations.unit_layers(network.model, network.activations)
        for pooled in (True, False):
            activations.Responses(network.model, layers, pooled=pooled)(images)
        for tensor in layers.values():
            activations.mean_gradients(network.model, tensor, images, np.array([0, 1]))
            after = activations.After(network.model, tensor)
            list(Lesions(after, images, labels).single(np.array([0])))

    assert inexact(run) == set()


def test_methods_and_metrics_run_exact_operations(network, attribute, draw_images):
    x, y = draw_images(2), np.array([3, 7], np.int32)

    def run():
        maps = {name: attribute(name, x, y) for name in attribute.variants}
        methods = {variant.method.name for variant in attribute.variants.values()}
        assert len(methods) >= len(METHODS) - 6  # all but those of other families
        contrast = attribute.variants["integrated_gradients:draws"]
        contrast(network, x, y, contrast=y - 1)
        judged = Judged(
            network=network,
            images=x,
            targets=y,
            maps=maps,
            attribute=attribute,
            variants=attribute.variants,
            others={name: own[np.newaxis] + 1 for name, own in maps.items()},
            evidence=x > 200,
            suppressor=x < 20,
            memorised=[weight + 1 for weight in network.model.get_weights()],
        )
        for metric in METRICS.values():
            few = {"images": 1, "draws": 2}.items()
            options = {name: n for name, n in few if name in metric.options.model_fields}
            metric(judged, metric.options(**options))

    assert inexact(run) == set()
