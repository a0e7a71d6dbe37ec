# pandas and scikit-learn: a table is written, read and grouped; a forest is trained by threads and by processes.
cd /tmp
cat >work.py <<'PYTHON'
import numpy as np, pandas as pd
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
iris = load_iris(as_frame=True).frame
iris.to_csv('/tmp/iris.csv', index=False)
again = pd.read_csv('/tmp/iris.csv')
assert again.groupby('target').size().tolist() == [50, 50, 50]
scores = cross_val_score(RandomForestClassifier(50, random_state=1, n_jobs=2), again.drop(columns='target'), again.target, n_jobs=2)
assert scores.mean() > 0.9, scores
PYTHON
python3 work.py
