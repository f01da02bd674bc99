"""The fold over blocks: every form is seen, in its order, and a form left out is named."""

from __future__ import annotations

import pytest
from profiles import by_day
from sympy import Identity, MatAdd, MatMul, MatrixSymbol, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive import catalogue, differentiate
from derive.calculus.fold import Algebra, NoValueError
from derive.language.expr import Concat, Partial

A, B = (MatrixSymbol(name, 2, 2) for name in "AB")
d, h, h_prev = (MatrixSymbol(name, 2, 1) for name in ("d", "h", "h_prev"))
NAME = Partial(h, h_prev)
FORMS = {
    "zero": ZeroMatrix(2, 2),
    "identity": Identity(2),
    "diagonal": DiagMatrix(d),
    "named": NAME,
    "sum": MatAdd(A, B),
    "stack": Concat(A, B),
    "product": MatMul(-3, A, B),
    "matrix": A,
}


class Written(Algebra[str]):
    """A block as text."""

    def zero(self, block):
        return "0"

    def identity(self, extent):
        return f"I{extent}"

    def diagonal(self, column):
        return f"diag({column})"

    def named(self, block):
        return f"<{block.args[0]}/{block.args[1]}>"

    def sum(self, terms):
        return "(" + " + ".join(terms) + ")"

    def stack(self, parts):
        return "[" + "; ".join(parts) + "]"

    def product(self, number, factors):
        return " ".join([*([str(number)] if number != 1 else []), *factors])

    def matrix(self, block):
        return block.name


def test_every_form_is_seen_with_its_parts_in_order():
    block = MatAdd(MatMul(-3, DiagMatrix(d), A, MatAdd(A, B)), Identity(2), NAME)
    written = "(-3 diag(d) A (A + B) + I2 + <h/h_prev>)"
    assert Written().of(block) == written
    assert Written().of(Concat(block, ZeroMatrix(2, 2))) == f"[{written}; 0]"


@pytest.mark.parametrize("form", FORMS)
def test_a_form_left_out_is_an_error_that_names_the_algebra(form):
    class Short(Written):
        pass

    setattr(Short, form, getattr(Algebra, form))
    Written().of(FORMS[form])
    with pytest.raises(NoValueError, match=r"^Short gives no value to (an?|the) "):
        Short().of(FORMS[form])


def test_what_is_whole_is_one_matrix():
    class Whole(Written):
        def is_whole(self, block):
            return not block.has(DiagMatrix)

        def matrix(self, block):
            return str(block)

    assert Whole().of(MatMul(DiagMatrix(d), MatAdd(A, B))) == "diag(d) A + B"


@pytest.mark.parametrize("name", by_day(catalogue, 3))
def test_every_block_of_the_catalogue_is_made_of_these_forms(name):
    class Known(Written):
        def matrix(self, block):
            return type(block).__name__

        linear_map = matrix

    jacobian = differentiate(catalogue[name]).step_jacobian
    for block in (*jacobian.blocks.values(), *(value for _, value in jacobian.named)):
        assert Known().of(block)
