"""Convolutions and their gradients by PyTorch in float64: makes test/literals/conv.json.

    python3 scripts/oracles/conv.py > test/literals/conv.json && npx biome format --write test/literals/conv.json

Inputs follow a formula that the test repeats: element i of an input with the number s is
((7919·i + 613·s) mod 1009) / 1024 − 1/2, which float32 holds exactly. s is 0 for x, 1 for the filter, 2 for the pointwise
filter, 3 for the bias, 4 for the gradient of the result. Each result v, of n elements, is told as its shape, as
Σ v[i]·input(i, 5), and as its elements ⌊k·n / 5⌋ for k = 0 … 4.

What differs from PyTorch, and how it is converted:

- Layout: (batch, …axes, channels) here, (batch, channels, …axes) there.
- Filter of a convolution: (…taps, channels / groups, filters) here, (filters, channels / groups, …taps) there.
- Filter of a transposed one: (…taps, filters / groups, channels) here, (channels, filters / groups, …taps) there.
- Depthwise filter: (…taps, channels, multiplier) here; there a convolution with as many groups as channels, whose filter
  c·multiplier + m is the m-th of channel c: (channels·multiplier, 1, …taps).
- 'same' padding: TensorFlow's rule, an odd zero at the end; PyTorch's own is used nowhere, x is padded by F.pad.
- 'causal' padding: (taps − 1)·dilation zeros in front.
- Transposed: PyTorch makes the full result, which is then cut and extended by the rule of Keras 3.3
  (backend/common/backend_utils.py, _convert_conv_transpose_padding_args_from_keras_to_jax); a check compares 'same' and
  'valid' with the vector-Jacobian product of the forward convolution. Explicit padding is PyTorch's own.
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
ACTIVATIONS = {"linear": lambda v: v, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def numbers(shape, seed):
    index = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.int64)
    return (((7919 * index + 613 * seed) % 1009).double() / 1024 - 0.5).reshape(shape)


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def per_axis(value, axes):
    return list(value) if isinstance(value, list) else [value] * axes


def padding_pairs(padding, extents, taps, strides, dilation):
    """The zeros before and after each axis."""
    pairs = []
    for axis, extent in enumerate(extents):
        span = (taps[axis] - 1) * dilation[axis] + 1
        if padding == "valid":
            pairs.append((0, 0))
        elif padding == "same":
            # https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
            left_over = extent % strides[axis]
            total = max(span - (left_over if left_over else strides[axis]), 0)
            pairs.append((total // 2, total - total // 2))
        elif padding == "causal":
            pairs.append((span - 1, 0))
        else:
            entry = per_axis(padding, len(extents))[axis]
            pairs.append(tuple(entry) if isinstance(entry, list) else (entry, entry))
    return pairs


def torch_conv(x, weight, axes, strides, pairs, dilation, groups):
    """x and weight in PyTorch's layout."""
    flat = [zeros for pair in reversed(pairs) for zeros in pair]
    return CONV[axes](F.pad(x, flat), weight, stride=strides, dilation=dilation, groups=groups)


def moving(options, axes):
    return per_axis(options.get("strides", 1), axes), per_axis(options.get("dilationRate", 1), axes)


def conv(x, weight, taps, options, groups):
    axes = len(taps)
    strides, dilation = moving(options, axes)
    pairs = padding_pairs(options.get("padding", "valid"), x.shape[1:-1], taps, strides, dilation)
    return channels_last(torch_conv(channels_first(x), weight, axes, strides, pairs, dilation, groups))


def plain(x, filters, options):
    (w,) = filters
    axes = w.ndim - 2
    return conv(x, w.permute(axes + 1, axes, *range(axes)), w.shape[:axes], options, options.get("groups", 1))


def depthwise(x, filters, options):
    w = filters[0]
    axes = w.ndim - 2
    channels, multiplier = w.shape[-2:]
    weight = w.permute(axes, axes + 1, *range(axes)).reshape(channels * multiplier, 1, *w.shape[:axes])
    return conv(x, weight, w.shape[:axes], options, channels)


def separable(x, filters, options):
    return plain(depthwise(x, filters, options), filters[1:], {})


