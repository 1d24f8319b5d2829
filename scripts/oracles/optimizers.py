"""Literals for test/optimizers.test.ts: Keras 3's published optimizers and schedules, written anew in NumPy float64.

    python3 scripts/oracles/optimizers.py > test/literals/optimizers.json

Twenty steps on two parameters, kernel (3, 4) and bias (5,), of the loss s_t * sum(k (w - target)^2) / 2 with a factor s_t that
changes from step to step, so that its gradient is s_t k (w - target). What is told: the values after steps 1 and 20.

Conversions: Keras' snake_case options are camelCase here. Keras counts `iterations` from 0; with gradient accumulation it is
the number of updates, and schedules get the number of steps. `decay` is that of Keras' former SGD. A learning-rate factor
(none in Keras) multiplies the rate of one parameter. `warmup` is this project's own; `oneCycle` is PyTorch's OneCycleLR, run
here for the numbers.
"""
import json
import math

import numpy as np
import torch

rng = np.random.default_rng(20240918)
STEPS = 20
TOLD = (1, 20)


def numbers(shape, low, high):
    """Values with few digits, exact in float32."""
    return np.round(rng.uniform(low, high, shape) * 64) / 64


SHAPES = {"kernel": (3, 4), "bias": (5,)}
START = {name: numbers(shape, -1, 1) for name, shape in SHAPES.items()}
TARGET = {name: numbers(shape, -3, 3) for name, shape in SHAPES.items()}
STIFFNESS = {name: numbers(shape, 0.25, 2) for name, shape in SHAPES.items()}


def factor(t):
    """s_t for t = 1 ... 20, exact in float32."""
    return 0.25 + (t * 7 % 5) * 0.5


class Base:
    """What keras.src.optimizers.base_optimizer does around update_step."""

    lr = 0.001
    wd = None

    def __init__(self, **o):
        self.o = o
        self.lr = o.get("learningRate", self.lr)
        self.wd = o.get("weightDecay", self.wd)
        self.raw = 0
        self.slots = {}
        self.average = {n: np.zeros(s) for n, s in SHAPES.items()}
        self.acc = {n: np.zeros(s) for n, s in SHAPES.items()}

    @property
    def iterations(self):
        return self.raw // self.o.get("gradientAccumulationSteps", 1)

    def rate(self):
        return self.lr(self.raw) if callable(self.lr) else self.lr

    def slot(self, name, kind, value=0.0):
        return self.slots.setdefault((name, kind), np.full(SHAPES[name], value))

    def set(self, name, kind, value):
        self.slots[(name, kind)] = value

    def clip(self, grads):
        o = self.o
        if "clipNorm" in o:
            c = o["clipNorm"]
            return {n: g * c / max(np.sqrt(np.sum(g**2)), c) for n, g in grads.items()}
        if "globalClipNorm" in o:
            c = o["globalClipNorm"]
            norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
            return {n: g * c * min(1 / norm, 1 / c) for n, g in grads.items()}
        if "clipValue" in o:
            return {n: np.clip(g, -o["clipValue"], o["clipValue"]) for n, g in grads.items()}
        return grads

    def begin_update(self):
        pass

    def apply(self, grads, w):
        n_acc = self.o.get("gradientAccumulationSteps", 1)
        if (self.raw + 1) % n_acc == 0:
            grads = {n: (g + self.acc[n]) / n_acc for n, g in grads.items()}
            grads = self.clip(grads)
            for n in w:
                lr = self.rate() * self.o.get("factors", {}).get(n, 1)
                if self.wd is not None and n not in self.o.get("excluded", ()):
                    w[n] = w[n] - w[n] * self.wd * lr
            self.begin_update()
            for n in w:
                w[n] = self.update(n, grads[n], w[n], self.rate() * self.o.get("factors", {}).get(n, 1))
            self.acc = {n: np.zeros(s) for n, s in SHAPES.items()}
        else:
            self.acc = {n: self.acc[n] + g for n, g in grads.items()}
        if self.o.get("useEma"):
            momentum = self.o.get("emaMomentum", 0.99) if self.iterations != 0 else 0.0
            for n in w:
                self.average[n] = momentum * self.average[n] + (1 - momentum) * w[n]
            every = self.o.get("emaOverwriteFrequency")
            if every and (self.iterations + 1) % every == 0:
                for n in w:
                    w[n] = self.average[n].copy()
        self.raw += 1


