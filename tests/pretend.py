"""A device that only pretends to be a GPU: it computes on the CPU and breaks where a GPU would.

Tensors on it say `pretend:0`. An operation that mixes them with tensors of the CPU is refused as
CUDA refuses it, and so are a generator of another device, `numpy()`, lengths that are not on the
CPU, and a gradient through an LSTM that is not in training mode. Under autocast it takes the types
that CUDA takes. `torch.accelerator` reports the
device, so everything that asks for "the GPU" gets it. The device stays for the whole process:
import this in a process of its own.
"""
from contextlib import contextmanager
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend as register

NAME = "pretend"
aten = torch.ops.aten


there_is = [False]  # is the device switched on?


class _Module:
    "What torch asks a kind of device."
    def is_initialized(self): return True
    def is_available(self): return there_is[0]
    def current_device(self): return 0
    def device_count(self): return 1
    def _is_in_bad_fork(self): return False
    def manual_seed_all(self, seed): pass
    def get_amp_supported_dtype(self): return [torch.bfloat16]


class _Hook(torch._C._acc.PrivateUse1Hooks):
    def is_available(self): return there_is[0]
    def has_primary_context(self, dev_id): return True
    def is_built(self): return True


register(NAME, _Module(), _Hook())
HERE = torch.device(NAME, 0)
_Generator = torch.Generator


class Generator(_Generator):
    "Draws on the CPU and knows where it should draw."
    def __new__(cls, device="cpu"):
        made = super().__new__(cls, "cpu")
        made.place = torch.device(device).type
        return made


class Pretend(torch.Tensor):
    "A tensor of the device; `inner` holds its numbers on the CPU."
    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=HERE)

    def __init__(self, inner): self.inner = inner

    def tolist(self): return self.detach().inner.tolist()

    def __reduce_ex__(self, protocol): return self.detach().inner.__reduce_ex__(protocol)

    def __repr__(self): return f"Pretend({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


# -- operations --------------------------------------------------------------------------------

BOTH = {aten._to_copy.default, aten.copy_.default,  # may see two devices
        aten._pack_padded_sequence.default, aten._pack_padded_sequence_backward.default}
INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_",
           "aten::_unsafe_index", "aten::_unsafe_index_put"}


def lstm_cell(from_input, from_state, c, bias=None, more=None):
    "What CUDA computes in one kernel, and torch has for no CPU."
    gates = from_input + from_state
    if bias is not None: gates = gates + bias + more
    i, f, g, o = gates.chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    new = f * c + i * g
    return o * new.tanh(), new, torch.cat([i, f, g, o], 1)


def lstm_cell_back(by_h, by_c, c, new, kept, has_bias):
    i, f, g, o = kept.chunk(4, 1)
    t = new.tanh()
    by_h = torch.zeros_like(new) if by_h is None else by_h
    d = by_h * o * (1 - t * t) + (0 if by_c is None else by_c)
    gates = torch.cat([d * g * i * (1 - i), d * c * f * (1 - f), d * i * (1 - g * g),
                       by_h * t * o * (1 - o)], 1)
    return gates, d * f, gates.sum(0) if has_bias else None


def gru_cell(from_input, from_state, h, bias=None, more=None):
    if bias is not None: from_input, from_state = from_input + bias, from_state + more
    (ri, zi, ni), (rh, zh, nh) = from_input.chunk(3, 1), from_state.chunk(3, 1)
    r, z = (ri + rh).sigmoid(), (zi + zh).sigmoid()
    n = (ni + r * nh).tanh()
    return n + z * (h - n), torch.cat([r, z, n, h, nh], 1)


def gru_cell_back(by_h, kept, has_bias):
    r, z, n, h, nh = kept.chunk(5, 1)
    into_n = by_h * (1 - z) * (1 - n * n)
    into_z = by_h * (h - n) * z * (1 - z)
    into_r = into_n * nh * r * (1 - r)
    left = torch.cat([into_r, into_z, into_n], 1)
    right = torch.cat([into_r, into_z, into_n * r], 1)
    sums = (left.sum(0), right.sum(0)) if has_bias else (None, None)
    return left, right, by_h * z, *sums


OWN = {aten._thnn_fused_lstm_cell.default: lstm_cell,
       aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_back,
       aten._thnn_fused_gru_cell.default: gru_cell,
       aten._thnn_fused_gru_cell_backward.default: gru_cell_back}


def mixed(func, args, there, here):
    "Would CUDA refuse tensors of both places?"
    if not there or not here or func in BOTH: return False
    if func._schema.name in INDEXED and isinstance(args[0], Pretend): return False
    single = all(x.dim() == 0 for x in here)
    return not (single and torch.Tag.pointwise in func.tags)


def compute(func, args, kwargs):
    "Do it on the CPU, and say where the result is."
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    there = [x for x in tensors if isinstance(x, Pretend)]
    here = [x for x in tensors if not isinstance(x, Pretend)]
    if mixed(func, args, there, here):
        raise RuntimeError(f"{func}: {[tuple(x.shape) for x in here]} on the CPU beside "
                           f"{[tuple(x.shape) for x in there]} on the GPU")
    if func is aten._pack_padded_sequence.default and isinstance(args[1], Pretend):
        raise RuntimeError("'lengths' argument should be a CPU tensor")
    target = bool(there)
    if kwargs.get("device") is not None:
        target = torch.device(kwargs["device"]).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if func is aten.copy_.default: target = isinstance(args[0], Pretend)
    plain = tree_map(_inner, (args, kwargs))
    out = OWN.get(func, func)(*plain[0], **plain[1])
    if func is aten._pack_padded_sequence.default and target: return Pretend(out[0]), out[1]
    known = {id(_inner(x)): x for x in tensors}  # in place: the tensor that was given

    def outer(x):
        if not isinstance(x, torch.Tensor): return x
        return known.get(id(x)) if id(x) in known else Pretend(x) if target else x
    return tree_map(outer, out)


