#!/bin/sh
# `leeway compare` against Evidently and NannyML on the same files, in the same run: seconds, peak memory, ratio.
#
#   docs/benchmarks/compare.sh [FOLDER]      FOLDER keeps the Python environment and the files (default target/compare)
#
# Needed: cargo and Python 3.10 to 3.12 with venv. Evidently 0.7.23 needs pandas below 3; NannyML 0.13.1 needs statsmodels
# without declaring it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-"$root/target/compare"}
mkdir -p "$folder"
cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p tests --bin leeway-under-test
if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet "pandas<3" pyarrow statsmodels evidently==0.7.23 nannyml==0.13.1
fi
exec "$folder/venv/bin/python" "$root/docs/benchmarks/compare.py" "$root/target/release/leeway-under-test" "$folder"
