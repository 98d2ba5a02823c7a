"""What compare.sh runs: makes the files, runs each program as a process of its own, and prints a table.

Each program reads both Parquet files and compares every column with its defaults. What is timed is the whole process.
"""

import os
import subprocess
import sys
import time

SIZES = [(1_000_000, 20), (100_000, 50)]
# Three in four columns are numbers; the current file is moved by a tenth of a standard deviation in every fifth column.
ROUNDS = 3


def make(folder, rows, columns):
    import numpy as np
    import pandas as pd

    paths = [os.path.join(folder, f"{side}-{rows}-{columns}.parquet") for side in ("baseline", "current")]
    for seed, path in enumerate(paths):
        if os.path.exists(path):
            continue
        random = np.random.default_rng(seed)
        frame = {}
        for place in range(columns):
            moved = 0.1 * seed * (place % 5 == 0)
            if place % 4 == 3:
                shares = 1.0 / np.arange(1, 31) ** (1.0 + moved)
                levels = np.array([f"level-{level}" for level in range(30)])
                frame[f"c{place}"] = levels[random.choice(30, rows, p=shares / shares.sum())]
            elif place % 4 == 2:
                frame[f"n{place}"] = random.lognormal(moved, 1.0, rows)
            elif place % 4 == 1:
                frame[f"n{place}"] = random.poisson(20.0 + 4.0 * moved, rows)
            else:
                values = random.normal(moved, 1.0, rows)
                values[random.random(rows) < 0.02] = np.nan
                frame[f"n{place}"] = values
        pd.DataFrame(frame).to_parquet(path, index=False)
    return paths


def evidently(baseline, current):
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    report = Report([DataDriftPreset()])
    snapshot = report.run(current_data=pd.read_parquet(current), reference_data=pd.read_parquet(baseline))
    snapshot.dict()


def nannyml(baseline, current):
    import nannyml as nml
    import pandas as pd

    reference, analysis = pd.read_parquet(baseline), pd.read_parquet(current)
    calculator = nml.UnivariateDriftCalculator(column_names=list(reference.columns), chunk_number=1)
    calculator.fit(reference).calculate(analysis).to_df()


def measured(command):
    """Seconds and peak MB of one process."""
    # Neither is to wait for its usage statistics to be sent.
    quiet = {**os.environ, "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed: run it by hand to see why")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main(leeway, folder):
    print("| rows × columns | program | seconds | peak MB | against leeway |")
    print("|---|---|---:|---:|---:|")
    for rows, columns in SIZES:
        subprocess.run([sys.executable, __file__, "make", folder, str(rows), str(columns)], check=True)
        baseline, current = make(folder, rows, columns)
        programs = {
            "leeway compare": [leeway, "compare", baseline, current, "--format", "json"],
            "Evidently 0.7.23, DataDriftPreset": [sys.executable, __file__, "evidently", baseline, current],
            "NannyML 0.13.1, UnivariateDriftCalculator": [sys.executable, __file__, "nannyml", baseline, current],
        }
        own = None
        for name, command in programs.items():
            seconds, memory = min(measured(command) for _ in range(ROUNDS))
            own = own or seconds
            print(f"| {rows:,} × {columns} | {name} | {seconds:.2f} | {memory:.0f} | {seconds / own:.0f}× |", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", folder, rows, columns]:
            make(folder, int(rows), int(columns))
        case ["evidently", baseline, current]:
            evidently(baseline, current)
        case ["nannyml", baseline, current]:
            nannyml(baseline, current)
        case [leeway, folder]:
            main(leeway, folder)
