"""Static analysis of one program with Python's own grammar, in a process that has run no program.

`pure` decides which programs may share a child with others, so it is written as lists of what is allowed. A pure
program cannot reach an object that another program sees and change it, nor find the harness:
  - names: its own and a list of builtins; no dunder names but __name__; nothing that reads attributes by text
  - attributes: methods of builtin types and names that the program defines, never frame, code or dunder attributes;
    str.format only on a constant without field access (format fields read attributes)
  - modules: a list of members of a list of modules; a module is only ever the left side of a dot
  - attribute stores only where no mutable object of a shared module is imported; what stores attributes by itself
    (dataclass, total_ordering, ...) only as a decorator, what makes classes from data only as a base
  - no __eq__ or __hash__ of its own where a shared module is imported: modules keep caches (re, typing), whose keys would
    compare by it in another program
`stateless` is weaker: no way is seen to carry anything from one call to the next through the interpreter, so that
several inputs of this one program may share a child.
Everything here may be wrong about what a program computes; it only decides who shares a process. The judgement of
results does not rest on it.
"""
import ast
import binascii
import builtins
import importlib
import importlib.machinery
import json
import marshal
import re
import sys

SAFE_BUILTINS = frozenset("""
abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate filter float
frozenset hash hex int isinstance issubclass iter len list map max min next object oct ord pow print property range repr
reversed round set slice sorted staticmethod str sum super tuple type zip True False None NotImplemented Ellipsis
ArithmeticError AssertionError AttributeError BaseException EOFError Exception FloatingPointError GeneratorExit
ImportError IndentationError IndexError KeyError KeyboardInterrupt LookupError MemoryError NameError
NotImplementedError OSError OverflowError RecursionError ReferenceError RuntimeError RuntimeWarning StopIteration
SyntaxError SystemError SystemExit TabError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError
UnicodeError UserWarning ValueError Warning ZeroDivisionError TimeoutError __name__
""".split())
# Names whose effects or values come from outside the program, or that hide what is done.
DYNAMIC = frozenset("""
eval exec compile open input getattr setattr delattr hasattr vars dir globals locals __import__ breakpoint help exit
quit memoryview id __builtins__ __loader__ __spec__
""".split())
# Of those that are not safe: what changes nothing and reaches nothing if a variable of that name is the builtin after all.
HARMLESS_BUILTINS = frozenset("aiter anext compile copyright credits dir format hasattr id input license".split())
REFUSED_NAMES = frozenset(["__import__", "open", "input", "breakpoint"])

SAFE_MODULES = {
    "math": None,
    "cmath": None,
    "itertools": None,
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "bisect": None,
    "collections.abc": "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping "
                       "MutableMapping MutableSequence MutableSet Reversible Sequence Set Sized ValuesView",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "functools": "cache cmp_to_key lru_cache partial reduce total_ordering",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits punctuation printable "
              "whitespace capwords",
    "re": "compile findall finditer fullmatch match search split sub subn escape IGNORECASE I MULTILINE M DOTALL S "
          "VERBOSE X ASCII A",
    "copy": "copy deepcopy",
    "operator": "abs add and_ concat contains countOf eq floordiv ge getitem gt index indexOf inv invert itemgetter le "
                "lshift lt mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor",
    "abc": "ABC abstractmethod",
    "dataclasses": "dataclass field",
    "enum": "Enum IntEnum auto",
    "base64": "b16decode b16encode b32decode b32encode b64decode b64encode urlsafe_b64decode urlsafe_b64encode",
    # Without getcontext and the like: the context is the one thing of the module that a program could leave changed.
    "decimal": "Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP",
    "fractions": "Fraction",
    "statistics": "mean median mode fmean",
    "typing": "Any Callable Collection Counter DefaultDict Deque Dict FrozenSet Generator Generic Hashable Iterable "
              "Iterator List Literal Mapping MutableMapping NamedTuple Optional Sequence Set Tuple Type TypeVar Union",
    "__future__": "annotations division print_function",
}

