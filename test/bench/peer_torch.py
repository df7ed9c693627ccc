"""PyTorch as a contender of the benchmarks: it trains a network of Nets.pm with Adam.

    peer_torch.py NET INPUT CLASSES THREADS BATCH SECONDS [VARIANTS]

NET is an expression over torch.nn, INPUT a shape as 3x32x32. The network gives a logit for each class, or one for two
classes. The protocol is that of engine.c: "ready PARAMETERS VARIANT", then the commands block and memory.

What is measured is PyTorch at its best: every variant (as it is or traced, contiguous or channels last, and Adam
fused where that exists) is tried for SECONDS, and the fastest one stays. VARIANTS, a list with commas, allows only
some. The environment that PyTorch is fastest in is set by the caller (see Peers.pm).
"""

import sys
import time
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")


class Rescaling(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


class Residual(nn.Module):
    def __init__(self, body, around):
        super().__init__()
        self.body, self.around = body, around

    def forward(self, x):
        return F.relu(self.body(x) + self.around(x))


def network(text):
    return eval(text, {**vars(nn), "Rescaling": Rescaling, "Residual": Residual})


def count(model):
    """Parameters as Keras counts them: a normalization's running mean and variance are among them."""
    kept = [b for name, b in model.named_buffers() if not name.endswith("num_batches_tracked")]
    return sum(t.numel() for t in [*model.parameters(), *kept])


def entropy(out, y):
    if out.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(out[:, 0], y.float())
    return F.cross_entropy(out, y)


def training(text, x, y, variant):
    """A function that makes one step of the training, and the number of parameters."""
    torch.manual_seed(0)
    words = variant.split("+")
    model = network(text).train()
    if "channels_last" in words:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    parameters, number = list(model.parameters()), count(model)
    if "trace" in words:
        model = torch.jit.trace(model, x, check_trace=False)
    # So small that the weights stay where they are: no contender sees its data becoming easy.
    optimizer = torch.optim.Adam(parameters, lr=1e-6, eps=1e-7, **({"fused": True} if "fused" in words else {}))

    def step():
        optimizer.zero_grad(set_to_none=True)
        entropy(model(x), y).backward()
        optimizer.step()

    return step, number


def run(step, seconds):
    """Steps until the time is over; how many, and the time that they took."""
    start, steps = time.perf_counter(), 0
    while True:
        step()
        steps += 1
        took = time.perf_counter() - start
        if took >= seconds:
            return steps, took


def all_variants(rank):
    ways = ["eager", "trace"]
    if rank == 4:
        ways += [way + "+channels_last" for way in ways]
    if int(torch.__version__.split(".")[0]) >= 2:
        ways += [way + "+fused" for way in ways]
    return ways


def fastest(text, x, y, variants, seconds):
    best = None
    for variant in variants:
        try:
            step, number = training(text, x, y, variant)
            for _ in range(4):  # a traced network is compiled by its first calls
                step()
            steps, took = run(step, seconds)
        except RuntimeError as e:
            print(f"peer_torch.py: {variant}: {e}", file=sys.stderr)
            continue
        if best is None or steps / took > best[0]:
            best = steps / took, step, number, variant
    return best[1:]


def process_bytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


def main():
    text, shape, classes, threads, batch, seconds = sys.argv[1:7]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    batch = int(batch)
    x = torch.rand(batch, *map(int, shape.split("x"))) - 0.5
    y = torch.randint(int(classes), (batch,))
    variants = sys.argv[7].split(",") if len(sys.argv) > 7 else all_variants(x.dim())
    reset_peak()
    before = process_bytes("VmRSS")
    step, number, variant = fastest(text, x, y, variants, float(seconds))
    print("ready", number, variant, flush=True)
    for line in sys.stdin:
        command, *argument = line.split()
        if command == "block":
            steps, took = run(step, float(argument[0]))
            print("block", steps * batch, took, flush=True)
        elif command == "memory":
            print("memory", process_bytes("VmHWM") - before, flush=True)
        else:
            print("failed unknown command", flush=True)


main()
