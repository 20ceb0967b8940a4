"Lines of the claims' code are broken one by one; each time a check in the notebooks notices."

import mutations
import pytest


@pytest.mark.parametrize("mutation", mutations.LIST, ids=lambda m: f"{m[0][:2]}-{m[1]}-{m[2][:20]}")
def test_a_broken_line_is_noticed(mutation):
    assert mutations.tried(*mutation)


def test_unbroken_lines_are_not():
    for notebook, checks in {(m[0], tuple(m[4])) for m in mutations.LIST if m[4]}:
        assert mutations.run_cells(mutations.cells(notebook), "", list(checks)) == ""
