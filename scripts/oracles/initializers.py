"""Literals for test/initializers.test.ts, test/regularizers.test.ts and test/constraints.test.ts.

    python3 scripts/oracles/initializers.py > test/literals/initializers.json

All in float64, from Keras 3's formulas written anew.

Initializers draw element i of a weight from the block i of Philox 4x32-10 under the seed, whose rounds are checked here
against the known answer of Random123. From its words come, as on the devices, a uniform number of 24 bits, a normal one by
Box and Muller, and a normal one between -2 and 2 by SciPy's inverse distribution function. Orthogonal matrices come from
NumPy's QR decomposition (LAPACK) of the normal numbers.

Regularizers and their gradients come from PyTorch's autograd. The rows or columns of orthogonal_regularizer are multiplied
by min(1 / norm, 1 / epsilon), as Keras' normalize does. Constraints are plain NumPy.
"""
import json

import numpy as np
import torch
from scipy.stats import norm as normal_distribution

MASK = 0xFFFFFFFF
EPSILON = 1e-7
SEED = 20240917 + 5 * 2**32  # both words of the key count


def philox(counter, key):
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & MASK, p0 >> 32 ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = k0 + 0x9E3779B9 & MASK, k1 + 0xBB67AE85 & MASK
    return c


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def words(shape):
    blocks = [philox([i, 0, 0, 0], [SEED & MASK, SEED >> 32]) for i in range(int(np.prod(shape)))]
    return np.array([block[:2] for block in blocks], dtype=np.int64).reshape(*shape, 2) >> 8


def uniform(shape, low, high):
    return low + (high - low) * words(shape)[..., 0] / 2**24


def normal(shape, mean, stddev):
    w = words(shape)
    radius = np.sqrt(-2 * np.log((w[..., 0] + 1) / 2**24))
    return mean + stddev * radius * np.cos(2 * np.pi * w[..., 1] / 2**24)


def truncated(shape, mean, stddev):
    middle = (2 * words(shape)[..., 0] + 1) / 2**25
    low, high = normal_distribution.cdf([-2, 2])
    return mean + stddev * normal_distribution.ppf(low + (high - low) * middle)


def fans(shape):
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = int(np.prod(shape[:-2]))
    return shape[-2] * window, shape[-1] * window


def variance_scaling(shape, scale, mode, distribution):
    fan_in, fan_out = fans(shape)
    fan = {"fanIn": fan_in, "fanOut": fan_out, "fanAvg": (fan_in + fan_out) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = np.sqrt(3 * variance)
        return uniform(shape, -limit, limit)
    if distribution == "untruncatedNormal":
        return normal(shape, 0, np.sqrt(variance))
    return truncated(shape, 0, np.sqrt(variance) / 0.87962566103423978)


def orthogonal(shape, gain):
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(normal((max(rows, columns), min(rows, columns)), 0, 1))
    q = q * np.sign(np.diag(r))
    return gain * (q.T if rows < columns else q).reshape(shape)


def listed(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.reshape(-1)]}


initializers = []


def initializer(name, options, values):
    initializers.append({"initializer": name, "options": {**options, "seed": SEED}, "result": listed(values)})


DENSE, CONV = (3, 5), (2, 2, 3, 2)
initializer("randomUniform", {}, uniform(DENSE, -0.05, 0.05))
initializer("randomUniform", {"minval": 1, "maxval": 3}, uniform((4,), 1, 3))
initializer("randomNormal", {}, normal(DENSE, 0, 0.05))
initializer("randomNormal", {"mean": -1, "stddev": 2}, normal((4,), -1, 2))
initializer("truncatedNormal", {}, truncated(DENSE, 0, 0.05))
initializer("truncatedNormal", {"mean": 3, "stddev": 0.5}, truncated((4,), 3, 0.5))
NAMED = {
    "glorotUniform": (1, "fanAvg", "uniform"),
    "glorotNormal": (1, "fanAvg", "truncatedNormal"),
    "heUniform": (2, "fanIn", "uniform"),
    "heNormal": (2, "fanIn", "truncatedNormal"),
    "lecunUniform": (1, "fanIn", "uniform"),
    "lecunNormal": (1, "fanIn", "truncatedNormal"),
}
for name, scaling in NAMED.items():
    for shape in (DENSE, CONV):
        initializer(name, {}, variance_scaling(shape, *scaling))
initializer("varianceScaling", {}, variance_scaling(DENSE, 1, "fanIn", "truncatedNormal"))
for mode in ("fanIn", "fanOut", "fanAvg"):
    for distribution in ("uniform", "normal", "untruncatedNormal"):
        options = {"scale": 0.5, "mode": mode, "distribution": distribution}
        initializer("varianceScaling", options, variance_scaling(DENSE, **options))
