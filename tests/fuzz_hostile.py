"Files made to hurt: pickles, stores, arrays, run folders, names in a notebook."

from __future__ import annotations

import functools
import json
import os
import pickle
import pickletools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from fuzz import CANARY, REFUSED, SAFE, Case, kind
from msa_lit.data.corpus import example_corpus
from msa_lit.data.layouts import mmsa_fields, write_folder
from msa_lit.data.store import open_store, write_store
from msa_lit.data.untrusted import map_array

MOSI = {"scheme": "mosi"}
ODD = (
    None,
    True,
    -1,
    0,
    1,
    7,
    2**31,
    2**63,
    2**70,
    -0.0,
    0.5,
    1e308,
    float("nan"),
    "",
    "x",
    "audio",
    "../x",
    "/etc/passwd",
    "\ud800",
    "\x00",
    "a\nb",
    "<b>",
    "$x$",
    "9" * 300,
    [],
    {},
    [[]],
    [1, "a"],
    {"a": 1},
    "mosi",
)


def content():
    "The six example clips in the MMSA layout."
    return {name: mmsa_fields(split) for name, split in example_corpus().splits.items()}


def pickled(folder, data, meant=SAFE, **options):
    "A pickle with these bytes, as a case."
    (folder / "c.pkl").write_bytes(data)
    return Case(folder / "c.pkl", meant, MOSI | options)


@functools.lru_cache
def sound(protocol):
    "A sound pickle and where its instructions begin."
    data = pickle.dumps(content(), protocol)
    return data, [at for _, _, at in pickletools.genops(data)]


# ---------------------------------------------------------------- pickles, damaged


@kind("pickle: as written")
def as_written(rng, folder):
    "Whatever the protocol and the order of folds and fields, the corpus itself."
    whole = {
        name: dict(rng.sample(list(fold.items()), len(fold))) for name, fold in content().items()
    }
    whole = dict(rng.sample(list(whole.items()), len(whole)))
    return pickled(folder, pickle.dumps(whole, rng.randrange(6)), example_corpus())


