"""Literals for test/metrics-*.test.ts from scikit-learn 1.2.1, in float64.

    python3 scripts/oracles/metrics_sklearn.py > test/literals/metrics-sklearn.json

`random`: 200 cases. Their data are not in the file: `Draw` below and test/support/metric-cases.ts make the same ones from the
number of the case (a linear congruential generator; every number has few bits, or is one quotient of such). `edges`: cases with
their data. What is not taken as it is:
  - NaN is null. Where scikit-learn raises since only one class is present (roc_auc_score) the answer is NaN, as in
    scikit-learn from 1.6 on; macro means over classes of which one is undefined are NaN, too.
  - The first threshold of a ROC curve is infinite from scikit-learn 1.3 on, here it is left out.
  - Specificity is computed from multilabel_confusion_matrix, with the averages of recall.
  - Classes are numbers from 0, so `labels` is range(classes) wherever scores have columns.
"""
import json
import warnings

import numpy as np
from sklearn import metrics as m

warnings.filterwarnings("ignore")


class Draw:
    """numbers(k): whole numbers below k; the upper 24 bits of a 32-bit linear congruential generator."""

    def __init__(self, seed):
        self.state = (seed * 2654435761 + 12345) % 2**32
        for _ in range(4):
            self.below(2)

    def below(self, k):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) % k

    def many(self, count, k):
        return np.array([self.below(k) for _ in range(count)])


def data(seed):
    """The same as `metricCase` in test/support/metric-cases.ts."""
    d = Draw(seed)
    n, classes, outputs, weighted = 1 + d.below(24), 2 + d.below(4), 1 + d.below(3), d.below(2) == 1
    case = {"n": n, "classes": classes, "outputs": outputs, "weighted": weighted}
    case["binary"] = d.many(n, 2)
    # Levels of 1/8: ties; of 1/1024: seldom any.
    levels = 8 if d.below(2) else 1024
    case["score"] = d.many(n, levels + 1) / levels
    case["labels"] = d.many(n, classes)
    case["predicted"] = np.where(d.many(n, 2) == 1, case["labels"], d.many(n, classes))
    rows = 1 + d.many(n * classes, 8).reshape(n, classes)
    case["shares"] = rows / rows.sum(1, keepdims=True)
    case["target"] = d.many(n * outputs, 64).reshape(n, outputs) / 16
    case["guess"] = case["target"] + d.many(n * outputs, 64).reshape(n, outputs) / 32 - 1
    weights = (1 + d.many(n, 8)) / 4
    case["weight"] = weights if weighted else None
    return case


def specificity(t, p, average, sample_weight=None, labels=None):
    mcm = m.multilabel_confusion_matrix(t, p, sample_weight=sample_weight, labels=labels)
    tn, fp, support = mcm[:, 0, 0], mcm[:, 0, 1], mcm[:, 1].sum(1)
    if average == "micro":
        tn, fp = tn.sum(keepdims=True), fp.sum(keepdims=True)
    each = np.where(tn + fp == 0, 0.0, tn / np.where(tn + fp == 0, 1, tn + fp))
    if average is None:
        return each
    return np.average(each, weights=support if average == "weighted" else None)


def or_nan(f):
    """What scikit-learn says, and NaN where it raises since there is one class only."""
    try:
        return f()
    except ValueError as error:
        assert "Only one class" in str(error), error
        return float("nan")


def plain(value):
    if isinstance(value, dict):
        return {key: plain(own) for key, own in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(own) for own in value]
    if isinstance(value, str):
        return value
    value = float(value)
    if np.isnan(value):
        return None
    short = float(f"{value:.9g}")
    return int(short) if short == int(short) else short


AVERAGES = ["macro", "micro", "weighted", None]
NORMALIZE = ["true", "pred", "all", None]
BETAS = [0.5, 2, 1.5]


