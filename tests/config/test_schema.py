"""params.yaml: a good one becomes typed objects, every stage refuses a bad one in one line."""

import io
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from glassnets import config
from glassnets.config import schema
from glassnets.errors import ParameterError
from glassnets.pipeline import manifests
from glassnets.pipeline.stages import command

OURS = Path(__file__).parents[2] / "params.yaml"
STAGES = (
    *(*manifests.OF_DATASET, *manifests.OF_STUDIED),
    *(*manifests.OF_CELL, *manifests.OF_SHORTCUT, *manifests.OF_STUDIED_CELL),
)

FAMILIES = ("feedforward", "lstm", "cnn", "attention")


def cells_of(*datasets: str, families: tuple[str, ...] = FAMILIES) -> dict[str, dict[str, str]]:
    return {f"{d}-{f}": {"dataset": d, "family": f} for d in datasets for f in families}


DIGEST = "0123456789abcdef" * 4
GOOD = f"""
datasets: [digits, mnist]
cells: {cells_of("digits", "mnist")}
shortcut_cells: {{}}
studied_datasets: [digits]
studied_cells: {cells_of("digits")}
sources: {{digits: digits.py, mnist: mnist.py}}
runtime: {{intra_op_threads: 2, inter_op_threads: 2}}
evaluation:
  bootstrap_resamples: 100
  confidence_level: 0.95
  calibration_bins: 10
  random_state: 0
defaults:
  split: random
  test_size: 0.2
  validation_size: 0.2
  random_state: 42
  stratify: true
  seeds: [0, 1]
  sample: {{images: 10, random_state: 0}}
  baselines: {{images: 100, random_state: 0}}
  memorise: {{images: 20, accuracy: 0.99, epochs: 3, batch_size: 32, learning_rate: 0.003}}
  additive:
    patch_size: 4
    units: [4]
    training:
      epochs: 2
      batch_size: 32
      learning_rate: 0.003
      schedule: cosine
      warmup_epochs: 1
      weight_decay: 0.1
      label_smoothing: 0.0
      ema_momentum: 0.0
  dynamics:
    seeds: [0, 1]
    tuning_seed: 2
    gradient_flow:
      images: 4
      depth: 2
      width: 4
      variances: {{sigmoid: [1], tanh: [1], relu: [2]}}
      batch_size: 2
      training: {{steps: 1, rates: [0.1]}}
      cells: {{steps: 2, units: 4, plain: [1], lstm: [0]}}
    batch_size:
      images: 20
      validation_images: 20
      units: 4
      sizes: [1]
      rates: {{lowest: 0.1, highest: 0.2}}
      loss: 1
      epochs: 1
      noise: {{images: 4, draws: 2}}
    learning_rate:
      images: 10
      steps: 10
      bisections: 3
      network: {{units: [4], variance: 1, rates: [0.1]}}
      network_steps: 2
      every: 1
    overfitting:
      images: 20
      test_images: 20
      units: 4
      training: {{rate: 0.1, batch_size: 4, updates: 2}}
      augmented: {{epochs: 1, shift: 1}}
      fewest: 10
      shuffled: {{images: 10, epochs: 1}}
      regression: {{images: 10, ridge: 0.1}}
    backpropagation: {{images: 2, units: [4], parameters: 3}}
  learning_rules:
    images: 20
    units: [4]
    training:
      epochs: 2
      batch_size: 32
      learning_rate: 0.003
      schedule: cosine
      warmup_epochs: 1
      weight_decay: 0.0
      label_smoothing: 0.0
      ema_momentum: 0.0
    factors: [1]
    explained: 5
    methods: [gradient]
  probe:
    images: 20
    gram_images: 20
    permutations: 19
    noise_images: 20
    noise: 64
    random_state: 0
  lesion: {{images: 20, units: 4, steps: 2, random_orders: 2, random_state: 0}}
  similarity: {{blocks: 5, shuffles: 19, random_state: 0}}
  verdict: {{max_correlation: 0.5, max_class_correlation: 0.9, min_followed: 0.9}}
  training:
    batch_size: 32
    schedule: cosine
    weight_decay: 0.01
    label_smoothing: 0.0
    ema_momentum: 0.0
  attribution:
    random_state: 0
    references: [black, mean]
    removal: {{blur: 0.25, noise: 0.01}}
    methods: {{gradient: {{}}, rise: {{masks: 10}}}}
    metrics: {{deletion_insertion: {{}}}}
  lstm:
    network: {{bidirectional: true, kernel_initializer: glorot_uniform, head: flatten}}
digits: &dataset
  shape: {{images: 200, height: 8, width: 8}}
  classes: 10
  sha256: {{images: {DIGEST}, labels: {DIGEST}}}
  training: {{warmup_epochs: 1, learning_rate: 0.003}}
  feedforward:
    network: {{units: [16], batch_normalization: 0.9, dropout: 0.2}}
    training: {{epochs: 3, batch_size: 64}}
  lstm:
    network: {{sequence: patches, patch_size: 4, units: [8], head: last, dropout: 0.2}}
    training: {{epochs: 3}}
  cnn:
    network:
      filters: [[8], [8]]
      kernel_size: 3
      padding: valid
      head: flatten
      units: []
      batch_normalization: 0.9
      dropout: 0.2
    training:
      epochs: 3
      augmentation: {{rotation: 8, scale: 0.08, shear: 0.05, shift: 0.06}}
  attention:
    network:
      patch_size: 2
      stride: 2
      width: 8
      heads: 2
      blocks: 1
      mlp_width: null
      layer_normalization: true
      head: average
      dropout: 0.0
    training: {{epochs: 3}}
mnist:
  <<: *dataset
  split: official
  official_test_images: 40
"""