SAFE_METHOD_DEFINITIONS = frozenset("""
__init__ __post_init__ __str__ __repr__ __len__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __bool__ __add__
__radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __matmul__ __truediv__ __rtruediv__ __floordiv__ __mod__
__pow__ __neg__ __pos__ __abs__ __and__ __or__ __xor__ __invert__ __lshift__ __rshift__ __getitem__ __setitem__
__delitem__ __contains__ __iter__ __next__ __call__ __int__ __float__ __index__ __enter__ __exit__ __reversed__
__missing__
""".split())
# Members that store attributes on their argument, or make a class from data: only above a def or class, or as a base.
MAKERS = frozenset("""
dataclasses.dataclass functools.total_ordering abc.abstractmethod enum.Enum enum.IntEnum typing.NamedTuple
""".split())
COMPARING = frozenset(["__eq__", "__ne__", "__hash__"])
SAFE_DUNDER_READS = frozenset(["__init__", "__name__", "__doc__"])
# Attributes of generators, coroutines, tracebacks, frames, code objects and functions.
HIDDEN = re.compile(r"^(gi|cr|ag|tb|f|co|func|im)_|^__|^_?mro$|^(format|format_map|with_traceback|register)$")
HIDDEN_PREFIXES_OF_OTHERS = frozenset(["f_back", "f_builtins", "f_code", "f_globals", "f_lasti", "f_lineno", "f_locals",
                                       "f_trace", "f_trace_lines", "f_trace_opcodes"])

_BUILTIN_TYPES = (str, bytes, bytearray, int, float, complex, bool, list, tuple, dict, set, frozenset, range, slice,
                  property, BaseException, StopIteration, type(_ for _ in ()))
_EXTRA_METHODS = """
most_common elements subtract total appendleft popleft extendleft rotate maxlen move_to_end new_child parents maps
group groups groupdict start end span pattern string lastindex lastgroup findall finditer fullmatch match search split
sub subn cache_info cache_clear cache_parameters value args name code default_factory setter getter deleter
numerator denominator limit_denominator quantize func keywords _replace _asdict _fields
""".split()


def _methods():
    names = set(_EXTRA_METHODS)
    for kind in _BUILTIN_TYPES:
        names.update(n for n in dir(kind) if not n.startswith("_"))
    return frozenset(n for n in names if not HIDDEN.match(n))


def _members():
    """Names by module, and which of them are objects that take attributes (found by trying)."""
    members, mutable = {}, {}
    for module, names in SAFE_MODULES.items():
        if module in ("base64", "collections.abc", "decimal", "fractions", "statistics", "typing"):
            # Taken to hold objects that take attributes; most are imported only by programs that ask.
            members[module] = frozenset(names.split())
            mutable[module] = members[module]
            continue
        loaded = importlib.import_module(module)
        listed = names.split() if names else [n for n in dir(loaded) if not n.startswith("_")]
        members[module] = frozenset(listed)
        takes = set()
        for name in listed:
            thing = getattr(loaded, name, None)
            try:
                setattr(thing, "azr_probe", 1)
            except Exception:
                continue
            delattr(thing, "azr_probe")
            takes.add(name)
        mutable[module] = frozenset(takes)
    return members, mutable


SAFE_METHODS = _methods()
MEMBERS, MUTABLE_MEMBERS = _members()
BUILTIN_NAMES = frozenset(dir(builtins))
FIELD_ACCESS = re.compile(r"\{[^{}]*[.\[]|\{[^{}]*\{")


def nodes_of(tree):
    """All nodes but the contexts (Load, Store, Del); ast.walk takes three times as long."""
    nodes = [tree]
    node_type = ast.AST
    for node in nodes:
        for name in node._fields:
            if name == "ctx":
                continue
            value = getattr(node, name, None)
            if value.__class__ is list:
                nodes.extend([item for item in value if isinstance(item, node_type)])
            elif isinstance(value, node_type):
                nodes.append(value)
    return nodes


def is_missing(module):
    """No such module is here: importing it raises and changes nothing. Nothing is imported to find out."""
    top = module.split(".")[0]
    if top in RESERVED or top in sys.stdlib_module_names or top in sys.modules:
        return False
    return importlib.machinery.PathFinder.find_spec(top) is None


