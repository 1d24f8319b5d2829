"""Literals for test/recurrent.test.ts, from PyTorch and from a published formula in NumPy-like PyTorch, all in float64.

    python3 scripts/oracles/recurrent.py > test/literals/recurrent.json

PyTorch's RNN, LSTM and GRU compute the sequence, the last states, and the gradients of
sum(sequence * weights) + sum(last state * weights). Conversions:

  - PyTorch's weights are (gates units, in), ours (in, gates units): transposed;
  - its LSTM has the gates i, f, g, o, which is our order i, f, c, o; its GRU has r, z, n, ours z, r, h: swapped;
  - its layers have two biases. An RNN and an LSTM use their sum: the second one is 0 here. A GRU's are our two rows;
  - a reversed layer is a layer of the flipped input, whose sequence comes out in the order of the walk;
  - lengths: PyTorch packs the rows and leaves zeros behind a row's end, where ours repeats the last h. The zeros are
    replaced by it, before the loss, so that the gradients agree too.

PyTorch has no GRU that resets before the product: that is the formula of Cho et al. (2014), written out, with its gradients
by automatic differentiation.
"""
import json

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20240611)

GATES = {"simpleRnn": 1, "lstm": 4, "gru": 3}


def numbers(shape, scale=1.0):
    """Values with few digits, exact in float32."""
    return torch.tensor(np.round(rng.uniform(-scale, scale, shape) * 128) / 128)


def listed(value):
    array = value.detach().numpy()
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.reshape(-1)]}


def swapped(w):
    """Columns z, r, h from r, z, n and back."""
    a, b, c = torch.chunk(w, 3, dim=-1)
    return torch.cat([b, a, c], dim=-1)


def pytorch(op, x, leaves, options):
    kernel, recurrent, bias = leaves["kernel"], leaves["recurrentKernel"], leaves["bias"]
    if op == "gru":
        kernel, recurrent, bias = swapped(kernel), swapped(recurrent), swapped(bias)
        biases = [bias[0], bias[1]]
    else:
        biases = [bias, torch.zeros_like(bias)]
    width, units = kernel.shape[0], recurrent.shape[0]
    kind = {"simpleRnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[op]
    relu = {"nonlinearity": "relu"} if options.get("activation") == "relu" else {}
    layer = kind(width, units, batch_first=True, **relu)
    values = {
        "weight_ih_l0": kernel.T,
        "weight_hh_l0": recurrent.T,
        "bias_ih_l0": biases[0],
        "bias_hh_l0": biases[1],
    }
    for name, value in values.items():
        delattr(layer, name)
        setattr(layer, name, value)
    layer._flat_weights = [values[name] for name in layer._flat_weights_names]
    initial = [leaves[name][None] for name in ("h", "c") if name in leaves]
    state = None if not initial else initial[0] if len(initial) == 1 else tuple(initial)
    steps = x.shape[1]
    lengths = options.get("lengths")
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        sequence, last = layer(packed, state)
        sequence, _ = torch.nn.utils.rnn.pad_packed_sequence(sequence, batch_first=True, total_length=steps)
    else:
        sequence, last = layer(x, state)
    states = list(last) if op == "lstm" else [last]
    states = [s[0] for s in states]
    if lengths is not None:
        inside = (torch.arange(steps)[None, :] < torch.tensor(lengths)[:, None])[:, :, None]
        sequence = torch.where(inside, sequence, states[0][:, None, :])
    return sequence, states


def reset_before(x, leaves):
    kernel, recurrent, bias = leaves["kernel"], leaves["recurrentKernel"], leaves["bias"]
    units = recurrent.shape[0]
    h = leaves["h"] if "h" in leaves else torch.zeros(x.shape[0], units)
    sequence = []
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + bias
        z = torch.sigmoid(a[:, :units] + h @ recurrent[:, :units])
        r = torch.sigmoid(a[:, units : 2 * units] + h @ recurrent[:, units : 2 * units])
        n = torch.tanh(a[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
        h = z * h + (1 - z) * n
        sequence.append(h)
    return torch.stack(sequence, 1), [h]


def case(op, batch, steps, width, units, initial=False, **options):
    columns = GATES[op] * units
    both = op == "gru" and options.get("resetAfter", True)
    inputs = {
        "x": numbers((batch, steps, width), 1.5),
        "kernel": numbers((width, columns)),
        "recurrentKernel": numbers((units, columns), 0.9),
        "bias": numbers((2, columns) if both else (columns,), 0.5),
    }
    if initial:
        for name in ["h", "c"] if op == "lstm" else ["h"]:
            inputs[name] = numbers((batch, units))
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    x = torch.flip(leaves["x"], [1]) if options.get("goBackwards") else leaves["x"]
    if options.get("resetAfter") is False:
        sequence, states = reset_before(x, leaves)
    else:
        sequence, states = pytorch(op, x, leaves, options)
    results = [sequence, *states]
    weights = [numbers(tuple(result.shape)) for result in results]
    loss = sum((result * weight).sum() for result, weight in zip(results, weights))
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return {
        "op": op,
        "options": options,
        "inputs": {name: listed(value) for name, value in inputs.items()},
        "weights": [listed(weight) for weight in weights],
        "results": [listed(result) for result in results],
        "gradients": [listed(gradient) for gradient in gradients],
    }


CASES = [
    case("simpleRnn", 2, 4, 3, 3),
    case("simpleRnn", 2, 3, 2, 4, initial=True, activation="relu"),
    case("lstm", 2, 4, 3, 3),
    case("lstm", 3, 4, 2, 2, initial=True, lengths=[4, 1, 2]),
    case("lstm", 2, 3, 2, 3, initial=True, goBackwards=True),
    case("gru", 2, 4, 3, 3),
    case("gru", 3, 4, 2, 2, initial=True, lengths=[1, 3, 4]),
    case("gru", 2, 3, 2, 3, initial=True, goBackwards=True),
    case("gru", 2, 4, 2, 3, initial=True, resetAfter=False),
]

print(json.dumps(CASES))
