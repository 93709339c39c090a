#!/usr/bin/env python3
"""Makes cases.json again: what scikit-learn says of random answers.

Needs scikit-learn (the version used is in the file):

    python3 crates/batch-eval/tests/it/reference/make.py

Each case is a list of (expected, answer) pairs; an answer of null is none, and one that starts
with "?" is no label. For scikit-learn all answers that are no label are one class, and no answer
is another, neither of which is among the labels that it reports on.
"""

import json
import math
import os
import random
import warnings

import sklearn
from sklearn.metrics import (
    balanced_accuracy_score,
    classification_report,
    cohen_kappa_score,
    confusion_matrix,
    matthews_corrcoef,
)

NO_ANSWER, UNKNOWN = "(none)", "(unknown)"
AVERAGES = ["macro avg", "weighted avg"]


def main():
    warnings.simplefilter("ignore")
    random.seed(20261121)
    shapes = [(2, 6), (2, 30), (3, 12), (3, 60), (4, 40), (5, 9), (5, 80), (6, 25), (7, 70), (1, 8), (9, 20), (4, 120)]
    cases = [case(*shape) for shape in shapes]
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "cases.json"), "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(case) for case in cases)
        file.write(f'{{"scikit-learn": "{sklearn.__version__}", "cases": [\n{lines}\n]}}\n')


def case(classes, records):
    labels = [f"label {chr(ord('a') + i)}" for i in range(classes)]
    weights = [random.random() ** 2 + 0.02 for _ in labels]
    skill = random.choice([0.0, 0.4, 0.7, 0.95])
    expected, answers = [], []
    for _ in range(records):
        expected.append(random.choices(labels, weights)[0])
        draw = random.random()
        if draw < 0.08:
            answers.append(None)
        elif draw < 0.15:
            answers.append("?" + random.choice("xyz"))
        elif random.random() < skill:
            answers.append(expected[-1])
        else:
            answers.append(random.choice(sorted(set(expected))))
    present = sorted(set(expected))
    # A label that only answers name would be an unknown one.
    given = [NO_ANSWER if a is None else UNKNOWN if a not in present else a for a in answers]

    report = classification_report(expected, given, labels=present, zero_division=0, output_dict=True)
    strict = classification_report(expected, given, labels=present, zero_division=math.nan, output_dict=True)
    matrix = confusion_matrix(expected, given, labels=[*present, UNKNOWN, NO_ANSWER])
    return {
        "pairs": [list(pair) for pair in zip(expected, answers)],
        "accuracy": sum(e == g for e, g in zip(expected, given)) / records,
        "balanced_accuracy": number(balanced_accuracy_score(expected, given)),
        "cohen_kappa": number(cohen_kappa_score(expected, given)),
        "mcc": number(matthews_corrcoef(expected, given)),
        "per_class": {label: figures(strict[label]) for label in present},
        "averages_zero": {name: figures(report[name]) for name in AVERAGES},
        "averages_left_out": {name: figures(strict[name]) for name in AVERAGES},
        "confusion": matrix[: len(present)].tolist(),
    }


def figures(entry):
    return {name: number(entry[name]) for name in ("precision", "recall", "f1-score", "support")}


def number(value):
    return None if math.isnan(value) else float(value)


if __name__ == "__main__":
    main()