class Sgd(Base):
    lr = 0.01

    def update(self, n, g, w, lr):
        momentum = self.o.get("momentum", 0.0)
        lr = lr / (1 + self.o.get("decay", 0.0) * self.iterations)
        if momentum == 0:
            return w - g * lr
        m = momentum * self.slot(n, "m") - g * lr
        self.set(n, "m", m)
        return w + momentum * m - g * lr if self.o.get("nesterov") else w + m


class Rmsprop(Base):
    def update(self, n, g, w, lr):
        rho, momentum, eps = self.o.get("rho", 0.9), self.o.get("momentum", 0.0), self.o.get("epsilon", 1e-7)
        v = rho * self.slot(n, "v") + (1 - rho) * g**2
        self.set(n, "v", v)
        if self.o.get("centered"):
            avg = rho * self.slot(n, "avg") + (1 - rho) * g
            self.set(n, "avg", avg)
            denominator = v - avg**2 + eps
        else:
            denominator = v + eps
        increment = lr * g / np.sqrt(denominator)
        if momentum > 0:
            m = momentum * self.slot(n, "m") + increment
            self.set(n, "m", m)
            return w - m
        return w - increment


class Adagrad(Base):
    def update(self, n, g, w, lr):
        acc = self.slot(n, "acc", self.o.get("initialAccumulatorValue", 0.1)) + g**2
        self.set(n, "acc", acc)
        return w - lr * g / np.sqrt(acc + self.o.get("epsilon", 1e-7))


class Adadelta(Base):
    def update(self, n, g, w, lr):
        rho, eps = self.o.get("rho", 0.95), self.o.get("epsilon", 1e-7)
        acc = rho * self.slot(n, "acc") + (1 - rho) * g**2
        delta = -np.sqrt(self.slot(n, "delta") + eps) * g / np.sqrt(acc + eps)
        self.set(n, "acc", acc)
        self.set(n, "delta", rho * self.slot(n, "delta") + (1 - rho) * delta**2)
        return w + lr * delta


class Moments(Base):
    def moments(self, n, g):
        b1, b2 = self.o.get("beta1", 0.9), self.o.get("beta2", 0.999)
        m, v = self.slot(n, "m"), self.slot(n, "v")
        m = m + (g - m) * (1 - b1)
        v = v + (g**2 - v) * (1 - b2)
        self.set(n, "m", m)
        self.set(n, "v", v)
        return b1, b2, m, v, self.o.get("epsilon", 1e-7), self.iterations + 1


class Adam(Moments):
    def update(self, n, g, w, lr):
        b1, b2, m, v, eps, t = self.moments(n, g)
        alpha = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
        if self.o.get("amsgrad"):
            v = np.maximum(self.slot(n, "vhat"), v)
            self.set(n, "vhat", v)
        return w - m * alpha / (np.sqrt(v) + eps)


class Adamw(Adam):
    wd = 0.004


class Adamax(Base):
    def update(self, n, g, w, lr):
        b1, b2, t = self.o.get("beta1", 0.9), self.o.get("beta2", 0.999), self.iterations + 1
        m = self.slot(n, "m")
        m = m + (g - m) * (1 - b1)
        u = np.maximum(b2 * self.slot(n, "u"), np.abs(g))
        self.set(n, "m", m)
        self.set(n, "u", u)
        return w - lr * m / ((1 - b1**t) * (u + self.o.get("epsilon", 1e-7)))


class Nadam(Moments):
    product = 1.0

    def begin_update(self):
        self.product *= self.o.get("beta1", 0.9) * (1 - 0.5 * 0.96 ** (self.iterations + 1))

    def update(self, n, g, w, lr):
        b1, b2, m, v, eps, t = self.moments(n, g)
        u, u1 = b1 * (1 - 0.5 * 0.96**t), b1 * (1 - 0.5 * 0.96 ** (t + 1))
        m_hat = u1 * m / (1 - self.product * u1) + (1 - u) * g / (1 - self.product)
        return w - m_hat * lr / (np.sqrt(v / (1 - b2**t)) + eps)


class Lion(Base):
    def update(self, n, g, w, lr):
        b1, b2 = self.o.get("beta1", 0.9), self.o.get("beta2", 0.99)
        m = self.slot(n, "m")
        direction = m * b1 + g * (1 - b1)
        assert np.abs(direction).min() > 1e-4, "too near to where the sign turns"
        self.set(n, "m", m * b2 + g * (1 - b2))
        return w - lr * np.sign(direction)