# The name under which a program's own module stands while it runs.
RESERVED = frozenset(["program"])


class Analysis:
    def __init__(self, tree):
        self.nodes = nodes_of(tree)
        self.imports = []
        self.names = set()
        self.bound = set()
        self.own_attributes = set()
        self.modules = {}
        self.makers = set()
        self.reasons = []
        self.stateful = []
        self.stores = False
        self.shared = False
        self.underscored = False

    def impure(self, why):
        self.reasons.append(why)

    def unsafe(self, why):
        """Impure, and of consequence for the program's own next input too."""
        self.reasons.append(why)
        self.stateful.append(why)

    def collect(self):
        """First pass: what the program defines."""
        for node in self.nodes:
            kind = type(node)
            if kind is ast.Name:
                if type(node.ctx) is not ast.Load:
                    self.bound.add(node.id)
            elif kind is ast.arg:
                self.bound.add(node.arg)
            elif kind is ast.FunctionDef or kind is ast.ClassDef or kind is ast.AsyncFunctionDef:
                self.bound.add(node.name)
                self.own_attributes.add(node.name)
            elif kind is ast.ExceptHandler or kind is ast.MatchAs or kind is ast.MatchStar:
                if node.name:
                    self.bound.add(node.name)
            elif kind is ast.MatchMapping:
                if node.rest:
                    self.bound.add(node.rest)
            elif kind is ast.Attribute:
                if type(node.ctx) is not ast.Load:
                    self.own_attributes.add(node.attr)
                    self.stores = True
            elif kind is ast.Import:
                for alias in node.names:
                    self.imports.append(alias.name)
                    self.import_module(alias)
            elif kind is ast.ImportFrom:
                self.import_members(node)
        # Class bodies bind attributes by plain names; named tuples by the words of a constant.
        self.own_attributes |= self.bound
        for node in self.nodes:
            if type(node) is ast.Constant and type(node.value) is str and len(node.value) < 400:
                self.own_attributes.update(re.findall(r"[A-Za-z]\w*", node.value))

    def import_module(self, alias):
        local = alias.asname or alias.name.split(".")[0]
        if local.startswith("__"):
            self.unsafe("name " + local)
        if alias.name not in MEMBERS or ("." in alias.name):
            self.impure("import " + alias.name)
            if not is_missing(alias.name):
                self.stateful.append("import")
            self.bound.add(local)
            return
        if self.modules.get(local, alias.name) != alias.name:
            self.impure("one name for two modules")
        self.modules[local] = alias.name

    def import_members(self, node):
        module = node.module or ""
        allowed = MEMBERS.get(module) if node.level == 0 else None
        for alias in node.names:
            self.imports.append(module + "." + alias.name)
            self.bound.add(alias.asname or alias.name)
            if allowed is None or alias.name not in allowed:
                self.impure("from " + module + " import " + alias.name)
                if allowed is None and not (node.level == 0 and is_missing(module)):
                    self.stateful.append("import")
            elif alias.name in MUTABLE_MEMBERS[module]:
                self.shared = True
            if module + "." + alias.name in MAKERS:
                self.makers.add(alias.asname or alias.name)

    def judge(self):
        """Second pass: what the program touches."""
        module_bases = set()
        for node in self.nodes:
            kind = type(node)
            if kind is ast.Attribute:
                self.attribute(node, module_bases)
            elif kind is ast.Call:
                self.call(node)
            elif kind is ast.MatchClass:
                for name in node.kwd_attrs:
                    self.attribute_name(name)
            elif kind is ast.FunctionDef or kind is ast.ClassDef or kind is ast.AsyncFunctionDef:
                self.definition(node.name)
        self.check_makers()
        for node in self.nodes:
            if type(node) is ast.Name:
                self.name(node, module_bases)
        if self.shared and COMPARING & self.own_attributes:
            self.unsafe("comparison of its own beside shared objects")
        for local in self.modules:
            if local in self.bound:
                self.impure("module name bound again")
        for name in self.bound:
            if name.startswith("__") and name not in SAFE_METHOD_DEFINITIONS:
                self.impure("name " + name)
        if self.underscored and self.shared:
            self.impure("private attribute beside shared objects")
        if self.stores and self.shared:
            self.impure("attribute stores beside shared objects")
            self.stateful.append("store")

    def attribute(self, node, module_bases):
        base = node.value
        if type(base) is ast.Name and base.id in self.modules:
            module = self.modules[base.id]
            module_bases.add(id(base))
            if type(node.ctx) is not ast.Load:
                self.impure("store on a module")
                self.stateful.append("store")
            elif node.attr not in MEMBERS[module]:
                self.impure(module + "." + node.attr)
                self.stateful.append("member")
            elif node.attr in MUTABLE_MEMBERS[module]:
                self.shared = True
            return
        if node.attr == "format" and type(base) is ast.Constant and type(base.value) is str:
            if FIELD_ACCESS.search(base.value):
                self.impure("format field")
            return
        self.attribute_name(node.attr)

    def attribute_name(self, name):
        if name in SAFE_DUNDER_READS:
            return
        if name.startswith("_") and name not in SAFE_METHODS:
            self.underscored = True
        if HIDDEN.match(name):
            self.impure("attribute " + name)
            if name.startswith("__") or name in HIDDEN_PREFIXES_OF_OTHERS or name.endswith("_frame"):
                self.stateful.append("attribute")
        elif name not in SAFE_METHODS and name not in self.own_attributes:
            # An attribute that nothing defines raises AttributeError or reaches what was not thought of.
            self.impure("attribute " + name)

    def check_makers(self):
        fine = set()
        for node in self.nodes:
            if type(node) in (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef):
                fine.update(id(d.func if type(d) is ast.Call else d) for d in node.decorator_list)
            if type(node) is ast.ClassDef:
                fine.update(id(base) for base in node.bases)
        for node in self.nodes:
            if id(node) in fine:
                continue
            if type(node) is ast.Name and node.id in self.makers:
                self.unsafe("maker as a value")
            elif type(node) is ast.Attribute and type(node.value) is ast.Name and node.value.id in self.modules:
                if self.modules[node.value.id] + "." + node.attr in MAKERS:
                    self.unsafe("maker as a value")

    def call(self, node):
        callee = node.func
        if type(callee) is ast.Name and callee.id == "type":
            if len(node.args) != 1 or node.keywords or type(node.args[0]) is ast.Starred:
                self.unsafe("type with a body")

    def definition(self, name):
        if name.startswith("__") and name not in SAFE_METHOD_DEFINITIONS:
            self.impure("definition of " + name)
            self.stateful.append("definition")

    def name(self, node, module_bases):
        name = node.id
        self.names.add(name)
        if name in self.modules:
            if id(node) not in module_bases:
                self.impure("module as a value")
                self.stateful.append("module")
        elif name in BUILTIN_NAMES and name not in SAFE_BUILTINS:
            # Bound somewhere is not bound here: another scope may still mean the builtin.
            if name in self.bound and name in HARMLESS_BUILTINS:
                return
            self.impure("name " + name)
            if name in DYNAMIC:
                self.stateful.append("name")
        elif name in self.bound:
            return
        elif name == "type":
            return
        elif name.startswith("__") and name not in ("__name__", "__class__"):
            self.impure("name " + name)
            self.stateful.append("name")
        elif name == "__class__":
            self.impure("name __class__")


