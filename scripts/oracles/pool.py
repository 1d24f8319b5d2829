"""Pooling, upsampling and resizing with their gradients in float64: makes test/literals/pool.json.

    python3 scripts/oracles/pool.py > test/literals/pool.json && npx biome format --write test/literals/pool.json

Inputs follow a formula that the test repeats: element i of an input with the number s is
((7919·i + 613·s) mod 1009) / 1024 − 1/2, which float32 holds exactly; up to 1009 elements are all different. s is 0 for x, 4
for the gradient of the result. Each result v, of n elements, is told as its shape, as Σ v[i]·input(i, 5), and as its
elements ⌊k·n / 5⌋ for k = 0 … 4.

What is converted, and how:

- Layout: (batch, …axes, channels) here, (batch, channels, …axes) in PyTorch.
- Padding, also the asymmetric one of Keras's 'same' (an odd one at the end), is put around x by F.pad: −∞ for a maximum;
  for an average zeros, and the sums of the windows are divided by those of a padded tensor of ones. Where the padding is
  symmetric and at most half a window, PyTorch's own padding, with count_include_pad=False, must give the same. The results
  of maximum and average are also computed in NumPy, window by window, and must be the same.
- Upsampling and resizing: F.interpolate, 'nearest-exact' and 'bilinear' with align_corners=False, which both have half-pixel
  centres.
"""

import itertools
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def numbers(shape, seed):
    index = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.int64)
    return (((7919 * index + 613 * seed) % 1009).double() / 1024 - 0.5).reshape(shape)


def per_axis(value, axes):
    return list(value) if isinstance(value, list) else [value] * axes