class Ftrl(Base):
    def update(self, n, g, w, lr):
        o = self.o
        power = o.get("learningRatePower", -0.5)
        l2 = o.get("l2RegularizationStrength", 0.0) + o.get("beta", 0.0) / (2 * lr)
        acc, linear = self.slot(n, "acc", o.get("initialAccumulatorValue", 0.1)), self.slot(n, "linear")
        used = g + 2 * o.get("l2ShrinkageRegularizationStrength", 0.0) * w
        new = acc + g**2
        linear = linear + used - (new**-power - acc**-power) / lr * w
        l1 = o.get("l1RegularizationStrength", 0.0)
        self.set(n, "acc", new)
        self.set(n, "linear", linear)
        return (np.clip(linear, -l1, l1) - linear) / (new**-power / lr + 2 * l2)


# Schedules, as functions of the step.


def exponential(o):
    def rate(step):
        p = step / o["decaySteps"]
        return o["initialLearningRate"] * o["decayRate"] ** (math.floor(p) if o.get("staircase") else p)

    return rate


def inverse_time(o):
    def rate(step):
        p = step / o["decaySteps"]
        return o["initialLearningRate"] / (1 + o["decayRate"] * (math.floor(p) if o.get("staircase") else p))

    return rate


def polynomial(o):
    def rate(step):
        steps, end = o["decaySteps"], o.get("endLearningRate", 0.0001)
        if o.get("cycle"):
            steps = steps * (1.0 if step == 0 else math.ceil(step / steps))
        else:
            step = min(step, steps)
        return (o["initialLearningRate"] - end) * (1 - step / steps) ** o.get("power", 1.0) + end

    return rate


def piecewise(o):
    def rate(step):
        for boundary, value in zip(o["boundaries"], o["values"]):
            if step <= boundary:
                return value
        return o["values"][-1]

    return rate


def cosine(o):
    alpha, steps, warm = o.get("alpha", 0.0), o["decaySteps"], o.get("warmupSteps", 0)

    def decay(step, start):
        return start * ((1 - alpha) * 0.5 * (1 + math.cos(math.pi * step / steps)) + alpha)

    def rate(step):
        target = o.get("warmupTarget")
        if target is None:
            return decay(min(step, steps), o["initialLearningRate"])
        step = min(step, steps + warm)
        if step < warm:
            return (target - o["initialLearningRate"]) * step / warm + o["initialLearningRate"]
        return decay(step - warm, target)

    return rate


def restarts(o):
    t_mul, m_mul, alpha = o.get("tMul", 2.0), o.get("mMul", 1.0), o.get("alpha", 0.0)

    def rate(step):
        done = step / o["firstDecaySteps"]
        if t_mul == 1:
            i = math.floor(done)
            done -= i
        else:
            i = math.floor(math.log(1 - done * (1 - t_mul)) / math.log(t_mul) + 1e-12)
            done = (done - (1 - t_mul**i) / (1 - t_mul)) / t_mul**i
        return o["initialLearningRate"] * ((1 - alpha) * 0.5 * m_mul**i * (1 + math.cos(math.pi * done)) + alpha)

    return rate


def warmup(o):
    inner = o["schedule"]
    then = SCHEDULES[inner["schedule"]](inner["options"]) if isinstance(inner, dict) else lambda step: inner

    def rate(step):
        start, steps = o.get("from", 0.0), o["steps"]
        return start + (then(0) - start) * step / steps if step < steps else then(step - steps)

    return rate


def one_cycle(o):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=o["maxLearningRate"],
        total_steps=o["totalSteps"],
        pct_start=o.get("pctStart", 0.3),
        anneal_strategy=o.get("annealStrategy", "cos"),
        cycle_momentum=False,
        div_factor=o.get("divFactor", 25.0),
        final_div_factor=o.get("finalDivFactor", 1e4),
        three_phase=o.get("threePhase", False),
    )
    rates = []
    for _ in range(o["totalSteps"]):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < o["totalSteps"]:
            schedule.step()
    return lambda step: rates[min(step, len(rates) - 1)]