@kind("pickle: bytes changed")
def bytes_changed(rng, folder):
    data = bytearray(sound(rng.randrange(6))[0])
    for _ in range(rng.choice((1, 1, 2, 5))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return pickled(folder, data)


@kind("pickle: cut or filled up")
def cut(rng, folder):
    data = sound(rng.randrange(6))[0]
    at = rng.randrange(1, len(data) - 1)
    return pickled(
        folder, data[:at] + rng.choice((b"", bytes(rng.randrange(9)), rng.randbytes(50))), REFUSED
    )


@kind("pickle: instructions exchanged")
def instructions(rng, folder):
    "Whole instructions left out, repeated, exchanged or put in from elsewhere."
    data, at = sound(rng.randrange(6))
    parts = [data[a:b] for a, b in zip(at, [*at[1:], len(data)], strict=False)]
    for _ in range(rng.choice((1, 1, 1, 3, 8))):
        i, j = rng.randrange(1, len(parts)), rng.randrange(1, len(parts))
        change = rng.randrange(4)
        if change == 0:
            parts[i] = b""
        elif change == 1:
            parts[i] *= rng.choice((2, 3, 50))
        elif change == 2:
            parts[i], parts[j] = parts[j], parts[i]
        else:
            parts.insert(i, parts[j])
    return pickled(folder, b"".join(parts))


ARGUMENT = {
    "uint1": 1,
    "uint2": 2,
    "int4": 4,
    "uint4": 4,
    "uint8": 8,
    "long1": 1,
    "long4": 4,
    "float8": 8,
}


@kind("pickle: random program")
def program(rng, folder):
    "Instructions drawn at random, known and unknown ones, with short arguments."
    out = [b"\x80\x04"]
    for _ in range(rng.choice((3, 10, 40))):
        op = rng.choice(pickletools.opcodes)
        out.append(op.code.encode("latin1"))
        name = op.arg.name if op.arg else ""
        if name in ARGUMENT:
            out.append(rng.randbytes(ARGUMENT[name]))
        elif "nl" in name:
            out.append(rng.choice((b"0", b"1", b"os", b"numpy", b"-5", b"x")) + b"\n")
        elif name:
            out.append(b"\x02" + bytes(7 * ("8" in name) + 3 * ("4" in name)) + b"ab")
        if "pair" in name:
            out.append(rng.choice((b"system", b"dtype", b"ndarray")) + b"\n")
    return pickled(folder, b"".join(out) + b".")


# ---------------------------------------------------------------- pickles, on purpose


class Payload:
    "Runs something when it is unpickled by a reader that trusts."

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Built:
    "Changes something when it is unpickled."

    def __init__(self, call, state):
        self.call, self.state = call, state

    def __reduce__(self):
        return (*self.call, self.state)


def payload(rng, folder):
    canary = str(folder.parent / CANARY)
    return rng.choice(
        (
            Payload(os.mkdir, canary),
            Payload(os.putenv, CANARY, "1"),
            Payload(os.system, f"touch {canary}"),
            Payload(eval, f"open({canary!r}, 'w')"),
            Payload(exec, f"import os; os.environ[{CANARY!r}] = '1'"),
            Payload(open, canary, "w"),
            Payload(np.save, canary, 1),
            Payload(np.load, "c.pkl"),
            Payload(getattr, os, "fork"),
            Payload(np.fromfile, "/etc/passwd"),
            Payload(__import__, "antigravity"),
            Payload(pickle.loads, b"N."),
            Built((np.dtype, ("f4",)), {"shape": 1}),
            Built((dict, ()), {"a": 1}),
            os.system,
            np.dtype,
            {1, 2},
            1j,
            Path("x"),
            np.zeros(2, "M8[s]"),
            np.zeros(2, "f4,f4"),
            np.float32,
            b"x".join,
            range(3),
            Payload(bytearray, 10**12),
        )
    )


def put(rng, whole, thing):
    "Something somewhere in a corpus: a fold, a field, an entry, a key."
    where = rng.randrange(6)
    fold = whole[rng.choice(list(whole))]
    if where == 0:
        whole["train"] = thing
    elif where == 1:
        fold[rng.choice(list(fold))] = thing
    elif where == 2:
        fold["more"] = [thing]
    elif where == 3:
        fold[rng.choice(("id", "raw_text"))][0] = thing
    elif where == 4:
        whole["extra"] = {"deep": [(thing,)]}
    else:
        return thing
    return whole


@kind("pickle: payload")
def with_payload(rng, folder):
    thing = put(rng, content(), payload(rng, folder))
    try:
        data = pickle.dumps(thing, rng.randrange(6))
    except (TypeError, AttributeError, pickle.PicklingError):
        data = b"cos\nsystem\n(S'true'\ntR."
    return pickled(folder, data, REFUSED)


def again(rng, leaf):
    "A thing and twenty to two hundred times 'the same twice'."
    n, pair = rng.choice((20, 30, 64, 200)), rng.choice((b"\x86", b"\x87", b"]", b"}"))
    out = leaf
    for i in range(n):
        memo = b"q" + bytes([i])
        get = b"h" + bytes([i])
        if pair == b"]":
            out += memo + b"0]" + get + b"a" + get + b"a"
        elif pair == b"}":
            out += memo + b"0}K\x01" + get + b"sK\x02" + get + b"s"
        else:
            out += memo + get * (1 if pair == b"\x86" else 2) + pair
    return out


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
TYPE = (
    b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def state(shape=b"K\x02\x85", dtype=TYPE, order=b"\x89", raw=b"U\x08abcdefgh"):
    "The state of an array, each part a program of its own."
    return ARRAY + b"(K\x01" + shape + dtype + order + raw + b"tb"


def number(value):
    "A whole number of any size."
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return (
        b"\x8a" + bytes([len(raw)]) + raw
        if len(raw) < 256
        else b"\x8b" + len(raw).to_bytes(4, "little") + raw
    )


@kind("pickle: vast by repetition")
def vast(rng, folder):
    "Few bytes that would be billions of entries: as entry, key, shape, type, bytes, name, message."
    laughs = again(rng, rng.choice((b"U\x02ha", b"]", b"N", b"U\x20" + b"x" * 32)))
    hello = b"}U\x05train"
    body = rng.choice(
        (
            hello + laughs + b"s",
            b"}" + laughs + b"Ns",
            hello + b"}U\x02id" + laughs + b"ss",
            hello + b"}(U\x02idU\x01aU\x11regression_labels" + laughs + b"us",
            hello + state(shape=laughs) + b"s",
            hello + state(dtype=laughs) + b"s",
            hello + state(raw=laughs) + b"s",
            laughs + b"N\x93",
            laughs + b")R",
            laughs + b"Nb",
            b"cnumpy\ndtype\n" + laughs + b"\x85R",
            laughs,
            b"ccollections\nOrderedDict\n" + laughs + b"\x85R",
            b"cnumpy\ndtype\n" + laughs + b"R",
            b"c_codecs\nencode\n" + laughs + b"U\x06latin1\x86R",
            hello + b"]" + laughs + b"as",
        )
    )
    return pickled(folder, b"\x80\x02" + body + b".", REFUSED)


@kind("pickle: deep")
def deep(rng, folder):
    n = rng.choice((100, 100, 1_000, 5_000, 20_000, rng.choice((100_000, 300_000))))
    body = rng.choice(
        (
            b"}" + b"\x85" * n + b"Ns",
            b"N" + b"\x85" * n,
            b"]" * n + b"a" * (n - 1),
            b"(" * n + b"l" * n,
            b"}" + b"(" * n + b"t" * n + b"Ns",
            b"}U\x05train" * n + b"N" + b"s" * n,
            b"(" * n,
            b"}U\x05train" + b"]" * n + b"a" * (n - 1) + b"s",
            b"(" * n + b"d" * n,
            b"}U\x05train}(U\x02id" + b"]" * n + b"a" * (n - 1) + b"us",
            state(shape=b"K\x01" + b"\x85" * n),
        )
    )
    return pickled(folder, b"\x80\x02" + body + b".", REFUSED)


@kind("pickle: greedy")
def greedy(rng, folder):
    "One instruction many times, long numbers, declared lengths, keys that collide."
    n = rng.choice((1_000, 1_000, 20_000, rng.choice((100_000, 400_000))))
    huge = rng.choice((2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1))
    mersenne = 2**61 - 1
    body = rng.choice(
        (
            lambda: b"]" * n,
            lambda: b"}" * n,
            lambda: b"N" + b"\x94" * n,
            lambda: b"N" * n,
            lambda: b"N" + b"2" * n,
            lambda: b"(" * n,
            lambda: b"(0" * n,
            lambda: b"}" + b"".join(b"N" + b"p%d\n" % (mersenne * i) for i in range(n // 30)),
            lambda: b"}(" + b"".join(number(mersenne * i) + b"N" for i in range(n // 20)) + b"u",
            lambda: b"\x8b" + n.to_bytes(4, "little") + b"\x7f" * n,
            lambda: b"L" + b"9" * n + b"L\n",
            lambda: b"I" + b"9" * n + b"\n",
            lambda: b"F" + b"9" * n + b"\n",
            lambda: b"g" + b"9" * n + b"\n",
            lambda: b"p" + b"9" * n + b"\n",
            lambda: b"c" + b"x" * n + b"\ny\n",
            lambda: b"X" + n.to_bytes(4, "little") + b"x" * n + b"N\x93",
            lambda: b"\x8d" + huge.to_bytes(8, "little") + b"x",
            lambda: b"\x8e" + huge.to_bytes(8, "little"),
            lambda: b"\x95" + huge.to_bytes(8, "little"),
            lambda: b"B" + (huge % 2**32).to_bytes(4, "little"),
            lambda: b"\x96" + huge.to_bytes(8, "little"),
            lambda: b"T\xff\xff\xff\xffx",
            lambda: b"".join(b"cnumpy\ndtype\n" for _ in range(n // 13)),
            lambda: state() + b"q\x00" + b"h\x00" * n,
            lambda: (
                b"X"
                + n.to_bytes(4, "little")
                + b"x" * n
                + b"q\x000"
                + b"c_codecs\nencode\nq\x010"
                + b"h\x01h\x00\x85R" * (n // 8)
            ),
            lambda: (
                b"]("
                + b"N" * n
                + b"eq\x000"
                + state(b"K\x01\x85", TYPE.replace(b"f4", b"O8"), raw=b"h\x00") * (n // 200)
            ),
        )
    )
    return pickled(folder, b"\x80\x04" + body() + b".", REFUSED)


@kind("pickle: odd arrays")
def odd_arrays(rng, folder):
    "Types, shapes, orders and bytes that do not belong together."
    codes = (
        b"f4",
        b"f8",
        b"O8",
        b"U9",
        b"S4",
        b"c8",
        b"M8",
        b"V8",
        b"f0",
        b"U0",
        b"f3",
        b"?",
        b"b1",
        b"O",
        b"f4,f4",
        b"9f4",
        b"(9,)f4",
        b"U999999999",
        b"S2147483647",
        b"V2147483647",
        b"i" * 300,
        b"f99999999999999999999",
    )
    code = rng.choice(codes)
    orders = (
        b"U\x01<",
        b"U\x01>",
        b"U\x01|",
        b"U\x01=",
        b"U\x01!",
        b"N",
        b"U\x00",
        b"U\x02<>",
        b"]",
    )
    dtype = TYPE.replace(b"U\x02f4", b"T" + len(code).to_bytes(4, "little") + code).replace(
        b"U\x01<", rng.choice(orders), 1
    )
    sizes = [
        rng.choice((0, 1, 2, 3, -1, 2**20, 2**31, 2**32, 2**62, 2**63, 2**64, 2**200))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 40)))
    ]
    shape = b"(" + b"".join(map(number, sizes)) + rng.choice((b"t", b"t", b"l"))
    raw = rng.choice(
        (
            b"U\x08abcdefgh",
            b"U\x00",
            b"]",
            b"N",
            b"](NNe",
            b"K\x05",
            b"}",
            b"X\x03\x00\x00\x00\xe2\x82\xac",
            b"C\x04abcd",
        )
    )
    array = state(shape, dtype, rng.choice((b"\x88", b"\x89", b"]", b"N")), raw)
    where = rng.choice((b"U\x02id", b"U\x11regression_labels", b"U\x05audio", b"U\x08raw_text"))
    other = b"U\x02id](U\x01aU\x01beU\x11regression_labels](K\x01K\x01e"
    return pickled(folder, b"\x80\x04}U\x05train}(" + other + where + array + b"us.", REFUSED)


def odd_value(rng, value):
    "Another value for a field: of another type, shape, length or nesting."
    array = np.atleast_1d(value if isinstance(value, np.ndarray) else np.array(value, object))
    n = len(array)
    text = "x" * rng.choice((1, 1_000, 300_000))
    changes = (
        lambda: rng.choice(ODD),
        lambda: [rng.choice(ODD) for _ in range(n)],
        lambda: list(array)[:-1],
        lambda: list(array) * 2,
        lambda: array[..., None],
        lambda: array[None],
        lambda: array[:, None] if array.ndim else array,
        lambda: array.reshape(-1),
        lambda: np.zeros((n, 0)),
        lambda: np.zeros((n, 0, 3)),
        lambda: np.zeros((n,) + (1,) * 20),
        lambda: np.zeros((0, 3)),
        lambda: array.astype(object),
        lambda: array.astype(str),
        lambda: array.astype("S5"),
        lambda: tuple(array),
        lambda: dict(enumerate(array)),
        lambda: [array] * n,
        lambda: np.array([None] * n),
        lambda: [[text]] * n,
        lambda: [text] + ["a"] * (n - 1),
        lambda: b"x" * n,
        lambda: [list(range(i)) for i in range(n)],
        lambda: np.full(n, np.nan),
        lambda: np.full(n, 2**63 - 1),
        lambda: [[[]]] * n,
        lambda: np.array([[1], [1, 2]][:n] + [[0]] * (n - 2), object) if n >= 2 else array,
        lambda: [np.float32(1)] * n,
        lambda: np.float64(3),
        lambda: [10**400] * n,
        lambda: [float("inf")] * n,
        lambda: [""] * n,
        lambda: ["\ud800"] * n,
        lambda: {"a": array},
        lambda: np.bool_(True),
    )
    for _ in range(9):
        try:
            return rng.choice(changes)()
        except (TypeError, ValueError, UnicodeError):
            continue
    return None


@kind("pickle: odd fields")
def odd_fields(rng, folder):
    "A sound file with one or two fields of another type, shape or length."
    whole = content()
    for _ in range(rng.choice((1, 1, 2))):
        fold = whole[rng.choice(list(whole))]
        name = rng.choice(list(fold))
        fold[name] = odd_value(rng, fold[name])
    try:
        data = pickle.dumps(whole, rng.choice((2, 4, 5)))
    except (ValueError, UnicodeError):
        data = b"N."
    return pickled(folder, data, SAFE, limit=1 << 28)


@kind("pickle: one piece, many times")
def shared(rng, folder):
    "Fields that refer to one array or list thousands of times."
    whole, n = content(), rng.choice((100, 3_000, 30_000))
    piece = rng.choice(
        (np.zeros((n, 7), np.float32), ["a"] * n, list(range(n)), "x" * n * 30, b"x" * n)
    )
    whole["train"][
        rng.choice(("audio", "id", "raw_text", "regression_labels", "text_bert", "audio_lengths"))
    ] = [piece] * n
    return pickled(folder, pickle.dumps(whole, 4), SAFE if n < 1000 else REFUSED)


# ---------------------------------------------------------------- stores


@functools.lru_cache
def sound_store():
    "A store to copy, and its corpus."
    place = Path(tempfile.mkdtemp(prefix="fuzz-store-"))
    write_store(example_corpus(), place / "stored")
    return place / "stored"


def copied(folder):
    shutil.copytree(sound_store(), folder / "stored")
    return folder / "stored"


def somewhere(rng, tree):
    "A container and a key of a nested JSON value."
    while True:
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        inner = tree[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.3:
            return tree, key
        tree = inner


def same_but_names(meant, got):
    "Differences, the name and the scheme left out: a manifest may say another."
    from msa_lit.data.soundness import differences

    return differences(meant, replace(got, scheme=meant.scheme))


def opened(path, **_):
    return open_store(path, verify=True)


def change_json(rng, path):
    "Put odd values into a JSON file, take some out, or damage it."
    tree = json.loads(path.read_text())
    for _ in range(rng.choice((1, 1, 2, 4))):
        where, key = somewhere(rng, tree)
        value = rng.choice(ODD)
        if rng.random() < 0.2 and isinstance(where, dict):
            where.pop(key)
        elif rng.random() < 0.2 and isinstance(where, dict):
            where[str(value)] = where[key]
        else:
            where[key] = value
    text = json.dumps(tree)
    if rng.random() < 0.1:
        text = rng.choice(
            (
                "[" * 100_000,
                "{" * 9,
                text[:-1],
                "[]",
                "null",
                "1" * 5_000,
                '"x"',
                "",
                "\x00",
                "\ufeff" + text,
            )
        )
    path.write_bytes(text.encode("utf8", "surrogatepass"))


@kind("store: manifest changed")
def manifest(rng, folder):
    store = copied(folder)
    change_json(rng, store / "manifest.json")
    return Case(store, example_corpus(), read=opened, differ=same_but_names)


@kind("store: manifest changed, read as a corpus")
def manifest_read(rng, folder):
    store = copied(folder)
    change_json(rng, store / "manifest.json")
    return Case(store, SAFE, names=("stored",))


@kind("store: rows changed, with their checksum")
def rows(rng, folder):
    "The author of a store may write any row and its checksum."
    from msa_lit.data.store import sha256_of

    store = copied(folder)
    file = store / rng.choice(("train.rows.json", "valid.rows.json", "test.rows.json"))
    change_json(rng, file)
    content = json.loads((store / "manifest.json").read_text())
    content["files"][file.name]["sha256"] = sha256_of(file)
    (store / "manifest.json").write_text(json.dumps(content))
    return Case(store, SAFE, names=("stored",))


@kind("store: bytes changed")
def store_bytes(rng, folder):
    store = copied(folder)
    file = rng.choice(sorted(store.iterdir()))
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return Case(store, example_corpus(), read=opened, differ=same_but_names)


@kind("store: arrays changed, with their checksum")
def store_arrays(rng, folder):
    "Boundaries, labels and frames of any type and shape, and a manifest that agrees."
    from msa_lit.data.store import sha256_of

    store = copied(folder)
    file = rng.choice([p for p in sorted(store.iterdir()) if p.suffix == ".npy"])
    array = np.load(file)
    n = len(array)
    np.save(
        file,
        rng.choice(
            (
                lambda: array.astype(np.float64),
                lambda: array.astype(np.uint64),
                lambda: array.astype(np.int8),
                lambda: array[:-1],
                lambda: array[::-1],
                lambda: array[:, None],
                lambda: array.reshape(-1),
                lambda: array[..., :0],
                lambda: np.concatenate([array, array]),
                lambda: -array,
                lambda: array * 0,
                lambda: array + 1,
                lambda: np.full(n, 2**40),
                lambda: array.astype("f4,f4"),
                lambda: array.astype(bool),
                lambda: np.asfortranarray(array),
                lambda: array.astype(">f4"),
                lambda: np.float32(1),
                lambda: array.astype(complex),
            )
        )(),
    )
    content = json.loads((store / "manifest.json").read_text())
    head = np.load(file)
    content["files"][file.name] = {
        "sha256": sha256_of(file),
        "shape": list(head.shape),
        "dtype": str(head.dtype),
    }
    (store / "manifest.json").write_text(json.dumps(content))
    return Case(store, SAFE, names=("stored",))


@kind("store: files exchanged")
def store_files(rng, folder):
    "Files gone, cut, longer, exchanged, links, pipes, folders; other files beside them."
    store = copied(folder)
    file, other = rng.sample(sorted(store.iterdir()), 2)
    outside = folder / "outside"
    shutil.copy(file, outside)
    data = file.read_bytes()
    change = rng.randrange(9)
    if change == 8:
        return (store / "notes.txt").write_text("x") and Case(store, example_corpus(), read=opened)
    file.unlink()
    if change == 1:
        file.write_bytes(data[: rng.randrange(len(data))])
    elif change == 2:
        file.write_bytes(data + bytes(rng.choice((1, 4, 4096))))
    elif change == 3:
        shutil.copy(other, file)
    elif change == 4:
        file.symlink_to(outside)
    elif change == 5:
        file.mkdir()
    elif change == 6:
        os.mkfifo(file)
    elif change == 7:
        file.symlink_to(file.name)
    names = ("stored", file.name)
    return Case(store, example_corpus(), names=names, read=opened, differ=same_but_names)


# ---------------------------------------------------------------- arrays


def npy(line, body, version):
    line = line.encode() + b"\n"
    size = len(line).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + line + body


def odd_npy(rng):
    "The bytes of an array file with an odd first line."
    literals = (
        "()",
        "(3,)",
        "3",
        "(-1, 2)",
        "(2**9,)",
        "(1e3,)",
        "(True, 2)",
        "(9999999999, 9999999999)",
        "(0, 99999999999)",
        "(18446744073709551616,)",
        "(" * 300 + ")" * 300,
        "(1,) * 9",
        "[6, 2]",
        "'x'",
        "None",
        "(6, 2, 0)",
        f"({'1,' * 900})",
        "(" + "9" * 4500 + ",)",
        "(" + "9" * 4500 + ",0)",
    )
    types = (
        "'<f4'",
        "'|O'",
        "'<f4,<f4'",
        "[('a', '<f4')]",
        "'|V0'",
        "'<U9999999'",
        "'(999,)f4'",
        "('<f4', (99, 99))",
        "'<M8[s]'",
        "None",
        "1",
        "'|S0'",
        "'<c8'",
        "[('a', '<f4')] * 9",
        "'>f8'",
        "'f4'" + " " * 9000,
        "'" + "f4," * 3000 + "'",
        "{'names': ['a'], 'formats': ['f4']}",
    )
    order = rng.choice(("False", "True", "0", "x"))
    line = f"{{'descr': {rng.choice(types)}, 'fortran_order': {order}, "
    line += f"'shape': {rng.choice(literals)}, }}"
    change = rng.randrange(8)
    if change == 0:
        line = line.replace("'shape'", rng.choice(("'Shape'", "'shape': (1,), 'x'", "**{}", "f''")))
    elif change == 1:
        line = rng.choice(
            (
                "(" * 9000,
                "[" * 5000 + "]" * 5000,
                "-" * 9000 + "1",
                "{" * 99,
                "__import__('os').fork()",
                "1 + " * 2000 + "1",
            )
        )
    elif change == 2:
        line = " " * rng.choice((0, 60_000)) + line
    data = npy(line, bytes(rng.choice((0, 1, 8, 48))), rng.choice((1, 1, 2, 3, 4, 0)))
    if change == 3:
        data = data[:8] + rng.randbytes(4) + data[12:]
    elif change == 4:
        data = data[: rng.randrange(len(data))]
    elif change == 5:
        data = rng.choice((b"", b"PK\x03\x04", b"\x80\x04N.", data[1:], rng.randbytes(99)))
    return data


@kind("array: odd first line")
def array_header(rng, folder):
    (folder / "x.npy").write_bytes(odd_npy(rng))
    return Case(folder / "x.npy", SAFE, read=lambda path: map_array(path))


@functools.lru_cache
def sound_folder():
    place = Path(tempfile.mkdtemp(prefix="fuzz-folder-"))
    write_folder(example_corpus(), place / "f")
    return place / "f"


@kind("array: odd file in a folder")
def array_in_folder(rng, folder):
    "One of the arrays beside label.csv has an odd first line, or changed bytes."
    shutil.copytree(sound_folder(), folder / "f")
    file = rng.choice(sorted((folder / "f").glob("*.npy")))
    data = bytearray(file.read_bytes())
    if rng.random() < 0.5:
        data = odd_npy(rng)
    else:
        data[rng.randrange(len(data))] = rng.randrange(256)
    file.write_bytes(data)
    names = (file.name, file.stem.split("_offsets")[0], "label.csv")
    return Case(folder / "f", SAFE, MOSI, names=names)


# ---------------------------------------------------------------- runs


@functools.lru_cache
def sound_run():
    "A finished run to copy."
    from msa_lit.train.runs import fit

    place = Path(tempfile.mkdtemp(prefix="fuzz-run-"))
    fit("late_fusion", example_corpus(), 1, place / "r", progress=False, epochs=1, batch_size=3)
    return place / "r"


def loaded(path, **_):
    from msa_lit.train.runs import load_run

    return load_run(path)


def run_differs(meant, got):
    "What of a run is not as it was."
    out = [
        k
        for k in ("method", "seed", "options", "corpus", "spec", "scores", "selected_on")
        if getattr(meant, k) != getattr(got, k)
    ]
    out += [k for k in ("history", "predictions") if not getattr(meant, k).equals(getattr(got, k))]
    state = got.state or {}
    same = meant.state.keys() == state.keys() and all(
        v.equal(state[k]) for k, v in meant.state.items()
    )
    return out + ["state"] * (not same)


def run_case(folder, *more):
    names = ("in/r", "run.json", *(p.name for p in (folder / "r").glob("*")), *more)
    return Case(
        folder / "r",
        loaded(sound_run()),
        names=names,
        read=loaded,
        differ=run_differs,
        said="without its weights",
    )


@kind("run: bytes changed")
def run_bytes(rng, folder):
    shutil.copytree(sound_run(), folder / "r")
    file = rng.choice([p for p in sorted((folder / "r").iterdir()) if p.stat().st_size])
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return run_case(folder)


@kind("run: files cut, gone or exchanged")
def run_files(rng, folder):
    shutil.copytree(sound_run(), folder / "r")
    file, other = rng.sample([p for p in sorted((folder / "r").iterdir()) if p.stat().st_size], 2)
    data = file.read_bytes()
    file.unlink()
    change = rng.randrange(5)
    if change == 1:
        file.write_bytes(data[: rng.randrange(len(data))])
    elif change == 2:
        file.write_bytes(data + bytes(rng.choice((1, 9))))
    elif change == 3:
        shutil.copy(other, file)
    elif change == 4:
        file.write_bytes(b"")
    return run_case(folder, file.name)


@kind("run: record changed")
def run_record(rng, folder):
    shutil.copytree(sound_run(), folder / "r")
    change_json(rng, folder / "r" / "run.json")
    return run_case(folder)


@kind("run: record changed, with its digest")
def run_sealed(rng, folder):
    "The author of a run may write anything and its digest."
    from msa_lit.train.folders import sealed

    shutil.copytree(sound_run(), folder / "r")
    change_json(rng, folder / "r" / "run.json")
    try:
        text = sealed(json.loads((folder / "r" / "run.json").read_text()))
    except (ValueError, TypeError, AttributeError, RecursionError):
        text = "{}"
    (folder / "r" / "run.json").write_bytes(text.encode("utf8", "surrogatepass"))
    return replace(run_case(folder), meant=SAFE, read=shown)


def shown(path, **_):
    "Load a run and show it, in text, in a notebook, and its model."
    from msa_lit.train.runs import load_run

    run = load_run(path)
    page = repr(run), run._repr_html_()
    try:
        return page, run.model
    except ValueError as error:  # of a run in memory, which knows no file
        raise ValueError(f"run.json: {error}") from error


@functools.lru_cache
def sound_checkpoint():
    import torch
    from msa_lit.train.loop import write_checkpoint

    place = Path(tempfile.mkdtemp(prefix="fuzz-check-"))
    write_checkpoint(place / "checkpoint.pt", {"weights": {"a": torch.arange(6.0)}, "step": 3})
    return place / "checkpoint.pt"


def checkpoint_differs(meant, got):
    same = (
        got.keys() == meant.keys()
        and got["step"] == 3
        and got["weights"]["a"].equal(meant["weights"]["a"])
    )
    return [] if same else ["the content"]


@kind("checkpoint: bytes changed, cut or made to run")
def checkpoint(rng, folder):
    from msa_lit.train.loop import read_checkpoint

    path = folder / "checkpoint.pt"
    data = bytearray(sound_checkpoint().read_bytes())
    meant, change = read_checkpoint(sound_checkpoint()), rng.randrange(4)
    if change < 2:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif change == 2:
        data = data[: rng.randrange(len(data))]
    else:
        meant, data = REFUSED, pickle.dumps(Payload(os.mkdir, str(folder.parent / CANARY)))
    path.write_bytes(data)
    return Case(path, meant, read=lambda p: read_checkpoint(p), differ=checkpoint_differs)


# ---------------------------------------------------------------- names on a page

NAMES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a$\\href{javascript:alert(1)}{x}$b",
    '"><b>',
    "</td></table><h1>",
    "&lt;",
    "'",
    "$\\frac$",
    "$$x$$",
    "\\(x\\)",
    "{0}",
    "%s",
    "<!--",
    "]]>",
    "\u202e",
    "a" * 900,
)


def page(path, **options):
    "All that a notebook shows of a corpus and its examination."
    from msa_lit.data.doctor import examine
    from msa_lit.data.readers import read_corpus

    try:
        corpus = read_corpus(path, **options)
    except ValueError:
        corpus = None
    report = examine(path, **{k: v for k, v in options.items() if k != "scheme"})
    return [report._repr_html_(), "" if corpus is None else corpus._repr_html_()]


def raw_html(meant, got):
    "Names that reached the page unescaped, and text that MathJax would take."
    bad = [f"{n!r} as it is" for n in NAMES if "<" in n and any(n in html for html in got)]
    open_ = [
        html
        for html in got
        if html and "mathjax_ignore" not in html and not html.startswith("<code>")
    ]
    return bad + ["typeset as formulas"] * len(open_)


@kind("page: names of a store")
def page_store(rng, folder):
    store = copied(folder)
    content = json.loads((store / "manifest.json").read_text())
    content |= {
        "name": rng.choice(NAMES),
        "notes": [rng.choice(NAMES)],
        "source": rng.choice(NAMES),
    }
    (store / "manifest.json").write_text(json.dumps(content))
    return Case(store, "a page", read=page, differ=raw_html)


@kind("page: ids, fields and words of a pickle")
def page_pickle(rng, folder):
    whole = content()
    fold = whole["train"]
    for i in range(3):
        fold["id"][i] = rng.choice((f"{rng.choice(NAMES)}$_${i}", "same", f"v$_${i}"))
    fold["raw_text"][0], fold[rng.choice(NAMES)], whole[rng.choice(NAMES)] = (
        rng.choice(NAMES),
        rng.choice(NAMES),
        {},
    )
    (folder / "c.pkl").write_bytes(pickle.dumps(whole))
    return Case(folder / "c.pkl", "a page", MOSI, read=page, differ=raw_html)


# ---------------------------------------------------------------- converting


@kind("convert: odd fields")
def converted(rng, folder):
    "What is read is converted into the same corpus; what is refused leaves nothing behind."
    case = odd_fields(rng, folder)
    return Case(case.path, SAFE, case.options, read=convert_and_compare)


def convert_and_compare(path, **options):
    from msa_lit.data.readers import convert, read_corpus
    from msa_lit.data.soundness import differences

    try:
        stored = convert(path, path.parent / "store", **options)
        odd = differences(read_corpus(path, **options), stored)
    finally:
        left = sorted(p.name for p in path.parent.iterdir() if p.name not in (path.name, "store"))
    if odd or left:
        raise RuntimeError(f"differences {odd}, left {left}")


# ---------------------------------------------------------------- text networks in a folder


@functools.lru_cache
def sound_network():
    "A tiny BERT with its vocabulary."
    from transformers import BertConfig, BertModel, BertTokenizerFast

    place = Path(tempfile.mkdtemp(prefix="fuzz-bert-")) / "bert"
    sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(BertConfig(vocab_size=9, max_position_embeddings=12, **sizes)).save_pretrained(place)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "so", "film"]
    (place / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(place / "vocab.txt")).save_pretrained(place)
    network(place)  # imports what it needs before anybody watches
    return place


def network(path, **_):
    "Everything that is asked of a text network: its limits, its words, its states."
    from msa_lit.model.encoders import HubTokeniser, text_limits, text_network

    text_limits(str(path))
    ids = HubTokeniser(str(path), 9)(["so good", "bad film"])
    text_network(str(path))
    return [row.tolist() for row in ids]


CODE = """import os
os.environ["{canary}"] = "1"
class Config: pass
class Model: pass
class Tokenizer: pass
"""


@kind("text folder: settings changed or code brought along")
def text_folder(rng, folder):
    shutil.copytree(sound_network(), folder / "bert")
    place = folder / "bert"
    if rng.random() < 0.3:
        (place / "code.py").write_text(CODE.format(canary=CANARY))
        maps = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
        for file in ("config.json", "tokenizer_config.json"):
            tree = json.loads((place / file).read_text())
            tree["auto_map"] = maps | {"AutoTokenizer": ["code.Tokenizer", "code.Tokenizer"]}
            if rng.random() < 0.7:
                tree["model_type"] = rng.choice(("mine", "bert", ""))
            (place / file).write_text(json.dumps(tree))
    else:
        change_json(rng, rng.choice(sorted(place.glob("*.json"))))
    return Case(place, SAFE, read=network, names=("bert",))


@kind("text folder: bytes changed")
def text_bytes(rng, folder):
    shutil.copytree(sound_network(), folder / "bert")
    file = rng.choice(sorted((folder / "bert").iterdir()))
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3))):
        data[rng.randrange(min(len(data), 3000))] = rng.randrange(256)
    if rng.random() < 0.2:
        data = data[: rng.randrange(len(data))]
    if rng.random() < 0.1:
        data = pickle.dumps(Payload(os.mkdir, str(folder.parent / CANARY)))
        file = folder / "bert" / "pytorch_model.bin"
        (folder / "bert" / "model.safetensors").unlink()
    file.write_bytes(data)
    return Case(folder / "bert", SAFE, read=network, names=("bert",))


# ---------------------------------------------------------------- tables of results


def change_table(rng, text):
    "Another cell, another number of cells, other bytes, another encoding."
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 3))):
        i = rng.randrange(len(lines))
        cells = lines[i].split(",")
        j = rng.randrange(len(cells))
        odd = (
            "",
            "x",
            "nan",
            "inf",
            "1e999",
            "9" * 400,
            '"',
            '"a,b"',
            "'",
            "-0",
            "1,5",
            "0x1",
            "٣",
            "a\x00b",
            "é",
        )
        cells[j] = rng.choice(odd)
        if rng.random() < 0.2:
            cells.pop(j)
        lines[i] = ",".join(cells)
        if rng.random() < 0.1:
            lines[i] = rng.choice(("", lines[0], lines[-1], "x" * 200_000, "," * 500))
    end = rng.choice(("\n", "\n", "\n", ""))
    data = ("\n".join(lines) + end).encode(
        rng.choice(("utf8", "utf8", "utf-8-sig", "utf-16", "cp1252")), "replace"
    )
    if rng.random() < 0.2:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice((b"", rng.randbytes(3), b"\x00", b"\xff")) + data[at + 1 :]
    if rng.random() < 0.05:
        data = rng.choice((b"", b"\n", b"\xff\xfe", b"PK\x03\x04", pickle.dumps([1])))
    return data


