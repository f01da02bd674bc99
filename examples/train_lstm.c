/* One step of gradient descent of an LSTM in C, on memory of its own: no allocation, no library.

       bptt emit lstm --target c -o lstm.c
       cc -O3 -march=native -ffp-contract=fast examples/train_lstm.c lstm.c -I. -lm && ./a.out

   L = 1/2 the sum of |h_t − 0.5|²; the loss before and after the step is printed. */
#include <stdio.h>
#include "lstm.h"

enum { T = 20, B = 2, M = 3, N = 4, GATE = N * N + N * M + N, ALL = 4 * GATE };

static float weights[ALL], gradient[ALL], x[T * B * M], c[(T + 1) * B * N], h[(T + 1) * B * N];
static float h_bar[T * B * N], x_bar[T * B * M], c0_bar[B * N], h0_bar[B * N];
static unsigned char tape[1 << 16], workspace[1 << 16];

static float loss(const lstm_sizes *sizes, const lstm_f4_arrays *lstm)
{
    float sum = 0;
    lstm_f4_forward(sizes, lstm, tape, workspace);
    for (int i = 0; i < T * B * N; i++) {
        h_bar[i] = h[B * N + i] - 0.5f;
        sum += 0.5f * h_bar[i] * h_bar[i];
    }
    return sum;
}

int main(void)
{
    const lstm_sizes sizes = {T, B, M, N};
    float *w = weights, *g = gradient;
    lstm_f4_arrays lstm = {.inputs = {x}, .states = {c, h}, .cotangents = {.h = h_bar}};
    for (int i = 0; i < ALL; i++)
        weights[i] = 0.3f * (float)(i * 7919 % 101 - 50) / 50;
    for (int i = 0; i < T * B * M; i++)
        x[i] = (float)(i * 104729 % 97 - 48) / 48;
#define GIVE(gate) lstm.params.W_##gate##h = w, lstm.params.W_##gate##x = w + N * N, \
    lstm.params.b_##gate = w + N * (N + M), lstm.gradients.params.W_##gate##h = g, \
    lstm.gradients.params.W_##gate##x = g + N * N, \
    lstm.gradients.params.b_##gate = g + N * (N + M), w += GATE, g += GATE
    GIVE(f), GIVE(i), GIVE(c), GIVE(o);
    lstm.gradients.inputs.x = x_bar, lstm.gradients.initial.c = c0_bar;
    lstm.gradients.initial.h = h0_bar;
    if (lstm_f4_tape_bytes(&sizes) > (ptrdiff_t)sizeof tape
        || lstm_f4_workspace_bytes(&sizes) > (ptrdiff_t)sizeof workspace)
        return 2;
    const float before = loss(&sizes, &lstm);
    lstm_f4_backward(&sizes, &lstm, tape, workspace);
    for (int i = 0; i < ALL; i++)
        weights[i] -= 0.01f * gradient[i];
    const float after = loss(&sizes, &lstm);
    printf("loss %.4f, after one step %.4f\n", (double)before, (double)after);
    return !(after < before);
}
