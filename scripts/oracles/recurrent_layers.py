"""Literals for test/layers-mask.test.ts: networks with masks, by Keras 3's published formulas in NumPy float64.

    python3 scripts/oracles/recurrent_layers.py > test/literals/recurrent-layers.json

Written row by row and step by step, each row only over the steps that its mask lets through, so that nothing of the kernels'
way of masking is repeated here. What Keras says of masked steps:

  - a recurrent layer hands on its state as it is, and its output of the step before, zeros at the start;
  - `Bidirectional` with `return_sequences` puts zeros there;
  - the loss is the sum over the steps that count, divided by their number; a metric is their mean.

Weights have our (and Keras's) layouts: kernel (in, gates units), gates i, f, c, o of an LSTM, z, r, h of a GRU with a bias of
two rows.
"""
import json

import numpy as np

rng = np.random.default_rng(20240613)


def numbers(*shape):
    """Values with few digits, exact in float32."""
    return np.round(rng.uniform(-1, 1, shape) * 128) / 128


def listed(value):
    array = np.asarray(value, dtype=np.float64)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.reshape(-1)]}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, state, kernel, recurrent, bias):
    h, c = state
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, state, kernel, recurrent, bias):
    (h,) = state
    xz, xr, xn = np.split(x @ kernel + bias[0], 3)
    hz, hr, hn = np.split(h @ recurrent + bias[1], 3)
    z = sigmoid(xz + hz)
    n = np.tanh(xn + sigmoid(xr + hr) * hn)
    return (z * h + (1 - z) * n,)


def row_of(step, states, units, x, mask, weights, backwards=False, zeros=False):
    """The outputs of one row at its own places, and the last state."""
    out = np.zeros((len(x), units))
    state = tuple(np.zeros(units) for _ in range(states))
    order = range(len(x) - 1, -1, -1) if backwards else range(len(x))
    for t in order:
        if mask[t]:
            state = step(x[t], state, *weights)
        out[t] = 0 if zeros and not mask[t] else state[0]
    return out, state


def layer_weights(gates, width, units, rows=None):
    bias = (gates * units,) if rows is None else (rows, gates * units)
    return numbers(width, gates * units), numbers(units, gates * units), numbers(*bias)


# Tokens, zero for none: in front, behind and between, and a row that is whole.
tokens = np.array([[3, 1, 0, 0], [0, 2, 4, 1], [5, 0, 2, 0], [1, 2, 3, 4]])
mask = tokens != 0
table = numbers(6, 3)
front, back = layer_weights(4, 3, 2), layer_weights(4, 3, 2)
second = layer_weights(3, 4, 2, 2)
kernel, bias = numbers(2, 1), numbers(1)
target = numbers(4, 4, 1)
sample_weight = np.array([1.0, 2.0, 0.5, 0.25])

predicted = []
for row, own in zip(tokens, mask):
    x = table[row]
    forward, _ = row_of(lstm_step, 2, 2, x, own, front, zeros=True)
    backward, _ = row_of(lstm_step, 2, 2, x, own, back, backwards=True, zeros=True)
    h, _ = row_of(gru_step, 1, 2, np.concatenate([forward, backward], 1), own, second)
    predicted.append(h @ kernel + bias)
predicted = np.array(predicted)
squares = ((predicted - target) ** 2)[..., 0]
distances = np.abs(predicted - target)[..., 0]

# Features: steps of -1 alone do not count. The last state of a GRU over what is left.
features = numbers(3, 5, 2)
features[0, 3:] = -1
features[1, 1] = -1
features[2, 0] = [-1, 0.5]
masked = (features != -1).any(-1)
third = layer_weights(3, 2, 3, 2)
last = [row_of(gru_step, 1, 3, x, own, third)[1][0] for x, own in zip(features, masked)]

print(
    json.dumps(
        {
            "tagger": {
                "tokens": tokens.tolist(),
                "target": listed(target),
                "sampleWeight": sample_weight.tolist(),
                "weights": [listed(w) for w in (table, *front, *back, *second, kernel, bias)],
                "prediction": listed(predicted),
                "loss": float((squares * mask).sum() / mask.sum()),
                "weightedLoss": float((squares * mask * sample_weight[:, None]).sum() / mask.sum()),
                "meanAbsoluteError": float((distances * mask).sum() / mask.sum()),
            },
            "reader": {
                "x": listed(features),
                "weights": [listed(w) for w in third],
                "last": listed(last),
            },
        }
    )
)