def random_case(seed):
    c = data(seed)
    b, s, t, p, q, w = c["binary"], c["score"], c["labels"], c["predicted"], c["shares"], c["weight"]
    yes = (s > 0.5).astype(int)
    average, beta = AVERAGES[seed % 4], BETAS[seed % 3]
    labels = list(range(c["classes"]))
    given = labels if seed % 2 else None
    kappa = ["linear", "quadratic", None][seed % 3]
    own = dict(average=average, sample_weight=w, labels=given)
    two = dict(sample_weight=w)
    r = {
        "precision2": m.precision_score(b, yes, **two),
        "recall2": m.recall_score(b, yes, **two),
        "specificity2": specificity(b, yes, "macro", w, [1]),
        "f12": m.f1_score(b, yes, **two),
        "fbeta2": m.fbeta_score(b, yes, beta=beta, **two),
        "precision": m.precision_score(t, p, **own),
        "recall": m.recall_score(t, p, **own),
        "specificity": specificity(t, p, average, w, given),
        "f1": m.f1_score(t, p, **own),
        "fbeta": m.fbeta_score(t, p, beta=beta, **own),
        "confusion": m.confusion_matrix(t, p, labels=given, sample_weight=w, normalize=NORMALIZE[seed % 4]),
        "accuracy": m.accuracy_score(t, p, sample_weight=w),
        "kappa": m.cohen_kappa_score(t, p, labels=given, weights=kappa, sample_weight=w),
        "matthews": m.matthews_corrcoef(t, p, sample_weight=w),
        "auc": or_nan(lambda: m.roc_auc_score(b, s, **two)),
        "ap": m.average_precision_score(b, s, **two),
        "logLoss2": m.log_loss(b, s, labels=[0, 1], **two),
        "logLoss": m.log_loss(t, q, labels=labels, **two),
        "mse": m.mean_squared_error(c["target"], c["guess"], **two),
        "rmse": m.mean_squared_error(c["target"], c["guess"], squared=False, **two),
        "mae": m.mean_absolute_error(c["target"], c["guess"], **two),
        "r2": m.r2_score(c["target"], c["guess"], **two),
    }
    if c["classes"] > 2:
        k = 1 + seed % 2
        r["topK"] = m.top_k_accuracy_score(t, q, k=k, labels=labels, sample_weight=w)
        if len(set(t)) > 1:
            r["ovo"] = m.roc_auc_score(t, q, multi_class="ovo", labels=labels, average=["macro", "weighted"][seed % 2])
        if set(t) == set(labels):
            r["ovr"] = m.roc_auc_score(t, q, multi_class="ovr", labels=labels, **{"average": average, **two})
        hot = np.eye(c["classes"], dtype=int)[t]
        r["apMany"] = m.average_precision_score(hot, q, average=average, **two)
    else:
        r["topK"] = m.top_k_accuracy_score(t, q[:, 1], k=1, labels=labels, sample_weight=w)
    if seed % 25 == 0:
        fpr, tpr, thresholds = m.roc_curve(b, s, drop_intermediate=seed % 50 == 0, **two)
        r["roc"] = [fpr, tpr, thresholds[1:]]
        r["pr"] = m.precision_recall_curve(b, s, **two)
    if seed % 10 == 0:
        r["report"] = m.classification_report(t, p, labels=given, sample_weight=w, digits=2 + seed % 3)
    return plain(r)


def edge(name, f, *args, options=None, **own):
    """The options by their names here, and by scikit-learn's."""
    value = or_nan(lambda: f(*args, **own))
    return {"name": name, "args": [np.asarray(a).tolist() for a in args], "options": options or {}, "result": plain(value)}


def scores(t, p, note):
    rows = []
    for zero in (0, 1):
        for average in ("macro", "micro", "weighted", None):
            both = {"average": average, "classes": 3, "zeroDivision": zero}
            for name, f in (("precisionScore", m.precision_score), ("recallScore", m.recall_score), ("f1Score", m.f1_score)):
                rows.append(edge(name, f, t, p, options=both, average=average, labels=[0, 1, 2], zero_division=zero))
    for name, f in (("precisionScore", m.precision_score), ("recallScore", m.recall_score), ("f1Score", m.f1_score)):
        if max([*t, *p], default=0) < 2:
            rows.append(edge(name, f, t, p))
            rows.append(edge(name, f, t, p, options={"zeroDivision": 1}, zero_division=1))
    return [{**row, "note": note} for row in rows]


