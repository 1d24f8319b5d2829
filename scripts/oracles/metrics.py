"""Literals for test/metrics.test.ts, from Keras 3's formulas in NumPy float64.

    python3 scripts/oracles/metrics.py > test/literals/metrics.json

Each case is a metric with its options, batches of targets, predictions and perhaps weights, and the result after each
batch. What is written anew here from the published formulas:
  - the mean: values of a sample are averaged over all axes but those of the weights, weighted, averaged over the rest, and
    added; the divisor is the number of samples, or the sum of their (averaged) weights; 0 / 0 is 0;
  - accuracies by argmax (the first of equals) or by a threshold; in the top k is a class that fewer than k exceed;
  - errors and divergences with their 1e-7; cosine similarity with the sign of the metric, not of the loss;
  - cross-entropies: categorical probabilities are divided by their sum, all are cut to [1e-7, 1 - 1e-7]; from logits they
    are softmax or sigmoid of these; smoothed targets are t * (1 - s) + s / classes, with 2 classes for binary ones.
Targets have the layout of the metrics here, which is that of Keras.
"""
import json

import numpy as np

rng = np.random.default_rng(20241124)
EPS = 1e-7


def numbers(shape, low=-2.0, high=2.0):
    """Values with few digits, exact in float32."""
    return np.round(rng.uniform(low, high, shape) * 32) / 32


def shares(shape):
    """Positive numbers, not yet of sum 1."""
    return numbers(shape, 0.0625, 1.0)


def normalized(values):
    return values / values.sum(-1, keepdims=True)


def softmax(x):
    return normalized(np.exp(x - x.max(-1, keepdims=True)))


def hot(labels, classes):
    return np.eye(classes)[labels]


def clip(p):
    return np.clip(p, EPS, 1 - EPS)


def signed(t):
    return np.where(np.all((t == 0) | (t == 1)), 2 * t - 1, t)


def top_k(labels, p, k):
    own = np.take_along_axis(p, labels[..., None], -1)
    return ((p > own).sum(-1) < k).astype(float)


def cosine(t, p, axis=-1):
    def unit(x):
        return x / np.sqrt(np.maximum((x * x).sum(axis, keepdims=True), EPS**2))

    return (unit(t) * unit(p)).sum(axis)


def categorical(t, p, from_logits=False, smoothing=0.0):
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    q = softmax(p) if from_logits else clip(normalized(p))
    return -(t * np.log(q)).sum(-1)


def binary(t, p, from_logits=False, smoothing=0.0):
    t = t * (1 - smoothing) + smoothing / 2
    q = 1 / (1 + np.exp(-p)) if from_logits else clip(p)
    return -(t * np.log(q) + (1 - t) * np.log(1 - q)).mean(-1)


def squeezed(t, p):
    return t[..., 0] if t.ndim == p.ndim else t


def kullback_leibler(t, p):
    t, p = np.clip(t, EPS, 1), np.clip(p, EPS, 1)
    return (t * np.log(t / p)).sum(-1)


def logarithmic(t, p):
    return ((np.log1p(np.maximum(t, EPS)) - np.log1p(np.maximum(p, EPS))) ** 2).mean(-1)


class Mean:
    def __init__(self):
        self.total, self.count = 0.0, 0.0

    def update(self, values, weight=None):
        values = np.asarray(values, dtype=float)
        if weight is None:
            weight = np.ones(values.shape[:1])
        values = values.mean(tuple(range(weight.ndim, values.ndim))) * weight
        rest = tuple(range(1, weight.ndim))
        self.total += values.mean(rest).sum()
        self.count += weight.mean(rest).sum()

    def result(self):
        return self.total / self.count if self.count else 0.0


def listed(value):
    array = np.asarray(value)
    whole = array.dtype.kind in "iu"
    return {
        "shape": list(array.shape),
        "values": [int(v) if whole else float(f"{v:.9g}") for v in array.reshape(-1)],
        "integer": whole,
    }


cases = []


def case(metric, f, batches, options=None, root=False):
    mean = Mean()
    listed_batches = []
    for t, p, *weight in batches:
        mean.update(f(np.asarray(t), np.asarray(p, dtype=float)), *weight)
        result = np.sqrt(mean.result()) if root else mean.result()
        batch = {"yTrue": listed(t), "yPred": listed(np.asarray(p, dtype=float)), "result": float(f"{result:.9g}")}
        if weight:
            batch["weight"] = listed(weight[0])
        listed_batches.append(batch)
    cases.append({"metric": metric, "options": options or {}, "batches": listed_batches})


def labels(shape, classes):
    return rng.integers(0, classes, shape)


w = lambda *shape: numbers(shape, 0.0, 2.0)

# Accuracies. Ties: the first of equals is the prediction; a prediction of 0.5 is not above the threshold.
hits = lambda t, p: t == (p > 0.5)
case("binaryAccuracy", hits, [([[1.0], [1.0], [0.0], [0.0]], [[0.98], [0.5], [0.0], [0.625]]),
                              (labels((3, 1), 2) * 1.0, shares((3, 1)))])
case("binaryAccuracy", lambda t, p: t == (p > 0), [(labels((4, 3), 2), numbers((4, 3)), w(4))], {"threshold": 0})
case("binaryAccuracy", hits, [(labels((3, 4), 2), shares((3, 4)), w(3, 4)), (labels((2, 4), 2), shares((2, 4)))])
largest = lambda t, p: t.argmax(-1) == p.argmax(-1)
case("categoricalAccuracy", largest, [(hot(np.array([0, 1, 2, 1]), 3), [[1, 1, 0.5], [1, 1, 0.5], [0, 2, 2], [0, 2, 2]]),
                                      (hot(labels(5, 3), 3), numbers((5, 3)), w(5))])
