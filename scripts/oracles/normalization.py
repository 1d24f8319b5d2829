"""Literals for test/normalization.test.ts, from PyTorch and from published formulas in NumPy, all in float64.

    python3 scripts/oracles/normalization.py > test/literals/normalization.json

PyTorch computes batch norm (in training), layer, group and instance norm, forward and gradients. Its channels come
second, ours last: inputs are moved there and results back. Its epsilon is passed explicitly.

NumPy computes, from the formulas:
  - the moving statistics as Keras 3 has them: moving * momentum + batch * (1 - momentum), with the biased variance,
    where PyTorch's momentum is 1 - momentum and its variance the unbiased one (checked below against PyTorch);
  - batch norm out of training: (x - mean) / sqrt(variance + epsilon) * gamma + beta;
  - root-mean-square norm: x / sqrt(mean(x^2) + epsilon) * gamma; gradients by autograd of that same formula;
  - local response normalisation as TensorFlow has it: x / (bias + alpha * sum(x^2))^beta over 2 * radius + 1 channels,
    forward and backward by the formulas; PyTorch, whose window has `size` channels and whose alpha is divided by
    `size`, must agree with alpha * size before anything is written.

`loss` is sum(y * weights), with weights that are inputs, so that every element of the gradients is distinct.
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20240607)


def numbers(shape, low=-2.0, high=2.0):
    """Values with few digits, exact in float32."""
    return np.round(rng.uniform(low, high, shape) * 64) / 64


def listed(value):
    if value is None:
        return None
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.reshape(-1)]}


def channels_second(x):
    return torch.movedim(x, -1, 1)


def channels_last(x):
    return torch.movedim(x, 1, -1)


def case(op, options, f, x, vectors, extra=None):
    """Runs f on leaves and writes down inputs, y and the gradients of all of them."""
    leaves = {"x": torch.tensor(x, requires_grad=True)}
    for name, value in vectors.items():
        leaves[name] = torch.tensor(value, requires_grad=True)
    y = f(**leaves)
    weights = numbers(y.shape)
    (y * torch.tensor(weights)).sum().backward()
    return {
        "op": op,
        "options": options,
        "inputs": {name: listed(leaf) for name, leaf in leaves.items()},
        "weights": listed(weights),
        "y": listed(y),
        "gradients": {name: listed(leaf.grad) for name, leaf in leaves.items()},
        **(extra or {}),
    }


def affine(shape):
    return {"gamma": numbers(shape, 0.25, 2.0), "beta": numbers(shape)}


cases = []

for shape, epsilon, momentum in [
    ((6, 3), 1e-3, 0.99),
    ((2, 3, 4, 2), 1e-5, 0.9),
    ((3, 5, 4), 1e-3, 0.5),
    ((7, 1), 1e-3, 0.99),
    ((2, 2, 2, 5), 0.1, 0.75),
]:
    c = shape[-1]
    x = numbers(shape)
    mean, variance = numbers((c,)), numbers((c,), 0.25, 2.0)
    axes = tuple(range(len(shape) - 1))
    n = x.size // c
    batch_mean, batch_variance = x.mean(axes), x.var(axes)
    next_mean = mean * momentum + batch_mean * (1 - momentum)
    next_variance = variance * momentum + batch_variance * (1 - momentum)
    torch_mean, torch_variance = torch.tensor(mean), torch.tensor(variance)
    F.batch_norm(
        channels_second(torch.tensor(x)), torch_mean, torch_variance, training=True, momentum=1 - momentum, eps=epsilon
    )
    assert np.allclose(torch_mean.numpy(), next_mean)
    assert np.allclose(torch_variance.numpy(), variance * momentum + batch_variance * (1 - momentum) * n / (n - 1))

    def train(x, gamma, beta):
        return channels_last(F.batch_norm(channels_second(x), None, None, gamma, beta, training=True, eps=epsilon))

    cases.append(
        case(
            "batchNorm",
            {"training": True, "epsilon": epsilon, "momentum": momentum},
            train,
            x,
            affine((c,)),
            {
                "moving": {
                    "movingMean": listed(mean),
                    "movingVariance": listed(variance),
                    "nextMean": listed(next_mean),
                    "nextVariance": listed(next_variance),
                }
            },
        )
    )

    def infer(x, gamma, beta, movingMean, movingVariance):
        return (x - movingMean) / torch.sqrt(movingVariance + epsilon) * gamma + beta

    cases.append(
        case(
            "batchNorm",
            {"epsilon": epsilon},
            infer,
            x,
            {**affine((c,)), "movingMean": mean, "movingVariance": variance},
        )
    )

for shape, axes, epsilon in [
    ((4, 7), [-1], 1e-3),
    ((2, 3, 8), [-1], 1e-5),
    ((3, 2, 4), [-2, -1], 1e-3),
    ((5, 1), [-1], 1e-3),
    ((1, 19), [-1], 1e-5),
]:
    last = shape[-len(axes):]

    def layer(x, gamma, beta):
        return F.layer_norm(x, last, gamma, beta, eps=epsilon)

    def rms(x, gamma):
        return x / torch.sqrt((x * x).mean(dim=axes, keepdim=True) + epsilon) * gamma

    x = numbers(shape)
    cases.append(case("layerNorm", {"axis": axes, "epsilon": epsilon}, layer, x, affine(last)))
    cases.append(
        case("rmsNorm", {"axis": axes, "epsilon": epsilon}, rms, x, {"gamma": affine(last)["gamma"]})
    )

for shape, groups, epsilon in [
    ((2, 5, 6), 2, 1e-3),
    ((2, 2, 3, 4), 4, 1e-5),
    ((3, 6), 3, 1e-3),
    ((1, 3, 2, 8), 2, 1e-3),
    ((2, 4, 3), 1, 1e-3),
]:
    c = shape[-1]

    def group(x, gamma, beta):
        return channels_last(F.group_norm(channels_second(x), groups, gamma, beta, eps=epsilon))

    cases.append(case("groupNorm", {"groups": groups, "epsilon": epsilon}, group, numbers(shape), affine((c,))))

for shape, epsilon in [
    ((2, 5, 3), 1e-3),
    ((1, 2, 3, 4), 1e-5),
    ((3, 4, 1), 1e-3),
    ((2, 9, 2), 0.1),
    ((2, 2, 2, 2, 3), 1e-3),
]:
    c = shape[-1]

    def instance(x, gamma, beta):
        # Group norm with a group to each channel: the gradient of PyTorch 1.13's own instance_norm is wrong for a
        # single sample whose channels lie last in memory.
        return channels_last(F.group_norm(channels_second(x), c, gamma, beta, eps=epsilon))

    cases.append(case("instanceNorm", {"epsilon": epsilon}, instance, numbers(shape), affine((c,))))


def windows(v, radius):
    """Sums over the channels at most `radius` away."""
    padded = np.pad(v, [(0, 0)] * (v.ndim - 1) + [(radius, radius)])
    return sum(padded[..., k : k + v.shape[-1]] for k in range(2 * radius + 1))


for shape, radius, bias, alpha, beta in [
    ((2, 9), 5, 1.0, 1.0, 0.5),
    ((1, 2, 2, 6), 2, 2.0, 1e-4, 0.75),
    ((3, 4), 1, 0.5, 0.25, 0.75),
    ((2, 13), 3, 1.0, 0.5, 1.0),
    ((4, 1), 2, 1.0, 1.0, 0.6),
    ((2, 3, 5), 0, 1.0, 2.0, 0.5),
]:
    x = numbers(shape)
    g = numbers(shape)
    s = bias + alpha * windows(x * x, radius)
    y = x * s**-beta
    dx = g * s**-beta - 2 * alpha * beta * x * windows(g * x * s ** (-beta - 1), radius)
    size = 2 * radius + 1
    leaf = torch.tensor(x, requires_grad=True)
    # PyTorch wants at least three axes: (samples, channels, positions).
    flat = channels_second(leaf.reshape(1, -1, shape[-1]))
    witness = channels_last(F.local_response_norm(flat, size, alpha * size, beta, bias)).reshape(shape)
    (witness * torch.tensor(g)).sum().backward()
    assert np.allclose(witness.detach().numpy(), y)
    assert np.allclose(leaf.grad.numpy(), dx)
    cases.append(
        {
            "op": "localResponseNormalization",
            "options": {"depthRadius": radius, "bias": bias, "alpha": alpha, "beta": beta},
            "inputs": {"x": listed(x)},
            "weights": listed(g),
            "y": listed(y),
            "gradients": {"x": listed(dx)},
        }
    )

print("[\n" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases) + "\n]")
