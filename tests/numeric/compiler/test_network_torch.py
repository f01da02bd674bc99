"""Networks against PyTorch: stacked, both ways, with lengths; skipped where torch is missing."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.weights import layouts as interop

TORCH = {
    "rnn": ("RNN", {}), "irnn": ("RNN", {"nonlinearity": "relu"}), "lstm": ("LSTM", {}),
    "gru_reset_after": ("GRU", {}),
}  # fmt: skip


@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("name", TORCH)
def test_loss_and_gradients_are_those_of_torch(name: str, both: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    steps, batch, n, m, q = 8, 3, 5, 4, 6
    kind, settings = TORCH[name]
    module = getattr(torch.nn, kind)(
        m, n, num_layers=3, bidirectional=both, dtype=torch.float64, **settings
    )
    readout = torch.nn.Linear(n * (1 + both), q, dtype=torch.float64)
    x = torch.randn(steps, batch, m, dtype=torch.float64, requires_grad=True)
    lengths = np.array([8, 5, 2])
    targets = np.random.default_rng(1).integers(0, q, (steps, batch))
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths))
    top, _ = torch.nn.utils.rnn.pad_packed_sequence(module(packed)[0])
    inside = torch.tensor(np.arange(steps)[:, None] < lengths)
    loss = torch.nn.functional.cross_entropy(
        readout(top)[inside], torch.tensor(targets)[inside], reduction="sum"
    )
    loss.backward()

    params = interop.from_torch({k: v.numpy() for k, v in module.state_dict().items()}, name)
    params["readout.V"], params["readout.c"] = (p.detach().numpy() for p in readout.parameters())
    kernel = compile_network(Network(catalogue[name], 3, both))
    found, gradients = kernel.loss_and_gradient(
        params, {"x": x.detach().numpy()}, targets, lengths=lengths
    )

    def close(got: np.ndarray, want: object) -> bool:
        want = want.detach().numpy()
        return np.max(np.abs(got - want)) <= 1e-12 * np.max(np.abs(want))

    assert close(found, loss)
    assert close(gradients["inputs"]["x"], x.grad)
    assert close(gradients["params"]["readout.V"], readout.weight.grad)
    assert close(gradients["params"]["readout.c"], readout.bias.grad)
    ours = interop.to_torch(gradients["params"], name)
    for key, parameter in module.named_parameters():
        if not key.startswith("bias_hh"):
            assert close(ours[key], parameter.grad), key
        elif name == "gru_reset_after":  # its candidate alone has a second bias
            assert close(ours[key][2 * n :], parameter.grad[2 * n :]), key
