"""What a trial says of networks that were really trained: python benchmarks/trials.py [FILE ...].

Holds the trial of ``gradcheck simulate --trial`` with a sample of the networks of each file (those of
benchmarks/trainability/ unless others are named), and prints how often it says what training of 15 epochs at six rates
found, beside the score, and how long it took.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from runpy import run_path
from statistics import median

import numpy as np

from gradcheck import simulate

calibrate = run_path(str(Path(__file__).with_name("calibrate.py")))


def main(arguments: Sequence[str] | None = None) -> None:
    """Hold the trials and print."""
    parser = argparse.ArgumentParser(description="Hold the trial of networks that were really trained.")
    parser.add_argument("files", nargs="*", type=Path, default=[calibrate["TRAINED"], calibrate["SHIFTED"]])
    parser.add_argument("--count", type=int, default=60, help="networks of all files together")
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args(arguments)
    networks = [json.loads(line) for file in asked.files for line in file.read_text().splitlines()]
    seconds, answers = [], []
    for number in np.random.default_rng(0).permutation(len(networks))[: asked.count]:
        network = networks[number]
        start = time.perf_counter()
        report = simulate(**calibrate["options"](network), trial=True, trial_seconds=asked.seconds)
        seconds.append(time.perf_counter() - start)
        trained, trial = network["best_accuracy"] >= 0.8, report.trial
        answers.append((trial.learns, report.verdict.trainable, trained))
        print(f"{number:4d}  trained {trained!s:5}  trial {trial.learns!s:5}  score {report.verdict.score:.2f}  "
              f"loss {trial.first:.3g} to {trial.last or np.nan:.3g}, rate {trial.rate:g}, "
              f"{sum(one.steps for one in trial.rates)} steps, {seconds[-1]:.1f} s", flush=True)  # fmt: skip
    known = [one for one in answers if one[0] is not None]
    right = sum(learns == trained for learns, _, trained in known)
    scored = sum(score == trained for _, score, trained in answers)
    print(f"the trial is right on {right} of {len(known)}, its time is over first on {len(answers) - len(known)}")
    print(f"the score is right on {scored} of {len(answers)}; seconds: median {median(seconds):.1f}, "
          f"largest {max(seconds):.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
