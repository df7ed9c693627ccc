#!/usr/bin/python3
"""XGBoost and scikit-learn as contenders of the benchmarks: rows of normal numbers and two classes, as trees.c makes them.

    peer_trees.py fit|predict gradient_boosting|random_forest rows columns threads batch estimators depth

The protocol is engine.c's.
"""
import sys
import time

import numpy as np


def make_rows(rows, columns):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns)).astype(np.float32)
    w = rng.standard_normal(columns)
    z = x @ w * 0.3 + np.sin(x[:, 0] * x[:, 1]) + 0.5 * x[:, 2] * x[:, 3]
    return x, (z + rng.logistic(size=rows) > 0).astype(np.int32)


def make_fit(algorithm, x, y, threads, estimators, depth):
    if algorithm == 'gradient_boosting':
        import xgboost
        parameters = dict(max_depth=depth, objective='binary:logistic', tree_method='hist', nthread=threads)
        return lambda: xgboost.train(parameters, xgboost.DMatrix(x, label=y, nthread=threads), estimators)
    from sklearn.ensemble import RandomForestClassifier
    return lambda: RandomForestClassifier(estimators, max_depth=depth, n_jobs=threads).fit(x, y)


def make_predict(algorithm, model, x, threads, batch):
    if algorithm == 'gradient_boosting':
        model.set_param({'nthread': threads})
        one = model.inplace_predict
    else:
        one = model.predict_proba
    return lambda: [one(x[i:i + batch]) for i in range(0, len(x) - batch + 1, batch)]


def main():
    what, algorithm = sys.argv[1:3]
    rows, columns, threads, batch, estimators, depth = map(int, sys.argv[3:9])
    x, y = make_rows(rows, columns)
    work = fit = make_fit(algorithm, x, y, threads, estimators, depth)
    if what == 'predict':
        work = make_predict(algorithm, fit(), x, threads, batch)
    print('ready', flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        start, done = time.perf_counter(), 0
        while done == 0 or time.perf_counter() - start < seconds:
            work()
            done += rows if what == 'fit' else rows // batch * batch
        print('block', done, time.perf_counter() - start, flush=True)


main()
