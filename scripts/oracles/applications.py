"""Outputs and gradients of well-known architectures at reduced width, by PyTorch in float64: test/literals/applications.json.

torchvision is not needed: its architectures are written anew here, as functions that ask for weights by the names and in the
layouts of torchvision's state dicts. MobileNet, LeNet-5, the MLP and the text CNN have Keras's names, `conv1.kernel`, and
layouts, which are turned here:

- convolution: (height, width, in, out) there, (out, in, height, width) in PyTorch; depthwise (height, width, channels, 1)
  there, (channels, 1, height, width) in PyTorch; in one dimension the same without the height;
- dense: (in, out) there, (out, in) in PyTorch;
- flatten: (height, width, channels) there; channels are moved last before PyTorch flattens;
- 'same' with a stride of 2 on even extents: one row and column behind the image, none in front.

No weights are stored: element i of the weight `name` is u(name, i), a number in [-1, 1) from 32-bit integers, times
sqrt(6 / fan in) for kernels, times 0.1 for biases, beta and moving means, 1 + u/5 for gamma, 1 + u/2 for moving variances,
u for embeddings. Inputs are u('input', i), in the order (batch, height, width, channels), or word numbers of it; the gradient
of the outputs is u('cotangent', i). Batch normalisation uses the moving statistics, dropout is off, and the last layer gives
logits. All gradients, of the input and of every trained weight, go into 'norm', the square root of the sum of squares;
'input' holds their first elements for the input.

'names' is a checksum of all names and shapes, as are the state dicts' keys without num_batches_tracked.

    python3 scripts/oracles/applications.py > test/literals/applications.json
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

MASK = 0xFFFFFFFF
BATCH = 2


def text_hash(text):
    h = 0
    for c in text:
        h = (h * 31 + ord(c)) & MASK
    return h


def noise(name, count):
    """u(name, i) for i < count."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(text_hash(name))
    for _ in range(2):
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x45D9F3B)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2**31 - 1


class Weights:
    """Makes weights on demand, and remembers them."""

    def __init__(self):
        self.trained = []
        self.lines = []

    def make(self, name, shape, change, trained=True):
        self.lines.append(f"{name} {','.join(map(str, shape))}")
        value = torch.from_numpy(change(noise(name, int(np.prod(shape))))).reshape(shape)
        if trained:
            self.trained.append(value.requires_grad_())
        return value

    def kernel(self, name, shape, fan_in):
        return self.make(name, shape, lambda u: u * np.sqrt(6 / fan_in))

    def small(self, name, shape, trained=True):
        return self.make(name, shape, lambda u: 0.1 * u, trained)

    # torchvision's names and layouts

    def conv(self, name, x, out, size, stride=1, padding=0, groups=1, bias=True):
        inputs = x.shape[1] // groups
        w = self.kernel(f"{name}.weight", (out, inputs, size, size), inputs * size * size)
        b = self.small(f"{name}.bias", (out,)) if bias else None
        return F.conv2d(x, w, b, stride, padding, groups=groups)

    def norm(self, name, x, epsilon):
        shape = (x.shape[1],)
        gamma = self.make(f"{name}.weight", shape, lambda u: 1 + u / 5)
        beta = self.small(f"{name}.bias", shape)
        mean = self.small(f"{name}.running_mean", shape, False)
        variance = self.make(f"{name}.running_var", shape, lambda u: 1 + u / 2, False)
        return F.batch_norm(x, mean, variance, gamma, beta, False, 0, epsilon)

    def linear(self, name, x, out):
        w = self.kernel(f"{name}.weight", (out, x.shape[1]), x.shape[1])
        return F.linear(x, w, self.small(f"{name}.bias", (out,)))

    # Keras's names and layouts

    def keras_conv(self, name, x, out, size, stride=1, padding=0, bias=True, depthwise=False):
        channels = x.shape[1]
        shape = (*[size] * (x.dim() - 2), channels, 1 if depthwise else out)
        fan_in = size ** (x.dim() - 2) * (1 if depthwise else channels)
        w = self.kernel(f"{name}.kernel", shape, fan_in)
        space = list(range(x.dim() - 2))
        last = [len(space) + 1, len(space)]
        w = w.permute(*(last[::-1] if depthwise else last), *space)
        b = self.small(f"{name}.bias", (channels if depthwise else out,)) if bias else None
        conv = F.conv2d if x.dim() == 4 else F.conv1d
        return conv(x, w, b, stride, padding, groups=channels if depthwise else 1)

    def keras_norm(self, name, x):
        shape = (x.shape[1],)
        gamma = self.make(f"{name}.gamma", shape, lambda u: 1 + u / 5)
        beta = self.small(f"{name}.beta", shape)
        mean = self.small(f"{name}.moving_mean", shape, False)
        variance = self.make(f"{name}.moving_variance", shape, lambda u: 1 + u / 2, False)
        return F.batch_norm(x, mean, variance, gamma, beta, False, 0, 1e-3)

    def dense(self, name, x, out):
        w = self.kernel(f"{name}.kernel", (x.shape[1], out), x.shape[1])
        return x @ w + self.small(f"{name}.bias", (out,))


