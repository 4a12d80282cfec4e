"""Static analysis of one program with Python's own grammar, in a process that has run no program.

`pure` decides which programs may share a child with others, so it is written as lists of what is allowed. A pure
program cannot reach an object that another program sees and change it, nor find the harness:
  - names: its own and a list of builtins; no dunder names but __name__; nothing that reads attributes by text
  - attributes: methods of builtin types and names that the program defines, never frame, code or dunder attributes;
    str.format only on a constant without field access (format fields read attributes)
  - modules: a list of members of a list of modules; a module is only ever the left side of a dot; a module that is not
    installed is as good, since its import raises
  - attribute stores only where no mutable object of a shared module is imported; what stores attributes on its argument
    (dataclass, total_ordering, abstractmethod) only as a decorator of the program's own
  - no metaclass and no class made from data: with one, special methods get in that no name gives away, and then copy
    stores attributes by text, and equality that lies plants entries in the caches of re, typing and abc
What the text cannot show is watched while programs run (child.guard): enum classes made from data, memory held.
`stateless` is weaker: no way is seen to carry anything from one call to the next through the interpreter, so that
several inputs of this one program may share a child.
Everything here may be wrong about what a program computes; it only decides who shares a process. The judgement of
results does not rest on it.
"""
import ast
import binascii
import builtins
import importlib.util
import json
import marshal
import re
import symtable

SAFE_BUILTINS = frozenset("""
abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate filter float
frozenset hasattr hash hex int isinstance issubclass iter len list map max min next object oct ord pow print property range repr
reversed round set slice sorted staticmethod str sum super tuple type zip True False None NotImplemented Ellipsis
ArithmeticError AssertionError AttributeError BaseException EOFError Exception FloatingPointError GeneratorExit
ImportError IndentationError IndexError KeyError KeyboardInterrupt LookupError MemoryError NameError
NotImplementedError OSError OverflowError RecursionError ReferenceError RuntimeError RuntimeWarning StopIteration
SyntaxError SystemError SystemExit TabError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError
UnicodeError UserWarning ValueError Warning ZeroDivisionError TimeoutError __name__
""".split())
# Names whose effects or values come from outside the program, or that hide what is done.
DYNAMIC = frozenset("""
eval exec compile open input getattr setattr delattr vars dir globals locals __import__ breakpoint help exit
quit memoryview id __builtins__ __loader__ __spec__
""".split())
REFUSED_NAMES = frozenset(["__import__", "open", "input", "breakpoint"])