def type_as_value(nodes):
    """`type` and what type(x) gives (a class, `type` itself where x is one) could be called with a class body, so they
    stand in comparisons only, or before .__name__."""
    fine, callees = set(), set()
    for node in nodes:
        if type(node) is ast.Compare:
            for side in [node.left, *node.comparators]:
                fine.add(id(side))
                if type(side) in (ast.Tuple, ast.List, ast.Set):
                    fine.update(id(item) for item in side.elts)
        elif type(node) is ast.Attribute and node.attr == "__name__":
            fine.add(id(node.value))
        elif type(node) is ast.Call and type(node.func) is ast.Name and node.func.id == "type":
            callees.add(id(node.func))
    for node in nodes:
        if type(node) is ast.Call and id(node.func) in callees and id(node) not in fine:
            return True
        if type(node) is ast.Name and node.id == "type" and id(node) not in fine and id(node) not in callees:
            return True
    return False


KEYWORDS = {
    ast.Raise: "raise", ast.Assert: "assert", ast.Try: "try", ast.TryStar: "try", ast.ExceptHandler: "except",
    ast.With: "with", ast.While: "while", ast.For: "for", ast.Lambda: "lambda", ast.Global: "global",
    ast.Nonlocal: "nonlocal", ast.Yield: "yield", ast.YieldFrom: "yield", ast.Await: "await", ast.AsyncFor: "async",
    ast.AsyncWith: "async", ast.AsyncFunctionDef: "async", ast.Delete: "del", ast.ClassDef: "class",
    ast.Import: "import", ast.ImportFrom: "import", ast.Break: "break", ast.Continue: "continue", ast.If: "if",
    ast.IfExp: "if", ast.Match: "match", ast.Pass: "pass", ast.Return: "return",
}


