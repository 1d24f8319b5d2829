"""Literals for test/losses.test.ts, from PyTorch and from Keras 3's formulas in float64.

    python3 scripts/oracles/losses.py > test/literals/losses.json

Each case is a loss with its options, its inputs, its value and the gradients of sum(value * weights).

PyTorch's own functions, with autograd, compute what they share with Keras:
  - categorical and sparse cross-entropy from logits (cross_entropy; classes come second there, last here), smoothing
    included, whose formula t * (1 - s) + s / classes is the same;
  - binary cross-entropy from logits, then the mean over the last axis;
  - mse_loss, l1_loss, huber_loss, then the mean over the last axis; cosine_similarity with the opposite sign;
  - ctc_loss on log_softmax(logits), with (time, batch, classes) there and (batch, time, classes) here, reduction 'none'.

Where Keras differs, its published formula is written anew here with float64 tensors, and autograd gives its gradients:
  - probabilities: categorical ones are divided by their sum, and all are cut to [1e-7, 1 - 1e-7], before the logarithm;
  - the logarithmic and percentage errors, log-cosh, the hinges, Kullback-Leibler and Poisson, each with its 1e-7;
  - the reductions: the sum is divided by the number of losses, also with weights; a mask multiplies by total / valid,
    which leaves the mean of what is kept; a mean with weights divides by their sum.
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20240917)
EPS = 1e-7


def numbers(shape, low=-2.0, high=2.0):
    """Values with few digits, exact in float32."""
    return np.round(rng.uniform(low, high, shape) * 32) / 32


def listed(value):
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    values = [int(v) if array.dtype.kind in "iu" else float(f"{v:.9g}") for v in array.reshape(-1)]
    return {"shape": list(array.shape), "values": [v if np.isfinite(v) else str(v) for v in values]}


cases = []


def case(loss, options, f, t, p, labels=None):
    """Runs f(t, p) on leaves; integer targets have no gradient."""
    integer = np.asarray(t).dtype.kind in "iu"
    target = torch.tensor(t, requires_grad=not integer)
    pred = torch.tensor(p, requires_grad=True)
    value = f(target, pred)
    weights = numbers(value.shape, 0.5, 1.5)
    (value * torch.tensor(weights)).sum().backward()
    cases.append(
        {
            "loss": loss,
            "options": options,
            "yTrue": listed(t),
            "integer": integer,
            "yPred": listed(p),
            "value": listed(value),
            "weights": listed(weights),
            "gradTrue": None if integer or target.grad is None else listed(target.grad),
            "gradPred": listed(pred.grad),
        }
    )


def reduced(values, options):
    """Keras' reduce_weighted_values; weights and masks have the shape of the losses here."""
    weight = options.get("sampleWeight")
    weight = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    mask = options.get("mask")
    reduction = options.get("reduction", "sumOverBatchSize")
    if mask is not None:
        mask = torch.tensor(mask, dtype=torch.float64)
        if reduction == "sumOverBatchSize":
            mask = mask * (mask.numel() / mask.sum())
        weight = mask if weight is None else weight * mask
    if weight is not None:
        values = values * weight
    if reduction == "none" or values.dim() == 0:
        return values
    if reduction == "sum":
        return values.sum()
    if reduction == "meanWithSampleWeight" and weight is not None:
        return values.sum() / weight.sum()
    return values.sum() / values.numel()


def smooth(t, s, n):
    return t * (1 - s) + s / n


def from_logits(t, p, axis=-1, smoothing=0.0):
    """PyTorch's cross_entropy with the classes moved to its second axis."""
    moved = torch.movedim(p, axis, 1) if p.dim() > 1 else p
    if t.dtype == torch.int64:
        return F.cross_entropy(moved, t, reduction="none")
    wanted = torch.movedim(t, axis, 1)
    return F.cross_entropy(moved, wanted, reduction="none", label_smoothing=smoothing)


def from_probabilities(t, p, axis=-1, smoothing=0.0):
    p = p / p.sum(axis, keepdim=True)
    p = p.clamp(EPS, 1 - EPS)
    if t.dtype == torch.int64:
        return -torch.log(p).gather(axis, t.unsqueeze(axis)).squeeze(axis)
    return -(smooth(t, smoothing, p.shape[axis]) * torch.log(p)).sum(axis)


def distribution(shape, axis=-1):
    """Targets that sum to 1, in 64ths."""
    moved = [n for i, n in enumerate(shape) if i != axis % len(shape)] + [shape[axis]]
    counts = rng.multinomial(64, np.ones(shape[axis]) / shape[axis], size=moved[:-1])
    return np.moveaxis(counts / 64.0, -1, axis)


W = [0.5, 2.0, 1.25, 0.75]
M = [1, 0, 1, 1]
OPTIONS = [
    {},
    {"reduction": "sum", "sampleWeight": W},
    {"reduction": "none", "sampleWeight": W},
    {"sampleWeight": W},
    {"sampleWeight": W, "mask": M},
    {"mask": M},
    {"reduction": "meanWithSampleWeight", "sampleWeight": W, "mask": M},
    {"reduction": "sum", "mask": M},
]

