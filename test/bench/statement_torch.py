"""The training of statement.sql in PyTorch, as its user would write it to be fast.

    statement_torch.py DIR THREADS EPOCHS      prints "SECONDS ACCURACY"

The images are in memory before the time begins. Each epoch has an order of its own; a batch of bytes is gathered and
scaled; the network, the initial weights, the loss and Adam's constants are Keras's. Channels last, which is its
fastest here, and traced if a short trial says so.
"""

import sys
import time
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
BATCH = 32


def load(paths):
    raw = torch.cat([torch.frombuffer(bytearray(open(p, "rb").read()), dtype=torch.uint8) for p in paths])
    rows = raw.view(-1, 3073)
    images = rows[:, 1:].reshape(-1, 3, 32, 32).to(memory_format=torch.channels_last)
    return images, rows[:, 0].long()


def network():
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
    for layer in model:
        if hasattr(layer, "bias"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model.to(memory_format=torch.channels_last)


def scaled(images):
    return images.float().mul_(1 / 255)


def prepare(images, traced):
    torch.manual_seed(1)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
    if traced:
        model = torch.jit.trace(model, scaled(images[:BATCH]))
    return model, optimizer


def train(model, optimizer, images, labels, order):
    for rows in order.split(BATCH):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(scaled(images[rows])), labels[rows]).backward()
        optimizer.step()


def trial(images, labels, traced):
    contender = prepare(images, traced)
    train(*contender, images, labels, torch.arange(5 * BATCH))
    start = time.perf_counter()
    train(*contender, images, labels, torch.arange(100 * BATCH))
    return time.perf_counter() - start


def accuracy(model, images, labels):
    with torch.inference_mode():
        right = sum((model(scaled(x)).argmax(1) == y).sum().item()
                    for x, y in zip(images.split(1000), labels.split(1000)))
    return right / len(labels)


def main():
    folder, threads, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    images, labels = load([f"{folder}/data_batch_{i}.bin" for i in range(1, 6)])
    traced = trial(images, labels, True) < trial(images, labels, False)
    start = time.perf_counter()
    model, optimizer = prepare(images, traced)
    for _ in range(epochs):
        train(model, optimizer, images, labels, torch.randperm(len(labels)))
    seconds = time.perf_counter() - start
    print(seconds, accuracy(model, *load([f"{folder}/test_batch.bin"])))


main()
