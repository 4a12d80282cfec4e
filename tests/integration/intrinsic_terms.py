"""What CPython itself says of the intrinsic terms of recorded proposals: the oracle of intrinsics.test.ts, which shares
no line with src/reward/intrinsic.

Input   {"rule": "flat" or "hierarchical", "iterations": [[task, ...], ...]}: accepted tasks, those of iteration 0 first; a
        task is {"id", "kind", "code", "inputs", "outputs", "references": [code]}, its id null where nobody proposed it
Output  {id: {term: raw}}; diversity by the rule, among the tasks of the iterations before

Halstead's operands are known by name or value within their function, others each by itself (radon 6); the distance is
difflib's on indented JSON texts of the trees; cognitive complexity is given for straight-line programs only, which all
programs of the tiny domain are. Other programs are an error.
"""
import ast
import difflib
import json
import math
import sys
from collections import Counter

STRAIGHT = (ast.FunctionDef, ast.Assign, ast.Return)
BRANCHES = (ast.BoolOp, ast.IfExp, ast.Lambda, ast.Assert)


def complexity(tree):
    for node in ast.walk(tree):
        if isinstance(node, BRANCHES) or isinstance(node, ast.stmt) and not isinstance(node, STRAIGHT):
            raise SystemExit("not straight-line: " + ast.unparse(tree))
    return 0.0


def halstead(tree):
    (function,) = tree.body
    operators, operands = [], []
    cyclomatic = 1
    for node in ast.walk(ast.Module(function.body, [])):
        if isinstance(node, ast.comprehension):
            cyclomatic += 1 + len(node.ifs)
        if isinstance(node, ast.BinOp):
            operators.append(type(node.op))
            operands += [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            operators.append(type(node.op))
            operands.append(node.operand)
        elif isinstance(node, ast.Compare):
            operators += map(type, node.ops)
            operands += [node.left, *node.comparators]
    names = {ast.Name: "id", ast.Attribute: "attr", ast.Constant: "value"}
    different = {getattr(node, names[type(node)]) if type(node) in names else node for node in operands}
    h1, h2, n1, n2 = len(set(operators)), len(different), len(operators), len(operands)
    volume = (n1 + n2) * math.log2(h1 + h2) if h1 + h2 else 0.0
    effort = h1 * n2 / (2 * h2) * volume if h2 else 0.0
    return round(0.5 * min(effort / 10_000, 1) + 0.3 * min(cyclomatic / 10, 1) + 0.2 * min(volume / 500, 1), 3)


def as_data(value):
    if isinstance(value, ast.AST):
        fields = {name: as_data(field) for name, field in ast.iter_fields(value) if name != "ctx" and field is not None}
        return {"node_type": type(value).__name__, **fields}
    if isinstance(value, list):
        return [as_data(item) for item in value if isinstance(item, ast.AST)]
    return value


def text(code):
    return json.dumps(as_data(ast.parse(code)), indent=2, sort_keys=True)


def distance(code, references):
    ratios = [difflib.SequenceMatcher(None, text(code), text(other)).ratio() for other in references]
    return sum(1 - ratio for ratio in ratios) / len(ratios) if ratios else 0.0


def kind_of(value):
    return type(ast.literal_eval(value)).__name__


def surprise(value, seen):
    if rule == "flat":
        return 1 - seen[value] / seen.total() if seen else 1.0
    same_type = sum(count for other, count in seen.items() if kind_of(other) == kind_of(value))
    p_type = same_type / seen.total() if seen else 0.0
    p_value = seen[value] / same_type if same_type else 0.0
    return ((1 - p_type) + (1 - p_value)) / 2


def terms(task, seen_inputs, seen_outputs):
    if task["kind"] == "induction":
        return {
            "f_input_answer_diversity": sum(surprise(v, seen_inputs) for v in task["inputs"]) / len(task["inputs"]),
            "f_output_answer_diversity": sum(surprise(v, seen_outputs) for v in task["outputs"]) / len(task["outputs"]),
        }
    tree = ast.parse(task["code"])
    wanted, seen = (task["inputs"], seen_inputs) if task["kind"] == "abduction" else (task["outputs"], seen_outputs)
    return {
        "complexity": complexity(tree),
        "mean_edit_distance": distance(task["code"], task["references"]),
        "halstead": halstead(tree),
        "answer_diversity": surprise(wanted[0], seen),
    }


request = json.load(sys.stdin)
rule = request["rule"]
inputs, outputs, found = Counter(), Counter(), {}
for tasks in request["iterations"]:
    found.update((task["id"], terms(task, inputs, outputs)) for task in tasks if task["id"] is not None)
    for task in tasks:
        inputs.update(task["inputs"])
        outputs.update(task["outputs"])
json.dump(found, sys.stdout)