# Cross-entropies from logits: classes of 1, 3, 67; the class axis elsewhere; smoothing; the reductions.
for index, (classes, smoothing) in enumerate([(3, 0.0), (3, 0.1), (1, 0.0), (67, 0.25), (5, 0.0), (4, 0.5), (2, 0.0), (6, 0.1)]):
    options = {"fromLogits": True, **({"labelSmoothing": smoothing} if smoothing else {}), **OPTIONS[index]}
    f = lambda t, p, o=options, s=smoothing: reduced(from_logits(t, p, -1, s), o)
    few = min(classes, 17)
    case("categoricalCrossentropy", options, f, distribution((4, few)), numbers((4, few), -3, 3))
    options = {"fromLogits": True, **OPTIONS[index]}
    f = lambda t, p, o=options: reduced(from_logits(t, p), o)
    case("sparseCategoricalCrossentropy", options, f, rng.integers(0, classes, 4), numbers((4, classes), -3, 3))
for shape, axis in [((2, 3, 4), 1), ((2, 5, 2), 1), ((2, 3, 2, 2), 1)]:
    options = {"fromLogits": True, "axis": axis, "reduction": "none"}
    f = lambda t, p, a=axis: from_logits(t, p, a)
    case("categoricalCrossentropy", options, f, distribution(shape, axis), numbers(shape))
    case("sparseCategoricalCrossentropy", options, f, rng.integers(0, shape[axis], (shape[0], *shape[2:])), numbers(shape))
f = lambda t, p: from_logits(t, p)
extreme = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4 - 1, -1e4]])
case("categoricalCrossentropy", {"fromLogits": True, "reduction": "none"}, f, distribution((3, 3)), extreme)
case("sparseCategoricalCrossentropy", {"fromLogits": True, "reduction": "none"}, f, np.array([1, 2, 1]), extreme)

# Cross-entropies of probabilities, whose sum need not be 1.
for index, (classes, smoothing) in enumerate([(3, 0.0), (3, 0.1), (1, 0.0), (9, 0.25), (5, 0.0)]):
    options = {**({"labelSmoothing": smoothing} if smoothing else {}), **OPTIONS[index]}
    f = lambda t, p, o=options, s=smoothing: reduced(from_probabilities(t, p, -1, s), o)
    case("categoricalCrossentropy", options, f, distribution((4, classes)), numbers((4, classes), 0.05, 1))
    options = OPTIONS[index + 1]
    f = lambda t, p, o=options: reduced(from_probabilities(t, p), o)
    case("sparseCategoricalCrossentropy", options, f, rng.integers(0, classes, 4), numbers((4, classes), 0.05, 1))
f = lambda t, p: from_probabilities(t, p, 1, 0.0)
case("categoricalCrossentropy", {"axis": 1, "reduction": "none"}, f, distribution((2, 3, 2), 1), numbers((2, 3, 2), 0.05, 1))
f = lambda t, p: from_probabilities(t, p, 1)
case("sparseCategoricalCrossentropy", {"axis": 1, "reduction": "none"}, f, rng.integers(0, 3, (2, 2)), numbers((2, 3, 2), 0.05, 1))
# A zero is cut, and has no gradient of its own but for the rescaling.
zero = np.array([[0.0, 0.5, 0.5], [0.25, 0.75, 0.0]])
case("sparseCategoricalCrossentropy", {"reduction": "none"}, lambda t, p: from_probabilities(t, p), np.array([0, 1]), zero)

# Yes or no.
def binary_logits(t, p, s=0.0):
    return F.binary_cross_entropy_with_logits(p, smooth(t, s, 2), reduction="none").mean(-1)


def binary_probabilities(t, p, s=0.0):
    p, t = p.clamp(EPS, 1 - EPS), smooth(t, s, 2)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean(-1)


for index, (n, smoothing) in enumerate([(1, 0.0), (3, 0.1), (2, 0.0), (5, 0.5), (4, 0.0)]):
    smoothed = {"labelSmoothing": smoothing} if smoothing else {}
    for logits, f0 in [(True, binary_logits), (False, binary_probabilities)]:
        options = {**({"fromLogits": True} if logits else {}), **smoothed, **OPTIONS[index]}
        f = lambda t, p, o=options, s=smoothing, g=f0: reduced(g(t, p, s), o)
        p = numbers((4, n), -4, 4) if logits else numbers((4, n), 0.05, 0.95)
        case("binaryCrossentropy", options, f, numbers((4, n), 0, 1), p)
extreme = np.array([[1e4, -1e4], [-1e4, 1e4], [30.0, -30.0]])
case("binaryCrossentropy", {"fromLogits": True, "reduction": "none"}, binary_logits, np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]]), extreme)


# Element by element, then the last axis.
def signed(t):
    return 2 * t - 1 if bool(((t == 0) | (t == 1)).all()) else t


def unit(x):
    return x * torch.clamp((x * x).sum(-1, keepdim=True).rsqrt(), max=1 / EPS)


def hinged(t, p):
    return torch.relu(1 - signed(t) * p)


def kl(t, p):
    t, p = t.clamp(EPS, 1), p.clamp(EPS, 1)
    return (t * torch.log(t / p)).sum(-1)


