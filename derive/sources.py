"""Whose theorem it is: the works that theorems cite, each once.

A title stands where it was read; else author, year and arXiv number.
"""

from __future__ import annotations

from typing import Final

PASCANU: Final = (
    "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, "
    "ICML, arXiv:1211.5063"
)
MILLER: Final = "Miller and Hardt 2019, Stable recurrent models, ICLR, arXiv:1805.10369"
TERZI: Final = (
    "Terzi, Bonassi, Farina and Scattolini 2021, Learning model predictive control with long "
    "short-term memory networks"
)
BONASSI: Final = (
    "Bonassi, Farina and Scattolini 2021, On the stability properties of gated recurrent units "
    "neural networks, arXiv:2011.06806"
)
YOSHIHARA: Final = "Yoshihara et al. 2025, arXiv:2505.17696"
KANAI: Final = "Kanai, Fujiwara and Iwamura 2017, NIPS"
HOCHREITER: Final = "Hochreiter and Schmidhuber 1997"
KOUTNIK: Final = "Koutník, Greff, Gomez and Schmidhuber 2014, A clockwork RNN, ICML"
