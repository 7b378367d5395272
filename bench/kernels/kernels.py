"""Checks and times the CUDA kernels for attention and for products of few and of some rows, without the JVM.

    python3 bench/kernels/kernels.py check      against float64 on fresh random inputs, awkward sizes, poisoned outputs
    python3 bench/kernels/kernels.py time       Llama-3.1-8B geometry, bf16; torch's kernels beside ours

Needs a GPU, nvcc, PyTorch. Kernels are compiled from the worker's sources and launched through the driver, so that what is
measured is what the worker launches. Times are of graphs of launches over other data than the launch before, medians of ten
replays; "p" marks launches that may start before their predecessor has ended.
"""
import ctypes
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import torch

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../worker/src/main/resources/dev/kvasir/worker/kernel/cuda")
cu = ctypes.CDLL('libcuda.so.1')
torch.cuda.init(); torch.zeros(1, device='cuda')
DEV = 'cuda'
SMS = torch.cuda.get_device_properties(0).multi_processor_count
def call(rc, what=''):
    if rc:
        name = ctypes.c_char_p(); cu.cuGetErrorName(rc, ctypes.byref(name))
        raise RuntimeError(f'{what}: {rc} {name.value}')
BUILD = tempfile.mkdtemp()
def build(name, arch='sm_90a'):
    """Compiles one source; arch compute_80 gives what older GPUs run, as PTX."""
    out = f'{BUILD}/{name}.{arch}'
    target = ['-ptx', f'-arch={arch}'] if arch.startswith('compute') else ['-cubin', f'-gencode=arch={arch.replace("sm_", "compute_")},code={arch}']
    r = subprocess.run(['nvcc', '-std=c++17', '-O3', *target, f'{SOURCES}/{name}.cu', '-o', out], capture_output=True, text=True)
    if r.returncode: raise RuntimeError(r.stdout + r.stderr)
    return out
class Module:
    def __init__(self, path):
        self.m = ctypes.c_void_p()
        call(cu.cuModuleLoad(ctypes.byref(self.m), path.encode()), path)
        self.f = {}
    def get(self, name, shared=0):
        key = name
        if key not in self.f:
            f = ctypes.c_void_p()
            call(cu.cuModuleGetFunction(ctypes.byref(f), self.m, name.encode()), name)
            self.f[key] = f
        f = self.f[key]
        if shared > 0: call(cu.cuFuncSetAttribute(f, 8, shared), f'shared {shared}')
        return f
    def occupancy(self, name, threads, shared):
        f = self.get(name, shared); n = ctypes.c_int()
        call(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(ctypes.byref(n), f, threads, ctypes.c_size_t(shared)))
        return n.value
class Attr(ctypes.Structure):
    _fields_ = [('id', ctypes.c_int), ('pad', ctypes.c_int), ('value', ctypes.c_int * 16)]
class Config(ctypes.Structure):
    _fields_ = [('g', ctypes.c_uint * 3), ('b', ctypes.c_uint * 3), ('shared', ctypes.c_uint), ('stream', ctypes.c_void_p), ('attrs', ctypes.POINTER(Attr)), ('n', ctypes.c_uint)]
def launch(f, grid, block, shared, args, pdl=False):
    vals = []
    for a in args:
        if isinstance(a, torch.Tensor): vals.append(ctypes.c_void_p(a.data_ptr()))
        elif isinstance(a, float): vals.append(ctypes.c_float(a))
        elif isinstance(a, int): vals.append(ctypes.c_int(a))
        elif a is None: vals.append(ctypes.c_void_p(0))
        else: vals.append(a)
    arr = (ctypes.c_void_p * len(vals))(*[ctypes.addressof(v) for v in vals])
    c = Config(); c.g[:] = grid; c.b[:] = block; c.shared = shared; c.stream = torch.cuda.current_stream().cuda_stream
    at = Attr(); at.id = 6; at.value[0] = 1
    if pdl: c.attrs = ctypes.pointer(at); c.n = 1
    call(cu.cuLaunchKernelEx(ctypes.byref(c), f, arr, None), 'launch')
def graph_time(fns, reps=10, warm=3):
    """median ms per fn of a graph that holds all fns one after another"""
    s = torch.cuda.Stream()
    with torch.cuda.stream(s):
        for fn in fns[:2]: fn()
    torch.cuda.synchronize()
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g, stream=s):
        for fn in fns: fn()
    for _ in range(warm): g.replay()
    ts = []
    for _ in range(reps):
        a = torch.cuda.Event(enable_timing=True); b = torch.cuda.Event(enable_timing=True)
        a.record(); g.replay(); b.record(); torch.cuda.synchronize(); ts.append(a.elapsed_time(b))
    ts.sort(); return ts[len(ts) // 2] / len(fns)
L = lambda x: ctypes.c_longlong(x)
def copy_bandwidth():
    a = torch.randint(0, 100, (1 << 29,), device=DEV, dtype=torch.int32); b = torch.empty_like(a); n = a.numel() * 4
    def cp(): call(cu.cuMemcpyDtoDAsync_v2(ctypes.c_void_p(b.data_ptr()), ctypes.c_void_p(a.data_ptr()), ctypes.c_size_t(n), ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)))
    t1 = graph_time([lambda: b.copy_(a)] * 4); t3 = graph_time([cp] * 4)
    t2 = graph_time([lambda: torch.sum(a.view(torch.float32))] * 4)
    return 2 * n / t3 / 1e9, 2 * n / t1 / 1e9, n / t2 / 1e9