SAFE_MODULES = {
    "math": None,
    "cmath": None,
    "itertools": None,
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "bisect": None,
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
    "fractions": "Fraction",
    "decimal": "Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP",
    "statistics": "mean median mode fmean",
    "base64": "b16decode b16encode b32decode b32encode b64decode b64encode urlsafe_b64decode urlsafe_b64encode",
    "json": "dumps loads",
    "queue": "LifoQueue PriorityQueue Queue",
    "collections.abc": "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping "
                       "MutableMapping MutableSequence MutableSet Reversible Sequence Set Sized ValuesView",
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
# Methods that cannot make a key or a flag lie to a cache. Programs that import a module with caches keyed by what they
# pass (CACHING) may define no others: `re` keeps patterns by text and flags, `typing` keeps aliases by arguments.
QUIET_METHOD_DEFINITIONS = frozenset("""
__init__ __post_init__ __str__ __repr__ __len__ __bool__ __getitem__ __setitem__ __delitem__ __contains__ __iter__
__next__ __call__ __enter__ __exit__ __reversed__ __missing__ __lt__ __le__ __gt__ __ge__
""".split())
CACHING = frozenset(["re", "typing"])
# Store attributes on their argument.
STORING = frozenset(["dataclasses.dataclass", "functools.total_ordering", "abc.abstractmethod"])
STORING_MODULES = frozenset(name.partition(".")[0] for name in STORING)
# What is asked of an operand may hand it to a method of the program.
COMPARING = frozenset("__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __contains__".split())
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
numerator denominator limit_denominator func keywords _replace _asdict _fields
put get put_nowait get_nowait qsize empty full quantize sqrt normalize to_integral_value as_tuple
""".split()


def _methods():
    names = set(_EXTRA_METHODS)
    for kind in _BUILTIN_TYPES:
        names.update(n for n in dir(kind) if not n.startswith("_"))
    return frozenset(n for n in names if not HIDDEN.match(n))


# Imported by programs that ask.
LATE = frozenset(["fractions", "decimal", "statistics", "base64", "json", "queue"])


def _members():
    """Names by module, and which of them are objects that take attributes (found by trying)."""
    members, mutable = {}, {}
    for module, names in SAFE_MODULES.items():
        if module in LATE or module in ("typing", "collections.abc"):
            # Written in Python, so their objects take attributes.
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


def is_absent(module, local):
    """
    True where the import of a module must raise, since there is none, and leaves the name without any value: programs
    know themselves as `program`, and builtins shine through.
    """
    top = module.partition(".")[0]
    if top in ("program", "") or local in BUILTIN_NAMES or local.startswith("__"):
        return False
    try:
        return importlib.util.find_spec(top) is None
    except (ImportError, ValueError, AttributeError):
        return False


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


class Analysis:
    def __init__(self, tree, code):
        self.code = code
        self.nodes = nodes_of(tree)
        self.imports = []
        self.names = set()
        self.bound = set()
        self.own_attributes = set()
        self.modules = {}
        self.absent = set()
        self.storing = set()
        self.caching = False
        self.reasons = []
        self.stateful = []
        self.stores = False
        self.shared = False
        self.underscored = False

    def impure(self, why):
        self.reasons.append(why)

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
            self.impure("name " + local)
            self.stateful.append("name")
        if alias.name in CACHING:
            self.caching = True
        if alias.name not in MEMBERS or ("." in alias.name):
            if is_absent(alias.name, local):
                self.absent.add(local)
                return
            self.impure("import " + alias.name)
            self.stateful.append("import")
            self.bound.add(local)
            return
        if self.modules.get(local, alias.name) != alias.name:
            self.impure("one name for two modules")
        self.modules[local] = alias.name

    def import_members(self, node):
        module = node.module or ""
        allowed = MEMBERS.get(module) if node.level == 0 else None
        if module in CACHING:
            self.caching = True
        for alias in node.names:
            local = alias.asname or alias.name
            self.imports.append(module + "." + alias.name)
            if allowed is None and node.level == 0 and is_absent(module, local):
                self.absent.add(local)
                continue
            self.bound.add(local)
            if allowed is None or alias.name not in allowed:
                self.impure("from " + module + " import " + alias.name)
                if allowed is None:
                    self.stateful.append("import")
            else:
                if alias.name in MUTABLE_MEMBERS[module]:
                    self.shared = True
                if module + "." + alias.name in STORING:
                    self.storing.add(local)

    def judge(self):
        """Second pass: what the program touches."""
        module_bases = set()
        # A name that is bound otherwise too is no longer surely without a value.
        self.absent -= self.bound | self.modules.keys()
        self.bound |= self.absent
        decorating = None
        if self.storing or not STORING_MODULES.isdisjoint(self.modules.values()):
            decorating = self.decorators()
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
                if kind is ast.ClassDef and any(k.arg is None or k.arg == "metaclass" for k in node.keywords):
                    self.impure("metaclass")
                    self.stateful.append("metaclass")
        if decorating is not None and any(
                self.stores_attributes(node) and id(node) not in decorating for node in self.nodes):
            self.impure("what stores attributes is no decorator")
            self.stateful.append("store")
        for node in self.nodes:
            if type(node) is ast.Name:
                self.name(node, module_bases)
        for local in self.modules:
            if local in self.bound:
                self.impure("module name bound again")
        for name in self.bound:
            if name.startswith("__") and name not in SAFE_METHOD_DEFINITIONS:
                self.impure("name " + name)
            elif self.caching and name.startswith("__") and name not in QUIET_METHOD_DEFINITIONS:
                self.impure("definition of " + name + " beside a cache")
                self.stateful.append("definition")
        if self.underscored and self.shared:
            self.impure("private attribute beside shared objects")
        if self.stores and self.shared:
            self.impure("attribute stores beside shared objects")
            self.stateful.append("store")

    def stores_attributes(self, node):
        """A reference to a member of STORING. (A local name of the same spelling is taken for it.)"""
        if type(node) is ast.Name:
            return node.id in self.storing
        return (type(node) is ast.Attribute and type(node.value) is ast.Name
                and self.modules.get(node.value.id, "") + "." + node.attr in STORING)

    def decorators(self):
        """Ids of references to STORING that decorate, where nothing below hands them another object than the program's."""
        found = set()
        for node in self.nodes:
            if type(node) not in (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef):
                continue
            for decorator in reversed(node.decorator_list):
                of = decorator.func if type(decorator) is ast.Call else decorator
                if not self.stores_attributes(of):
                    break
                if type(decorator) is ast.Call and (decorator.args or any(k.arg is None for k in decorator.keywords)):
                    break
                found.add(id(of))
        return found

    def hides(self, name):
        """
        True where a name of a builtin always means something of the program: it is bound in every function that has it,
        and neither the module nor a class body (where the builtin shines through again after `del`) has it.
        """
        tables = [symtable.symtable(self.code, "<program>", "exec")]
        for table in tables:
            tables.extend(table.get_children())
            if name in table.get_identifiers():
                if table.get_type() != "function" or table.lookup(name).is_global():
                    return False
        return True

    def attribute(self, node, module_bases):
        base = node.value
        if self.absent:
            root = base
            while type(root) is ast.Attribute:
                root = root.value
            if type(root) is ast.Name and root.id in self.absent:
                return
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

    def call(self, node):
        callee = node.func
        if type(callee) is ast.Name and callee.id == "type":
            if len(node.args) != 1 or node.keywords or type(node.args[0]) is ast.Starred:
                self.impure("type with a body")
                self.stateful.append("type")

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
        elif name in self.bound and (name in SAFE_BUILTINS or name not in BUILTIN_NAMES or self.hides(name)):
            return
        elif name in BUILTIN_NAMES and name not in SAFE_BUILTINS:
            self.impure("name " + name)
            if name in DYNAMIC:
                self.stateful.append("name")
        elif name == "type":
            return
        elif name.startswith("__") and name not in ("__name__", "__class__"):
            self.impure("name " + name)
            self.stateful.append("name")
        elif name == "__class__":
            self.impure("name __class__")


def types_as_values(nodes, bound):
    """
    Uses of `type` by which a metaclass or a class made from data could come about: (any, any but as text). Comparing
    types, their names and isinstance are fine, where these are what they seem; `type(x)` as a value may be `type` itself.
    """
    compares = COMPARING.isdisjoint(bound)
    callees, fine, text = set(), set(), set()
    for node in nodes:
        kind = type(node)
        if kind is ast.Compare:
            if compares or all(type(operator) in (ast.Is, ast.IsNot) for operator in node.ops):
                fine.update(id(x) for x in [node.left, *node.comparators])
        elif kind is ast.Attribute and node.attr == "__name__":
            fine.add(id(node.value))
        elif kind is ast.FormattedValue:
            text.add(id(node.value))
        elif kind is ast.Call:
            callees.add(id(node.func))
            name = node.func.id if type(node.func) is ast.Name else ""
            if name in bound:
                continue
            if name in ("isinstance", "issubclass"):
                fine.update(id(x) for x in node.args[1:])
            elif name in ("str", "print"):
                text.update(id(x) for x in node.args)
    loose = bare = False
    for node in nodes:
        named = type(node) is ast.Name and node.id == "type" and id(node) not in callees
        called = type(node) is ast.Call and type(node.func) is ast.Name and node.func.id == "type"
        if (named or called) and id(node) not in fine:
            loose = True
            bare = bare or id(node) not in text
    return loose, bare


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
    empty where the compiler refuses the program, whose children then meet the same refusal, where it is too large, and
    where it holds a set.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return json.dumps({"parses": False, "error": "SyntaxError: " + str(error.msg)[:200]})
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return json.dumps({"parses": False, "error": type(error).__name__ + ": " + str(error)[:200]})
    try:
        a = Analysis(tree, code)
        a.collect()
        a.judge()
    except RecursionError:
        return json.dumps({"parses": False, "error": "RecursionError: nesting too deep"})
    loose, bare = types_as_values(a.nodes, a.bound)
    if loose:
        a.impure("type as a value")
    if bare:
        a.stateful.append("type")
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


def holds_set(code):
    """A set literal is kept as a frozenset, whose order marshal does not keep: str() of the set would change."""
    kind = type(code)
    return any(type(c) is frozenset or (type(c) is kind and holds_set(c)) for c in code.co_consts)


def marshalled(source, name, mode):
    """The code object of a text as bytes; None where it does not compile, or would not be the same after the way."""
    try:
        code = compile(source, name, mode, 0, True)
        return None if holds_set(code) else marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def compiled(code):
    binary = marshalled(code, "<program>", "exec")
    if binary is None or len(binary) > MAX_COMPILED:
        return ""
    return binascii.b2a_base64(binary, newline=False).decode("ascii")