case("categoricalAccuracy", largest, [(hot(labels((2, 3), 4), 4), numbers((2, 3, 4)), w(2, 3))])
named = lambda t, p: squeezed(t, p) == p.argmax(-1)
case("sparseCategoricalAccuracy", named, [(np.array([0, 1, 1]), [[1, 1, 0.5], [1, 1, 0.5], [0, 2, 2]]),
                                          (labels((4, 1), 3), numbers((4, 3)), np.array([0.0, 1.0, 0.5, 2.0]))])
case("sparseCategoricalAccuracy", named, [(labels((3, 5), 2), numbers((3, 5, 2)), w(3))])
case("topKCategoricalAccuracy", lambda t, p: top_k(t.argmax(-1), p, 5), [(hot(labels(6, 9), 9), numbers((6, 9)), w(6))])
case("topKCategoricalAccuracy", lambda t, p: top_k(t.argmax(-1), p, 2), [(hot(labels(8, 4), 4), numbers((8, 4)))], {"k": 2})
case("sparseTopKCategoricalAccuracy", lambda t, p: top_k(squeezed(t, p), p, 5), [(labels((7, 1), 8), numbers((7, 8)))])
case("sparseTopKCategoricalAccuracy", lambda t, p: top_k(t, p, 2),
     [(np.array([0, 2, 3, 1]), [[1, 3, 2, 0], [1, 3, 2, 2], [1, 3, 2, 2], [0, 0, 0, 0]])], {"k": 2})

# 'accuracy' by shapes.
case("accuracy", hits, [(labels((5, 1), 2), shares((5, 1)), w(5))])
case("accuracy", named, [(labels((5,), 3), numbers((5, 3))), (labels((2,), 3), numbers((2, 3)), w(2))])
case("accuracy", named, [(labels((5, 1), 3), numbers((5, 3)))])
case("accuracy", largest, [(hot(labels(6, 3), 3), numbers((6, 3)))])
case("accuracy", hits, [(labels((6, 3), 2) * 1.0, shares((6, 3)))], {"loss": "binaryCrossentropy"})

# Errors.
def error(metric, f, make=numbers, **more):
    case(metric, f, [(make((4, 3)), make((4, 3))), (make((2, 3)), make((2, 3)), w(2))], **more)


error("meanSquaredError", lambda t, p: ((t - p) ** 2).mean(-1))
error("rootMeanSquaredError", lambda t, p: (t - p) ** 2, root=True)
case("rootMeanSquaredError", lambda t, p: (t - p) ** 2, [(numbers((3, 2)), numbers((3, 2)), w(3, 2))], root=True)
error("meanAbsoluteError", lambda t, p: np.abs(t - p).mean(-1))
error("meanAbsolutePercentageError", lambda t, p: 100 * np.abs((t - p) / np.maximum(np.abs(t), EPS)).mean(-1), make=shares)
error("meanSquaredLogarithmicError", logarithmic)
error("logCosh", lambda t, p: np.log(np.cosh(p - t)).mean(-1))
error("cosineSimilarity", cosine)
case("cosineSimilarity", lambda t, p: cosine(t, p, 1), [(numbers((2, 3, 4)), numbers((2, 3, 4)), w(2))], {"axis": 1})
case("meanSquaredError", lambda t, p: ((t - p) ** 2).mean(-1), [(numbers((2, 3, 4)), numbers((2, 3, 4)), w(2)),
                                                                (numbers((3, 3, 4)), numbers((3, 3, 4)), w(3, 3))])

# Hinges, Poisson, divergence.
case("hinge", lambda t, p: np.maximum(1 - signed(t) * p, 0).mean(-1),
     [(2.0 * labels((4, 2), 2) - 1, numbers((4, 2))), (1.0 * labels((3, 2), 2), numbers((3, 2)), w(3))])
case("squaredHinge", lambda t, p: (np.maximum(1 - signed(t) * p, 0) ** 2).mean(-1),
     [(2.0 * labels((4, 2), 2) - 1, numbers((4, 2)))])
case("categoricalHinge", lambda t, p: np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0),
     [(hot(labels(4, 3), 3), numbers((4, 3)), w(4))])
error("poisson", lambda t, p: (p - t * np.log(p + EPS)).mean(-1), make=shares)
error("klDivergence", kullback_leibler, make=shares)

# Cross-entropies.
case("binaryCrossentropy", binary, [(1.0 * labels((4, 2), 2), shares((4, 2))), (1.0 * labels((3, 2), 2), shares((3, 2)), w(3))])
case("binaryCrossentropy", lambda t, p: binary(t, p, True, 0.1), [(1.0 * labels((4, 2), 2), numbers((4, 2)))],
     {"fromLogits": True, "labelSmoothing": 0.1})
case("categoricalCrossentropy", categorical, [(hot(labels(4, 3), 3), shares((4, 3)), w(4))])
case("categoricalCrossentropy", lambda t, p: categorical(t, p, True, 0.2), [(hot(labels(4, 3), 3), numbers((4, 3)))],
     {"fromLogits": True, "labelSmoothing": 0.2})
case("sparseCategoricalCrossentropy", lambda t, p: categorical(hot(squeezed(t, p), 3), p), [(labels((4, 1), 3), shares((4, 3)))])
case("sparseCategoricalCrossentropy", lambda t, p: categorical(hot(t, 3), p, True),
     [(labels((4,), 3), numbers((4, 3)), w(4)), (labels((2,), 3), numbers((2, 3)))], {"fromLogits": True})

print("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]")
