"""A model to call: each family's best network in MLflow's registry, ready to be served."""

from glassnets import runtime

runtime.pin_processor()
