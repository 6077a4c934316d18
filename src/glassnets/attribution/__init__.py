"""Attribution methods, the metrics that judge them, and the verdicts. Needs no DVC, MLflow or
params.yaml.
"""