PLANTING = {
    "source": "mnist",
    "patch_sizes": [4],
    "max_decoys": 1,
    "contrast": 64,
    "canvas_contrast": 24,
    "texture_deviation": 24,
    "texture_reach": 24,
    "random_state": 0,
}
SHORTCUT = (
    "{label: 10, tag: {size: 2, level: 255, shift: 3}, relabelled: 0.2, images: 5, "
    "random_state: 0, min_auc: 0.95}"
)

# An edit of the good file, and what the refusal must say; "…" stands for any text.
BAD_EDITS = {
    # keys that nobody knows, at every level
    "digit: 1": "digit: expected one of …, got an unknown key (did you mean 'digits'?)",
    "runtime.threads: 2": "runtime.threads: expected one of inter_op_threads, intra_op_threads, "
    "got an unknown key (did you mean 'intra_op_threads'?)",
    "evaluation.resamples: 100": "evaluation.resamples: expected one of …, got an unknown key…",
    "digits.transformer: {}": "digits.transformer: expected one of …, got an unknown key",
    "digits.test_siz: 0.2": "digits.test_siz: … (did you mean 'test_size'?)",
    "digits.cnn.trainning: {}": "digits.cnn.trainning: expected one of network, training, "
    "got an unknown key (did you mean 'training'?)",
    "digits.cnn.network.kernel: 3": "digits.cnn.network.kernel: … (did you mean 'kernel_size'?)",
    "digits.lstm.network.heads: 3": "digits.lstm.network.heads: expected one of bidirectional, …",
    "mnist.cnn.training.epoch: 3": "mnist.cnn.training.epoch: … (did you mean 'epochs'?)",
    "digits.cnn.training.augmentation.flip: 1": "digits.cnn.training.augmentation.flip: "
    "expected one of elastic, ramp_epochs, rotation, scale, shear, shift, got an unknown key",
    "größe: 1": "größe: expected one of …, got an unknown key",
    r'"two\nlines\u2028": 1': r"two\nlines\u2028: expected one of …, got an unknown key",
    "1: 1": "1: expected one of …, got an unknown key",
    "digits.cnn.7: 1": "digits.cnn.7: expected one of network, training, got an unknown key",
    # keys that are needed
    "without runtime": "runtime: expected a value, got nothing",
    "without defaults.seeds": "digits.seeds: expected a value, got nothing",
    "without digits.shape.width": "digits.shape.width: expected a value, got nothing",
    "without digits.cnn.network": "digits.cnn.network: expected a value, got nothing",
    "without digits.cnn.network.units": "digits.cnn.network.units: expected a value, got nothing",
    "without digits.attention.network.mlp_width": "digits.attention.network.mlp_width: "
    "expected a value or null, got nothing",
    "runtime: null": "runtime: expected a group of keys, got null",
    "digits.split: null": "digits.split: expected "
    "'random', 'official', 'grouped' or 'by_time', got null",
    "digits.stratify: null": "digits.stratify: expected true or false, got null",
    "digits.cnn.training: null": "digits.cnn.training: expected a group of keys, got null",
    "digits.cnn.network: null": "digits.cnn.network: expected a group of keys or a preset: "
    "article, got null",
    # another type
    "runtime.intra_op_threads: true": "runtime.intra_op_threads: expected a whole number, got true",
    "runtime.intra_op_threads: '2'": 'runtime.intra_op_threads: expected a whole number, got "2"',
    "digits.cnn.training.epochs: 3.0": "digits.cnn.training.epochs: expected a whole number, "
    "got 3.0",
    "digits.test_size: '0.2'": 'digits.test_size: expected a number, got "0.2"',
    "digits.test_size: true": "digits.test_size: expected a number, got true",
    "digits.test_size: 2024-01-01": 'digits.test_size: expected a number, got "2024-01-01"',
    "digits.stratify: yes": 'digits.stratify: expected true or false, got "yes"',
    "digits.stratify: 1": "digits.stratify: expected true or false, got 1",
    "digits.sha256.images: 12": "digits.sha256.images: expected text, got 12",
    "digits: [1, 2]": "digits: expected a group of keys or null, got [1, 2]",
    "evaluation: all": 'evaluation: expected a group of keys, got "all"',
    "digits.seeds: 3": "digits.seeds: expected a list, got 3",
    "digits.seeds: {a: 1}": 'digits.seeds: expected a list, got {"a": 1}',
    "digits.seeds: [0, '8']": 'digits.seeds.1: expected a whole number, got "8"',
    "digits.shape.height: '8'": 'digits.shape.height: expected a whole number, got "8"',
    "digits.shape: [200, 8, 8]": "digits.shape: expected a group of keys, got [200, 8, 8]",
    "digits.max_images: all": 'digits.max_images: expected a whole number or null, got "all"',
    "digits.cnn.network: [8]": "digits.cnn.network: expected a group of keys or a preset: article, "
    "got [8]",
    "digits.cnn.network.filters: [8, 8]": "digits.cnn.network.filters.0: expected a list, got 8",
    "digits.cnn.training.augmentation: none": "digits.cnn.training.augmentation: "
    'expected a group of keys or null, got "none"',
    # values outside their range
    "runtime.inter_op_threads: 0": "runtime.inter_op_threads: expected a number greater than 0, "
    "got 0",
    "digits.cnn.training.epochs: -1": "digits.cnn.training.epochs: "
    "expected a number greater than 0, got -1",
    "digits.cnn.training.batch_size: 100000000000000000000000000000": "digits.cnn.training."
    "batch_size: expected a number of at most 1000000, got 100000000000000000000000000000",
    "digits.cnn.training.learning_rate: 0.0": "digits.cnn.training.learning_rate: "
    "expected a number greater than 0…, got 0.0",
    "digits.cnn.training.learning_rate: .nan": "digits.cnn.training.learning_rate: "
    "expected a finite number, got NaN",
    "digits.cnn.training.weight_decay: .inf": "digits.cnn.training.weight_decay: "
    "expected a finite number, got Infinity",
    "digits.cnn.training.warmup_epochs: -.inf": "digits.cnn.training.warmup_epochs: "
    "expected a finite number, got -Infinity",
    "digits.cnn.network.dropout: 1": "digits.cnn.network.dropout: "
    "expected a number less than 1…, got 1",
    "digits.cnn.network.dropout: -0.1": "digits.cnn.network.dropout: "
    "expected a number of at least 0…, got -0.1",
    "evaluation.confidence_level: 95": "evaluation.confidence_level: "
    "expected a number less than 1…, got 95",
    "digits.classes: 1": "digits.classes: expected a number of at least 2, got 1",
    "digits.random_state: 4294967296": "digits.random_state: "
    "expected a number less than 4294967296, got 4294967296",
    "digits.seeds: []": "digits.seeds: expected a list of at least 1, got []",
    "digits.seeds: [0, -1]": "digits.seeds.1: expected a number of at least 0, got -1",
    "digits.seeds: [0, 1, 0]": "digits.seeds: expected different seeds, got [0, 1, 0]",
    f"digits.seeds: {[*range(1001)]}": "digits.seeds: expected a list of at most 1000, got [0, 1…",
    "digits.sha256.images: abc": "digits.sha256.images: expected text that matches "
    '^[0-9a-f]{64}$, got "abc"',
    f"digits.sha256.labels: {DIGEST.upper()}": "digits.sha256.labels: expected text that matches…",
    "digits.cnn.training.schedule: linear": "digits.cnn.training.schedule: "
    "expected 'constant' or 'cosine', got \"linear\"",
    "digits.cnn.network: sed": "digits.cnn.network: expected a group of keys or a preset: article, "
    'got "sed"',
    "digits.lstm.network.sequence: columns": "digits.lstm.network.sequence: "
    "expected 'rows', 'pixels', 'patches' or 'players', got \"columns\"",
    # values that do not go together
    "digits.cnn.training.warmup_epochs: 3": "digits.cnn.training.warmup_epochs: "
    "expected fewer than the 3 epochs, got 3.0",
    "digits.cnn.training.schedule: constant": "digits.cnn.training.warmup_epochs: "
    "expected 0 with a constant schedule, got 1.0",
    "digits.lstm.network.patch_size: 3": "digits.lstm.network.patch_size: "
    "expected a side that divides images of 8×8, got 3",
    "digits.lstm.network.patch_size: null": "digits.lstm.network.patch_size: "
    "expected a side that divides images of 8×8, got …",
    "digits.lstm.network.sequence: rows": "digits.lstm.network.patch_size: "
    "expected null with sequence: rows, got 4",
    "digits.lstm.network.head: rows": "digits.lstm.network.head: "
    "expected last or flatten with sequence: patches, got rows",
    "digits.attention.network.patch_size: 3": "digits.attention.network.patch_size: "
    "expected patches that, 2 pixels apart, tile images of 8×8, got 3",
    "digits.attention.network.patch_size: 16": "digits.attention.network.patch_size: … got 16",
    "digits.attention.network.heads: 3": "digits.attention.network.heads: "
    "expected a divisor of the width 8, got 3",
    "digits.cnn.network.filters: [[8], [8], [8]]": "digits.cnn.network.kernel_size: "
    "expected convolutions that leave a pixel of images of 8×8, got 3 (padding: valid)",
    "digits.cnn.network.kernel_size: 9": "digits.cnn.network.kernel_size: "
    "expected convolutions that leave a pixel of images of 8×8, got 9 (padding: valid)",
    "digits.sha256: null": "digits.sha256: expected hashes, got null",
    f"digits.planting: {PLANTING}": "digits.sha256: expected null, got hashes",
    f"digits.planting: {PLANTING | {'patch_sizes': []}}": "digits."
    "planting.patch_sizes: expected a list of at least 1, got []",
    f"digits.planting: {PLANTING | {'contrast': 128}}": "digits."
    "planting.contrast: expected a number of at most 127…, got 128",
    "digits.sample.images: 41": "digits.sample.images: expected at most the 40 test images, got 41",
    "digits.additive.patch_size: 8": "digits.additive.patch_size: "
    "expected less than a side of images of 8×8, got 8",
    "digits.additive.units: []": "digits.additive.units: expected a list of at least 1, got []",
    "digits.additive.training.warmup_epochs: 2": "digits.additive.training.warmup_epochs: "
    "expected fewer than the 2 epochs, got 2.0",
    "digits.additive: null": "digits.additive: expected a group of keys, got null",
    "digits.shortcut: {label: 1}": "digits.shortcut.tag: expected a value, got nothing",
    f"digits.shortcut: {SHORTCUT}": "digits.shortcut.label: "
    "expected one of the classes 0 to 9, got 10",
    f"digits.shortcut: {SHORTCUT.replace('10', '9').replace('shift: 3', 'shift: 7')}": "digits."
    "shortcut.tag.size, tag.shift: expected room in images of 8×8, got 2, 7",
    "digits.probe.gram_images: 3": "digits.probe.gram_images: "
    "expected a number of at least 20, got 3",
    "digits.lesion: {steps: 0}": "digits.lesion.steps: expected a number greater than 0, got 0",
    "digits.similarity.blocks: 2": "digits.similarity.blocks: "
    "expected a number of at least 5, got 2",
    f"digits.shortcut: {SHORTCUT.replace('0.95', '0.5')}": "digits.shortcut.min_auc: "
    "expected a number greater than 0.5…, got 0.5",
    "sources: {Wine: wine.csv}": 'sources.Wine: expected text that matches …, got "Wine"',
    "sources: {wine: null}": "sources.wine: expected text, got null",
    "digits.dynamics.seeds: [0, 0]": "digits.dynamics.seeds: expected different seeds, got [0, 0]",
    "digits.dynamics.tuning_seed: 1": "digits.dynamics.tuning_seed: "
    "expected none of the seeds, got 1",
    "digits.dynamics.batch_size.rates.lowest: 0.5": "digits.dynamics.batch_size.rates: "
    "expected lowest at most highest, got 0.5, 0.2",
    "digits.dynamics.gradient_flow.variances.tanh: [0]": "digits.dynamics.gradient_flow."
    "variances.tanh.0: expected a number greater than 0…, got 0",
    "digits.dynamics.gradient_flow.depth: 1": "digits.dynamics.gradient_flow.depth: "
    "expected a number of at least 2, got 1",
    "digits.dynamics.overfitting.width: 1": "digits.dynamics.overfitting.width: expected one of …",
    "studied_datasets: [digits, digits]": "studied_datasets: expected some of the datasets of "
    'images, each once (digits, mnist), got ["digits", "digits"]',
    "studied_datasets: [planted]": "studied_datasets: expected some of the datasets of images, "
    'each once (digits, mnist), got ["planted"]',
    # cells that are not those of the groups
    "families: [cnn]": "families: expected one of …, got an unknown key",
    "without cells": "cells: expected a value, got nothing",
    "cells: [digits]": 'cells: expected a group of keys, got ["digits"]',
    "cells.digits-lstm: lstm": 'cells.digits-lstm: expected a group of keys, got "lstm"',
    "cells.digits-lstm.family: 1": "cells.digits-lstm.family: expected text, got 1",
    "cells.digits-lstm.family: cnn": 'cells.digits-lstm: expected {"dataset": "digits", '
    '"family": "lstm"}, got {"dataset": "digits", "family": "cnn"}',
    "cells.digits-lstm.dataset: mnist": 'cells.digits-lstm: expected {"dataset": "digits", '
    '"family": "lstm"}, got {"dataset": "mnist", "family": "lstm"}',
    "cells.digits-lstm.seed: x": 'cells.digits-lstm: expected {"dataset": …}, got {…"seed": "x"}',
    "without cells.digits-lstm.family": 'cells.digits-lstm: expected {"dataset": "digits", '
    '"family": "lstm"}, got {"dataset": "digits"}',
    "without cells.digits-lstm": 'cells.digits-lstm: expected {"dataset": "digits", '
    '"family": "lstm"}, got nothing',
    "cells.lstm-digits: {dataset: digits, family: lstm}": "cells.lstm-digits: expected only cells "
    'of digits, mnist that have a group, got {"dataset": "digits", "family": "lstm"}',
    "without digits.lstm": "cells.digits-lstm: expected only cells of digits, mnist that have a "
    'group, got {"dataset": "digits", "family": "lstm"}',
    "shortcut_cells: {digits-cnn: {dataset: digits, family: cnn}}": "shortcut_cells.digits-cnn: "
    'expected none, got {"dataset": "digits", "family": "cnn"}',
    f"digits.shortcut: {SHORTCUT.replace('10', '9')}": "shortcut_cells.digits-attention: "
    'expected {"dataset": "digits", "family": "attention"}, got nothing',
    "studied_datasets: [mnist]": "studied_cells.mnist-attention: expected {…}, got nothing",
    "studied_datasets: []": "studied_cells.digits-attention: expected none, got {…}",
    "digits.learning_rules.methods: [grad]": "digits.learning_rules.methods: expected some of "
    '…, got "grad"',
    "digits.learning_rules.training.warmup_epochs: 2": "digits.learning_rules.training."
    "warmup_epochs: expected fewer than the 2 epochs, got 2.0",
    "digits.verdict.max_correlation: 1": "digits.verdict.max_correlation: "
    "expected a number less than 1…, got 1",
    "digits.attribution.methods.rize: {}": "digits.attribution.methods.rize: expected one of …"
    " got an unknown key (did you mean 'rise'?)",
    "digits.attribution.methods.rise.masks: 0": "digits.attribution.methods.rise.masks: "
    "expected a number greater than 0, got 0",
    "digits.attribution.methods.gradient: 1": "digits.attribution.methods.gradient: "
    "expected a group of keys or null, got 1",
    "digits.attribution.methods.edges: {}": "digits.attribution.methods.edges: expected one of …",
    "digits.attribution.metrics.deletion_insertion: null": "digits.attribution.metrics: "
    "expected deletion_insertion, by which methods are ranked, got none",
    "digits.attribution.metrics.beauty: {}": "digits.attribution.metrics.beauty: expected one of …",
    "digits.split: official": "digits.split: "
    "expected 'random' where official_test_images is null, got 'official'",
    "digits.split: grouped": "digits.split: expected 'random' where source.group is null, "
    "got 'grouped'",
    "digits.split: by_time": "digits.split: expected 'random' where source.time is null, "
    "got 'by_time'",
    "digits.training.class_weight: equal": "digits.training.class_weight: expected 'balanced' "
    'or null, got "equal"',
    "digits.baselines.images: 0": "digits.baselines.images: expected a number greater than 0…",
    "mnist.max_images: 150": "mnist.max_images: expected null with split: official, got 150",
    "mnist.official_test_images: 200": "mnist.official_test_images: "
    "expected fewer than the 200 images, got 200",
    "mnist.official_test_images: 9": "mnist.official_test_images: expected a split that gives "
    "each of the 10 classes an example, got 9 of 200 images in the test part",
    "digits.test_size: 0.01": "digits.test_size: expected a split that gives "
    "each of the 10 classes an example, got 2 of 200 images in the test part",
    "digits.validation_size: 0.01": "digits.validation_size: expected a split that gives "
    "each of the 10 classes an example, got 2 of 200 images in the validation part",
    "digits.max_images: 40": "digits.test_size: expected a split that gives "
    "each of the 10 classes an example, got 8 of 40 images in the test part",
    "digits.validation_size: 0.95": "digits.shape: expected a split that gives "
    "each of the 10 classes an example, got 8 of 200 images in the train part",
    # named where the file has them: in the defaults, or for all families of a dataset
    "defaults: 3": "defaults: expected a group of keys, got 3",
    "defaults: null": "defaults: expected a group of keys, got null",
    "defaults.test_siz: 0.2": "defaults.test_siz: expected one of …, got an unknown key "
    "(did you mean 'test_size'?)",
    "defaults.test_size: 1.5": "defaults.test_size: expected a number less than 1…, got 1.5",
    "defaults.seeds: [0, -1]": "defaults.seeds.1: expected a number of at least 0, got -1",
    "defaults.sample.images: 0": "defaults.sample.images: expected a number greater than 0, got 0",
    "defaults.training.epoch: 3": "defaults.training.epoch: … (did you mean 'epochs'?)",
    "defaults.training.batch_size: -1": "defaults.training.batch_size: "
    "expected a number greater than 0, got -1",
    "defaults.training: 3": "defaults.training: expected a group of keys, got 3",
    "defaults.memorise: [3]": "defaults.memorise: expected a group of keys, got [3]",
    "defaults.lstm: none": 'defaults.lstm: expected a group of keys, got "none"',
    "digits.training: 3": "digits.training: expected a group of keys, got 3",
    "digits.training.augmentation: 3": "digits.training.augmentation: expected a group of keys, "
    "got 3",
    "defaults.attribution.methods: 3": "defaults.attribution.methods: expected a group of keys, "
    "got 3",
    "digits.cnn: 3": "digits.cnn: expected a group of keys or null, got 3",
    "defaults.training.muon: 3": "defaults.training.muon: expected a group of keys or null, got 3",
    "digits.training.learning_rate: 0": "digits.training.learning_rate: expected a number …, got 0",
    "digits.training.epoch: 3": "digits.training.epoch: … (did you mean 'epochs'?)",
    "defaults.lstm.network.bidirectional: 1": "defaults.lstm.network.bidirectional: "
    "expected true or false, got 1",
    "defaults.lstm.training.muon: 1": "defaults.lstm.training.muon: "
    "expected a group of keys or null, got 1",
    "defaults.attribution.methods.rise.masks: 0": "defaults.attribution.methods.rise.masks: "
    "expected a number greater than 0, got 0",
    # what does not go together is of a dataset, so it is named as its own
    "defaults.sample.images: 41": "digits.sample.images: expected at most the 40 test images, "
    "got 41",
    "digits.training.warmup_epochs: 3": "digits.attention.training.warmup_epochs: "
    "expected fewer than the 3 epochs, got 3.0",
}

