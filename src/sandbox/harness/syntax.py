"""Programs as data, with Python's own grammar, in a process that runs none of them.

`tree(code)`   the syntax tree as compact JSON: a node is {"_": kind, field: value}, a value is a node, a list of nodes
               and other values, a text (identifiers), or {"c": type, "t": text} for constants; None and contexts are
               left out. Positions are left out.
`texts(code)`  the program rewritten: without comments and docstrings; its imports, functions and classes alone; its
               import statements.
Both answer {"error": text} for what does not parse or nests too deep. Both bounds are ours, so that the answer does not
hang on where this build of Python overflows.
"""
import ast
import json

MAX_LEVELS = 400
# Python refuses to write longer integers in decimal.
MAX_DIGITS = 4300

_quote = json.encoder.encode_basestring_ascii


class TooDeep(Exception):
    pass


def answer(work):
    def checked(code):
        try:
            return work(ast.parse(code))
        except SyntaxError as error:
            why = "SyntaxError: " + str(error.msg)[:200]
        except TooDeep:
            why = "the program nests deeper than %d levels" % MAX_LEVELS
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            why = type(error).__name__ + ": " + str(error)[:200]
        return json.dumps({"error": why})
    return checked


def constant(value):
    kind = type(value)
    if kind is str:
        return '{"c":"str","t":' + _quote(value) + "}"
    if kind is int and value.bit_length() > MAX_DIGITS * 4:
        # Only its identity is asked for: no decimal text exists.
        return '{"c":"huge","t":"' + hex(value) + '"}'
    try:
        text = ascii(value)
    except ValueError:
        return '{"c":"huge","t":"' + hex(value) + '"}'
    return '{"c":' + _quote(kind.__name__) + ',"t":' + _quote(text) + "}"


def write(node, out, level):
    if level > MAX_LEVELS:
        raise TooDeep
    out.append('{"_":"' + type(node).__name__ + '"')
    is_constant = type(node) in (ast.Constant, ast.MatchSingleton)
    for name, value in ast.iter_fields(node):
        if value is None or name == "ctx":
            continue
        out.append(',"' + name + '":')
        if isinstance(value, ast.AST):
            write(value, out, level + 1)
        elif isinstance(value, list):
            out.append("[")
            first = True
            for item in value:
                if item is None:
                    continue
                if not first:
                    out.append(",")
                first = False
                if isinstance(item, ast.AST):
                    write(item, out, level + 1)
                else:
                    out.append(_quote(item) if type(item) is str else constant(item))
            out.append("]")
        elif type(value) is str and not is_constant:
            out.append(_quote(value))
        else:
            out.append(constant(value))
    out.append("}")


@answer
def tree(module):
    out = []
    write(module, out, 1)
    return "".join(out)


class Rewriter(ast._Unparser):
    """Source as Python 3.10 writes it back, on which the published rewritten programs rest: every tuple in brackets,
    starred ones in subscripts too, a blank after `lambda`, assignment expressions in brackets in more places."""

    def visit_Subscript(self, node):
        index = node.slice
        bare = (type(index) is ast.Tuple and index.elts
                and not any(type(item) is ast.Starred for item in index.elts))
        self.set_precedence(ast._Precedence.ATOM, node.value)
        self.traverse(node.value)
        with self.delimit("[", "]"):
            if bare:
                self.items_view(self.traverse, index.elts)
            else:
                self.traverse(index)

    def visit_Tuple(self, node):
        with self.delimit("(", ")"):
            self.items_view(self.traverse, node.elts)

    def visit_NamedExpr(self, node):
        with self.require_parens(ast._Precedence.TUPLE, node):
            self.set_precedence(ast._Precedence.ATOM, node.target, node.value)
            self.traverse(node.target)
            self.write(" := ")
            self.traverse(node.value)

    def visit_Lambda(self, node):
        with self.require_parens(ast._Precedence.TEST, node):
            self.write("lambda ")
            self.traverse(node.args)
            self.write(": ")
            self.set_precedence(ast._Precedence.TEST, node.body)
            self.traverse(node.body)


def source(node):
    return Rewriter().visit(node)


def without_blank_lines(text):
    return "\n".join(line for line in text.split("\n") if line.strip())


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


def is_docstring(statement):
    return (type(statement) is ast.Expr and type(statement.value) is ast.Constant
            and type(statement.value.value) is str)


@answer
def texts(module):
    imports = [source(node) for node in ast.walk(module) if type(node) in IMPORTS]
    kept = ast.Module([s for s in module.body if type(s) in IMPORTS + DOCUMENTED], [])
    defs_only = without_blank_lines(source(kept))
    for node in ast.walk(module):
        if type(node) in DOCUMENTED and node.body and is_docstring(node.body[0]):
            # A body of nothing but its docstring needs a statement.
            node.body = node.body[1:] or ([] if type(node) is ast.Module else [ast.Pass()])
    return json.dumps({
        "noComments": without_blank_lines(source(module)),
        "defsOnly": defs_only,
        "imports": imports,
    })
