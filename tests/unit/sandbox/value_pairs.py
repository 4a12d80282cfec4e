"""Random Python literals and what CPython itself says of them, as JSON lines: for the tests of src/sandbox/values.ts.

    value_pairs.py pairs N SEED   {"a": text, "b": text, "equal": bool}
    value_pairs.py texts N SEED   {"text": text, "value": text or null}   mutated texts, read by ast.literal_eval
"""
import ast
import json
import random
import sys
import warnings

warnings.simplefilter("ignore")
mode, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
INF = float("inf")
CHARACTERS = ["a", "b", "'", '"', "\\", "\n", "\t", "\0", "\x7f", "\xe9", "\u20ac", "\ud83d", "\ude00", "\U0001f600", " ", "{", "#"]
INTEGERS = [0, 1, -1, 2, 10, 255, 2**53, 2**53 + 1, -(2**53) - 1, 2**64, 10**30, 2**1023, 10**308]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 0.1, 1e-300, 5e-324, 1.7976931348623157e308, 2.0**53, 1e22, 1e23, INF, -INF, 1 / 3]


def scalar(hashable_only=True):
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice([True, False, None])
    if kind in (1, 2):
        return rng.choice(INTEGERS) if rng.random() < 0.5 else rng.randrange(-20, 20)
    if kind == 3:
        return rng.choice(FLOATS) if rng.random() < 0.6 else rng.uniform(-5, 5)
    if kind == 4:
        return complex(rng.choice([0.0, -0.0, 1.0, 0.5, INF]), rng.choice([0.0, -0.0, 1.0, -2.5, INF]))
    if kind == 5:
        return bytes(rng.choice([0, 97, 98, 39, 92, 255]) for _ in range(rng.randrange(3)))
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.randrange(4)))


def value(depth, hashable=False):
    if depth == 0 or rng.random() < 0.35:
        return scalar()
    size = rng.randrange(4)
    kind = rng.choice(["tuple", "frozenset"] if hashable else ["list", "tuple", "set", "frozenset", "dict"])
    if kind == "list":
        return [value(depth - 1) for _ in range(size)]
    if kind == "tuple":
        return tuple(value(depth - 1, hashable) for _ in range(size))
    if kind == "dict":
        return {value(depth - 1, True): value(depth - 1) for _ in range(size)}
    items = [value(depth - 1, True) for _ in range(size)]
    return set(items) if kind == "set" else frozenset(items)


def near(v):
    """The same value in another form, or one that differs a little."""
    kind = type(v)
    if kind is bool:
        return rng.choice([v, int(v), float(v), complex(v), not v])
    if kind is int:
        choices = [v, v + 1, str(v)]
        if abs(v) < 10**308:
            choices += [float(v), complex(v)]
        if v in (0, 1):
            choices.append(bool(v))
        return rng.choice(choices)
    if kind is float:
        choices = [v, -v, complex(v), v * (1 + 2**-52)]
        if v == v and abs(v) != INF and v == int(v):
            choices += [int(v), int(v) + 1]
        return rng.choice(choices)
    if kind is complex:
        return rng.choice([v, v.conjugate(), v.real, complex(v.real, v.imag + 1)])
    if kind is str:
        return rng.choice([v, v + "a", v[::-1], v.encode("utf8", "surrogatepass"), v.encode("utf-16", "surrogatepass").decode("utf-16", "replace")])
    if kind is bytes:
        return rng.choice([v, v + b"a", v.decode("latin1")])
    if kind in (list, tuple):
        items = [near(i) if rng.random() < 0.4 else i for i in v]
        return rng.choice([kind, kind, kind, list if hashable_free(items) else kind])(items)
    if kind in (set, frozenset):
        items = [near(i) if rng.random() < 0.3 else i for i in v]
        rng.shuffle(items)
        return rng.choice([set, frozenset])(i for i in items if can_hash(i))
    if kind is dict:
        items = [(near(k) if rng.random() < 0.2 else k, near(i) if rng.random() < 0.3 else i) for k, i in v.items()]
        rng.shuffle(items)
        return {k: i for k, i in items if can_hash(k)}
    return v


def hashable_free(_):
    return rng.random() < 0.3


def can_hash(v):
    try:
        hash(v)
    except TypeError:
        return False
    return True


def write(v):
    """A text of the value: repr or ascii, or with other spellings."""
    text = ascii(v) if rng.random() < 0.7 else repr(v).encode("utf8", "backslashreplace").decode("utf8")
    if rng.random() < 0.2:
        text = text.replace(", ", rng.choice([",", " ,\n " if text[0] in "[({" else " , ", ",  # note\n " if text[0] in "[({" else ","])) if "'" not in text and '"' not in text else text
    return text


def mutate(text):
    symbols = list("0123456789_.eEjJxXobB+-()[]{},:'\"\\ \t\n#rRuUbBfNaT") + ["True", "None", "0x", "1_0", "''", '"""', "\\x4", "\\u00e9", "\\777", "\r\n", "\\\n"]
    chars = list(text)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(chars) + 1)
        action = rng.randrange(3)
        if action == 0:
            chars.insert(at, rng.choice(symbols))
        elif action == 1 and chars:
            del chars[min(at, len(chars) - 1)]
        elif chars:
            chars[min(at, len(chars) - 1)] = rng.choice(symbols)
    return "".join(chars)


out = []
for _ in range(count):
    a = value(rng.randrange(4))
    if mode == "pairs":
        b = near(a) if rng.random() < 0.7 else value(rng.randrange(3))
        out.append({"a": write(a), "b": write(b), "equal": a == b})
    else:
        text = mutate(write(a))
        try:
            # What surrounds a value does not count; neither reader sees it.
            found = ascii(ast.literal_eval(text.strip()))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError):
            found = None
        out.append({"text": text, "value": found})
sys.stdout.write("\n".join(json.dumps(line) for line in out))
