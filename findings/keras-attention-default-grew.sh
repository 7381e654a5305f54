#!/usr/bin/env bash
# Between Keras 3.14 and 3.15 the default weights of MultiHeadAttention became up to six times as large.
#
# Keras 3.14.1 takes the fans of the kernel of its queries, of shape (width, heads, size), as if it were a
# convolution: width · heads inputs and width · size outputs. Keras 3.15.0 takes the width and heads · size. At width
# 512 with 8 heads of 64 the standard deviation of "glorot_uniform" grows from 0.0074 to 0.0442, by 6.00; that of the
# output's kernel from 0.0208 to 0.0442, by 2.12. What the values carry through the layer grows by 12.7, the attention
# scores of the same input by 36. So a model with a pre-3.15 recipe (learning rate, warm-up, clipping threshold)
# starts elsewhere after an update of Keras, though nothing in its own code changed.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/deviations.py" <<'PYTHON'
import numpy as np
from keras import layers, ops, utils

utils.set_random_seed(0)
x = np.random.default_rng(0).standard_normal((1, 64, 512)).astype("float32")
attention = layers.MultiHeadAttention(num_heads=8, key_dim=64)
attention(x, x)
kernels = (attention.query_dense.kernel, attention.output_dense.kernel)
queries, keys = (np.asarray(part(x)) for part in (attention.query_dense, attention.key_dense))
scores = np.einsum("bqhs,bkhs->bhqk", queries, keys)
print(*(np.std(ops.convert_to_numpy(kernel)) for kernel in kernels), np.std(scores))
PYTHON
for version in 3.14.1 3.15.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check \
        keras==$version numpy==2.4.6 scipy==1.17.1 jax==0.10.2
    KERAS_BACKEND=numpy "$folder/$version/bin/python" "$folder/deviations.py" > "$folder/$version.txt"
    echo "Keras $version, deviations of queries' and output's kernel, of scores: $(cat "$folder/$version.txt")"
done
"$folder/3.15.0/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np

old, new = (np.loadtxt(f"{sys.argv[1]}/{version}.txt") for version in ("3.14.1", "3.15.0"))
print("grown by", new / old)
assert np.allclose(old[:2], [np.sqrt(2 / (512 * (8 + 64))), np.sqrt(2 / (8 * (64 + 512)))], rtol=0.01)
assert np.allclose(new[:2], np.sqrt(2 / (512 + 512)), rtol=0.01)
assert np.allclose(new / old, [6.0, np.sqrt(4.5), 36.0], rtol=0.05)
PYTHON