edges = [
    *scores([0, 0, 0], [0, 0, 0], "only class 0"),
    *scores([1, 1], [0, 0], "never predicted"),
    *scores([0, 0], [1, 1], "never true"),
    *scores([0, 2, 2], [0, 2, 0], "a class that does not occur"),
    *scores([1, 0, 1, 1], [1, 1, 1, 0], "both"),
    edge("cohenKappaScore", m.cohen_kappa_score, [1, 1], [1, 1]),
    edge("cohenKappaScore", m.cohen_kappa_score, [0, 1, 1], [1, 1, 1]),
    edge("matthewsCorrcoef", m.matthews_corrcoef, [1, 1], [1, 1]),
    edge("matthewsCorrcoef", m.matthews_corrcoef, [0, 1, 1], [1, 1, 1]),
    edge("confusionMatrix", m.confusion_matrix, [0, 2], [2, 2]),
    edge("confusionMatrix", m.confusion_matrix, [0, 2], [2, 2], options={"classes": 3, "normalize": "true"}, labels=[0, 1, 2], normalize="true"),
    edge("confusionMatrix", m.confusion_matrix, [0, 2], [2, 2], options={"classes": 3, "normalize": "pred"}, labels=[0, 1, 2], normalize="pred"),
    edge("rocAucScore", m.roc_auc_score, [1, 1], [0.2, 0.4]),
    edge("rocAucScore", m.roc_auc_score, [0, 0], [0.2, 0.4]),
    edge("rocAucScore", m.roc_auc_score, [0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5]),
    edge("rocAucScore", m.roc_auc_score, [0, 1, 1, 0], [-3.0, 7.5, -3.0, -4.0]),
    edge("averagePrecisionScore", m.average_precision_score, [0, 0], [0.2, 0.4]),
    edge("averagePrecisionScore", m.average_precision_score, [1, 1], [0.2, 0.4]),
    edge("averagePrecisionScore", m.average_precision_score, [0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5]),
    edge("logLoss", m.log_loss, [0, 1, 1], [0.0, 1.0, 0.0], labels=[0, 1]),
    edge("logLoss", m.log_loss, [1, 1], [[0.25, 0.75], [0.5, 0.5]], labels=[0, 1]),
    edge("logLoss", m.log_loss, [0, 1], [[0.25, 0.5, 0.5], [0.0, 0.0, 1.0]], labels=[0, 1, 2]),
    edge("topKAccuracyScore", m.top_k_accuracy_score, [0, 1, 2], [[1, 1, 1], [1, 1, 1], [1, 1, 1]], options={"k": 1}, k=1),
    edge("topKAccuracyScore", m.top_k_accuracy_score, [0, 1, 2], [[1, 1, 1], [1, 1, 1], [1, 1, 1]], options={"k": 2}, k=2),
    edge("topKAccuracyScore", m.top_k_accuracy_score, [0, 1, 2], [[1, 1, 1], [1, 1, 1], [1, 1, 1]], options={"k": 3}, k=3),
    edge("topKAccuracyScore", m.top_k_accuracy_score, [0, 1, 1], [-1.0, 0.25, 0.75], options={"k": 1}, k=1),
    edge("r2Score", m.r2_score, [3.0], [3.0]),
    edge("r2Score", m.r2_score, [3.0, 3.0], [3.0, 3.0]),
    edge("r2Score", m.r2_score, [3.0, 3.0], [3.0, 4.0]),
    edge("r2Score", m.r2_score, [[1.0, 3.0], [2.0, 3.0]], [[1.0, 3.0], [2.5, 4.0]]),
    edge("r2Score", m.r2_score, [[1.0, 3.0], [2.0, 3.0]], [[1.0, 3.0], [2.5, 4.0]], options={"multiOutput": "rawValues"}, multioutput="raw_values"),
    edge("classificationReport", m.classification_report, [0, 1, 2, 2, 2], [0, 0, 2, 2, 1], options={"targetNames": ["class 0", "class 1", "a very long name of a class"]}, target_names=["class 0", "class 1", "a very long name of a class"]),
    edge("classificationReport", m.classification_report, [0, 1, 1], [0, 0, 0], options={"classes": 3, "digits": 3}, labels=[0, 1, 2], digits=3),
    edge("classificationReport", m.classification_report, [0] * 8 + [1] * 8, [0] * 7 + [1] * 4 + [0] * 5),
]
w = [0.0, 1.0, 2.0, 0.0, 0.5]
t, s = [1, 0, 1, 0, 1], [0.125, 0.5, 0.5, 0.75, 0.25]
zero = {"sampleWeight": w}
edges += [
    edge("rocAucScore", m.roc_auc_score, t, s, options=zero, sample_weight=w),
    edge("averagePrecisionScore", m.average_precision_score, t, s, options=zero, sample_weight=w),
    edge("precisionScore", m.precision_score, t, [1, 0, 1, 1, 0], options=zero, sample_weight=w),
    edge("classificationReport", m.classification_report, t, [1, 0, 1, 1, 0], options=zero, sample_weight=w),
    edge("precisionRecallCurve", m.precision_recall_curve, t, s, options=zero, sample_weight=w),
    edge("precisionRecallCurve", m.precision_recall_curve, [0, 0, 0], [0.25, 0.5, 0.5]),
]

cases = [random_case(seed) for seed in range(200)]
rows = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
last = ",\n".join(json.dumps(c, separators=(",", ":")) for c in edges)
print('{"random":[\n' + rows + '\n],"edges":[\n' + last + "\n]}")
