"""Child: one per request. Runs programs and writes one frame an input to descriptor 3: u32 length, tag, ASCII body.

Tags: V value (literal text), R raised (class, newline, message), M memory, L too large, N not a literal (type), A NaN.
The child holds no expected value and is asked for no verdict: whatever a program forges here, it could have returned.
"""
import marshal
import os
import struct
import sys
import types

import enum
import gc

HEADER = struct.Struct("<I")
MAX_DEPTH = 100
MAX_ITEMS = 20_000
MAX_MESSAGE = 300

# References captured before any program runs.
_write, _exit, _compile, _exec, _eval = os.write, os._exit, compile, exec, eval
_type, _len, _repr, _ascii, _str, _isinstance = type, len, repr, ascii, str, isinstance
_BaseException, _MemoryError = BaseException, MemoryError
_pack, _Module, _modules, _sorted = HEADER.pack, types.ModuleType, sys.modules, sorted
_set_digits = sys.set_int_max_str_digits
_loads = marshal.loads
_class_name = type.__dict__["__name__"].__get__
_int, _float, _complex, _bool, _bytes = int, float, complex, bool, bytes
_list, _tuple, _dict, _set, _frozenset = list, tuple, dict, set, frozenset
MAX_DIGITS = 4300


_collect = gc.collect
# Exit status of a child in which programs, or inputs, may no longer share a process.
UNSHARED = 96


class TooLarge(Exception):
    pass


class NotLiteral(Exception):
    pass


class IsNaN(Exception):
    pass


def emit(frame):
    data = _pack(_len(frame)) + frame
    while data:
        data = data[_write(3, data):]


def literal(value, cap):
    """The ASCII literal text of exact builtin values; sets in a fixed order, so that it does not hang on the hash seed."""
    left = [cap, MAX_ITEMS]

    def text(v, depth):
        kind = _type(v)
        left[1] -= 1
        if left[1] < 0 or depth > MAX_DEPTH:
            raise TooLarge
        if kind is _int or kind is _bool or v is None:
            t = _repr(v)
        elif kind is _str or kind is _bytes:
            if _len(v) > left[0]:
                raise TooLarge
            t = _ascii(v)
        elif kind is _float:
            if v != v:
                raise IsNaN
            t = _repr(v)
        elif kind is _complex:
            if v != v:
                raise IsNaN
            t = _repr(v)
        elif kind is _list:
            left[0] -= 2 + 2 * _len(v)
            return "[" + ", ".join([text(i, depth + 1) for i in v]) + "]"
        elif kind is _tuple:
            left[0] -= 3 + 2 * _len(v)
            parts = [text(i, depth + 1) for i in v]
            return "(" + ", ".join(parts) + (",)" if _len(parts) == 1 else ")")
        elif kind is _dict:
            left[0] -= 2 + 4 * _len(v)
            return "{" + ", ".join([text(k, depth + 1) + ": " + text(i, depth + 1) for k, i in v.items()]) + "}"
        elif kind is _set or kind is _frozenset:
            left[0] -= 13 + 2 * _len(v)
            kinds = {_type(i) for i in v}
            if kinds == {_int} or kinds == {_str}:
                parts = [text(i, depth + 1) for i in _sorted(v)]
            else:
                parts = _sorted([text(i, depth + 1) for i in v])
            inner = "{" + ", ".join(parts) + "}" if parts else ""
            if kind is _set:
                return inner or "set()"
            return "frozenset(" + inner + ")"
        else:
            raise NotLiteral(kind)
        left[0] -= _len(t)
        if left[0] < 0:
            raise TooLarge
        return t

    return text(value, 0)


def plain(text, limit):
    """Exact str, printable ASCII, cut."""
    return _ascii(text[:limit])[1:-1] if _type(text) is _str else "?"


def raised(error):
    if _isinstance(error, _MemoryError):
        return b"M"
    try:
        name = plain(_class_name(_type(error)), 100)
    except _BaseException:
        name = "?"
    try:
        message = plain(_str(error), MAX_MESSAGE)
    except _BaseException:
        message = ""
    return ("R" + name + "\n" + message).encode("ascii")


def run_one(code, call, cap):
    """One fresh module namespace, one call, one frame. The call is its argument text, or compiled and marshalled."""
    try:
        module = _Module("program")
        _modules["program"] = module
        namespace = module.__dict__
        _exec(code, namespace)
        if _type(call) is _bytes:
            call = _loads(call)
        else:
            call = _compile("f(" + call + "\n)", "<call>", "eval", 0, True)
        value = _eval(call, namespace)
        _set_digits(MAX_DIGITS)
        return ("V" + literal(value, cap)).encode("ascii")
    except TooLarge:
        return b"L"
    except IsNaN:
        return b"A"
    except NotLiteral as error:
        return ("N" + plain(_class_name(error.args[0]), 100)).encode("ascii")
    except _BaseException as error:
        return raised(error)


def guard():
    """What the static check cannot see in a text ends a shared child; its programs run again alone."""
    def unshared(*_args, **_keywords):
        _exit(UNSHARED)
    # Class bodies made from data could hold special methods that no name gives away.
    enum.EnumType._create_ = unshared


def has_room(size):
    """True where what ran before has left the memory that a run alone would have."""
    if size <= 0:
        return True
    for attempt in (1, 2):
        try:
            # A large block of zeros is mapped and not touched (a bytearray would be): this asks for address space only.
            _bytes(size)
            return True
        except _MemoryError:
            if attempt == 1:
                _collect()
    return False


def static_mode(mode):
    """What a child does that parses and runs nothing: one frame a program. Only some templates have these modules."""
    import analysis
    import syntax
    return {"analyse": analysis.analyse, "tree": syntax.tree, "texts": syntax.texts}[mode]


def main(request, room):
    """
    @param request  marshalled (mode, bytes a result, [(code, inputs)], whether a frame is written as soon as it is there)
    @param room     bytes of address space that must be free before each run of a shared child
    """
    mode, cap, programs, stepwise = marshal.loads(request)
    del request
    if mode != "run":
        parse = static_mode(mode)
        # A tree is many objects and no garbage.
        gc.disable()
        for code, _ in programs:
            emit(parse(code).encode("ascii"))
        _exit(0)
    frames = []
    shared = _len(programs) > 1 or _len(programs[0][1]) > 1
    if shared:
        guard()
    while programs:
        source, inps = programs.pop(0)
        try:
            code = _loads(source) if _type(source) is _bytes else _compile(source, "<program>", "exec", 0, True)
            failure = None
        except _BaseException as error:
            failure = raised(error)
        source = None
        for call in inps:
            if shared and not has_room(room):
                _exit(UNSHARED)
            frame = failure if failure is not None else run_one(code, call, cap)
            if stepwise:
                emit(frame)
            else:
                frames.append(_pack(_len(frame)) + frame)
    data = b"".join(frames)
    while data:
        data = data[_write(3, data):]
    _exit(0)
