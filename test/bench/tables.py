#!/usr/bin/python3
"""Real tables for the comparison of models of tables, and what XGBoost and scikit-learn make of them.

    tables.py write DATA OUT    a CSV file and a line in OUT/sets.tsv for each set found in DATA
    tables.py score OUT SET     peers on the splits of a set: lines "algorithm metric mean"

A set's file has its columns, the target last, and before them split0, split1, ...: 1 in the rows that test.
The sets are those of the UCI repository and others, in files of their usual names.
"""
import csv
import os
import sys
import warnings

import numpy as np
import pandas as pd



def n_splits(rows):
    """So few rows that a split of them says little are split more often."""
    return 20 if rows < 12000 else 5


# name: file, target, kind, header, separator, what stands for a missing value, columns to leave out
SETS = {
    'adult': ('adult_income/adult-train.csv', -1, 'binary', False, ',', '?', []),
    'titanic': ('titanic/titanic.csv', 'survived', 'binary', True, ',', '', ['name', 'ticket', 'cabin']),
    'telco': ('telco_churn/Telco-Customer-Churn.csv', 'Churn', 'binary', True, ',', ' ', ['customerID']),
    'pima': ('small_uci/pima-indians-diabetes.csv', -1, 'binary', False, ',', '', []),
    'sonar': ('small_uci/sonar.csv', -1, 'binary', False, ',', '', []),
    'ionosphere': ('small_uci/ionosphere.csv', -1, 'binary', False, ',', '', []),
    'banknote': ('small_uci/banknote_authentication.csv', -1, 'binary', False, ',', '', []),
    'mammography': ('small_uci/mammography.csv', -1, 'binary', False, ',', '', []),
    'breast': ('small_uci/breast-cancer-wisconsin.data', -1, 'binary', False, ',', '?', [0]),
    'higgs': ('higgs_lightgbm/binary.train', 0, 'binary', False, '\t', '', []),
    'iris': ('small_uci/iris.csv', -1, 'classes', False, ',', '', []),
    'wine': ('small_uci/wine.csv', -1, 'classes', False, ',', '', []),
    'glass': ('small_uci/glass.csv', -1, 'classes', False, ',', '', []),
    'ecoli': ('small_uci/ecoli.csv', -1, 'classes', False, ',', '', []),
    'wheat': ('small_uci/wheat-seeds.csv', -1, 'classes', False, ',', '', []),
    'penguins': ('penguins/penguins.csv', 'species', 'classes', True, ',', '', []),
    'multiclass': ('lightgbm_multiclass/multiclass.train', 0, 'classes', False, '\t', '', []),
    'california': ('california_housing/housing.csv', 'median_house_value', 'number', True, ',', '', []),
    'boston': ('boston_housing/housing.csv', -1, 'number', False, ',', '', []),
    'diamonds': ('diamonds/diamonds.csv', 'price', 'number', True, ',', '', []),
    'mpg': ('auto_mpg/mpg.csv', 'mpg', 'number', True, ',', '?', ['name']),
    'red_wine': ('small_uci/winequality-red.csv', -1, 'number', 'infer', ';', '', []),
    'white_wine': ('small_uci/winequality-white.csv', -1, 'number', 'infer', ';', '', []),
}


def read(data, name):
    """The set as (features, target), features float or text with None for what is missing."""
    path, target, kind, header, separator, missing, leave = SETS[name]
    path = os.path.join(data, path)
    if header == 'infer':
        with open(path) as f:
            first = f.readline()
        separator = ';' if ';' in first else ','
        header = any(c.isalpha() for c in first)
    t = pd.read_csv(path, header=0 if header else None, sep=separator, skipinitialspace=True, engine='python',
                    na_values=[missing] if missing else None, quotechar='"')
    t = t.drop(columns=leave)
    target = t.columns[target] if isinstance(target, int) else target
    y = t.pop(target)
    t.columns = ['x%d' % c if isinstance(c, int) else c for c in t.columns]
    for c in t.columns:
        number = pd.to_numeric(t[c], errors='coerce')
        if number.isna().sum() == t[c].isna().sum():
            t[c] = number.astype(float)
        else:
            text = t[c].astype(str).str.strip()
            t[c] = text.where(t[c].notna() & (text != ''), None)
            number = pd.to_numeric(t[c], errors='coerce')
            if number.isna().sum() == t[c].isna().sum():
                t[c] = number.astype(float)
    keep = y.notna()
    y = y[keep].astype(str).str.strip() if kind != 'number' else y[keep].astype(float)
    return t[keep].reset_index(drop=True), y.reset_index(drop=True)