def _inner(x): return x.inner if isinstance(x, Pretend) else x


class _Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


# What torch makes of lists inside an index passes no mode.
_LIBRARY = torch.library.Library("aten", "IMPL")
_LIBRARY.impl("empty_strided", lambda size, stride, dtype=None, **_: Pretend(
    torch.empty_strided(size, stride, dtype=dtype)), "PrivateUse1")


def _copy(source, to, non_blocking=False):
    to.inner.copy_(_inner(source))
    return to


_LIBRARY.impl("_copy_from", _copy, "PrivateUse1")


# -- what the python side of torch does by itself ------------------------------------------------

_THROUGH = torch.library.Library("_", "IMPL")  # autocast of this device is done in `_autocast`
_THROUGH.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")

# What CUDA's autocast computes in bfloat16, in float32, or in the widest type that it is given.
LOW = {"linear", "matmul", "mm", "bmm", "addmm", "addbmm", "baddbmm", "mv", "addmv", "conv1d",
       "conv2d", "chain_matmul", "prelu", "scaled_dot_product_attention", "lstm", "gru",
       "lstm_cell", "gru_cell", "__matmul__", "__rmatmul__"}
HIGH = {"acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "pow",
        "__pow__", "__rpow__", "reciprocal", "rsqrt", "sinh", "tan", "softplus", "layer_norm",
        "group_norm", "norm", "nuclear_norm", "cosine_similarity", "cosine_embedding_loss", "cdist",
        "dist", "pdist", "renorm", "logsumexp", "mse_loss", "l1_loss", "smooth_l1_loss", "nll_loss",
        "cross_entropy", "kl_div", "binary_cross_entropy_with_logits", "prod", "softmax",
        "log_softmax", "cumprod", "cumsum", "sum", "triplet_margin_loss"}
WIDEST = {"addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "index_put", "scatter_add",
          "tensordot", "cat", "stack"}


def _autocast(func, args, kwargs):
    "The arguments as CUDA's autocast hands them on."
    name = getattr(func, "__name__", "")
    floats = [x.dtype for x in tree_leaves((args, kwargs))
              if isinstance(x, Pretend) and x.is_floating_point() and x.dtype != torch.double]
    if not floats or name not in LOW | HIGH | WIDEST: return args, kwargs
    wide = torch.float32 if torch.float32 in floats else torch.bfloat16
    to = torch.bfloat16 if name in LOW else torch.float32 if name in HIGH else wide

    def cast(x): return x.to(to) if isinstance(x, Pretend) and x.dtype in floats else x
    return tree_map(cast, (args, kwargs))


class _Calls(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if faults: raise faults.pop()
        kwargs = kwargs or {}
        where = torch.device(kwargs.get("device") or "cpu").type
        if isinstance(drawn := kwargs.get("generator"), Generator):
            given = [x.device.type for x in args if isinstance(x, torch.Tensor)]
            if drawn.place != (given[0] if given and not kwargs.get("device") else where):
                raise RuntimeError(f"a generator of {drawn.place!r} draws on another device")
        if func in (torch.tensor, torch.as_tensor) and where == NAME:
            rest = {k: v for k, v in kwargs.items() if k != "device"}
            return func(*args, **rest).to(HERE)
        if torch.is_autocast_enabled(NAME):
            if func is F.multi_head_attention_forward: return self.inside(func, args, kwargs)
            args, kwargs = _autocast(func, args, kwargs)
        out = func(*args, **kwargs)
        if func in (torch.lstm, torch.gru) and isinstance(args[0], Pretend): _as_cudnn(args, out)
        return out

    def inside(self, func, args, kwargs):
        "Attention is many calls, written in python; CUDA's autocast sees each of them."
        with self, patch.object(F, "has_torch_function", lambda tensors: False):
            return func(*args, **kwargs)


faults: list = []  # of gradients; an error inside the backward pass would end the process


def _as_cudnn(args, out):
    "cuDNN keeps what a gradient needs in training mode alone, and has no second derivative."
    training = [x for x in args if isinstance(x, bool)][1]

    def look(grad):
        if not training:
            faults.append(RuntimeError("cudnn RNN backward can only be called in training mode"))
        elif torch.is_grad_enabled():
            faults.append(NotImplementedError("the derivative for '_cudnn_rnn_backward' is not "
                                              "implemented"))
    if out[0].requires_grad: out[0].register_hook(look)


_autocasts = torch.is_autocast_enabled


def _is_autocast_enabled(kind=NAME):
    "Without a kind torch speaks of CUDA: evaluation then leaves its kernels of one type alone."
    return _autocasts(kind)


@contextmanager
def device():
    "Inside, there is a GPU, so to speak."
    torch.Generator, there_is[0] = Generator, True
    try:
        with _Calls(), _Operations(), \
             patch.object(torch, "is_autocast_enabled", _is_autocast_enabled): yield HERE
    finally:
        torch.Generator, there_is[0] = _Generator, False
    if faults: raise faults.pop()