def scaled(count, width, of=1):
    """The nearest multiple; halves go up, as in JavaScript."""
    return max(of, of * int(np.floor(count * width / of + 0.5)))


def fixed_map(x, size):
    """torchvision's adaptive average, but for maps that are smaller."""
    return F.adaptive_avg_pool2d(x, size) if max(x.shape[2:]) > size else x


def alexnet(w, x, width):
    for place, out, size, stride, padding, pool in [
        (0, 64, 11, 4, 2, True),
        (3, 192, 5, 1, 2, True),
        (6, 384, 3, 1, 1, False),
        (8, 256, 3, 1, 1, False),
        (10, 256, 3, 1, 1, True),
    ]:
        x = F.relu(w.conv(f"features.{place}", x, scaled(out, width), size, stride, padding))
        x = F.max_pool2d(x, 3, 2) if pool else x
    x = fixed_map(x, 6).flatten(1)
    x = F.relu(w.linear("classifier.1", x, scaled(4096, width)))
    x = F.relu(w.linear("classifier.4", x, scaled(4096, width)))
    return [w.linear("classifier.6", x, 10)]


def keras_flat(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def alexnet_original(w, x, width):
    """Keras's names, as torchvision has no such network; kernels of groups are (height, width, in / groups, out)."""

    def conv(name, x, out, size, stride=1, padding=0, groups=1):
        out = scaled(out, width, 2)
        inputs = x.shape[1] // groups
        k = w.kernel(f"{name}.kernel", (size, size, inputs, out), inputs * size * size)
        return F.relu(F.conv2d(x, k.permute(3, 2, 0, 1), w.small(f"{name}.bias", (out,)), stride, padding, groups=groups))

    def response(x):
        # PyTorch divides alpha by the size of the window, the paper does not.
        return F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2)

    x = F.max_pool2d(response(conv("conv1", x, 96, 11, 4)), 3, 2)
    x = F.max_pool2d(response(conv("conv2", x, 256, 5, 1, 2, 2)), 3, 2)
    x = conv("conv3", x, 384, 3, 1, 1)
    x = conv("conv4", x, 384, 3, 1, 1, 2)
    x = F.max_pool2d(conv("conv5", x, 256, 3, 1, 1, 2), 3, 2)
    x = keras_flat(fixed_map(x, 6))
    x = F.relu(w.dense("fc6", x, scaled(4096, width)))
    x = F.relu(w.dense("fc7", x, scaled(4096, width)))
    return [w.dense("fc8", x, 10)]


def vgg(blocks):
    def forward(w, x, width):
        place = 0
        for count, out in blocks:
            for _ in range(count):
                x = F.relu(w.conv(f"features.{place}", x, scaled(out, width), 3, 1, 1))
                place += 2
            x = F.max_pool2d(x, 2, 2)
            place += 1
        x = fixed_map(x, 7).flatten(1)
        x = F.relu(w.linear("classifier.0", x, scaled(4096, width)))
        x = F.relu(w.linear("classifier.3", x, scaled(4096, width)))
        return [w.linear("classifier.6", x, 10)]

    return forward


def basic_block(w, x, name, planes, stride, shortcut):
    y = F.relu(w.norm(f"{name}.bn1", w.conv(f"{name}.conv1", x, planes, 3, stride, 1, bias=False), 1e-5))
    y = w.norm(f"{name}.bn2", w.conv(f"{name}.conv2", y, planes, 3, 1, 1, bias=False), 1e-5)
    return F.relu(y + shortcut(w, x, name, planes, stride))