def splits(y, kind):
    from sklearn.model_selection import train_test_split
    n = len(y)
    result = np.zeros((n_splits(n), n), dtype=int)
    for s in range(len(result)):
        _, test = train_test_split(np.arange(n), test_size=0.2, random_state=s, stratify=None if kind == 'number' else y)
        result[s, test] = 1
    return result


def write(data, out):
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, 'sets.tsv'), 'w') as listing:
        for name in SETS:
            if not os.path.exists(os.path.join(data, SETS[name][0])):
                continue
            t, y = read(data, name)
            kind = SETS[name][2]
            whole = pd.DataFrame({'split%d' % s: m for s, m in enumerate(splits(y, kind))})
            whole = pd.concat([whole, t], axis=1)
            whole['target'] = y
            whole.to_csv(os.path.join(out, name + '.csv'), index=False, quoting=csv.QUOTE_MINIMAL)
            types = ['integer'] * n_splits(len(y)) + ['float8' if t[c].dtype == float else 'text' for c in t.columns]
            types.append('float8' if kind == 'number' else 'text')
            print(name, kind, len(y), ','.join('"%s" %s' % p for p in zip(whole.columns, types)), sep='\t', file=listing)


def score(out, name):
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.metrics import accuracy_score, mean_squared_error, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import LabelEncoder, OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    import xgboost
    warnings.filterwarnings('ignore')
    kind = SETS[name][2]
    t = pd.read_csv(os.path.join(out, name + '.csv'))
    y = t.pop('target').to_numpy()
    if kind != 'number':
        y = LabelEncoder().fit_transform(y)
    marks = ['split%d' % s for s in range(n_splits(len(y)))]
    mark = t[marks].to_numpy().T
    t = t.drop(columns=marks)
    texts = [c for c in t.columns if t[c].dtype == object]
    numbers = [c for c in t.columns if t[c].dtype != object]

    def prepared(fill, model):
        number = SimpleImputer() if fill else 'passthrough'
        return make_pipeline(ColumnTransformer([('n', number, numbers),
                                                ('t', OneHotEncoder(handle_unknown='ignore'), texts)]), model)

    def models(seed):
        if kind == 'number':
            yield 'gradient_boosting', prepared(False, xgboost.XGBRegressor(tree_method='hist', random_state=seed))
            yield 'random_forest', prepared(True, RandomForestRegressor(random_state=seed, n_jobs=2))
            yield 'extra_trees', prepared(True, ExtraTreesRegressor(random_state=seed, n_jobs=2))
            yield 'decision_tree', prepared(True, DecisionTreeRegressor(random_state=seed))
            yield 'linear', prepared(True, LinearRegression())
        else:
            yield 'gradient_boosting', prepared(False, xgboost.XGBClassifier(tree_method='hist', random_state=seed))
            yield 'random_forest', prepared(True, RandomForestClassifier(random_state=seed, n_jobs=2))
            yield 'extra_trees', prepared(True, ExtraTreesClassifier(random_state=seed, n_jobs=2))
            yield 'decision_tree', prepared(True, DecisionTreeClassifier(random_state=seed))
            yield 'logistic', prepared(True, LogisticRegression(max_iter=10000))

    def metric(model, x, y):
        if kind == 'number':
            return 'rmse', mean_squared_error(y, model.predict(x), squared=False)
        if kind == 'binary':
            return 'auc', roc_auc_score(y, model.predict_proba(x)[:, 1])
        return 'accuracy', accuracy_score(y, model.predict(x))

    found = {}
    for s in range(len(mark)):
        train, test = mark[s] == 0, mark[s] == 1
        for algorithm, model in models(s):
            model.fit(t[train], y[train])
            which, value = metric(model, t[test], y[test])
            found.setdefault((algorithm, which), []).append(value)
    for (algorithm, which), values in found.items():
        print(algorithm, which, '%.6f' % np.mean(values), flush=True)


if __name__ == '__main__':
    {'write': write, 'score': score}[sys.argv[1]](*sys.argv[2:])
