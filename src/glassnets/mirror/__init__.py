"""MLflow as a mirror of what the pipeline made: a run of each (dataset, family, seed), told from
models/ and results/ alone. The stages tell as they finish; ``python -m glassnets.mirror`` tells
what no stage told, for DVC had it in its cache or pulled it."""