SCHEDULES = {
    "exponentialDecay": exponential,
    "inverseTimeDecay": inverse_time,
    "polynomialDecay": polynomial,
    "piecewiseConstantDecay": piecewise,
    "cosineDecay": cosine,
    "cosineDecayRestarts": restarts,
    "warmup": warmup,
    "oneCycle": one_cycle,
}


def plateau(o, metrics, lr):
    """Keras' ReduceLROnPlateau.on_epoch_end."""
    best = math.inf if o.get("mode", "min") == "min" else -math.inf
    delta = o.get("minDelta", 1e-4)
    wait = cool = 0
    rates = []
    for metric in metrics:
        better = metric < best - delta if o.get("mode", "min") == "min" else metric > best + delta
        if cool > 0:
            cool -= 1
            wait = 0
        if better:
            best, wait = metric, 0
        elif cool <= 0:
            wait += 1
            if wait >= o.get("patience", 10) and lr > o.get("minLr", 0):
                lr = max(lr * o.get("factor", 0.1), o.get("minLr", 0))
                cool, wait = o.get("cooldown", 0), 0
        rates.append(lr)
    return rates


def digits(array):
    return [float(f"{v:.9g}") for v in np.asarray(array, dtype=np.float64).reshape(-1)]


OPTIMIZERS = {
    "sgd": Sgd,
    "rmsprop": Rmsprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": Adamw,
    "adamax": Adamax,
    "nadam": Nadam,
    "lion": Lion,
    "ftrl": Ftrl,
}
runs = []


def run(name, **options):
    told = dict(options)
    if isinstance(options.get("learningRate"), dict):
        json_rate = options["learningRate"]
        options["learningRate"] = SCHEDULES[json_rate["schedule"]](json_rate["options"])
    optimizer = OPTIMIZERS[name](**options)
    w = {n: v.copy() for n, v in START.items()}
    values = {}
    for t in range(1, STEPS + 1):
        grads = {n: factor(t) * STIFFNESS[n] * (w[n] - TARGET[n]) for n in w}
        optimizer.apply(grads, w)
        if t in TOLD:
            values[str(t)] = {n: digits(v) for n, v in w.items()}
    result = {"optimizer": name, "options": told, "values": values}
    if options.get("useEma"):
        result["average"] = {n: digits(v) for n, v in optimizer.average.items()}
    runs.append(result)


run("sgd")
run("sgd", learningRate=0.05, momentum=0.9)
run("sgd", learningRate=0.05, momentum=0.9, nesterov=True)
run("sgd", learningRate=0.1, decay=0.2)
run("sgd", learningRate=0.1, weightDecay=0.5)
run("sgd", learningRate=0.1, factors={"bias": 0.5, "kernel": 2})
run("sgd", learningRate={"schedule": "exponentialDecay", "options": {"initialLearningRate": 0.1, "decaySteps": 3, "decayRate": 0.7}})
run("rmsprop")
run("rmsprop", learningRate=0.02, rho=0.8)
run("rmsprop", learningRate=0.02, momentum=0.5)
run("rmsprop", learningRate=0.02, centered=True, epsilon=1e-3)
run("rmsprop", learningRate=0.02, centered=True, momentum=0.5, epsilon=1e-3)
run("adagrad")
run("adagrad", learningRate=0.1, initialAccumulatorValue=0.5, epsilon=1e-3)
run("adadelta")
run("adadelta", learningRate=1.0, rho=0.9, epsilon=1e-4)
run("adam")
run("adam", learningRate=0.1, beta1=0.8, beta2=0.9, epsilon=1e-3)
run("adam", learningRate=0.1, beta2=0.9, amsgrad=True)
run("adamw", learningRate=0.05)
run("adamw", learningRate=0.05, weightDecay=0.3, excluded=["bias"])
run("adamax", learningRate=0.1)
run("nadam", learningRate=0.1)
run("lion", learningRate=0.01)
run("lion", learningRate=0.29, beta1=0.6, beta2=0.8)
run("ftrl", learningRate=0.1)
run(
    "ftrl",
    learningRate=0.2,
    l1RegularizationStrength=0.5,
    l2RegularizationStrength=0.1,
    l2ShrinkageRegularizationStrength=0.05,
    beta=0.3,
    initialAccumulatorValue=0.2,
)
run("ftrl", learningRate=0.1, learningRatePower=-0.3)
run("adam", learningRate=0.1, clipNorm=0.5)
run("sgd", learningRate=0.1, clipNorm=2.5)
run("sgd", learningRate=0.1, globalClipNorm=2.5)
run("adam", learningRate=0.1, globalClipNorm=0.5)
run("sgd", learningRate=0.1, clipValue=0.5)
run("adam", learningRate=0.1, useEma=True, emaMomentum=0.8)
run("adam", learningRate=0.1, useEma=True, emaMomentum=0.8, emaOverwriteFrequency=4)
run("adam", learningRate=0.1, gradientAccumulationSteps=3)
run("nadam", learningRate=0.1, gradientAccumulationSteps=2, globalClipNorm=1.0, weightDecay=0.1, useEma=True, emaMomentum=0.9)

