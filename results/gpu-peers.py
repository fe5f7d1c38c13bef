#!/usr/bin/env python3
"""Convolution layers of a table on a GPU, beside PyTorch/cuDNN in fp32 (TF32 off, and on for comparison).

    results/gpu-peers.py --convoy build/bin/convoy --table resnet50 --table vgg-d --batch 64 -b vulkan -o gpu.csv

Per layer and pass: the median of our batches, as `convoy bench` measures it (verified on that very shape first), and PyTorch's median by
CUDA events, inputs rotating over more than 64 MB of random data, cudnn.benchmark on. Needs a GPU, torch with CUDA and a driver
for the backend; refuses to run where the backend's device or torch's is a CPU. The rows say what was measured and where."""
import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import tempfile

PASSES = {"fwd": "conv_fwd", "bwd-data": "conv_bwd_data", "bwd-weights": "conv_bwd_weights"}
DEFAULTS = {"n": 1, "c": 1, "h": 1, "w": None, "k": 1, "kh": 1, "kw": None, "g": 1, "s": 1, "sh": None, "sw": None, "d": 1, "dh": None,
            "dw": None, "p": 0, "pt": None, "pb": None, "pl": None, "pr": None, "b": 0, "r": 0}


def parse_problem(text):
    """The keys of "conv_fwd:n64c3h224k64kh7s2p3" as a dictionary, or None for what PyTorch has no such call for (unequal pads)."""
    found = dict(DEFAULTS)
    for key, value in re.findall(r"([a-z]+)(\d+)", text.split(":", 1)[1]):
        if key not in found:
            return None
        found[key] = int(value)
    for key, fallback in (("w", "h"), ("kw", "kh"), ("sh", "s"), ("sw", "s"), ("dh", "d"), ("dw", "d"), ("pt", "p"), ("pb", "p"), ("pl", "p"), ("pr", "p")):
        if found[key] is None:
            found[key] = found[fallback]
    return found if found["pt"] == found["pb"] and found["pl"] == found["pr"] else None


def run_convoy(options, folder):
    path = os.path.join(folder, "convoy.csv")
    command = [options.convoy, "bench", "-q", "--op", "conv", "--pass", "all", "--batch", str(options.batch), "--threads", "1", "-o", path]
    for backend in options.backend:
        command += ["-b", backend]
    for table in options.table:
        command += ["--table", table]
    if options.device:
        command += ["--device", options.device]
    listing = subprocess.run([options.convoy, "list", "--devices"], check=True, capture_output=True, text=True).stdout
    print(listing)
    subprocess.run(command, check=False)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    software = [row for row in rows if "software" in row["algorithm"]]
    if software:
        sys.exit("the backend ran on a software device: not a result about a GPU")
    return rows


def time_torch(torch, call, inputs, repeats):
    """Median milliseconds of `repeats` calls by events, inputs in rotation, after ten calls of warm-up."""
    for turn in range(10):
        call(*inputs[turn % len(inputs)])
    times = []
    for turn in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call(*inputs[turn % len(inputs)])
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def torch_ms(torch, problem, pass_name, tf32):
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    p = problem
    stride, pad, dilation, groups = (p["sh"], p["sw"]), (p["pt"], p["pl"]), (p["dh"], p["dw"]), p["g"]
    out = lambda size, before, kernel, step, dil: (size + 2 * before - dil * (kernel - 1) - 1) // step + 1
    x_shape = (p["n"], p["c"], p["h"], p["w"])
    w_shape = (p["k"], p["c"] // groups, p["kh"], p["kw"])
    y_shape = (p["n"], p["k"], out(p["h"], p["pt"], p["kh"], p["sh"], p["dh"]), out(p["w"], p["pl"], p["kw"], p["sw"], p["dw"]))
    bytes_all = 4 * sum(int(torch.Size(shape).numel()) for shape in (x_shape, w_shape, y_shape))
    sets = max(2, -(-64 * 2**20 // bytes_all) + 1)
    rand = lambda shape: torch.rand(shape, device="cuda") * 2 - 1
    inputs = [(rand(x_shape), rand(w_shape), rand(y_shape)) for _ in range(sets)]
    if pass_name == "fwd":
        call = lambda x, w, dy: torch.nn.functional.conv2d(x, w, None, stride, pad, dilation, groups)
    else:
        mask = [pass_name == "bwd-data", pass_name == "bwd-weights", False]
        call = lambda x, w, dy: torch.ops.aten.convolution_backward(dy, x, w, None, stride, pad, dilation, False, [0, 0], groups, mask)
    with torch.no_grad():
        return time_torch(torch, call, inputs, 30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", default="build/bin/convoy")
    parser.add_argument("--table", action="append", default=[])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-b", "--backend", action="append", default=[])
    parser.add_argument("--device", help="as convoy's --device")
    parser.add_argument("-o", "--output", default="gpu-peers.csv")
    options = parser.parse_args()
    options.table = options.table or ["resnet50", "vgg-d"]
    options.backend = options.backend or ["vulkan:gemm", "vulkan:winograd"]
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed here")
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU here")
    torch.backends.cudnn.benchmark = True
    with tempfile.TemporaryDirectory() as folder:
        rows = run_convoy(options, folder)
    peer = {}
    with open(options.output, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["gpu", "torch", "cudnn", "network", "layer", "pass", "problem", "backend", "variant", "algorithm", "verdict", "convoy_ms",
                         "convoy_gflops", "torch_fp32_ms", "torch_tf32_ms", "fp32_ratio"])
        for row in rows:
            problem = parse_problem(row["problem"])
            if problem is None or row["pass"] not in PASSES:
                continue
            if row["problem"] not in peer:
                peer[row["problem"]] = [torch_ms(torch, problem, row["pass"], tf32) for tf32 in (False, True)]
            fp32, tf32 = peer[row["problem"]]
            ours = float(row["median_ns"]) / 1e6 if row["median_ns"] else None
            writer.writerow([torch.cuda.get_device_name(), torch.__version__, torch.backends.cudnn.version(), row["network"], row["layer"],
                             row["pass"], row["problem"], row["backend"], row["variant"], row["algorithm"], row["verdict"],
                             "" if ours is None else f"{ours:.4f}", row["gflops"], f"{fp32:.4f}", f"{tf32:.4f}",
                             "" if not ours else f"{fp32 / ours:.3f}"])
            file.flush()
    print(options.output)


if __name__ == "__main__":
    main()