PAIRS = {
    "meanSquaredError": (lambda t, p: F.mse_loss(p, t, reduction="none").mean(-1), (-2, 2), (-2, 2)),
    "meanAbsoluteError": (lambda t, p: F.l1_loss(p, t, reduction="none").mean(-1), (-2, 2), (-2, 2)),
    "meanSquaredLogarithmicError": (
        lambda t, p: ((torch.log(p.clamp(min=EPS) + 1) - torch.log(t.clamp(min=EPS) + 1)) ** 2).mean(-1),
        (0.1, 4),
        (-0.5, 4),
    ),
    "meanAbsolutePercentageError": (
        lambda t, p: 100 * ((t - p) / t.abs().clamp(min=EPS)).abs().mean(-1),
        (0.2, 3),
        (-2, 2),
    ),
    "huber": (lambda t, p: F.huber_loss(p, t, reduction="none").mean(-1), (-2, 2), (-2, 2)),
    "logCosh": (lambda t, p: (p - t + F.softplus(-2 * (p - t)) - np.log(2)).mean(-1), (-2, 2), (-2, 2)),
    "hinge": (lambda t, p: hinged(t, p).mean(-1), (-1.5, 1.5), (-2, 2)),
    "squaredHinge": (lambda t, p: (hinged(t, p) ** 2).mean(-1), (-1.5, 1.5), (-2, 2)),
    "categoricalHinge": (
        lambda t, p: torch.relu(((1 - t) * p).max(-1).values - (t * p).sum(-1) + 1),
        (0, 1),
        (-2, 2),
    ),
    "klDivergence": (kl, (0.05, 0.95), (0.05, 0.95)),
    "poisson": (lambda t, p: (p - t * torch.log(p + EPS)).mean(-1), (0, 3), (0.1, 3)),
    "cosineSimilarity": (lambda t, p: -(unit(t) * unit(p)).sum(-1), (-2, 2), (-2, 2)),
}
a, b = torch.tensor(numbers((3, 4))), torch.tensor(numbers((3, 4)))
assert torch.allclose(-(unit(a) * unit(b)).sum(-1), -F.cosine_similarity(a, b))
for name, (f0, t_range, p_range) in PAIRS.items():
    shapes = [(4, 3), (4, 1), (4, 7), (4, 2), (4, 5)]
    for index, shape in enumerate(shapes if name in ("meanSquaredError", "hinge", "klDivergence") else shapes[:2]):
        f = lambda t, p, o=OPTIONS[(index + 1) % len(OPTIONS)]: reduced(f0(t, p), o)
        case(name, OPTIONS[(index + 1) % len(OPTIONS)], f, numbers(shape, *t_range), numbers(shape, *p_range))
    case(name, {"reduction": "none"}, f0, numbers((2, 2, 3), *t_range), numbers((2, 2, 3), *p_range))
case("hinge", {}, lambda t, p: reduced(PAIRS["hinge"][0](t, p), {}), rng.integers(0, 2, (4, 3)).astype(float), numbers((4, 3)))
f = lambda t, p: F.huber_loss(p, t, reduction="none", delta=0.5).mean(-1)
case("huber", {"delta": 0.5, "reduction": "none"}, f, numbers((3, 4)), numbers((3, 4)))
case("cosineSimilarity", {"axis": 0, "reduction": "none"}, lambda t, p: -F.cosine_similarity(t, p, dim=0), numbers((3, 2)), numbers((3, 2)))


# Sequences: repeated labels, an empty target, lengths, another blank, no alignment.
def ctc(options, labels, logits):
    labels, batch, steps = np.array(labels), logits.shape[0], logits.shape[1]
    blank = options.get("blank", 0)
    widths = options.get("labelLength", [int((row != blank).sum()) for row in labels])
    times = options.get("inputLength", [steps] * batch)

    def f(t, p):
        each = F.ctc_loss(
            F.log_softmax(p, -1).transpose(0, 1),
            t,
            torch.tensor(times),
            torch.tensor(widths),
            blank=blank,
            reduction="none",
            zero_infinity=options.get("zeroInfinity", False),
        )
        return reduced(each, options)

    case("ctc", options, f, labels, logits)


ctc({"reduction": "none"}, [[1, 1, 2, 0], [3, 0, 0, 0]], numbers((2, 7, 4)))
ctc({}, [[2, 2, 2]], numbers((1, 5, 3)))
ctc({"reduction": "none"}, [[0, 0], [1, 2]], numbers((2, 4, 3)))
ctc({"reduction": "sum", "labelLength": [3, 1], "inputLength": [9, 5]}, [[1, 4, 4], [2, 1, 1]], numbers((2, 9, 5)))
ctc({"blank": 2, "reduction": "none"}, [[0, 1, 0]], numbers((1, 6, 3)))
ctc({"zeroInfinity": True, "reduction": "none"}, [[1, 1, 1], [1, 2, 0]], numbers((2, 4, 3)))
ctc({"sampleWeight": [2.0, 0.5]}, [[5, 3, 5, 1], [6, 6, 0, 0]], numbers((2, 12, 7)))

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