# A whole file, None for none at all, and what the refusal must say.
BAD_FILES: dict[str, tuple[bytes | None, str]] = {
    "absent": (None, "expected a readable file, got: No such file or directory"),
    "empty": (b"", "the file: expected a group of keys, got null"),
    "a list": (b"- runtime\n", 'the file: expected a group of keys, got ["runtime"]'),
    "a number": (b"3\n", "the file: expected a group of keys, got 3"),
    "binary": (b"\x93NUMPY\x01\x00v\x00", "expected valid YAML, got: 'utf-8' codec can't decode…"),
    "a null byte": (b"runtime: \0", "expected valid YAML, got: unacceptable character…"),
    "a bracket too few": (
        b"runtime: {a: 1\ndigits: 3",
        "expected valid YAML, got: while parsing a flow mapping, expected ',' or '}'…, line …",
    ),
    "a tab": (b"runtime:\n\ta: 1", r"expected valid YAML, got: …'\t' that cannot start…, line 2"),
    "a key twice": (
        b"runtime: 1\nruntime: 2",
        'expected valid YAML, got: …found duplicate key "runtime"…, line 2',
    ),
    "two documents": (b"--- 1\n--- 2", "expected valid YAML, got: expected a single document…"),
    "an unknown alias": (b"runtime: *that", "expected valid YAML, got: …alias 'that', line 1"),
    "a Python object": (b"a: !!python/name:os.system", "expected valid YAML, got: …line 1"),
    "no such date": (b"runtime: 2024-13-01", "expected valid YAML, got: month must be in 1..12"),
    "a wrong tag": (b"runtime: !!bool maybe", "expected valid YAML, got: 'maybe'"),
    "a number of 5000 digits": (b"a: " + b"9" * 5000, "expected valid YAML, got: Exceeds the …"),
    "500 brackets": (b"[" * 500, "expected valid YAML, got: maximum recursion depth exceeded…"),
    "a date for a key": (b"2024-01-01: 1", "expected plain keys and values, got: keys must be …"),
    "a list that holds itself": (
        b"runtime: &a [*a]",
        "expected plain keys and values, got: Circular reference detected",
    ),
    "a group that holds itself": (
        b"runtime: &a\n  b: *a",
        "expected plain keys and values, got: Circular reference detected",
    ),
}


