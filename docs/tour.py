# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A tour
#
# From a network's prediction to the question whether its explanation can be believed, in seven
# steps on the networks that `make run` trained on digits. Run it as a notebook (`jupytext --to
# ipynb docs/tour.py`, or any editor that opens `# %%` cells), or as a script, `python
# docs/tour.py`, in the environment (`source .venv/bin/activate`), in this repository. It takes
# about a minute.
#
# ## 1. The networks
#
# One network of each family, as it was trained with seed 0. The processor is pinned first, as in
# every stage, so that the numbers are the same on other machines.

# %%
from glassnets import config, runtime

runtime.pin_processor()  # before NumPy is loaded

import logging

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from glassnets.pipeline import artefacts, trained

params = config.load(artefacts.params_file())
runtime.start_tensorflow(params.runtime)
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # five networks are many to it
pd.options.display.width = 120
digits = params.dataset("digits")
training = artefacts.load_arrays(artefacts.part("digits", "train"))
networks = {
    family: trained.of_project(digits, "digits", family, 0, training) for family in digits.families
}
pd.Series({family: network.network.model.count_params() for family, network in networks.items()})

# %% [markdown]
# ## 2. What they predict
#
# Of the test images, one on which the families disagree most. All families see the same pixels.

# %%
test = artefacts.load_arrays(artefacts.part("digits", "test"))
probabilities = {f: network.probabilities(test["images"]) for f, network in networks.items()}
predicted = pd.DataFrame({family: p.argmax(axis=1) for family, p in probabilities.items()})
wrong = predicted.ne(test["labels"], axis=0)
print("test images predicted wrongly:", wrong.sum().to_dict())
place = int(predicted.nunique(axis=1).add(wrong.mean(axis=1)).argmax())
image, label = test["images"][place], test["labels"][place]
table = pd.DataFrame({family: p[place] for family, p in probabilities.items()}).T
print(f"test image {test['index'][place]}, labelled {label}; probabilities in percent:")
(100 * table).round(1)

# %% The test image on which the families disagree
figure, axes = plt.subplots(figsize=(2.2, 2.2))
axes.imshow(image, cmap="gray")
axes.set(xticks=[], yticks=[], title=f"label {label}")
plt.show()

# %% [markdown]
# ## 3. Why: a map, and what it depends on
#
# A map gives each pixel a number: how much it speaks for the predicted class (red) or against it
# (blue). The same network, the same image, the same class; two methods, each with two
# *references*, what stands in the place of an absent pixel.

# %% Maps of one prediction by two methods, each with two references
cnn = networks["cnn"]
variants = [
    f"{method}:{reference}"
    for method in ("integrated_gradients", "occlusion")
    for reference in ("mean", "draws")
]
target = probabilities["cnn"][place].argmax()
maps = {
    variant: cnn.attribute(variant, image[np.newaxis], np.array([target]))[0]
    for variant in variants
}
figure, row = plt.subplots(1, 4, figsize=(9, 2.6))
for axes, (variant, values) in zip(row, maps.items(), strict=True):
    largest = np.abs(values).max()
    axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set(xticks=[], yticks=[])
    axes.set_title(variant.replace(":", ",\n"), fontsize=9)
figure.suptitle(f"why {target}?", y=1.08)
plt.show()

# %% [markdown]
# Which of them is right? Their looks do not tell. How alike they are, as the correlation of their
# pixels:

# %%
flat = pd.DataFrame({variant: values.ravel() for variant, values in maps.items()})
flat.corr().round(2)

# %% [markdown]
# ## 4. What a control scores
#
# A *control* is a map that never looks at the network, such as the edges of the image. All maps
# are judged by the same score, insertion − deletion: the area under the curve of the class'
# probability when the most important pixels are added first, minus the area when they are removed
# first. A method that scores no better than a control has shown nothing about the network.

# %%
board = cnn.leaderboard.set_index("method")
score = ["insertion_minus_deletion" + end for end in ("", "_ci_low", "_ci_high")]
controls = board[board["control"]].sort_values(score[0], ascending=False)
compared = pd.concat([board.loc[variants], controls])
(compared[score].round(2) + 0).set_axis(["score", "from", "to"], axis=1)

# %% [markdown]
# ## 5. The verdict, and what it depends on
#
# The verdict on a method joins six tests of that kind, on all explained images and the networks
# of three seeds.

# %%
for variant in variants:
    print(f"{variant}: {cnn.verdict(variant).text}")

# %% [markdown]
# Pixels must be removed to judge a map, and something must stand in their place then, too. The
# score of one variant by each kind of removal; *matched* is the removal by the variant's own
# reference, which does not count for its verdict:

# %%
scores = pd.read_csv(artefacts.results("digits") / "scores_by_removal.csv")
own = scores.query("family == 'cnn' and variant == 'integrated_gradients:mean'")
own.set_index("removal")[["mean", "ci_low", "ci_high", "matched"]].round(2)

# %% [markdown]
# *share* is the part of some 15 choices (a single removal, other thresholds, half of the images,
# …) under which the verdict holds; *unstable* means that it holds under one and fails under
# another:

# %%
board.loc[variants, ["verdict", "share", "unstable"]].round(2)

# %% [markdown]
# ## 6. The best supported method of each family

# %%
best = {f: trained.default_method(network.leaderboard, None) for f, network in networks.items()}
for family, variant in best.items():
    print(f"{family}: {variant}, which {networks[family].verdict(variant).text}")

# %% [markdown]
# The whole, for every method and family: [the page of verdicts](../results/digits/verdicts.md),
# and [how verdicts are reached](explanation/verdicts.md).
#
# ## 7. A model of your own
#
# The same tests for any function from an array to probabilities; here a scikit-learn model of a
# table.

# %%
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glassnets.attribution import judge

wine = load_wine()
train_rows, rows, train_labels, labels = train_test_split(
    wine.data, wine.target, test_size=0.3, random_state=0
)

# %% [markdown]
# In three lines:

# %%
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_rows, train_labels)
judged = judge(model.predict_proba, rows, labels, train_rows, train_labels, sample=30)
print(judged)

# %% [markdown]
# Some tests cannot be made with one function alone, and are never counted as passed: what they
# need is in [Your own model](own-model.md#what-one-model-does-not-allow).