def keras_cut(extent, taps, stride, dilation, padding, output_padding):
    """What is cut from the front of the full result, and the extent, by Keras' rule."""
    span = (taps - 1) * dilation + 1
    if padding == "valid":
        extra = max(span, stride) - span if output_padding is None else output_padding
        left, total = span - 1, 2 * (span - 1) + extra
    else:
        total = stride + span - 2 if output_padding is None else span + span % 2 - 2 + output_padding
        left = min(total // 2 + total % 2, span - 1)
    return span - 1 - left, (extent - 1) * stride + 1 + total - (span - 1)


def transposed(x, filters, options):
    (w,) = filters
    axes = w.ndim - 2
    taps = w.shape[:axes]
    strides, dilation = moving(options, axes)
    groups = options.get("groups", 1)
    padding = options.get("padding", "valid")
    extras = per_axis(options.get("outputPadding"), axes)
    weight = w.permute(axes + 1, axes, *range(axes))
    full = TRANSPOSED[axes](channels_first(x), weight, stride=strides, dilation=dilation, groups=groups)
    for axis in range(axes):
        extent, at = x.shape[1 + axis], 2 + axis
        if padding in ("valid", "same"):
            front, length = keras_cut(extent, taps[axis], strides[axis], dilation[axis], padding, extras[axis])
        else:
            entry = per_axis(padding, axes)[axis]
            front, back = entry if isinstance(entry, list) else (entry, entry)
            length = full.shape[at] - front - back + (extras[axis] or 0)
        missing = max(front + length - full.shape[at], 0)
        behind = [0] * (2 * (axes - axis) - 1) + [missing]
        full = F.pad(full, behind).narrow(at, front, length)
    if padding in ("valid", "same") and extras == [None] * axes:
        check_adjoint(full, x, w, options, strides, dilation, groups)
    return channels_last(full)


def check_adjoint(result, x, w, options, strides, dilation, groups):
    """The result is Jᵀx, where J is the Jacobian of the convolution with the same filter and options."""
    axes = w.ndim - 2
    taps = w.shape[:axes]
    z = torch.zeros_like(result, requires_grad=True)
    pairs = padding_pairs(options.get("padding", "valid"), z.shape[2:], taps, strides, dilation)
    # As a filter of the forward convolution, w is (…taps, its channels / groups, its filters).
    y = torch_conv(z, w.detach().permute(axes + 1, axes, *range(axes)), axes, strides, pairs, dilation, groups)
    (adjoint,) = torch.autograd.grad(y, z, channels_first(x.detach()))
    assert torch.equal(adjoint, result.detach()), (options, x.shape, w.shape)


FAMILIES = {
    **{f"conv{axes}d": plain for axes in (1, 2, 3)},
    **{f"conv{axes}dTranspose": transposed for axes in (1, 2, 3)},
    **{f"depthwiseConv{axes}d": depthwise for axes in (1, 2)},
    **{f"separableConv{axes}d": separable for axes in (1, 2)},
}


# function, shape of x, shapes of the filters, options; a bias is there unless the options say False.
CASES = [
    ("conv1d", [2, 9, 3], [[3, 3, 4]], {}),
    ("conv1d", [1, 11, 1], [[4, 1, 5]], {"strides": 3, "padding": "same"}),
    ("conv1d", [3, 8, 2], [[3, 2, 2]], {"dilationRate": 2, "padding": "causal", "activation": "tanh"}),
    ("conv1d", [1, 10, 67], [[2, 67, 3]], {"strides": 5, "bias": False}),
    ("conv1d", [2, 1, 3], [[5, 3, 2]], {"padding": "same", "dilationRate": 3}),
    ("conv1d", [2, 7, 4], [[3, 4, 3]], {"padding": [[0, 3]], "strides": 2, "activation": "relu"}),
    ("conv1d", [2, 6, 6], [[3, 2, 9]], {"groups": 3, "padding": "causal", "strides": 2}),
    ("conv2d", [2, 7, 6, 3], [[3, 3, 3, 4]], {}),
    ("conv2d", [1, 28, 28, 1], [[5, 5, 1, 8]], {"activation": "relu", "padding": "same"}),
    ("conv2d", [2, 6, 7, 2], [[4, 2, 2, 3]], {"padding": "same", "strides": [3, 2]}),
    ("conv2d", [1, 9, 10, 3], [[3, 2, 3, 5]], {"padding": "same", "dilationRate": [2, 3], "bias": False}),
    ("conv2d", [3, 1, 1, 4], [[1, 1, 4, 6]], {"activation": "sigmoid"}),
    ("conv2d", [1, 1, 1, 3], [[3, 3, 3, 2]], {"padding": "same"}),
    ("conv2d", [1, 5, 5, 67], [[2, 2, 67, 5]], {"strides": 3, "padding": 1}),
    ("conv2d", [2, 8, 9, 2], [[3, 3, 2, 4]], {"strides": 2, "dilationRate": 2, "padding": [[2, 1], 3]}),
    ("conv2d", [2, 5, 6, 4], [[3, 3, 2, 6]], {"groups": 2, "padding": "same"}),
    ("conv2d", [1, 6, 5, 5], [[2, 3, 1, 10]], {"groups": 5, "strides": 2, "activation": "tanh"}),
    ("conv2d", [2, 4, 4, 6], [[3, 3, 1, 6]], {"groups": 6, "padding": "same", "dilationRate": 2}),
    ("conv2d", [1, 4, 4, 9], [[2, 2, 3, 3]], {"groups": 3, "bias": False}),
    ("conv2d", [2, 3, 3, 134], [[2, 2, 67, 4]], {"groups": 2}),
    ("conv3d", [1, 4, 5, 6, 2], [[2, 3, 3, 2, 3]], {}),
    ("conv3d", [2, 5, 4, 3, 3], [[3, 2, 1, 3, 4]], {"padding": "same", "strides": [2, 3, 1], "activation": "relu"}),
    ("conv3d", [1, 1, 1, 1, 67], [[1, 3, 3, 67, 2]], {"padding": "same"}),
    ("conv3d", [1, 6, 7, 5, 1], [[2, 3, 2, 1, 3]], {"dilationRate": [3, 2, 2], "padding": "same", "bias": False}),
    ("conv3d", [2, 7, 6, 5, 2], [[2, 2, 2, 2, 2]], {"strides": 3, "padding": [[1, 0], 0, [0, 2]]}),
    ("conv3d", [1, 3, 4, 4, 6], [[2, 2, 3, 3, 4]], {"groups": 2, "strides": [1, 2, 1], "activation": "tanh"}),
    ("conv1dTranspose", [2, 5, 3], [[3, 4, 3]], {}),
    ("conv1dTranspose", [1, 4, 1], [[2, 3, 1]], {"strides": 3}),
    ("conv1dTranspose", [3, 6, 2], [[5, 2, 2]], {"strides": 2, "padding": "same", "activation": "tanh"}),
    ("conv1dTranspose", [1, 5, 67], [[4, 2, 67]], {"strides": 2, "padding": "same", "outputPadding": 1, "bias": False}),
    ("conv1dTranspose", [2, 1, 3], [[3, 2, 3]], {"dilationRate": 2, "padding": "same"}),
    ("conv1dTranspose", [2, 4, 2], [[3, 3, 2]], {"strides": 4, "padding": [[1, 0]], "outputPadding": 3}),
    ("conv1dTranspose", [2, 5, 6], [[3, 2, 6]], {"groups": 3, "strides": 2, "activation": "relu"}),
    ("conv2dTranspose", [2, 4, 3, 3], [[3, 3, 4, 3]], {}),
    ("conv2dTranspose", [1, 7, 7, 8], [[4, 4, 1, 8]], {"strides": 2, "padding": "same", "activation": "sigmoid"}),
    ("conv2dTranspose", [2, 3, 4, 2], [[2, 5, 3, 2]], {"strides": [3, 2], "padding": "valid", "outputPadding": [2, 0]}),
    ("conv2dTranspose", [1, 1, 1, 67], [[3, 2, 3, 67]], {"strides": 2, "padding": "same"}),
    ("conv2dTranspose", [1, 5, 4, 3], [[3, 3, 2, 3]], {"dilationRate": [2, 3], "padding": "same", "bias": False}),
    ("conv2dTranspose", [2, 3, 4, 4], [[3, 2, 1, 4]], {"strides": 2, "dilationRate": 2, "padding": 1, "groups": 4}),
    ("conv3dTranspose", [1, 3, 2, 4, 2], [[2, 3, 2, 3, 2]], {}),
    ("conv3dTranspose", [2, 2, 3, 2, 3], [[3, 2, 1, 2, 3]], {"strides": [2, 3, 2], "padding": "same", "activation": "relu"}),
    ("conv3dTranspose", [1, 1, 1, 1, 67], [[2, 2, 2, 2, 67]], {"strides": 3, "bias": False}),
    ("conv3dTranspose", [1, 3, 3, 2, 1], [[2, 3, 3, 4, 1]], {"dilationRate": 2, "padding": "same"}),
    ("conv3dTranspose", [2, 2, 3, 3, 4], [[3, 3, 2, 1, 4]], {"groups": 2, "strides": 2, "padding": [1, [0, 1], 0]}),
    ("depthwiseConv1d", [2, 8, 3], [[3, 3, 2]], {}),
    ("depthwiseConv1d", [1, 9, 67], [[4, 67, 1]], {"padding": "causal", "dilationRate": 2, "activation": "relu"}),
    ("depthwiseConv1d", [3, 7, 1], [[2, 1, 4]], {"strides": 3, "padding": "same", "bias": False}),
    ("depthwiseConv2d", [2, 6, 5, 3], [[3, 3, 3, 2]], {}),
    ("depthwiseConv2d", [1, 9, 8, 67], [[3, 3, 67, 1]], {"strides": 2, "padding": "same", "activation": "relu"}),
    ("depthwiseConv2d", [1, 1, 1, 4], [[3, 3, 4, 3]], {"padding": "same"}),
    ("depthwiseConv2d", [2, 7, 7, 1], [[2, 3, 1, 5]], {"strides": 4, "bias": False}),
    ("depthwiseConv2d", [1, 8, 7, 2], [[3, 2, 2, 2]], {"dilationRate": [2, 3], "padding": "same", "activation": "tanh"}),
    ("separableConv1d", [2, 9, 3], [[3, 3, 2], [1, 6, 4]], {}),
    ("separableConv1d", [1, 8, 67], [[2, 67, 1], [1, 67, 3]], {"padding": "causal", "dilationRate": 3}),
    ("separableConv1d", [3, 7, 1], [[4, 1, 3], [1, 3, 2]], {"strides": 2, "padding": "same", "activation": "sigmoid"}),
    ("separableConv2d", [2, 6, 5, 3], [[3, 3, 3, 2], [1, 1, 6, 4]], {}),
    ("separableConv2d", [1, 8, 9, 4], [[3, 3, 4, 1], [1, 1, 4, 5]], {"strides": 2, "padding": "same", "activation": "relu"}),
    ("separableConv2d", [1, 1, 1, 67], [[3, 3, 67, 1], [1, 1, 67, 2]], {"padding": "same", "bias": False}),
    ("separableConv2d", [2, 7, 6, 1], [[2, 2, 1, 3], [1, 1, 3, 3]], {"strides": 3, "padding": "same"}),
    ("separableConv2d", [1, 7, 8, 2], [[3, 2, 2, 2], [1, 1, 4, 3]], {"dilationRate": 2, "padding": "same"}),
]


def summary(v):
    flat = v.detach().contiguous().reshape(-1)
    weighted = (flat * numbers([flat.numel()], 5)).sum()
    samples = [flat[k * flat.numel() // 5] for k in range(5)]
    return [list(v.shape), *(float(f"{number.item():.9g}") for number in [weighted, *samples])]


def record(function, x_shape, filter_shapes, options):
    """The case with its results: y, then the gradients of x, of the filters, and of the bias where there is one."""
    options = dict(options)
    has_bias = options.pop("bias", True)
    x = numbers(x_shape, 0).requires_grad_()
    filters = [numbers(shape, 1 + index).requires_grad_() for index, shape in enumerate(filter_shapes)]
    y = FAMILIES[function](x, filters, options)
    inputs = [x, *filters]
    if has_bias:
        inputs.append(numbers([y.shape[-1]], 3).requires_grad_())
        y = y + inputs[-1]
    y = ACTIVATIONS[options.get("activation", "linear")](y)
    gradients = torch.autograd.grad(y, inputs, numbers(list(y.shape), 4))
    return {
        "function": function,
        "x": x_shape,
        "filters": filter_shapes,
        "bias": has_bias,
        "options": options,
        "results": [summary(v) for v in (y, *gradients)],
    }


print(json.dumps([record(*case) for case in CASES]))