initializer("glorotUniform", {}, variance_scaling((7,), *NAMED["glorotUniform"]))
initializer("heNormal", {}, variance_scaling((6,), *NAMED["heNormal"]))
for shape in ((4, 3), (3, 5), (4, 4), CONV, (1, 1)):
    initializer("orthogonal", {}, orthogonal(shape, 1))
initializer("orthogonal", {"gain": 2.5}, orthogonal((2, 6), 2.5))

rng = np.random.default_rng(7)
# Values with few digits, exact in float32, and some that are 0.
matrix = np.round(rng.uniform(-2, 2, (4, 3)) * 32) / 32
matrix[1, 2] = matrix[3, 0] = 0
filters = np.round(rng.uniform(-1, 1, (2, 2, 3, 4)) * 32) / 32
filters[..., 1] = 0
filters[..., 2] /= 16


def orthogonal_penalty(w, factor, mode):
    if mode == "columns":
        w = w.T
    units = w * torch.minimum(torch.rsqrt((w * w).sum(1, keepdim=True)), torch.tensor(1 / EPSILON))
    size = w.shape[0]
    product = (units @ units.T) * (1 - torch.eye(size))
    return factor * 0.5 * product.abs().sum() / (size * (size - 1) / 2)


def l1_l2(w, l1, l2):
    return l1 * w.abs().sum() + l2 * (w * w).sum()


torch.set_default_dtype(torch.float64)
regularizers = []
for name, options, penalty in [
    ("l1", {}, lambda w: l1_l2(w, 0.01, 0)),
    ("l1", {"l1": 0.5}, lambda w: l1_l2(w, 0.5, 0)),
    ("l2", {}, lambda w: l1_l2(w, 0, 0.01)),
    ("l2", {"l2": 0.5}, lambda w: l1_l2(w, 0, 0.5)),
    ("l1l2", {"l1": 0.25}, lambda w: l1_l2(w, 0.25, 0)),
    ("l1l2", {"l2": 0.125}, lambda w: l1_l2(w, 0, 0.125)),
    ("l1l2", {"l1": 0.25, "l2": 0.125}, lambda w: l1_l2(w, 0.25, 0.125)),
    ("orthogonalRegularizer", {}, lambda w: orthogonal_penalty(w, 0.01, "rows")),
    ("orthogonalRegularizer", {"factor": 2, "mode": "columns"}, lambda w: orthogonal_penalty(w, 2, "columns")),
]:
    w = torch.tensor(matrix, requires_grad=True)
    value = penalty(w)
    value.backward()
    result = {"weights": listed(matrix), "value": listed(value.detach()), "grad": listed(w.grad)}
    regularizers.append({"regularizer": name, "options": options, **result})


def norms(w, axis):
    return np.sqrt(np.sum(w * w, axis=tuple(np.atleast_1d(axis)), keepdims=True))


def max_norm(w, maxValue=2, axis=0):
    n = norms(w, axis)
    return w * (np.clip(n, 0, maxValue) / (EPSILON + n))


def unit_norm(w, axis=0):
    return w / (EPSILON + norms(w, axis))


def min_max_norm(w, minValue=0.0, maxValue=1.0, rate=1.0, axis=0):
    n = norms(w, axis)
    return w * ((rate * np.clip(n, minValue, maxValue) + (1 - rate) * n) / (EPSILON + n))


constraints = []
for name, options, w, project in [
    ("nonNeg", {}, matrix, lambda w: np.maximum(w, 0)),
    ("maxNorm", {}, matrix, max_norm),
    ("maxNorm", {"maxValue": 0.5, "axis": 1}, matrix, max_norm),
    ("maxNorm", {"maxValue": 0.75, "axis": [0, 1, 2]}, filters, max_norm),
    ("unitNorm", {}, matrix, unit_norm),
    ("unitNorm", {"axis": -1}, matrix, unit_norm),
    ("unitNorm", {"axis": [0, 1, 2]}, filters, unit_norm),
    ("minMaxNorm", {}, matrix, min_max_norm),
    ("minMaxNorm", {"minValue": 0.5, "maxValue": 1.5, "rate": 0.25, "axis": 1}, matrix, min_max_norm),
    ("minMaxNorm", {"minValue": 0.5, "maxValue": 1, "axis": [0, 1, 2]}, filters, min_max_norm),
]:
    result = {"value": listed(w), "result": listed(project(w, **options))}
    constraints.append({"constraint": name, "options": options, **result})

sections = {"initializers": initializers, "regularizers": regularizers, "constraints": constraints}
print("{")
for name, cases in sections.items():
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    print(f'"{name}":[\n{lines}\n]{"" if name == "constraints" else ","}')
print("}")
