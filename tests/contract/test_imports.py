"""No module imports itself by way of others, imports under TYPE_CHECKING included."""

import grimp
import pytest

PACKAGES = ("schemas", "services", "orderflow", "deploy", "demo")


def circles(imported_by):
    """Strongly connected components of two modules or more (Tarjan's algorithm, with a stack)."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in imported_by:
        if root in index:
            continue
        work = [(root, iter(sorted(imported_by[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            module, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(imported_by[other]))))
                    break
                if other in on_stack:
                    low[module] = min(low[module], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == index[module]:
                    at = stack.index(module)
                    component, stack[at:] = stack[at:], []
                    on_stack.difference_update(component)
                    if len(component) > 1:
                        found.append(sorted(component))
    return found


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [["b", "c"]]),
        ({"a": {"b", "d"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_circles_finds_each_circle_of_a_graph(imports, expected):
    assert sorted(circles(imports)) == expected


def test_no_imports_go_in_a_circle():
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    modules = sorted(graph.modules)
    imports = {
        module: {
            other for other in graph.find_modules_directly_imported_by(module) if other in modules
        }
        for module in modules
    }

    assert len(modules) > 300
    assert circles(imports) == []