def paddings(rule, extents, size, strides):
    """[before, after] for each axis; 'same' as TensorFlow publishes it ("Notes on padding" of tf.nn):
    max(k − s, 0) zeros where s divides n, else max(k − n mod s, 0), the smaller half in front."""
    if rule == "valid":
        return [[0, 0]] * len(extents)
    if rule == "same":
        pairs = []
        for n, k, s in zip(extents, size, strides):
            total = max(k - (n % s or s), 0)
            pairs.append([total // 2, total - total // 2])
        return pairs
    return [entry if isinstance(entry, list) else [entry, entry] for entry in per_axis(rule, len(extents))]


def by_windows(x, size, strides, pads, reduce):
    """The definition, in NumPy: the windows' elements inside x, (batch, …axes, channels)."""
    extents = x.shape[1:-1]
    counts = [(n + b + a - k) // s + 1 for n, (b, a), k, s in zip(extents, pads, size, strides)]
    y = np.zeros([x.shape[0], *counts, x.shape[-1]])
    for place in itertools.product(*map(range, counts)):
        window = []
        for o, n, (b, _), k, s in zip(place, extents, pads, size, strides):
            window.append(slice(max(o * s - b, 0), min(o * s - b + k, n)))
        y[(slice(None), *place)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, x.ndim - 1)))
    return y


def pool(kind, x, options):
    axes = x.dim() - 2
    extents = list(x.shape[1:-1])
    size = per_axis(options["poolSize"], axes)
    strides = per_axis(options.get("strides", size), axes)
    pads = paddings(options.get("padding", "valid"), extents, size, strides)
    around = [n for pair in reversed(pads) for n in pair]
    first = x.movedim(-1, 1)
    symmetric = [b for b, a in pads] if all(a == b and 2 * b <= k for (b, a), k in zip(pads, size)) else None
    if kind == "max":
        y = MAX[axes](F.pad(first, around, value=-torch.inf), size, strides)
        own = symmetric and MAX[axes](first, size, strides, symmetric)
    else:
        count = AVERAGE[axes](F.pad(torch.ones_like(first), around), size, strides)
        y = AVERAGE[axes](F.pad(first, around), size, strides) / count
        own = symmetric and AVERAGE[axes](first, size, strides, symmetric, count_include_pad=False)
    assert own is None or torch.allclose(y, own, rtol=1e-14, atol=1e-15)
    y = y.movedim(1, -1)
    defined = by_windows(x.detach().numpy(), size, strides, pads, np.max if kind == "max" else np.mean)
    assert np.allclose(y.detach().numpy(), defined, rtol=1e-14, atol=1e-15)
    return y


def over_all(kind, x, options):
    dims = tuple(range(1, x.dim() - 1))
    keep = options.get("keepDims", False)
    return torch.amax(x, dims, keepdim=keep) if kind == "Max" else torch.mean(x, dims, keepdim=keep)


def interpolated(x, size, interpolation):
    corners = {} if interpolation == "nearest" else {"align_corners": False}
    mode = "nearest-exact" if interpolation == "nearest" else "bilinear"
    return F.interpolate(x.movedim(-1, 1), size=size, mode=mode, **corners).movedim(1, -1)


def result(function, x, options):
    axes = x.dim() - 2
    name = function[:-2]
    if name in ("maxPool", "averagePool"):
        return pool(name[:-4], x, options)
    if name.startswith("global"):
        return over_all(name[6:-4], x, options)
    if name == "adaptiveAveragePool":
        return ADAPTIVE[axes](x.movedim(-1, 1), per_axis(options["outputSize"], axes)).movedim(1, -1)
    if name == "upSampling":
        factors = per_axis(options.get("size", 2), axes)
        size = [n * factor for n, factor in zip(x.shape[1:-1], factors)]
        return interpolated(x, size, options.get("interpolation", "nearest"))
    return interpolated(x, per_axis(options["size"], 2), options.get("interpolation", "bilinear"))


POOL = [
    (1, [2, 8, 3], {"poolSize": 2}),
    (1, [1, 9, 4], {"poolSize": 3, "strides": 2, "padding": "same"}),
    (1, [3, 11, 1], {"poolSize": 2, "strides": 5}),
    (1, [2, 3, 67], {"poolSize": 5, "strides": 1, "padding": "same"}),
    (1, [1, 7, 5], {"poolSize": 4, "strides": 3, "padding": [[3, 1]]}),
    (2, [2, 6, 4, 4], {"poolSize": 2}),
    (2, [1, 7, 5, 3], {"poolSize": 3, "strides": 2, "padding": "same"}),
    (2, [1, 5, 8, 1], {"poolSize": [2, 4], "strides": [1, 2], "padding": "same"}),
    (2, [1, 3, 3, 67], {"poolSize": [3, 2], "strides": 1, "padding": [1, [1, 0]]}),
    (2, [3, 1, 1, 5], {"poolSize": 3, "strides": 2, "padding": "same"}),
    (2, [1, 8, 9, 8], {"poolSize": 2, "strides": 3, "padding": 1}),
    (3, [1, 4, 4, 6, 4], {"poolSize": 2}),
    (3, [2, 3, 4, 3, 3], {"poolSize": 2, "strides": 1, "padding": "same"}),
    (3, [1, 2, 2, 3, 67], {"poolSize": [1, 2, 3]}),
    (3, [1, 5, 4, 3, 1], {"poolSize": [3, 2, 3], "strides": [2, 3, 1], "padding": [[2, 1], 0, [0, 2]]}),
    (3, [2, 1, 1, 1, 8], {"poolSize": 2, "padding": "same"}),
]

GLOBAL = [
    (1, [2, 7, 3], {}),
    (1, [1, 1, 67], {"keepDims": True}),
    (1, [1, 300, 3], {}),
    (2, [2, 4, 5, 4], {}),
    (2, [1, 17, 19, 1], {"keepDims": True}),
    (2, [3, 2, 2, 5], {}),
    (3, [1, 2, 3, 4, 8], {}),
    (3, [2, 3, 2, 2, 3], {"keepDims": True}),
]

CASES = [
    *((f"{kind}Pool{axes}d", shape, options) for kind in ("max", "average") for axes, shape, options in POOL),
    *((f"global{kind}Pool{axes}d", shape, options) for kind in ("Max", "Average") for axes, shape, options in GLOBAL),
    ("adaptiveAveragePool1d", [2, 10, 3], {"outputSize": 4}),
    ("adaptiveAveragePool1d", [1, 3, 4], {"outputSize": 7}),
    ("adaptiveAveragePool2d", [1, 7, 9, 4], {"outputSize": [3, 4]}),
    ("adaptiveAveragePool2d", [2, 5, 3, 1], {"outputSize": [1, 3]}),
    ("adaptiveAveragePool2d", [1, 3, 2, 67], {"outputSize": 2}),
    ("adaptiveAveragePool3d", [1, 5, 4, 3, 4], {"outputSize": [2, 3, 2]}),
    ("adaptiveAveragePool3d", [1, 2, 2, 7, 3], {"outputSize": 3}),
    ("upSampling1d", [2, 5, 3], {}),
    ("upSampling1d", [1, 3, 4], {"size": 5}),
    ("upSampling2d", [2, 3, 4, 4], {}),
    ("upSampling2d", [1, 3, 2, 3], {"size": [3, 1]}),
    ("upSampling2d", [2, 3, 4, 1], {"interpolation": "bilinear"}),
    ("upSampling2d", [1, 2, 3, 67], {"size": [3, 2], "interpolation": "bilinear"}),
    ("upSampling3d", [1, 2, 3, 2, 4], {}),
    ("upSampling3d", [2, 2, 1, 3, 1], {"size": [1, 3, 2]}),
    ("resize2d", [2, 5, 7, 3], {"size": [8, 3]}),
    ("resize2d", [1, 9, 4, 4], {"size": [4, 4]}),
    ("resize2d", [1, 1, 1, 5], {"size": 3}),
    ("resize2d", [1, 2, 3, 67], {"size": [3, 5]}),
    ("resize2d", [2, 13, 11, 1], {"size": [5, 1]}),
    ("resize2d", [1, 5, 7, 4], {"size": [8, 3], "interpolation": "nearest"}),
    ("resize2d", [2, 3, 4, 1], {"size": [7, 9], "interpolation": "nearest"}),
    ("resize2d", [1, 10, 9, 3], {"size": [3, 4], "interpolation": "nearest"}),
]


def summary(v):
    flat = v.detach().contiguous().reshape(-1)
    weighted = (flat * numbers([flat.numel()], 5)).sum()
    samples = [flat[k * flat.numel() // 5] for k in range(5)]
    return [list(v.shape), *(float(f"{number.item():.9g}") for number in [weighted, *samples])]


def record(function, shape, options):
    """The case with its results: y, then the gradient of x."""
    x = numbers(shape, 0).requires_grad_()
    y = result(function, x, options)
    (gradient,) = torch.autograd.grad(y, [x], numbers(list(y.shape), 4))
    return {"function": function, "x": shape, "options": options, "results": [summary(y), summary(gradient)]}


print(json.dumps([record(*case) for case in CASES]))
