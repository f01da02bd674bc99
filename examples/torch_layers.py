"""Backward passes written for PyTorch, audited: two that are right, three with a mistake.

    cd examples
    bptt verify --framework torch torch_layers.py:MinimalGRU --cell minimal_gru.toml
    bptt verify --framework torch torch_layers.py:NoInitialGradient --cell rnn
    bptt verify --framework torch torch_layers.py:LSTM --cell lstm

What arguments and parameters stand for is said by their names: those of the cell; `h_prev` where
one step is computed, `h0` where a sequence is; or, as in PyTorch, `weight_ih_l0` and a `state`.
"""

import torch
from torch import nn

LSTM = nn.LSTM  # a class of modules is made anew for each size that is tried


class MinimalGRU(torch.autograd.Function):
    """One step of the minimal gated unit of minimal_gru.toml, its gradient by hand."""

    @staticmethod
    def forward(ctx, x, h_prev, W_f, U_f, b_f, W_h, U_h, b_h):
        f = torch.sigmoid(x @ W_f.T + h_prev @ U_f.T + b_f)
        g = torch.tanh(x @ W_h.T + (f * h_prev) @ U_h.T + b_h)
        ctx.save_for_backward(x, h_prev, W_f, U_f, W_h, U_h, f, g)
        return (1 - f) * h_prev + f * g

    @staticmethod
    def backward(ctx, h_bar):
        x, h_prev, W_f, U_f, W_h, U_h, f, g = ctx.saved_tensors
        a_g = h_bar * f * (1 - g * g)
        r_bar = a_g @ U_h  # of f * h_prev
        a_f = (h_bar * (g - h_prev) + r_bar * h_prev) * f * (1 - f)
        h_prev_bar = h_bar * (1 - f) + r_bar * f + a_f @ U_f
        x_bar = a_g @ W_h + a_f @ W_f
        return (x_bar, h_prev_bar, a_f.T @ x, a_f.T @ h_prev, a_f.sum(0), a_g.T @ x,
                a_g.T @ (f * h_prev), a_g.sum(0))  # fmt: skip


class ForgottenGate(MinimalGRU):
    """The same, but the gate's share in the recurrent product is forgotten."""

    @staticmethod
    def backward(ctx, h_bar):
        x, h_prev, W_f, U_f, W_h, U_h, f, g = ctx.saved_tensors
        a_g = h_bar * f * (1 - g * g)
        r_bar = a_g @ U_h
        a_f = h_bar * (g - h_prev) * f * (1 - f)  # r_bar * h_prev is missing
        h_prev_bar = h_bar * (1 - f) + r_bar * f + a_f @ U_f
        x_bar = a_g @ W_h + a_f @ W_f
        return (x_bar, h_prev_bar, a_f.T @ x, a_f.T @ h_prev, a_f.sum(0), a_g.T @ x,
                a_g.T @ (f * h_prev), a_g.sum(0))  # fmt: skip


class Recurrence(torch.autograd.Function):
    """h_t = tanh(W h_{t−1} + U x_t + b) over a sequence, every state returned."""

    @staticmethod
    def forward(ctx, x, h0, W, U, b):
        h, hs = h0, []
        for x_t in x:
            h = torch.tanh(h @ W.T + x_t @ U.T + b)
            hs.append(h)
        hs = torch.stack(hs)
        ctx.save_for_backward(x, h0, W, U, hs)
        return hs

    @staticmethod
    def backward(ctx, hs_bar):
        x, h0, W, U, hs = ctx.saved_tensors
        before = torch.cat([h0[None], hs[:-1]])
        carry, a = torch.zeros_like(h0), torch.empty_like(hs)
        for t in reversed(range(len(x))):
            a[t] = (hs_bar[t] + carry) * (1 - hs[t] ** 2)
            carry = a[t] @ W
        W_bar, U_bar = (torch.einsum("tbi,tbj->ij", a, other) for other in (before, x))
        return a @ U, carry, W_bar, U_bar, a.sum((0, 1))


class NoInitialGradient(Recurrence):
    """The same with zeros for the gradient of the initial state."""

    @staticmethod
    def backward(ctx, hs_bar):
        x_bar, carry, *others = Recurrence.backward(ctx, hs_bar)
        return x_bar, torch.zeros_like(carry), *others


class FinalState(torch.autograd.Function):
    """Passes a final state on, and drops what comes back for it."""

    @staticmethod
    def forward(ctx, h):
        return h.clone()

    @staticmethod
    def backward(ctx, h_bar):
        return torch.zeros_like(h_bar)


class DroppedFinalLSTM(nn.LSTM):
    """An LSTM whose c_n has no gradient: a loss on the final cell state trains nothing."""

    def forward(self, x, state=None):
        output, (h_n, c_n) = super().forward(x, state)
        return output, (h_n, FinalState.apply(c_n))
