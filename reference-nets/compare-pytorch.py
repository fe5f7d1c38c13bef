#!/usr/bin/python3
"""Training speed of convoy-train beside PyTorch: the same network, batch and threads, in turns on the same machine.

    reference-nets/compare-pytorch.py [build/bin/convoy-train]

Needs Debian's python3-torch. Prints images per second of both (the median of the rounds), their ratio and peak memory. PyTorch runs in
NCHW, fp32, with OPENBLAS_NUM_THREADS=1 and as many threads as processors; convoy-train with --backend auto, whose selection is made
before the first round and is not counted.
"""
import json
import os
import re
import statistics
import subprocess
import sys

CASES = [
    # name, convoy-train arguments, classes, image, batch, steps
    ("resnet18", ["resnet18"], 1000, (3, 224, 224), 16, 6),
    ("resnet18", ["resnet18", "--input", "3x32x32", "--classes", "10"], 10, (3, 32, 32), 64, 20),
    ("lenet5", ["lenet5"], 10, (1, 32, 32), 64, 300),
]
ROUNDS = 3


def resnet18(torch, channels, classes):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, c, k, stride):
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k), nn.ReLU(inplace=True),
                nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k))
            self.side = nn.Sequential()
            if stride != 1 or c != k:
                self.side = nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))

        def forward(self, x):
            return nn.functional.relu(self.main(x) + self.side(x), inplace=True)

    layers = [nn.Conv2d(channels, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for stage in range(4):
        for block in range(2):
            k = 64 << stage
            layers.append(Block(width, k, 2 if stage and not block else 1))
            width = k
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def lenet5(torch, channels, classes):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes))


def run_torch(case):
    """In a process of its own: the same steps, timed one by one."""
    import resource
    import time
    import torch
    name, _, classes, image, batch, steps = case
    torch.manual_seed(1)
    torch.set_num_threads(os.cpu_count())
    net = {"resnet18": resnet18, "lenet5": lenet5}[name](torch, image[0], classes).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x, label = torch.randn(batch, *image), torch.arange(batch) % classes
    seconds = []
    for step in range(3 + steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), label).backward()
        optimizer.step()
        if step >= 3:
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"images_per_s": batch / statistics.median(seconds), "peak_mb": peak}))


def run_convoy(program, case):
    _, arguments, _, _, batch, steps = case
    text = subprocess.run([program, "time", *arguments, "--batch", str(batch), "--steps", str(steps)],
                          check=True, capture_output=True, text=True).stdout
    found = re.search(r"([\d.]+) images/s.*rest ([\d.]+) %, peak (\d+) MB", text)
    return float(found[1]), float(found[3]), float(found[2])


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--torch":
        return run_torch(CASES[int(sys.argv[2])])
    program = sys.argv[1] if len(sys.argv) > 1 else "build/bin/convoy-train"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for number, case in enumerate(CASES):
        name, _, _, image, batch, _ = case
        ours, theirs, memory = [], [], [0, 0]
        run_convoy(program, (*case[:5], 1))
        for _ in range(ROUNDS):
            speed, memory[0], rest = run_convoy(program, case)
            ours.append(speed)
            answer = json.loads(subprocess.run([sys.executable, __file__, "--torch", str(number)], check=True, capture_output=True,
                                               text=True, env=environment).stdout)
            theirs.append(answer["images_per_s"])
            memory[1] = answer["peak_mb"]
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(f"{name} {'x'.join(map(str, image))} batch {batch}: convoy {mine:.1f} images/s ({memory[0]:.0f} MB, rest {rest:.1f} %), "
              f"PyTorch {other:.1f} images/s ({memory[1]:.0f} MB), ratio {mine / other:.2f}", flush=True)


if __name__ == "__main__":
    main()