def scored(path, **_):
    from msa_lit.cli.commands import read_predictions

    return read_predictions(path)


@kind("score: predictions changed")
def score_table(rng, folder):
    rows = ["split,id,label,multimodal"]
    for i in range(rng.choice((1, 4, 30))):
        rows.append(f"test,v$_${i},{rng.uniform(-3, 3):.1f},{rng.uniform(-3, 3):.4f}")
    path = folder / "predictions.csv"
    path.write_bytes(change_table(rng, "\n".join(rows)))
    return Case(path, SAFE, read=scored)


def compared(path, **_):
    "Read a comparison's table and make its page of numbers."
    from msa_lit.train.comparison import caption, read_results, table

    results = read_results(path)
    return table(results).to_html(), caption(results)


@functools.lru_cache
def sound_results():
    from msa_lit.train.comparison import tidy, write_results
    from msa_lit.train.runs import load_run

    place = Path(tempfile.mkdtemp(prefix="fuzz-results-"))
    write_results(tidy(load_run(sound_run())), place)
    return (place / "results.csv").read_text()


@kind("comparison: results.csv changed")
def results_table(rng, folder):
    (folder / "results.csv").write_bytes(change_table(rng, sound_results()))
    return Case(folder, SAFE, read=compared, names=("results.csv", "rows differ", "no rows"))
