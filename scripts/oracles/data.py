"""Writes test/literals/safetensors.json: files of the reference implementation (safetensors 0.8.0, NumPy 2.4.6), as base64.

    pip install safetensors==0.8.0 numpy==2.4.6
    python scripts/oracles/data.py
"""

import base64
import json
import pathlib

import numpy as np
from safetensors.numpy import save

FILES = {
    "all dtypes": (
        {
            "f64": np.array([[1.5, -2.0], [0.0, np.inf]], "f8"),
            "f32": np.array([0.1, -3.25, 1e-40], "f4"),
            "f16": np.array([1.0, -0.333251953125, 65504.0, 6e-8, -np.inf], "f2"),
            "i64": np.array([1, -2, 2**31 - 1, -(2**31)], "i8"),
            "i32": np.array([[7], [-70000]], "i4"),
            "i16": np.array([-32768, 32767], "i2"),
            "i8": np.array([-128, 127], "i1"),
            "u64": np.array([3], "u8"),
            "u32": np.array([2**31 - 1, 0], "u4"),
            "u16": np.array([65535], "u2"),
            "u8": np.array([[0, 7, 255]], "u1"),
            "bool": np.array([True, False, True]),
            "scalar": np.array(2.5, "f4"),
            "empty": np.zeros((0, 3), "f4"),
        },
        {"format": "np", "note": "ü"},
    ),
    "only ours": (
        {
            "b.weight": np.arange(6, dtype="f4").reshape(2, 3),
            "a": np.array([True]),
            "b.bias": np.array([4, 5], "i4"),
            "pixels": np.array([1, 2, 3, 4, 5], "u1"),
        },
        None,
    ),
}

literals = {}
for name, (arrays, metadata) in FILES.items():
    literals[name] = {
        "file": base64.b64encode(save(arrays, metadata=metadata)).decode(),
        "metadata": metadata or {},
        "arrays": {
            key: {"shape": list(x.shape), "dtype": x.dtype.name, "data": [str(v) for v in x.astype("f8").ravel()]}
            for key, x in sorted(arrays.items())
        },
    }

path = pathlib.Path(__file__).parents[2] / "test" / "literals" / "safetensors.json"
path.write_text(json.dumps(literals, indent=2, ensure_ascii=False) + "\n")
