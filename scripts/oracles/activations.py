"""Activations with their derivatives in float64: makes test/literals/activations.json.

    python3 scripts/oracles/activations.py > test/literals/activations.json

Each activation of one tensor is told at POINTS as its values and its derivatives. Where PyTorch's own function would lose
digits or differ, the published formula is written out and differentiated by PyTorch:

- gelu by erfc, and its approximation by the sigmoid, since 1 + erf and 1 + tanh cancel far below 0; softplus and
  logSigmoid with a threshold of 100, since PyTorch takes softplus for the identity above 20.
- hardSigmoid as relu6(x + 3) / 6: PyTorch's own rounds its constants to float32.
- hardSilu: PyTorch's derivatives at the kinks, -1/2 and 3/2, are those from outside and from inside. Here the derivative is
  hardSigmoid + x hardSigmoid' with hardSigmoid' = 0 at the kinks: 0 and 1.
- relu with options as in Keras 3's `activations.relu`: x, at most max_value, above the threshold, else slope (x - threshold).
- prelu, glu and maxout have the channels last here; PyTorch's prelu wants them second. Inputs of these are element i =
  ((7919 i + 613 s) mod 1009) / 1024 - 1/2, with s = 0 for x, 1 for alpha and 4 for the gradient of the result.
- The constants a and b of alphaDropout at some rates, after Klambauer et al. (2017) as in Keras 3's `AlphaDropout`.
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

POINTS = [-1e4, -20, -6, -3, -1.5, -1, -0.5, -1e-4, 0, 1e-4, 0.5, 1, 2.5, 3, 6, 20, 1e4]


def relu(x, slope=0.0, largest=math.inf, threshold=0.0):
    return torch.where(x > threshold, torch.where(x < largest, x, torch.full_like(x, largest)), slope * (x - threshold))


def log1pexp(x):
    return F.softplus(x, threshold=100)


def hard_sigmoid(x):
    return F.relu6(x + 3) / 6


def gelu_tanh(x):
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


ONE = {
    "linear": lambda x: x * 1,
    "binaryStep": lambda x: (x > 0) + 0 * x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardSigmoid": hard_sigmoid,
    "relu": F.relu,
    "relu slope": lambda x: relu(x, 0.25),
    "relu largest": lambda x: relu(x, 0.0, 3.0),
    "relu threshold": lambda x: relu(x, 0.5, 6.0, 1.0),
    "relu6": F.relu6,
    "leakyRelu": lambda x: F.leaky_relu(x, 0.2),
    "thresholdedRelu": lambda x: F.threshold(x, 1.0, 0.0),
    "elu": F.elu,
    "elu 0.5": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "softplus": log1pexp,
    "logSigmoid": lambda x: -log1pexp(-x),
    "softsign": F.softsign,
    "silu": F.silu,
    "hardSilu": lambda x: x * hard_sigmoid(x),
    "gelu": lambda x: 0.5 * x * torch.erfc(-x / math.sqrt(2)),
    "gelu approximate": gelu_tanh,
    "mish": F.mish,
}


def digits(values):
    return [float(f"{float(v):.9g}") for v in values.reshape(-1)]


def numbers(shape, seed):
    index = torch.arange(math.prod(shape), dtype=torch.int64)
    return (((7919 * index + 613 * seed) % 1009).double() / 1024 - 0.5).reshape(shape)


def one(function):
    x = torch.tensor(POINTS, requires_grad=True)
    y = function(x)
    (dx,) = torch.autograd.grad(y.sum(), x)
    return {"values": digits(y.detach()), "slopes": digits(dx)}


def several(function, *shapes):
    inputs = [numbers(shape, seed).requires_grad_() for seed, shape in enumerate(shapes)]
    y = function(*inputs)
    gradients = torch.autograd.grad(y, inputs, numbers(y.shape, 4))
    return {"shape": list(y.shape), "results": [digits(t.detach()) for t in (y, *gradients)]}


def check_against_pytorch():
    """The formulas that are written out are PyTorch's functions where those lose nothing."""
    x = torch.linspace(-4, 4, 81)
    pairs = [
        (ONE["gelu"](x), F.gelu(x)),
        (gelu_tanh(x), F.gelu(x, approximate="tanh")),
        (log1pexp(x), F.softplus(x)),
        (ONE["logSigmoid"](x), F.logsigmoid(x)),
        (relu(x, 0.2), F.leaky_relu(x, 0.2)),
    ]
    for ours, theirs in pairs:
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    assert torch.allclose(hard_sigmoid(x), F.hardsigmoid(x), rtol=0, atol=1e-7)
    assert torch.allclose(ONE["hardSilu"](x), F.hardswish(x), rtol=0, atol=1e-7)


def alpha_dropout(rate):
    low = -1.0507009873554805 * 1.6732632423543772
    a = ((1 - rate) * (1 + rate * low**2)) ** -0.5
    return [rate, *digits(torch.tensor([a, -a * low * rate, low]))]


check_against_pytorch()
print(
    json.dumps(
        {
            "points": POINTS,
            "one": {name: one(function) for name, function in ONE.items()},
            "several": {
                "prelu": several(lambda x, alpha: F.prelu(x.movedim(-1, 1), alpha).movedim(1, -1), (2, 3, 4), (4,)),
                "prelu shared": several(lambda x, alpha: torch.where(x > 0, x, alpha * x), (2, 3, 4), (3, 1)),
                "glu": several(lambda x: F.glu(x, -1), (3, 10)),
                "glu first": several(lambda x: F.glu(x, 0), (4, 2, 3)),
                "maxout": several(lambda x: x.reshape(3, 4, 3).max(-1).values, (3, 12)),
                "maxout first": several(lambda x: x.reshape(2, 2, 5).max(1).values, (4, 5)),
            },
            "alphaDropout": [alpha_dropout(rate) for rate in (0.1, 0.5, 0.9)],
        }
    )
)