schedules = []


def schedule(kind, /, **options):
    rate = SCHEDULES[kind](options)
    schedules.append({"schedule": kind, "options": options, "rates": digits([rate(step) for step in range(33)])})


schedule("exponentialDecay", initialLearningRate=0.1, decaySteps=7, decayRate=0.5)
schedule("exponentialDecay", initialLearningRate=0.1, decaySteps=7, decayRate=0.5, staircase=True)
schedule("inverseTimeDecay", initialLearningRate=0.1, decaySteps=4, decayRate=0.5)
schedule("inverseTimeDecay", initialLearningRate=0.1, decaySteps=4, decayRate=0.5, staircase=True)
schedule("polynomialDecay", initialLearningRate=0.1, decaySteps=11)
schedule("polynomialDecay", initialLearningRate=0.1, decaySteps=11, endLearningRate=0.01, power=0.5)
schedule("polynomialDecay", initialLearningRate=0.1, decaySteps=11, endLearningRate=0.01, power=2, cycle=True)
schedule("piecewiseConstantDecay", boundaries=[4, 5, 20], values=[1.0, 0.5, 0.25, 0.125])
schedule("cosineDecay", initialLearningRate=0.1, decaySteps=20, alpha=0.1)
schedule("cosineDecay", initialLearningRate=0.01, decaySteps=20, warmupTarget=0.1, warmupSteps=6)
schedule("cosineDecayRestarts", initialLearningRate=0.1, firstDecaySteps=4)
schedule("cosineDecayRestarts", initialLearningRate=0.1, firstDecaySteps=5, tMul=1, mMul=0.8, alpha=0.1)
schedule("cosineDecayRestarts", initialLearningRate=0.1, firstDecaySteps=4, tMul=1.5, mMul=0.5)
schedule("warmup", schedule=0.1, steps=5)
schedule("warmup", schedule={"schedule": "cosineDecay", "options": {"initialLearningRate": 0.1, "decaySteps": 20}}, steps=5, **{"from": 0.02})
schedule("oneCycle", maxLearningRate=0.1, totalSteps=30)
schedule("oneCycle", maxLearningRate=0.1, totalSteps=30, pctStart=0.4, annealStrategy="linear", divFactor=10, finalDivFactor=100)
schedule("oneCycle", maxLearningRate=0.1, totalSteps=30, threePhase=True)

METRICS = digits(numbers((40,), 0, 1) + 2 * 0.93 ** np.arange(40))
plateaus = [
    {"options": o, "metrics": m, "rate": lr, "rates": digits(plateau(o, m, lr))}
    for o, m, lr in [
        ({"patience": 3}, METRICS, 0.5),
        ({"patience": 2, "factor": 0.5, "cooldown": 3, "minLr": 0.05}, METRICS, 0.5),
        ({"mode": "max", "patience": 2, "factor": 0.5, "minDelta": 0.25}, METRICS, 0.5),
        ({}, [1.0] * 40, 0.5),
    ]
]

parts = {
    "start": {n: digits(v) for n, v in START.items()},
    "target": {n: digits(v) for n, v in TARGET.items()},
    "stiffness": {n: digits(v) for n, v in STIFFNESS.items()},
    "shapes": {n: list(s) for n, s in SHAPES.items()},
    "factors": [factor(t) for t in range(1, STEPS + 1)],
    "runs": runs,
    "schedules": schedules,
    "plateaus": plateaus,
}
print("{")
for index, (key, value) in enumerate(parts.items()):
    comma = "," if index < len(parts) - 1 else ""
    if key in ("runs", "schedules", "plateaus"):
        lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in value)
        print(f'"{key}":[\n{lines}\n]{comma}')
    else:
        print(f'"{key}":{json.dumps(value, separators=(",", ":"))}{comma}')
print("}")
