#!/bin/sh
# MLflow's SQL store returns an infinite metric as a finite one; a NaN lies in its table as 0.
#
# MLflow 3.17.2 with SQLite, its usual store. log_metric("grad_norm", inf) is stored, and returned by the client, as
# 1.7976931348623157e308, the largest float: math.isinf says no, and a mean over it is no warning either. A NaN is 0 in
# the table's column, with a flag beside it: the client returns NaN, a query of the table a perfect loss of 0. The same
# metrics in MLflow's files (file:...) come back as inf and nan.
#
# Seen: logged inf, -inf, nan; the client returns 1.7976931348623157e+308, -1.7976931348623157e+308, nan;
#   the table has 1.7976931348623157e+308, -1.7976931348623157e+308, 0.0.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    mlflow-skinny==3.17.2 sqlalchemy==2.1.9 alembic==1.20.1 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math
import sqlite3

import mlflow

mlflow.set_tracking_uri("sqlite:///store.db")
mlflow.set_experiment("findings")
with mlflow.start_run() as run:
    for name, value in {"a": math.inf, "b": -math.inf, "c": math.nan}.items():
        mlflow.log_metric(name, value)
client = mlflow.MlflowClient()
returned = [client.get_metric_history(run.info.run_id, name)[0].value for name in "abc"]
stored = [row[0] for row in sqlite3.connect("store.db").execute("SELECT value FROM metrics ORDER BY key")]
print("logged:   [inf, -inf, nan]")
print("returned:", returned)
print("stored:  ", stored)
assert returned[:2] == [1.7976931348623157e308, -1.7976931348623157e308] and math.isnan(returned[2])
assert all(map(math.isfinite, stored)) and stored[2] == 0
PYTHON
