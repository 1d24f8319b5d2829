"""LeNet-5 on MNIST by PyTorch: what the first 100 training steps must give, and how accurate 5 epochs make it.

    python3 scripts/oracles/lenet.py MNIST_FOLDER OUT.npz [--seed 1]
    python3 scripts/oracles/lenet.py MNIST_FOLDER --accuracy SEED [SEED ...]
    python3 scripts/oracles/lenet.py --given IN.npz > test/literals/lenet-digits.json

MNIST_FOLDER holds the four gzipped IDX files. IN.npz, which lenet-digits.ts writes, holds initial weights of ours, generated
digits 'x' and 'testX' (n, 28, 28, 1) as bytes, and 'y' and 'testY'; they are learned in their order.

The network: convolution of 6 filters 5x5, 'same', relu; maxima of 2x2; convolution of 16 filters 5x5, 'valid', relu; maxima
of 2x2; flatten; dense 120, relu; dense 84, relu; dense 10; softmax cross-entropy, mean over the batch. Adam with a learning
rate of 0.002, batches of 64, x / 255.

OUT.npz holds

- the initial weights, 'conv2d.kernel' ... 'dense_2.bias', float32: Glorot uniform kernels, biases of 0;
- 'order', int32 (100, 64): which training digits make up each batch, by their place in the file; no digit comes twice;
- 'losses', float64 (100): the loss of each batch before its step, computed in float64 from those same weights;
- 'losses32', float64 (100): the same computed in float32. How far the two lie apart is float32's own error, and is printed.

What differs from PyTorch, and how it is converted:

- Images: (batch, height, width, 1) here, (batch, 1, height, width) there; with a single channel the memory is the same.
- Kernel of a convolution: (height, width, in, filters) here, (filters, in, height, width) there.
- Kernel of a dense layer: (in, out) here, (out, in) there.
- Flatten: (height, width, channels) here; the channels are moved last before PyTorch flattens.
- 'same' for 5x5 with a stride of 1: two zeros on every side, PyTorch's padding of 2.
- Adam is Keras's, written out: m += (1 - b1) (g - m); v += (1 - b2) (g^2 - v);
  w -= m alpha / (sqrt(v) + 1e-7) with alpha = rate sqrt(1 - b2^t) / (1 - b1^t), b1 = 0.9, b2 = 0.999.
  torch.optim.Adam corrects v before it adds its epsilon.
- Ties of a maximum go to the first in row-major order, and the derivative of relu at 0 is 0, in both.
"""
import argparse
import gzip
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

BATCH = 64
STEPS = 100
EPOCHS = 5
RATE = 0.002
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
DEVIATION = 1e-3
GIVEN_EPOCHS = 3

CONV_SHAPES = {"conv2d": (6, 1, 5, 5), "conv2d_1": (16, 6, 5, 5)}
DENSE_SHAPES = {"dense": (120, 5 * 5 * 16), "dense_1": (84, 120), "dense_2": (10, 84)}


def idx(folder, name):
    """An array from a gzipped IDX file: after the magic number, as many big-endian extents as its last byte says."""
    content = gzip.decompress((folder / name).read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, offset=4)
    return np.frombuffer(content, "u1", offset=4 + 4 * rank).reshape(shape)


def digits(folder, part):
    """Images (n, 1, 28, 28) from 0 to 1 in float64, and labels (n)."""
    images = torch.from_numpy(idx(folder, f"{part}-images-idx3-ubyte.gz").astype("f8") / 255)
    labels = torch.from_numpy(idx(folder, f"{part}-labels-idx1-ubyte.gz").astype("i8"))
    return images[:, None], labels


def initial_weights(generator):
    """Glorot uniform in float32, drawn by NumPy so that PyTorch's version changes nothing."""
    weights = {}
    for name, shape in {**CONV_SHAPES, **DENSE_SHAPES}.items():
        taps = int(np.prod(shape[2:]))
        limit = np.sqrt(6 / (taps * shape[0] + taps * shape[1]))
        weights[f"{name}.kernel"] = torch.from_numpy(generator.uniform(-limit, limit, shape).astype("f4"))
        weights[f"{name}.bias"] = torch.zeros(shape[0])
    return weights


def logits(w, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, w["conv2d.kernel"], w["conv2d.bias"], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, w["conv2d_1.kernel"], w["conv2d_1.bias"])), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = F.relu(F.linear(x, w["dense.kernel"], w["dense.bias"]))
    x = F.relu(F.linear(x, w["dense_1.kernel"], w["dense_1.bias"]))
    return F.linear(x, w["dense_2.kernel"], w["dense_2.bias"])


