#!/usr/bin/env bash
# nn.LSTM of torch 2.13.0 after weight_norm was put on and taken off again.
# Good guess: the module is what it was. Its parameters come in another order, weight_hh_l0 last: what
# reads them by position (an optimiser's state, a vector of all parameters, a converter that zips names
# with arrays) puts them in wrong places; where shapes agree, without a word.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from torch.nn.utils import parametrizations, parametrize, remove_weight_norm, weight_norm

warnings.simplefilter("ignore")
names = lambda layer: [name for name, _ in layer.named_parameters()]
plain = names(torch.nn.LSTM(2, 2))
old = torch.nn.LSTM(2, 2)
remove_weight_norm(weight_norm(old, "weight_hh_l0"), "weight_hh_l0")
new = torch.nn.LSTM(2, 2)
parametrizations.weight_norm(new, "weight_hh_l0")
inside = names(new)
parametrize.remove_parametrizations(new, "weight_hh_l0")
for found in (plain, names(old), inside, names(new)):
    print(found)
assert plain == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
assert names(old) == names(new) == ["weight_ih_l0", "bias_ih_l0", "bias_hh_l0", "weight_hh_l0"]
assert inside[-2:] == [f"parametrizations.weight_hh_l0.original{k}" for k in (0, 1)]
PYTHON
