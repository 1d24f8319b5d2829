"""How well scikit-learn's multilayer perceptrons do on the data of test/learning*.test.ts.

    python3 scripts/oracles/learning.py [TABULAR_FOLDER]

Prints, for each set, the mean and the standard deviation over 20 splits into three quarters to train and one to test on,
each with other initial weights: the accuracy of classifiers, R2 of regressions. Without the folder of CSV files only the
generated sets are there. Columns are scaled to mean 0 and deviation 1 of the training rows, so is the target of a
regression. Everything else is as in the tests: layers, activation, Adam with its rate, size of batches, epochs; no penalty
on weights, no early end. What differs: scikit-learn's biases start from random numbers and its Adam has an epsilon of 1e-8.
"""
import pathlib
import sys
import warnings

import numpy as np
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

SPLITS = 20


def spirals(seed, samples=600, noise=0.02, turns=1.5):
    """Two arms, as src/data/generated.ts draws them."""
    generator = np.random.default_rng(seed)
    label = np.arange(samples) % 2
    radius = 0.1 + 0.9 * np.sqrt(generator.uniform(size=samples))
    angle = 2 * np.pi * (turns * radius + label / 2)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return x + noise * generator.standard_normal(x.shape), label


def table(name):
    """The last column is the target; class names become numbers."""
    rows = [line.split(",") for line in (folder / f"{name}.csv").read_text().split()]
    x = np.array([row[:-1] for row in rows], "f8")
    last = [row[-1] for row in rows]
    try:
        return x, np.array(last, "f8")
    except ValueError:
        return x, np.unique(last, return_inverse=True)[1]


def moons(seed):
    return make_moons(400, noise=0.2, random_state=seed)


def from_file(name):
    return lambda seed: table(name)


# data, regression?, hidden units, activation, learning rate, batch, epochs
GENERATED = {
    "moons": (moons, False, (16,), "tanh", 0.05, 32, 40),
    "spirals": (spirals, False, (32, 32), "tanh", 0.02, 64, 80),
}
FILES = {
    "iris": (False, (16,), "relu", 0.01, 16, 40),
    "wine": (False, (16,), "relu", 0.01, 16, 20),
    "banknote_authentication": (False, (16,), "relu", 0.01, 64, 20),
    "housing": (True, (32, 32), "relu", 0.005, 32, 50),
    "winequality-red": (True, (32,), "relu", 0.005, 64, 20),
}


def score(make, regression, hidden, activation, rate, batch, epochs, seed):
    x, y = make(seed)
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(x)
    if regression:
        middle, spread = y.mean(), y.std()
        y, test_y = (y - middle) / spread, (test_y - middle) / spread
    model = (MLPRegressor if regression else MLPClassifier)(
        hidden, activation=activation, learning_rate_init=rate, batch_size=batch, max_iter=epochs,
        alpha=0, tol=0, n_iter_no_change=epochs + 1, random_state=seed,
    )
    return model.fit(scaler.transform(x), y).score(scaler.transform(test_x), test_y)


warnings.simplefilter("ignore", ConvergenceWarning)
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None
sets = dict(GENERATED)
if folder:
    sets.update({name: (from_file(name), *rest) for name, rest in FILES.items()})
for name, setup in sets.items():
    found = [score(*setup, seed) for seed in range(SPLITS)]
    print(f"{name}: {np.mean(found):.4f} +- {np.std(found, ddof=1):.4f}, least {min(found):.4f}", flush=True)