def train(weights, x, labels, batches, dtype):
    """Trains a copy of the weights, one batch a step; returns it and the losses before the steps."""
    w = {name: value.to(dtype).clone().requires_grad_() for name, value in weights.items()}
    m = {name: torch.zeros_like(value) for name, value in w.items()}
    v = {name: torch.zeros_like(value) for name, value in w.items()}
    x = x.to(dtype)
    losses = []
    for t, batch in enumerate(batches, start=1):
        loss = F.cross_entropy(logits(w, x[batch]), labels[batch])
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, list(w.values()))
        alpha = RATE * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        with torch.no_grad():
            for name, g in zip(w, gradients):
                m[name] += (1 - BETA1) * (g - m[name])
                v[name] += (1 - BETA2) * (g * g - v[name])
                w[name] -= m[name] * alpha / (v[name].sqrt() + EPSILON)
    return w, np.array(losses)


def as_keras(name, value):
    """A weight in Keras's layout, in row-major order."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[value.dim()]
    return np.ascontiguousarray(value.numpy().transpose(axes))


def as_torch(value):
    """The way back."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
    return torch.from_numpy(np.ascontiguousarray(value.transpose(axes)))


def nine(value):
    return float(f"{value:.9g}")


def print_given(source):
    """JSON: the mean of each epoch's losses, then loss and accuracy on the test digits, all in float64."""
    given = np.load(source)
    weights = {name: as_torch(given[name]) for name in given.files if "." in name}
    x, test_x = (torch.from_numpy(given[name].transpose(0, 3, 1, 2) / 255.0) for name in ("x", "testX"))
    labels, test_labels = (torch.from_numpy(given[name].astype("i8")) for name in ("y", "testY"))
    batches = np.tile(np.arange(len(labels)).reshape(-1, BATCH), (GIVEN_EPOCHS, 1))
    w, losses = train(weights, x, labels, batches, torch.float64)
    with torch.no_grad():
        z = logits(w, test_x)
    found = {
        "epochs": [nine(loss) for loss in losses.reshape(GIVEN_EPOCHS, -1).mean(1)],
        "testLoss": nine(F.cross_entropy(z, test_labels)),
        "testAccuracy": nine((z.argmax(1) == test_labels).double().mean()),
    }
    print(json.dumps(found, indent=1))


def write_steps(folder, out, seed):
    x, labels = digits(folder, "train")
    generator = np.random.default_rng(seed)
    weights = initial_weights(generator)
    order = generator.permutation(len(labels))[: STEPS * BATCH].reshape(STEPS, BATCH)
    losses = train(weights, x, labels, order, torch.float64)[1]
    losses32 = train(weights, x, labels, order, torch.float32)[1]
    apart = np.abs(losses32 / losses - 1)
    print(f"loss {losses[0]:.6f} at step 1, {losses[-1]:.6f} at step {STEPS}")
    print(f"float32 deviates by at most {apart.max():.2e} (step {apart.argmax() + 1})")
    if apart.max() > DEVIATION:
        raise SystemExit("float32 itself drifts too far for a comparison; choose another seed")
    arrays = {name: as_keras(name, value) for name, value in weights.items()}
    np.savez_compressed(out, **arrays, order=order.astype("i4"), losses=losses, losses32=losses32)


def print_accuracy(folder, seeds):
    x, labels = digits(folder, "train")
    test_x, test_labels = digits(folder, "t10k")
    found = []
    for seed in seeds:
        generator = np.random.default_rng(seed)
        weights = initial_weights(generator)
        # As Keras: every epoch in a new order, its last batch as large as what is left.
        orders = [generator.permutation(len(labels)) for _ in range(EPOCHS)]
        batches = [order[at : at + BATCH] for order in orders for at in range(0, len(order), BATCH)]
        w = train(weights, x, labels, batches, torch.float32)[0]
        with torch.no_grad():
            hits = logits(w, test_x.float()).argmax(1) == test_labels
        found.append(100 * hits.double().mean().item())
        print(f"seed {seed}: {found[-1]:.2f} %", flush=True)
    print(f"mean of {len(seeds)}: {np.mean(found):.2f} %, {EPOCHS} epochs, PyTorch {torch.__version__}")


parser = argparse.ArgumentParser()
parser.add_argument("folder", nargs="?", type=pathlib.Path)
what = parser.add_mutually_exclusive_group(required=True)
what.add_argument("out", nargs="?", type=pathlib.Path)
what.add_argument("--given", type=pathlib.Path, metavar="IN.npz")
what.add_argument("--accuracy", type=int, nargs="+", metavar="SEED")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(1)
if options.given:
    print_given(options.given)
elif options.folder is None:
    parser.error("MNIST_FOLDER is missing")
elif options.accuracy:
    print_accuracy(options.folder, options.accuracy)
else:
    write_steps(options.folder, options.out, options.seed)