def bottleneck(w, x, name, planes, stride, shortcut):
    y = F.relu(w.norm(f"{name}.bn1", w.conv(f"{name}.conv1", x, planes, 1, bias=False), 1e-5))
    y = F.relu(w.norm(f"{name}.bn2", w.conv(f"{name}.conv2", y, planes, 3, stride, 1, bias=False), 1e-5))
    y = w.norm(f"{name}.bn3", w.conv(f"{name}.conv3", y, 4 * planes, 1, bias=False), 1e-5)
    return F.relu(y + shortcut(w, x, name, 4 * planes, stride))


def downsample(w, x, name, planes, stride):
    if stride == 1 and x.shape[1] == planes:
        return x
    y = w.conv(f"{name}.downsample.0", x, planes, 1, stride, bias=False)
    return w.norm(f"{name}.downsample.1", y, 1e-5)


def zero_channels(w, x, name, planes, stride):
    """He et al.'s option A: every second row and column, and channels of zeros on both sides."""
    missing = planes - x.shape[1]
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, missing // 2, missing - missing // 2))


def stages(w, x, block, depths, base, shortcut):
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(w, x, f"layer{stage + 1}.{index}", base(stage), stride, shortcut)
    return [w.linear("fc", x.mean((2, 3)), 10)]


def resnet(block, depths):
    def forward(w, x, width):
        x = F.relu(w.norm("bn1", w.conv("conv1", x, scaled(64, width), 7, 2, 3, bias=False), 1e-5))
        x = F.max_pool2d(x, 3, 2, 1)
        return stages(w, x, block, depths, lambda stage: scaled(64 * 2**stage, width), downsample)

    return forward


def cifar_resnet(depth):
    def forward(w, x, width):
        x = F.relu(w.norm("bn1", w.conv("conv1", x, scaled(16, width), 3, 1, 1, bias=False), 1e-5))
        return stages(w, x, basic_block, [depth] * 3, lambda stage: scaled(16 * 2**stage, width), zero_channels)

    return forward


MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(w, x, width):
    """With both auxiliary heads."""

    def conv(name, x, out, size, stride=1):
        y = w.conv(f"{name}.conv", x, scaled(out, width), size, stride, (size - 1) // 2, bias=False)
        return F.relu(w.norm(f"{name}.bn", y, 1e-3))

    def inception(x, module):
        name = f"inception{module}"
        one, reduce3, three, reduce5, five, pooled = MODULES[module]
        return torch.cat(
            [
                conv(f"{name}.branch1", x, one, 1),
                conv(f"{name}.branch2.1", conv(f"{name}.branch2.0", x, reduce3, 1), three, 3),
                conv(f"{name}.branch3.1", conv(f"{name}.branch3.0", x, reduce5, 1), five, 3),
                conv(f"{name}.branch4.1", F.max_pool2d(x, 3, 1, 1, ceil_mode=True), pooled, 1),
            ],
            1,
        )

    def auxiliary(x, name):
        x = conv(f"{name}.conv", F.adaptive_avg_pool2d(x, 4), 128, 1).flatten(1)
        x = F.relu(w.linear(f"{name}.fc1", x, scaled(1024, width)))
        return w.linear(f"{name}.fc2", x, 10)

    def shrink(x, size=3):
        return F.max_pool2d(x, size, 2, ceil_mode=True)

    x = shrink(conv("conv1", x, 64, 7, 2))
    x = shrink(conv("conv3", conv("conv2", x, 64, 1), 192, 3))
    x = inception(shrink(inception(inception(x, "3a"), "3b")), "4a")
    first = auxiliary(x, "aux1")
    for module in ["4b", "4c", "4d"]:
        x = inception(x, module)
    second = auxiliary(x, "aux2")
    x = inception(inception(shrink(inception(x, "4e"), 2), "5a"), "5b")
    return [w.linear("fc", x.mean((2, 3)), 10), first, second]


def mobilenet(w, x, alpha):
    def finish(name, x):
        return F.relu6(w.keras_norm(f"{name}_bn", x))

    behind = (0, 1, 0, 1)
    channels = lambda count: max(1, int(count * alpha))
    x = finish("conv1", w.keras_conv("conv1", F.pad(x, behind), channels(32), 3, 2, bias=False))
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for number, (out, stride) in enumerate(blocks, start=1):
        name = f"conv_dw_{number}"
        x = F.pad(x, behind if stride == 2 else (1, 1, 1, 1))
        x = finish(name, w.keras_conv(name, x, 0, 3, stride, bias=False, depthwise=True))
        name = f"conv_pw_{number}"
        x = finish(name, w.keras_conv(name, x, channels(out), 1, bias=False))
    return [w.keras_conv("conv_preds", x.mean((2, 3), keepdim=True), 10, 1).flatten(1)]


def lenet(hidden, pool):
    def forward(w, x, width):
        x = pool(hidden(w.keras_conv("conv2d", x, scaled(6, width), 5, padding=2)), 2)
        x = pool(hidden(w.keras_conv("conv2d_1", x, scaled(16, width), 5)), 2)
        x = hidden(w.dense("dense", keras_flat(x), scaled(120, width)))
        x = hidden(w.dense("dense_1", x, scaled(84, width)))
        return [w.dense("dense_2", x, 10)]

    return forward


def mlp(w, x, width):
    x = F.relu(w.dense("dense", x, scaled(32, width)))
    x = F.relu(w.dense("dense_1", x, scaled(16, width)))
    return [w.dense("dense_2", x, 10)]


def text_cnn(w, x, width):
    """20 words of 50, vectors of 12."""
    table = w.make("embedding.embeddings", (50, 12), lambda u: u)
    words = table[x].permute(0, 2, 1)
    found = [F.relu(w.keras_conv(f"conv{size}", words, scaled(100, width), size)).amax(2) for size in (3, 4, 5)]
    return [w.dense("predictions", torch.cat(found, 1), 2)]


CASES = {
    "lenet5": (lenet(F.relu, F.max_pool2d), 1, (28, 28, 1)),
    "lenet5Classic": (lenet(torch.tanh, F.avg_pool2d), 1, (28, 28, 1)),
    "mlp": (mlp, 0.5, (20,)),
    "textCnn": (text_cnn, 0.1, (20,)),
    "alexnet": (alexnet, 0.125, (127, 127, 3)),
    "alexnetOriginal": (alexnet_original, 0.125, (131, 131, 3)),
    "vgg11": (vgg([(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)]), 0.125, (64, 64, 3)),
    "vgg16": (vgg([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]), 0.125, (64, 64, 3)),
    "resnet18": (resnet(basic_block, [2, 2, 2, 2]), 0.125, (64, 64, 3)),
    "resnet34": (resnet(basic_block, [3, 4, 6, 3]), 0.125, (64, 64, 3)),
    "resnet50": (resnet(bottleneck, [3, 4, 6, 3]), 0.125, (64, 64, 3)),
    "resnet20": (cifar_resnet(3), 0.5, (16, 16, 3)),
    "resnet56": (cifar_resnet(9), 0.5, (16, 16, 3)),
    "googlenet": (googlenet, 0.125, (80, 80, 3)),
    "mobilenet": (mobilenet, 0.25, (64, 64, 3)),
}


def nine(values):
    return [float(f"{value:.9g}") for value in values]


def run(forward, width, shape):
    w = Weights()
    u = torch.from_numpy(noise("input", BATCH * int(np.prod(shape)))).reshape(BATCH, *shape)
    if forward is text_cnn:
        x = ((u + 1) * 25).long()
    else:
        x = u.requires_grad_()
    images = x.permute(0, 3, 1, 2) if x.dim() == 4 else x
    outputs = forward(w, images, width)
    cotangents = [torch.from_numpy(noise("cotangent", z.numel())).reshape(z.shape) for z in outputs]
    loss = sum((z * c).sum() for z, c in zip(outputs, cotangents))
    leaves = w.trained + ([x] if x.requires_grad else [])
    gradients = torch.autograd.grad(loss, leaves)
    found = {
        "weights": len(w.lines),
        "names": text_hash("\n".join(sorted(w.lines))),
        "outputs": [nine(z.detach()[:, :5].flatten().tolist()) for z in outputs],
        "norm": nine([float(sum((g**2).sum() for g in gradients).sqrt())])[0],
    }
    if x.requires_grad:
        found["input"] = nine(gradients[-1].flatten()[:6].tolist())
    return found


torch.set_num_threads(1)
print(json.dumps({name: run(*case) for name, case in CASES.items()}, indent=1))