def rel(out, ref):
    return ((out.double() - ref.double()).norm() / ref.double().norm()).item()

# ---------- KV pools and reference
class Kv:
    def __init__(self, layers, blocks, kvHeads, head, bs, dtype=torch.bfloat16, poison=False):
        self.layers, self.blocks, self.kvHeads, self.head, self.bs = layers, blocks, kvHeads, head, bs
        self.data = torch.empty(layers, blocks, 2, kvHeads, bs, head, device=DEV, dtype=dtype)
        if poison: self.data.fill_(float('nan'))
        else:
            for l in range(layers): self.data[l].normal_()
        self.blockStride = 2 * kvHeads * bs * head; self.valueOffset = kvHeads * bs * head
    def gather(self, layer, table, n):
        x = self.data[layer][table.long()]  # [b, 2, h, bs, d]
        k = x[:, 0].permute(1, 0, 2, 3).reshape(self.kvHeads, -1, self.head)[:, :n]
        v = x[:, 1].permute(1, 0, 2, 3).reshape(self.kvHeads, -1, self.head)[:, :n]
        return k, v
def make_batch(kv, contexts, rows, gen=None, extra=3):
    S = len(contexts); need = [max(1, -(-c // kv.bs)) for c in contexts]
    perm = torch.randperm(kv.blocks)[:sum(need)].to(torch.int32)
    stride = max(need) + extra
    tables = torch.full((S, stride), -1, dtype=torch.int32); o = 0
    for s in range(S): tables[s, :need[s]] = perm[o:o + need[s]]; o += need[s]
    start = [0]
    for r in rows: start.append(start[-1] + r)
    return tables.to(DEV), torch.tensor(contexts, dtype=torch.int32, device=DEV), torch.tensor(start, dtype=torch.int32, device=DEV)
def fill_used(kv, tables, contexts):
    for s, c in enumerate(contexts):
        for j in range(-(-c // kv.bs)):
            n = min(kv.bs, c - j * kv.bs)
            kv.data[:, tables[s, j].item(), :, :, :n] = torch.randn(kv.layers, 2, kv.kvHeads, n, kv.head, device=DEV).to(kv.data.dtype)
def reference(kv, layer, q, tables, contexts, starts, heads, scale, window, cap, stride):
    out = torch.zeros(q.shape[0], heads * kv.head, device=DEV, dtype=torch.float64)
    G = heads // kv.kvHeads
    for s, c in enumerate(contexts):
        r0, r1 = starts[s], starts[s + 1]
        if r1 == r0 or c <= 0: continue
        k, v = kv.gather(layer, tables[s][: -(-c // kv.bs)], c)
        qq = q[r0:r1, : heads * kv.head].view(r1 - r0, kv.kvHeads, G, kv.head).permute(1, 2, 0, 3).double()
        sc = torch.einsum('hgrd,htd->hgrt', qq, k.double()) * scale
        if cap > 0: sc = cap * torch.tanh(sc / cap)
        pos = torch.arange(c - (r1 - r0), c, device=DEV)[:, None]; t = torch.arange(c, device=DEV)[None]
        m = t > pos
        if window > 0: m |= t <= pos - window
        sc = sc.masked_fill(m, float('-inf'))
        o = torch.einsum('hgrt,htd->hgrd', sc.softmax(-1), v.double())
        out[r0:r1] = o.permute(2, 0, 1, 3).reshape(r1 - r0, -1)
    return out

# ---------- decode
DECODE = {(64, 8): (8, 4), (64, 16): (8, 4), (80, 8): (8, 4), (96, 8): (8, 3), (128, 4): (8, 3), (128, 8): (6, 4), (128, 16): (4, 4), (256, 4): (4, 3), (256, 8): (3, 4)}
OLD_DECODE = {(64, 8): (4, 4), (64, 16): (4, 4), (80, 8): (4, 3), (96, 8): (4, 2), (128, 4): (4, 2), (128, 8): (4, 2), (128, 16): (3, 2), (256, 4): (2, 2), (256, 8): (2, 2)}
class Decode:
    def __init__(self, path, table=DECODE): self.m = Module(path); self.table = table
    def prepare(self, out, q, kv, layer, tables, ctx, starts, heads, scale=None, window=0, cap=0.0, splitTokens=256, splitsMax=16, dtype='bf16', grid=None):
        G = heads // kv.kvHeads; S = ctx.numel(); head = kv.head
        options = sorted(c for h, c in DECODE if h == head)
        columns = next((c for c in options if c >= G), options[-1])
        warps, stages = self.table[head, columns]
        chunks = -(-G // columns)
        name = f'attend_decode_{dtype}_{head}_{columns}'
        ch = head // 8; row = (ch if ch % 8 == 0 else ch | 1) * 16
        sh = warps * stages * 2 * 16 * row + warps * columns * ((head + 4) * 4 + 8) + (S + 1) * 4
        f = self.m.get(name, sh); threads = (warps + 4) * 32; occ = self.m.occupancy(name, threads, sh)
        partials = torch.full((S * splitsMax * heads * (head + 4),), float('nan'), device=DEV)
        arrivals = torch.zeros(S * kv.kvHeads * chunks, device=DEV, dtype=torch.int32)
        grid = grid or min(SMS * occ, S * splitsMax * kv.kvHeads * chunks)
        scale = scale or 1 / math.sqrt(head)
        args = [out, q, kv.data[layer], tables, ctx, starts, partials, arrivals, out.stride(0), q.stride(0), S, tables.stride(0), heads, kv.kvHeads, kv.bs,
                L(kv.blockStride), L(kv.valueOffset), scale, window, cap, splitTokens // 16, splitsMax]
        def run(pdl=False): launch(f, (grid, 1, 1), (threads, 1, 1), sh, args, pdl)
        run.occ = occ; run.arrivals = arrivals
        return run
def check_decode(dec, quick=False):
    worst = 0; n = 0; torch.manual_seed(int(time.time()))
    cases = []
    for head in (64, 80, 96, 128, 256):
        for g, kvh in ((1, 3), (3, 2), (4, 8), (7, 1), (8, 2), (16, 1), (20, 1)):
            cases.append((head, g, kvh, 16, 0, 0.0, 'bf16'))
    for bs in (8, 32, 64, 128, 24, 1): cases.append((128, 4, 2, bs, 0, 0.0, 'bf16'))
    for w in (1, 15, 16, 17, 300, 4096): cases.append((128, 4, 2, 16, w, 0.0, 'bf16'))
    cases += [(128, 4, 2, 16, 0, 30.0, 'bf16'), (256, 2, 4, 16, 700, 50.0, 'f16'), (128, 4, 8, 16, 0, 0.0, 'f16'), (80, 1, 2, 16, 0, 0.0, 'f16')]
    for head, g, kvh, bs, w, cap, dt in cases:
        contexts = [1, 15, 16, 17, 255, 256, 257, 0, 1023, 4097, 33, 5000]
        dtype = torch.bfloat16 if dt == 'bf16' else torch.float16
        kv = Kv(1, sum(-(-max(c, 1) // bs) for c in contexts) + 5, kvh, head, bs, dtype, poison=True)
        rows = [1] * len(contexts); rows[4] = 3; rows[10] = 0
        tables, ctx, st = make_batch(kv, contexts, rows)
        x = kv.data.view(-1, head)
        # fill used slots only: everything else stays NaN
        mask = torch.zeros(kv.blocks, bs, dtype=torch.bool)
        for s, c in enumerate(contexts):
            for j in range(-(-c // bs)): mask[tables[s, j].item(), : min(bs, c - j * bs)] = True
        m = mask.to(DEV)[None, :, None, None, :, None]
        kv.data = torch.where(m, torch.randn(kv.data.shape, device=DEV).to(dtype), kv.data).contiguous()
        heads = g * kvh; R = sum(rows)
        q = (torch.randn(R, heads * head + 64, device=DEV) * 1.5).to(dtype)
        out = torch.full((R, heads * head + 32), float('nan'), device=DEV, dtype=dtype)
        run = dec.prepare(out, q, kv, 0, tables, ctx, st, heads, window=w, cap=cap, dtype=dt)
        run(); torch.cuda.synchronize()
        starts = st.tolist()
        ref = reference(kv, 0, q, tables, contexts, starts, heads, 1 / math.sqrt(head), w, cap, 0)
        sel = [starts[s] for s in range(len(contexts)) if rows[s] == 1 and contexts[s] > 0]
        e = rel(out[sel][:, : heads * head], ref[sel])
        untouched = all(torch.isnan(out[r]).all().item() for r in range(R) if r not in sel) and torch.isnan(out[:, heads * head:]).all().item()
        first = out.clone(); out.fill_(float('nan')); run(); torch.cuda.synchronize()
        same = torch.equal(first[sel][:, : heads * head], out[sel][:, : heads * head])
        # batch invariance: the long one alone
        s = 9; o2 = torch.full_like(out, float('nan'))
        st2 = torch.tensor([starts[s], starts[s] + 1], dtype=torch.int32, device=DEV)
        run2 = dec.prepare(o2, q, kv, 0, tables[s:s + 1].contiguous(), ctx[s:s + 1].contiguous(), st2, heads, window=w, cap=cap, dtype=dt, grid=7)
        run2(); torch.cuda.synchronize()
        inv = torch.equal(o2[starts[s]][: heads * head], out[starts[s]][: heads * head])
        ok = e < (6e-3 if dt == 'bf16' else 1e-3) and untouched and same and inv and not run.arrivals.any().item()
        worst = max(worst, e if e == e else 9); n += 1
        if not ok: print('DECODE FAIL', head, g, kvh, bs, w, cap, dt, 'err', e, 'untouched', untouched, 'same', same, 'inv', inv, 'arr', run.arrivals.any().item())
    print(f'decode: {n} cases, worst {worst:.2e}')
def time_decode(decs, bw, points=None):
    for S, C in points or ((1, 1024), (1, 8192), (16, 1024), (64, 1024), (64, 4096), (256, 1024)):
        kvh, head, heads, bs = 8, 128, 32, 16
        bytes_ = S * C * kvh * head * 4
        layers = max(2, min(32, int(3e8 // bytes_) + 1))
        kv = Kv(layers, S * (C // bs) + 1, kvh, head, bs)
        tables, ctx, st = make_batch(kv, [C] * S, [1] * S)
        q = torch.randn(S, 6144, device=DEV).bfloat16(); out = torch.zeros(S, 4096, device=DEV, dtype=torch.bfloat16)
        line = f'S={S} C={C} floor {bytes_ / bw / 1e6:.1f}us:'
        for name, dec, split, mx, pdl in decs:
            runs = [dec.prepare(out, q, kv, l, tables, ctx, st, heads, splitTokens=split, splitsMax=mx) for l in range(layers)]
            t = graph_time([(lambda r=r: r(pdl)) for r in runs] * (2 if layers < 4 else 1))
            line += f'  [{name} {split}/{mx}{"p" if pdl else ""} {t * 1e3:.1f}us {bytes_ / t / 1e9 / bw:.0%}]'
        print(line, flush=True)
        del kv

# ---------- skinny
class Skinny:
    def __init__(self, path, warps): self.m = Module(path); self.warps = warps
    def prepare(self, out, x, w, bias=None, accumulate=0, activation=0, gated=False, dtype='bf16', rows=None):
        rows = rows or x.shape[0]; n, k = w.shape
        if gated: n //= 2
        name = f'skinny_multiply_{dtype}_{8 if rows <= 8 else 16}' + ('_f32' if out.dtype == torch.float32 else '') + ('_gated' if gated else '')
        f = self.m.get(name)
        args = [out, x, w, bias, out.stride(0), x.stride(0), rows, n, k, accumulate, activation]
        return lambda pdl=False: launch(f, (-(-n // 16), 1, 1), (self.warps * 32, 1, 1), 0, args, pdl)
def check_skinny(sk):
    worst = 0; cnt = 0
    for dt in ('bf16', 'f16'):
        dtype = torch.bfloat16 if dt == 'bf16' else torch.float16
        for rows in (1, 2, 3, 7, 8, 9, 16):
            for n, k in ((16, 32), (1, 8), (37, 4104), (4096, 4096), (1000, 1000), (256, 14336)):
                for mode in ('plain', 'bias', 'acc', 'f32', 'gated'):
                    x = torch.randn(rows, k + 8, device=DEV).to(dtype)
                    w = (torch.randn(n * (2 if mode == 'gated' else 1), k, device=DEV) / math.sqrt(k)).to(dtype)
                    b = torch.randn(w.shape[0], device=DEV).to(dtype) if mode in ('bias', 'gated') else None
                    out = torch.full((rows + 1, n + 3), float('nan'), device=DEV, dtype=torch.float32 if mode == 'f32' else dtype)
                    if mode == 'acc': out[:rows, :n] = torch.randn(rows, n, device=DEV)
                    old = out.double().clone()
                    sk.prepare(out, x, w, b, 1 if mode == 'acc' else 0, 1, mode == 'gated', dt, rows)()
                    torch.cuda.synchronize()
                    ref = x[:, :k].double() @ w.double().T
                    if b is not None: ref = ref + b.double()
                    if mode == 'acc': ref = ref + old[:rows, :n]
                    if mode == 'gated': ref = torch.nn.functional.gelu(ref[:, :n], approximate='tanh') * ref[:, n:]
                    e = rel(out[:rows, :n], ref); clean = torch.isnan(out[rows]).all().item() and torch.isnan(out[:, n:]).all().item()
                    tol = 1e-5 if mode == 'f32' else (4e-3 if dt == 'bf16' else 8e-4)
                    worst = max(worst, e if e == e else 9); cnt += 1
                    if not (e < tol and clean): print('SKINNY FAIL', dt, rows, n, k, mode, e, clean)
    print(f'skinny: {cnt} cases, worst {worst:.2e}')
SHAPES = [('qkv', 6144, 4096), ('o', 4096, 4096), ('gateup', 28672, 4096), ('down', 4096, 14336), ('head', 128256, 4096)]
def time_skinny(variants, bw, rowset=(1, 4, 8, 16), cublas=(1, 4, 8, 16, 64), shapes=SHAPES):
    for label, n, k in shapes:
        size = n * k * 2; count = max(3, int(4e8 // size) + 1)
        ws = [(torch.randn(n, k, device=DEV) / math.sqrt(k)).bfloat16() for _ in range(count)]
        floor = size / bw / 1e6
        for rows in sorted(set(rowset) | set(cublas)):
            x = torch.randn(rows, k, device=DEV).bfloat16(); out = torch.empty(rows, n, device=DEV, dtype=torch.bfloat16)
            line = f'{label} {n}x{k} rows {rows} floor {floor:.1f}us:'
            if rows in cublas:
                t = graph_time([(lambda w=w: torch.mm(x, w.T, out=out)) for w in ws]) * 1e3
                line += f' [cublas {t:.1f} {floor / t:.0%}]'
            if rows in rowset:
                for name, sk, pdl in variants:
                    rs = [sk.prepare(out, x, w) for w in ws]
                    t = graph_time([(lambda r=r: r(pdl)) for r in rs]) * 1e3
                    line += f' [{name}{"p" if pdl else ""} {t:.1f} {floor / t:.0%}]'
                if label == 'gateup':
                    og = torch.empty(rows, n // 2, device=DEV, dtype=torch.bfloat16)
                    for name, sk, pdl in variants:
                        rs = [sk.prepare(og, x, w, gated=True) for w in ws]
                        t = graph_time([(lambda r=r: r(pdl)) for r in rs]) * 1e3
                        line += f' [gated {name}{"p" if pdl else ""} {t:.1f} {floor / t:.0%}]'
            print(line, flush=True)
        del ws

# ---------- some rows, Hopper
def tensor_map(t, rows, columns, box_rows, interleaved=False):
    """Of a matrix of two-byte elements, as the launcher makes it: boxes of 64 columns; interleaved by eights of its halves."""
    memory = (ctypes.c_uint64 * 24)(); at = (ctypes.addressof(memory) + 63) & ~63; row = t.stride(0) * 2
    sizes, strides, box = (columns, rows), (row,), (64, box_rows)
    if interleaved: sizes, strides, box = (columns, 8, 2, rows // 16), (row, row * (rows // 2), row * 8), (64, 8, 2, box_rows // 16)
    array = lambda kind, values: (kind * len(values))(*values)
    call(cu.cuTensorMapEncodeTiled(ctypes.c_void_p(at), 1, len(sizes), ctypes.c_void_p(t.data_ptr()), array(ctypes.c_uint64, sizes),
                                   array(ctypes.c_uint64, strides), array(ctypes.c_uint32, box), array(ctypes.c_uint32, [1] * len(sizes)), 0, 3, 3, 0), 'tensor map')
    words = (ctypes.c_uint64 * 16).from_address(at); words.memory = memory
    return words
class Warpgroup:
    def __init__(self, path, elements):
        self.m = Module(path); self.small = Module(elements)
        self.partials = torch.empty(SMS * 256 * 128, device=DEV); self.arrivals = torch.zeros(SMS * 2, device=DEV, dtype=torch.int32)
    def blocks(self, tiles, steps):
        if tiles * steps <= SMS: return tiles * steps
        each = -(-tiles // SMS); even = (tiles // each if tiles % each == 0 else 0) if tiles > SMS else SMS // tiles * tiles
        return even if even >= 0.7 * SMS else SMS
    def prepare(self, out, x, w, bias=None, accumulate=0, activation=0, gated=False, dtype='bf16', rows=None):
        rows = rows or x.shape[0]; n, k = w.shape; room = -(-rows // 64) * 64; stage = (128 + room) * 128
        maps = [tensor_map(w, n, k, 128, gated), tensor_map(x, rows, k, room)]
        if gated: n //= 2
        shared = 1024 + (221 * 1024 - 1024) // stage * stage
        f = self.m.get(f'warpgroup_multiply_{dtype}_{room}' + ('_f32' if out.dtype == torch.float32 else '_gated' if gated else ''), shared)
        args = maps + [out, bias, self.partials, self.arrivals, out.stride(0), rows, n, k, accumulate, activation]
        grid = (self.blocks(-(-n // (64 if gated else 128)), -(-k // 64)), 1, 1)
        return lambda pdl=False: launch(f, grid, (384, 1, 1), shared, args, pdl)
    def before(self, x):
        """A small kernel that touches the input, as norms and gates do between products."""
        f = self.small.get('scale_bf16')
        return lambda: launch(f, (-(-x.shape[1] // 1024), x.shape[0], 1), (128, 1, 1), 0, [x, x.stride(0), x.shape[1], 1.0, 0.0], True)
def check_warpgroup(wg):
    worst = 0; cases = 0
    for dt in ('bf16', 'f16'):
        dtype = torch.bfloat16 if dt == 'bf16' else torch.float16
        for rows, n, k in ((17, 4096, 14336), (33, 1000, 520), (64, 6144, 4096), (65, 8, 8), (100, 136, 72), (128, 4096, 4096), (150, 17416, 72), (200, 28672, 4096), (255, 520, 9000), (256, 6144, 4096), (70, 264, 4096), (129, 4096, 14336), (256, 4096, 4096)):
            for mode in ('plain', 'bias', 'acc', 'f32', 'gated'):
                x = torch.randn(rows, k + 8, device=DEV).to(dtype); w = (torch.randn(n * (2 if mode == 'gated' else 1), k, device=DEV) / math.sqrt(k)).to(dtype)
                b = torch.randn(n, device=DEV).to(dtype) if mode in ('bias', 'acc') else None
                out = torch.full((rows + 1, n + 8), float('nan'), device=DEV, dtype=torch.float32 if mode == 'f32' else dtype)
                if mode == 'acc': out[:rows, :n] = torch.randn(rows, n, device=DEV)
                old = out.clone(); again = out.clone(); wg.partials.fill_(float('nan'))
                for o in (out, again): wg.prepare(o, x, w, b, 1 if mode == 'acc' else 0, 1, mode == 'gated', dt, rows)()
                torch.cuda.synchronize()
                ref = x[:, :k].double() @ w.double().T
                if b is not None: ref = ref + b.double()
                if mode == 'acc': ref = ref + old[:rows, :n].double()
                if mode == 'gated': ref = torch.nn.functional.gelu(ref[:, :n], approximate='tanh') * ref[:, n:]
                e = rel(out[:rows, :n], ref); clean = torch.isnan(out[rows]).all().item() and torch.isnan(out[:, n:]).all().item()
                same = torch.equal(out[:rows, :n], again[:rows, :n]) and not wg.arrivals.any().item()
                worst = max(worst, e if e == e else 9); cases += 1
                if not (e < (1e-5 if mode == 'f32' else 4e-3 if dt == 'bf16' else 8e-4) and clean and same): print('WARPGROUP FAIL', dt, rows, n, k, mode, e, clean, same)
    print(f'products of some rows: {cases} cases, worst {worst:.2e}', flush=True)
def time_warpgroup(wg, bw, rowset=(32, 64, 128, 192, 256)):
    for label, n, k in SHAPES:
        count = max(3, int(4e8 // (n * k * 2)) + 1); ws = [(torch.randn(n, k, device=DEV) / math.sqrt(k)).bfloat16() for _ in range(count)]
        for rows in rowset:
            x = torch.randn(rows, k, device=DEV).bfloat16(); before = wg.before(x); line = f'{label} {n}x{k} rows {rows} floor {n * k * 2 / bw / 1e6:.1f}us, after a small kernel:'
            def time_of(products): return 2e3 * graph_time([f for p in products for f in (before, p)])
            for gated in ((False, True) if label == 'gateup' else (False,)):
                out = torch.empty(rows, n // 2 if gated else n, device=DEV, dtype=torch.bfloat16); rs = [wg.prepare(out, x, w, gated=gated) for w in ws]
                line += f' [{"gated " if gated else ""}{time_of([lambda r=r: r(True) for r in rs]):.1f}, not early {time_of([lambda r=r: r(False) for r in rs]):.1f}]'
            out = torch.empty(rows, n, device=DEV, dtype=torch.bfloat16)
            print(line + f' [cublas {time_of([lambda w=w: torch.mm(x, w.T, out=out) for w in ws]):.1f}]', flush=True)
        del ws

# ---------- prefill
class Prefill:
    def __init__(self, path, prefix='attend_prefill_wgmma', rows=128, kind='wgmma', rounds=False):
        self.rounds = rounds
        self.m = Module(path); self.prefix, self.rows, self.kind = prefix, rows, kind
    def prepare(self, out, q, kv, layer, tables, ctx, starts, heads, scale=None, window=0, cap=0.0, dtype='bf16', rowsMin=1, slots=None, split=0):
        """split: tiles of keys that a block computes, 0 is all; such a launch must fit on the device at once"""
        G = heads // kv.kvHeads; S = ctx.numel(); parts = 1
        keysOfTile = (64 if kv.head > 128 else 128) // (1 if self.kind == 'wgmma' else 2)
        name = f'{self.prefix}_{dtype}_{kv.head}' + ('_split' if split else '')
        if self.kind == 'wgmma':
            keys = 64 if kv.head > 128 else 128; cols = -(-kv.head // 64)
            sh = 1024 + (128 + 4 * keys) * cols * 128; block = 384
        else:
            ch = kv.head // 8; sh = (64 + 4 * (32 if kv.head > 128 else 64)) * (ch if ch % 8 == 0 else ch | 1) * 16; block = 128
        f = self.m.get(name, sh)
        st = starts.tolist()
        slots = slots or sum(-(-(st[i + 1] - st[i]) * G // self.rows) for i in range(S))
        if split:
            parts = -(-max(ctx.tolist()) // (keysOfTile * split))
            if not hasattr(self, 'partials'): self.partials = torch.full((SMS * 128 * 258,), float('nan'), device=DEV); self.arrivals = torch.zeros(SMS, device=DEV, dtype=torch.int32)
            if parts * slots * kv.kvHeads > SMS: raise ValueError(f'{parts} parts of {slots} row tiles and {kv.kvHeads} kv heads are more than {SMS} blocks')
        args = [out, q, kv.data[layer], tables, ctx, starts, out.stride(0), q.stride(0), S, tables.stride(0), heads, kv.kvHeads, kv.bs,
                L(kv.blockStride), L(kv.valueOffset), scale or 1 / math.sqrt(kv.head), window, cap, rowsMin, self.partials if split else None, self.arrivals if split else None, split]
        if split: return lambda pdl=False: launch(f, (kv.kvHeads, slots, parts), (block, 1, 1), sh, args, pdl)
        return lambda pdl=False: launch(f, (min(SMS, kv.kvHeads * slots), 1, 1) if self.rounds and self.kind == 'wgmma' else (kv.kvHeads, slots, 1), (block, 1, 1), sh, args, pdl)
def check_prefill(pf, label):
    worst = 0; n = 0; torch.manual_seed(int(time.time()) + 1); cases = []
    for head in (64, 80, 96, 128, 256):
        for g, kvh in ((1, 3), (3, 2), (4, 2), (7, 1), (8, 1), (20, 1)): cases.append((head, g, kvh, 16, 0, 0.0, 'bf16'))
    for bs in (8, 32, 64, 128, 24, 1): cases.append((128, 4, 2, bs, 0, 0.0, 'bf16'))
    for w in (1, 15, 16, 17, 100, 300, 4096): cases.append((128, 4, 2, 16, w, 0.0, 'bf16'))
    cases += [(128, 4, 2, 16, 0, 30.0, 'bf16'), (256, 2, 2, 16, 300, 50.0, 'f16'), (128, 4, 2, 16, 0, 0.0, 'f16'), (80, 1, 2, 16, 0, 0.0, 'f16')]
    for head, g, kvh, bs, w, cap, dt in cases:
        contexts = [1, 15, 17, 130, 1, 257, 4097, 600, 1500, 64, 900]; rows = [1, 15, 16, 100, 0, 257, 70, 1, 513, 64, 33]
        dtype = torch.bfloat16 if dt == 'bf16' else torch.float16
        kv = Kv(1, sum(-(-max(c, 1) // bs) for c in contexts) + 5, kvh, head, bs, dtype, poison=True)
        tables, ctx, st = make_batch(kv, contexts, rows)
        mask = torch.zeros(kv.blocks, bs, dtype=torch.bool)
        for s, c in enumerate(contexts):
            for j in range(-(-c // bs)):
                lo = 0
                mask[tables[s, j].item(), : min(bs, c - j * bs)] = True
        m = mask.to(DEV)[None, :, None, None, :, None]
        kv.data = torch.where(m, torch.randn(kv.data.shape, device=DEV).to(dtype), kv.data).contiguous()
        heads = g * kvh; R = sum(rows)
        q = (torch.randn(R, heads * head + 64, device=DEV) * 1.5).to(dtype)
        out = torch.full((R, heads * head + 32), float('nan'), device=DEV, dtype=dtype)
        pf.prepare(out, q, kv, 0, tables, ctx, st, heads, window=w, cap=cap, dtype=dt, rowsMin=2)(); torch.cuda.synchronize()
        starts = st.tolist(); ref = reference(kv, 0, q, tables, contexts, starts, heads, 1 / math.sqrt(head), w, cap, 0)
        sel = [r for s in range(len(rows)) if rows[s] > 1 for r in range(starts[s], starts[s + 1])]; rest = [r for r in range(R) if r not in set(sel)]
        e = rel(out[sel][:, : heads * head], ref[sel])
        clean = torch.isnan(out[rest]).all().item() and torch.isnan(out[:, heads * head:]).all().item()
        first = out.clone(); pf.prepare(out, q, kv, 0, tables, ctx, st, heads, window=w, cap=cap, dtype=dt, rowsMin=2)(); torch.cuda.synchronize()
        same = torch.equal(first[sel][:, : heads * head], out[sel][:, : heads * head])
        worst = max(worst, e if e == e else 9); n += 1
        if not (e < (6e-3 if dt == 'bf16' else 1e-3) and clean and same):
            per = [(rows[s], contexts[s], round(rel(out[starts[s]:starts[s+1], :heads*head], ref[starts[s]:starts[s+1]]), 4)) for s in range(len(rows)) if rows[s] > 1]
            print(label, 'PREFILL FAIL', head, g, kvh, bs, w, cap, dt, 'err', e, 'clean', clean, 'same', same, per)
    print(f'{label}: {n} cases, worst {worst:.2e}', flush=True)
def check_split(pf, label):
    worst = 0; n = 0; torch.manual_seed(int(time.time()) + 2); cases = []
    for head in (64, 80, 96, 128, 256):
        for g, kvh in ((1, 3), (4, 2), (7, 1), (8, 1)): cases.append((head, g, kvh, 16, 0, 0.0, 'bf16'))
    for bs in (8, 24, 1): cases.append((128, 4, 2, bs, 0, 0.0, 'bf16'))
    for w in (1, 16, 100, 300, 1500): cases.append((128, 4, 2, 16, w, 0.0, 'bf16'))
    cases += [(128, 4, 8, 16, 0, 30.0, 'bf16'), (256, 2, 2, 16, 300, 50.0, 'f16'), (128, 4, 2, 16, 0, 0.0, 'f16')]
    for head, g, kvh, bs, w, cap, dt in cases:
        for contexts, rows, split in (([4097, 1, 300], [5, 1, 0], 8 if head > 128 else 4), ([1500], [33], 2), ([700, 900], [17, 2], 3)):
            dtype = torch.bfloat16 if dt == 'bf16' else torch.float16
            kv = Kv(1, sum(-(-c // bs) for c in contexts) + 5, kvh, head, bs, dtype, poison=True)
            tables, ctx, st = make_batch(kv, contexts, rows); fill_used(kv, tables, contexts)
            heads = g * kvh; R = sum(rows)
            if pf.kind != 'wgmma': split *= 2
            q = (torch.randn(R, heads * head + 64, device=DEV) * 1.5).to(dtype); outs = [torch.full((R, heads * head + 32), float('nan'), device=DEV, dtype=dtype) for _ in range(2)]
            try:
                for o in outs: pf.prepare(o, q, kv, 0, tables, ctx, st, heads, window=w, cap=cap, dtype=dt, rowsMin=2, split=split)(); pf.partials.fill_(float('nan'))
            except ValueError: continue
            torch.cuda.synchronize(); starts = st.tolist(); ref = reference(kv, 0, q, tables, contexts, starts, heads, 1 / math.sqrt(head), w, cap, 0)
            sel = [r for s in range(len(rows)) if rows[s] > 1 for r in range(starts[s], starts[s + 1])]; rest = [r for r in range(R) if r not in set(sel)]
            e = rel(outs[0][sel][:, : heads * head], ref[sel]); clean = torch.isnan(outs[0][rest]).all().item() and torch.isnan(outs[0][:, heads * head:]).all().item()
            same = torch.equal(outs[0][sel][:, : heads * head], outs[1][sel][:, : heads * head]) and not pf.arrivals.any().item(); worst = max(worst, e if e == e else 9); n += 1
            if not (e < (6e-3 if dt == 'bf16' else 1e-3) and clean and same): print(label, 'SPLIT FAIL', head, g, kvh, bs, w, cap, dt, contexts, rows, split, 'err', e, 'clean', clean, 'same', same)
    print(f'{label}, keys split: {n} cases, worst {worst:.2e}', flush=True)
def time_split(pf, bw, points=((16, 512), (16, 1024), (16, 2048), (16, 4096), (32, 4096), (64, 4096), (128, 4096), (16, 16384)), kvh=8, heads=32, head=128):
    for rows, C in points:
        layers = max(3, min(32, int(3e8 // (C * kvh * head * 4)))); kv = Kv(layers, C // 16, kvh, head, 16); tables, ctx, st = make_batch(kv, [C], [rows])
        q = torch.randn(rows, heads * head, device=DEV).bfloat16(); out = torch.zeros(rows, heads * head, device=DEV, dtype=torch.bfloat16)
        line = f'{rows} new rows of {C}, {kvh} kv heads, floor {C * kvh * head * 4 / bw / 1e6:.1f}us:'
        for split in (0, 1, 2, 3, 4, 8):
            try: runs = [pf.prepare(out, q, kv, l, tables, ctx, st, heads, split=split) for l in range(layers)]
            except ValueError: continue
            line += f'  [{split or "whole"} {graph_time(runs) * 1e3:.1f}us, early {graph_time([(lambda r=r: r(True)) for r in runs]) * 1e3:.1f}]'
        print(line, flush=True); del kv
def time_prefill(pfs, points=((1, 1024), (1, 2048), (1, 4096), (1, 8192), (1, 16384), (8, 1024), (32, 512)), heads=32, kvh=8, head=128, sdpa=True, window=0):
    for S, C in points:
        bs = 16; kv = Kv(4, S * (C // bs), kvh, head, bs)
        tables, ctx, st = make_batch(kv, [C] * S, [C] * S)
        q = torch.randn(S * C, heads * head, device=DEV).bfloat16(); out = torch.zeros(S * C, heads * head, device=DEV, dtype=torch.bfloat16)
        fl = 4 * heads * head * S * C * (C + 1) / 2
        line = f'prefill head {head} S={S} C={C}:'
        for name, pf in pfs:
            runs = [pf.prepare(out, q, kv, l, tables, ctx, st, heads) for l in range(4)]
            t = graph_time(runs); line += f' [{name} {t * 1e3:.0f}us {fl / t / 1e9:.0f}TF]'
        if sdpa:
            from torch.nn.attention import sdpa_kernel, SDPBackend
            Q = torch.randn(S, heads, C, head, device=DEV).bfloat16(); K = torch.randn(S, kvh, C, head, device=DEV).bfloat16(); V = torch.randn_like(K)
            for nm, be in (('flash2', SDPBackend.FLASH_ATTENTION), ('cudnn', SDPBackend.CUDNN_ATTENTION)):
                try:
                    def fn():
                        with sdpa_kernel(be): torch.nn.functional.scaled_dot_product_attention(Q, K, V, is_causal=True, enable_gqa=True)
                    t = graph_time([fn] * 4); line += f' [{nm} {t * 1e3:.0f}us {fl / t / 1e9:.0f}TF]'
                except Exception as ex: line += f' [{nm} {str(ex)[:60]}]'
        print(line, flush=True); del kv


def main(what):
    jobs = [('AttendDecode', 'sm_90a'), ('AttendPrefillWgmma', 'sm_90a'), ('AttendPrefill', 'sm_90a'), ('SkinnyMultiply', 'sm_90a'), ('WarpgroupMultiply', 'sm_90a'), ('ElementOperation', 'sm_90a'),
            ('AttendDecode', 'compute_80'), ('AttendPrefill', 'compute_80'), ('SkinnyMultiply', 'compute_80')]
    with ThreadPoolExecutor(len(jobs)) as pool: paths = dict(zip(jobs, pool.map(lambda job: build(*job), jobs)))
    decode = Decode(paths['AttendDecode', 'sm_90a']); skinny = Skinny(paths['SkinnyMultiply', 'sm_90a'], 8)
    wgmma = Prefill(paths['AttendPrefillWgmma', 'sm_90a'])
    rounds = Prefill(paths['AttendPrefillWgmma', 'sm_90a'], rounds=True)
    mma = Prefill(paths['AttendPrefill', 'sm_90a'], 'attend_prefill', 64, 'mma')
    warpgroup = Warpgroup(paths['WarpgroupMultiply', 'sm_90a'], paths['ElementOperation', 'sm_90a'])
    print(torch.cuda.get_device_name())
    if what == 'check':
        check_decode(decode); check_prefill(wgmma, 'wgmma'); check_prefill(rounds, 'wgmma in rounds'); check_prefill(mma, 'mma'); check_split(wgmma, 'wgmma'); check_split(mma, 'mma'); check_skinny(skinny); check_warpgroup(warpgroup)
        print('as on GPUs before Hopper:')
        check_decode(Decode(paths['AttendDecode', 'compute_80'], OLD_DECODE))
        older = Prefill(paths['AttendPrefill', 'compute_80'], 'attend_prefill', 64, 'mma'); check_prefill(older, 'mma'); check_split(older, 'mma')
        check_skinny(Skinny(paths['SkinnyMultiply', 'compute_80'], 8))
        return
    print('copy by driver, by torch, read by sum: %.3f %.3f %.3f TB/s' % copy_bandwidth())
    bandwidth = float(os.environ.get('BANDWIDTH', '3.03'))
    time_decode([('ours', decode, 128, 16, 0), ('ours', decode, 512, 16, 0), ('ours', decode, 512, 16, 1), ('ours', decode, 1024, 16, 1)], bandwidth)
    time_split(wgmma, bandwidth)
    time_prefill([('wgmma', wgmma), ('in rounds', rounds), ('mma', mma)])
    for head, heads in ((64, 32), (80, 32), (96, 32), (256, 16)):
        time_prefill([('wgmma', wgmma), ('in rounds', rounds), ('mma', mma)], points=((1, 4096),), sdpa=False, heads=heads, head=head)
    time_skinny([('ours', skinny, 0), ('ours', skinny, 1)], bandwidth)
    time_warpgroup(warpgroup, bandwidth)
if __name__ == '__main__':
    if sys.argv[1:] not in (['check'], ['time']): sys.exit(__doc__)
    main(sys.argv[1])