class BadParams(NamedTuple):
    content: bytes | None  # of params.yaml; None where there is no such file
    message: str  # a pattern for the whole of the one line

    def write(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if self.content is not None:
            path.write_bytes(self.content)


def good() -> dict[str, Any]:
    # By way of JSON, so that an edit of one cell's training is not one of all.
    return json.loads(json.dumps(YAML(typ="safe").load(GOOD)))


def edited(edit: str) -> bytes:
    content = good()
    key, value = edit.removeprefix("without "), None
    if key == edit:
        ((key, value),) = YAML(typ="safe").load(edit).items()
    *groups, last = key.split(".") if isinstance(key, str) else [key]
    group = content
    for name in groups:
        group = group.setdefault(name, {})
    if edit.startswith("without "):
        del group[last]
    else:
        group[last] = value
    return as_yaml(content)


def as_yaml(content: Any) -> bytes:
    file = io.BytesIO()
    YAML(typ="safe").dump(content, file)
    return file.getvalue()


@pytest.fixture
def good_params() -> dict[str, Any]:
    """The content of a small, good params.yaml for digits (random split) and mnist (official)."""
    return good()


@pytest.fixture(params=[*BAD_EDITS, *BAD_FILES])
def bad_params(request: pytest.FixtureRequest) -> BadParams:
    """One bad params.yaml after another."""
    if request.param in BAD_FILES:
        content, message = BAD_FILES[request.param]
    else:
        content, message = edited(request.param), BAD_EDITS[request.param]
    pattern = ".*".join(re.escape(text) for text in f"params.yaml: {message}".split("…"))
    return BadParams(content, pattern)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty project, and the folder one works in."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    """What lies in a folder: each file with its bytes, each folder."""
    return {
        path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


def load(file: Path, content: Any) -> schema.Params:
    file.write_bytes(as_yaml(content))
    return config.load(file)


def refusal(file: Path) -> str | None:
    """The one line that refuses a file, None for a file that is taken."""
    try:
        config.load(file)
    except ParameterError as error:
        return str(error)
    return None


def test_the_projects_own_file_is_good():
    ours = config.load(OURS)
    for dataset in ("digits", "mnist"):
        for family in ("feedforward", "lstm", "cnn", "attention"):
            assert ours.dataset(dataset).family(family).training.epochs > 0


def test_values_arrive_with_their_types(file, good_params):
    loaded = load(file, good_params)
    digits = loaded.dataset("digits")
    assert (digits.shape.images, digits.image_shape, digits.seeds) == (200, (8, 8), (0, 1))
    assert digits.max_images is None
    assert digits.family("cnn").network.filters == ((8,), (8,))
    rotation = digits.family("cnn").training.augmentation.rotation
    assert (type(rotation), rotation) == (float, 8.0)  # a whole number will do for a number
    assert loaded.dataset("mnist").split == "official"


def test_what_is_read_cannot_be_changed(file, good_params):
    loaded = load(file, good_params)
    with pytest.raises(ValidationError, match="frozen"):
        loaded.runtime.intra_op_threads = 1


def test_a_preset_stands_for_its_network(file, good_params):
    good_params["digits"]["lstm"]["network"] = "article"
    cell = load(file, good_params).dataset("digits").family("lstm")
    assert cell.network.units == (64, 64)
    assert cell.training.epochs == 3


def test_augmentation_may_be_left_out_or_null(file, good_params):
    digits = good_params["digits"]
    digits["training"]["augmentation"] = digits["cnn"]["training"]["augmentation"]
    for training in (digits["cnn"]["training"], digits["training"]):
        training["augmentation"] = None
        assert load(file, good_params).dataset("digits").family("cnn").training.augmentation is None
        del training["augmentation"]
    assert load(file, good_params).dataset("digits").family("cnn").training.augmentation is None


def test_the_nearest_group_says_what_holds(file, good_params):
    # From the last to the first place in which a cell's training is looked up.
    places = [
        good_params["defaults"]["training"],
        good_params["digits"]["training"],
        good_params["defaults"].setdefault("cnn", {}).setdefault("training", {}),
        good_params["digits"]["cnn"]["training"],
    ]
    for momentum, place in enumerate(places, start=1):
        place["ema_momentum"] = momentum / 10
        loaded = load(file, good_params)
        assert loaded.dataset("digits").family("cnn").training.ema_momentum == momentum / 10
    others = loaded.dataset("digits").family("lstm").training
    assert (others.ema_momentum, others.batch_size, others.warmup_epochs) == (0.2, 32, 1.0)
    assert loaded.dataset("digits").family("feedforward").training.batch_size == 64


def test_groups_are_merged_key_by_key_and_lists_replaced(file, good_params):
    good_params["digits"] |= {
        "seeds": [5],
        "sample": {"images": 7},
        "attribution": {"methods": {"rise": {"grid": 2}, "gradient": None}},
    }
    loaded = load(file, good_params)
    digits, mnist = loaded.dataset("digits"), loaded.dataset("mnist")
    assert (digits.seeds, mnist.seeds) == ((5,), (0, 1))
    assert (digits.sample.images, digits.sample.random_state) == (7, 0)
    methods = schema.requested(digits.attribution.methods)
    assert set(methods) == {"rise"}  # null leaves a default out
    assert (methods["rise"].masks, methods["rise"].grid) == (10, 2)
    assert set(schema.requested(mnist.attribution.methods)) == {"gradient", "rise"}
    network = digits.family("lstm").network
    assert (network.head, network.bidirectional, network.units) == ("last", True, (8,))


def without_lstm(params):
    del params["digits"]["lstm"], params["cells"]["digits-lstm"]
    del params["studied_cells"]["digits-lstm"]


def test_defaults_of_a_family_make_no_cell(file, good_params):
    without_lstm(good_params)
    loaded = load(file, good_params)
    assert loaded.dataset("digits").families == ("attention", "cnn", "feedforward")
    assert loaded.dataset("mnist").families == ("attention", "cnn", "feedforward", "lstm")


def without_mnist(params):
    del params["mnist"], params["sources"]["mnist"]
    params["datasets"] = ["digits"]
    params["cells"] = cells_of("digits")


def test_a_file_without_defaults_will_do(file, good_params):
    defaults = good_params.pop("defaults")
    training = {**defaults.pop("training"), "warmup_epochs": 0, "learning_rate": 0.1, "epochs": 2}
    network = {"units": [4], "batch_normalization": None, "dropout": 0.0}
    own = {name: good_params["digits"][name] for name in ("shape", "classes", "sha256")}
    del defaults["lstm"]
    without_mnist(good_params)
    alone = cells_of("digits", families=("feedforward",))
    good_params |= {"cells": alone, "studied_cells": alone}
    cell = {"network": network, "training": training}
    good_params["digits"] = {**defaults, **own, "feedforward": cell}
    assert load(file, good_params).dataset("digits").family("feedforward").training.epochs == 2


@pytest.mark.parametrize(
    ("source", "known"), [("mnist", None), ("planted", "digits, mnist"), (3, "text")]
)
def test_cues_are_planted_over_a_dataset_that_is_there(file, good_params, source, known):
    planting = PLANTING | {"source": source}
    good_params["planted"] = good_params["digits"] | {"sha256": None, "planting": planting}
    good_params["datasets"].append("planted")
    good_params["cells"] |= cells_of("planted")
    good_params["sources"]["planted"] = "planted.py"
    if known is None:
        assert load(file, good_params).dataset("planted").planting.source == source
    else:
        with pytest.raises(ParameterError, match=rf"planted\.planting\.source: expected .*{known}"):
            load(file, good_params)


def test_a_dataset_or_family_without_a_group_is_refused_when_asked_for(file, good_params):
    without_mnist(good_params)
    without_lstm(good_params)
    loaded = load(file, good_params)
    with pytest.raises(ParameterError, match=r"^params\.yaml: expected a group for .*'mnist'"):
        loaded.dataset("mnist")
    with pytest.raises(ParameterError, match=r"^params\.yaml: expected a group for .*'lstm'"):
        loaded.dataset("digits").family("lstm")


@pytest.mark.parametrize(
    ("enough", "too_little"),
    [
        ({"test_size": 0.05}, {"test_size": 0.045}),  # 10, 9 images
        ({"validation_size": 0.0625}, {"validation_size": 0.056}),
        ({"test_size": 0.5, "validation_size": 0.9}, {"test_size": 0.5, "validation_size": 0.91}),
        ({"test_size": 0.2, "max_images": 46}, {"test_size": 0.2, "max_images": 45}),
    ],
)
def test_the_smallest_part_that_can_hold_every_class(file, good_params, enough, too_little):
    good_params["digits"] |= {"validation_size": 0.5, "sample": {"images": 9}} | enough
    load(file, good_params)
    good_params["digits"] |= too_little
    with pytest.raises(ParameterError, match="each of the 10 classes an example, got 9 of"):
        load(file, good_params)


def test_refused_with_one_line_that_names_key_expected_and_got(file, bad_params):
    bad_params.write(file)
    message = refusal(file)
    assert message is not None
    assert re.fullmatch(bad_params.message, message), message
    assert len(message) < 500
    # The words of the machinery are none of the reader's business.
    assert not re.search(
        r"pydantic|Literal|function-|\bdict|tuple|str type|NoneType|Input", message
    )


@pytest.mark.parametrize("bad_params", [*BAD_EDITS, *BAD_FILES][::9], indirect=True)
def test_refused_on_the_command_line_before_any_work(project, bad_params, monkeypatch, capsys):
    def work(*_):
        pytest.fail("worked with bad parameters")

    bad_params.write(project / "params.yaml")
    before = snapshot(project)
    monkeypatch.setattr(sys, "argv", ["stage", "digits", "cnn"])
    with pytest.raises(SystemExit) as left:
        command.run_cell(work)
    output = capsys.readouterr()
    assert left.value.code == 2
    assert re.fullmatch(f"error: {bad_params.message}\n", output.err), output.err
    assert output.out == ""
    assert snapshot(project) == before


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_refuses(project, stage, monkeypatch, capsys):
    message = r"mnist\.cnn\.training\.epochs: expected .*, got -1"
    (project / "params.yaml").write_bytes(edited("mnist.cnn.training.epochs: -1"))
    before = snapshot(project)
    name = f"glassnets.pipeline.stages.{stage}"
    of_dataset = (*manifests.OF_DATASET, *manifests.OF_STUDIED)
    family = [] if stage in of_dataset else ["cnn"]
    monkeypatch.setattr(sys, "argv", [name, "digits", *family])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as left:
        runpy.run_module(name, run_name="__main__")
    output = capsys.readouterr()
    assert re.fullmatch(rf"error: params\.yaml: {message}\n", output.err), output.err
    assert left.value.code == 2
    assert output.out == ""
    assert snapshot(project) == before


def test_a_folder_is_no_file(file):
    file.mkdir()
    assert refusal(file) == "params.yaml: expected a readable file, got: Is a directory"


def test_one_complaint_at_a_time_and_a_misspelt_key_before_the_missing_one(file, good_params):
    training = good_params["digits"]["cnn"]["training"]
    training["epoch"] = training.pop("epochs")
    training["batch_size"] = -1
    with pytest.raises(ParameterError, match=r"training\.epoch: .*did you mean 'epochs'\?"):
        load(file, good_params)


# Any small edit of a good file: taken, or refused in one line; never a traceback.

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 10**6, 2**32, 2**63, 10**400, -(10**400)])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["article", "rows", "pixels", "patches", "official", "constant", "a\u2028b"])
    | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=10) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)


def groups_of(content: Any) -> list[Any]:
    """All mappings and lists in it, the outermost first."""
    if not isinstance(content, dict | list):
        return []
    inner = content.values() if isinstance(content, dict) else content
    return [content, *(group for value in inner for group in groups_of(value))]


def edit(content: Any, draw: Any) -> None:
    """Drops, adds or replaces one value somewhere in it."""
    group = draw(st.sampled_from([group for group in groups_of(content) if group]))
    place = draw(st.sampled_from(list(group) if isinstance(group, dict) else range(len(group))))
    match draw(st.sampled_from(["drop", "add", "replace"])):
        case "drop":
            del group[place]
        case "add" if isinstance(group, list):
            group.insert(place, draw(VALUES))
        case "add":
            group[draw(st.text(max_size=300) | SCALARS)] = draw(VALUES)
        case "replace":
            group[place] = draw(VALUES)


def assert_taken_or_refused_in_one_line(file: Path) -> None:
    message = refusal(file)
    if message is not None:
        assert message.startswith("params.yaml: ")
        assert len(message.splitlines()) == 1
        assert len(message) < 500
        assert "expected" in message
        assert "got" in message


random_edits = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@random_edits
@given(data=st.data())
def test_any_small_edit_is_taken_or_refused_in_one_line(file, good_params, data):
    content = json.loads(json.dumps(good_params))
    for _ in range(data.draw(st.integers(1, 3))):
        edit(content, data.draw)
    file.write_bytes(as_yaml(content))
    assert_taken_or_refused_in_one_line(file)


@random_edits
@given(data=st.data())
def test_any_slip_of_the_keyboard_is_taken_or_refused_in_one_line(file, data):
    text = OURS.read_text(encoding="utf-8")
    place = data.draw(st.integers(0, len(text)))
    kept_from = place + data.draw(st.integers(0, 5))
    typed = data.draw(st.text("{}[]:,-#&*!|>'\"%@`?= \n\t~<.019aeE_\\", max_size=4) | st.text())
    file.write_text(text[:place] + typed + text[kept_from:], encoding="utf-8")
    assert_taken_or_refused_in_one_line(file)