def keywords_of(nodes):
    """Keywords that occur. `finally` has no node of its own."""
    found = {KEYWORDS[kind] for kind in {type(node) for node in nodes} if kind in KEYWORDS}
    if "try" in found and any(type(node) in (ast.Try, ast.TryStar) and node.finalbody for node in nodes):
        found.add("finally")
    return found


def uses_of(nodes):
    """Dotted members of imported modules, whatever the import calls them here; one entry for each longest chain."""
    known = {}
    for node in nodes:
        if type(node) is ast.Import:
            for alias in node.names:
                top = alias.name.split(".")[0]
                known[alias.asname or top] = alias.name if alias.asname else top
        elif type(node) is ast.ImportFrom and node.module and node.level == 0:
            for alias in node.names:
                known[alias.asname or alias.name] = node.module + "." + alias.name
    if not known:
        return set()
    inner = {id(node.value) for node in nodes if type(node) is ast.Attribute}
    found = set()
    for node in nodes:
        if type(node) is not ast.Attribute or id(node) in inner:
            continue
        chain = []
        while type(node) is ast.Attribute:
            chain.append(node.attr)
            node = node.value
        if type(node) is ast.Name and node.id in known:
            found.add(".".join([known[node.id], *reversed(chain)]))
    return found


ORDERED = frozenset(["set", "frozenset", "hash", "id", "object", "repr"])


def analyse(code):
    """JSON of {parses, error, imports, uses, keywords, refused, definesF, pure, stateless, ordered, why, compiled}.

    `compiled` is the program's code object, marshalled, in base64, so that it is compiled once and not in every child;
    empty where the compiler refuses the program, whose children then meet the same refusal, and where it is too large.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return json.dumps({"parses": False, "error": "SyntaxError: " + str(error.msg)[:200]})
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return json.dumps({"parses": False, "error": type(error).__name__ + ": " + str(error)[:200]})
    try:
        a = Analysis(tree)
        a.collect()
        a.judge()
    except RecursionError:
        return json.dumps({"parses": False, "error": "RecursionError: nesting too deep"})
    if type_as_value(a.nodes):
        a.unsafe("type as a value")
    ordered = bool(a.names & ORDERED) or any(type(n) in (ast.Set, ast.SetComp) for n in a.nodes)
    return json.dumps({
        "parses": True,
        "error": "",
        "imports": sorted(set(a.imports)),
        "uses": sorted(uses_of(a.nodes)),
        "keywords": sorted(keywords_of(a.nodes)),
        "refused": sorted((a.names - a.bound) & REFUSED_NAMES),
        "definesF": "f" in a.bound or "f" in a.modules or any(i.endswith(".*") for i in a.imports),
        "pure": not a.reasons,
        "stateless": not a.stateful,
        "ordered": ordered,
        "why": a.reasons[0][:100] if a.reasons else "",
        "compiled": compiled(code),
    })


# A larger code object (thousands of lambdas) is left to the children, so that no analysis outgrows its frame.
MAX_COMPILED = 256 * 1024


def compiled(code):
    try:
        binary = marshal.dumps(compile(code, "<program>", "exec", 0, True))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return ""
    return binascii.b2a_base64(binary, newline=False).decode("ascii") if len(binary) <= MAX_COMPILED else ""
