"""Backward passes written for JAX under `jax.custom_vjp`, audited: a right one and two wrong ones.

    cd examples
    bptt verify --framework jax jax_layers.py:recurrence --cell rnn
    bptt verify --framework jax jax_layers.py:final_state_dropped --cell rnn

What an argument stands for is said by its name: that of the cell's parameter or input, and `h0`.
"""

import jax
import jax.numpy as jnp


def scanned(x, h0, W, U, b):
    """Every state, and the last one; and what the backward pass needs."""

    def step(h, x_t):
        h = jnp.tanh(h @ W.T + x_t @ U.T + b)
        return h, h

    last, hs = jax.lax.scan(step, h0, x)
    return (hs, last), (x, h0, W, U, hs)


def scanned_back(saved, cotangents):
    """Gradients of x, h0, W, U and b."""
    x, h0, W, U, hs = saved
    hs_bar, last_bar = cotangents
    before = jnp.concatenate([h0[None], hs[:-1]])

    def step(carry, here):
        h_bar, h = here
        a = (h_bar + carry) * (1 - h * h)
        return a @ W, a

    h0_bar, a = jax.lax.scan(step, last_bar, (hs_bar, hs), reverse=True)
    W_bar, U_bar = (jnp.einsum("tbi,tbj->ij", a, other) for other in (before, x))
    return a @ U, h0_bar, W_bar, U_bar, a.sum((0, 1))


def final_dropped(saved, cotangents):
    """The same without what comes back for the last state."""
    hs_bar, last_bar = cotangents
    return scanned_back(saved, (hs_bar, jnp.zeros_like(last_bar)))


def slope_of_its_input(saved, cotangents):
    """The same with the slope of tanh taken at its value: 1 − tanh(h)² for 1 − h²."""
    x, h0, W, U, hs = saved
    h0_bar, a = jnp.zeros_like(h0), []
    for t in reversed(range(len(x))):
        h_bar = cotangents[0][t] + h0_bar + (cotangents[1] if t == len(x) - 1 else 0)
        a.insert(0, h_bar * (1 - jnp.tanh(hs[t]) ** 2))
        h0_bar = a[0] @ W
    a = jnp.stack(a)
    before = jnp.concatenate([h0[None], hs[:-1]])
    W_bar, U_bar = (jnp.einsum("tbi,tbj->ij", a, other) for other in (before, x))
    return a @ U, h0_bar, W_bar, U_bar, a.sum((0, 1))


def with_backward(backward):
    """The recurrence with that backward pass."""

    @jax.custom_vjp
    def recurrence(x, h0, W, U, b):
        return scanned(x, h0, W, U, b)[0]

    recurrence.defvjp(scanned, backward)
    return recurrence


recurrence = with_backward(scanned_back)
final_state_dropped = with_backward(final_dropped)
slope_at_value = with_backward(slope_of_its_input)
