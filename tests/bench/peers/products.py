"""Rates of matrix products beside PyTorch's linear layers: `x Wᵀ` in float32, widths of 768 to 4096, few rows and many. `in` and `out` are
those of an MLP; `tied` has the shape of `in`, with the weight as an embedding lies, for the unembedding tied to it.

    python tests/bench/peers/products.py           # every cell
    python tests/bench/peers/products.py 4096 -n 3
"""
import os
import statistics

from run import HERE, Worker, build, environment, machine, model, parse, same

WIDTHS = [768, 1024, 2048, 4096]
ROWS = [1, 16, 64, 512, 1024]
# Multiplications with their additions in a measurement.
WORK = 12e9


def main():
    options = parse(__doc__)
    python, ours = environment(options.folder, "hf"), build()
    weights = model(python, options.folder, "gpt2")
    print(machine(), "\n")
    print("GFLOP/s, ours · PyTorch's, and ours ÷ theirs.\n")
    print("| d_model | product | " + " | ".join(f"{rows} rows" if rows > 1 else "1 row" for rows in ROWS) + " |")
    print("| --- | --- |" + " --- |" * len(ROWS))
    with Worker([ours, weights]) as a, Worker([python, HERE / "theirs.py", "hf-sdpa", weights, os.cpu_count()]) as b:
        for width in WIDTHS:
            for name, d_in, d_out in [("in", width, 4 * width), ("out", 4 * width, width), ("tied", width, 4 * width)]:
                if all(word in f"{width} {name}" for word in options.rows):
                    cells = [cell(a, b, [rows, d_in, d_out], name == "tied", options.n) for rows in ROWS]
                    print(f"| {width} | {name} | " + " | ".join(cells) + " |", flush=True)


def cell(a, b, shape, tied, n):
    rows, d_in, d_out = shape
    each = rows * d_in * d_out
    order = dict(work="product", tokens=[[0]], shape=shape, tied=tied, times=max(1, round(WORK / each / (4 if rows == 1 else 1))))
    (ours, *_), (theirs, *_) = a.do(order), b.do(order)
    scale = max(1, *map(abs, theirs))
    assert same([x / scale for x in ours], [y / scale for y in theirs]), f"{shape}: {ours} and {theirs}"
    pairs = [(a.do(order)[1], b.do(order)[1]) for _ in range(n)]
    rate = lambda side: 2 * each * order["times"] / statistics.median(pair[side] for pair in pairs) / 1e6
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return f"{rate(0):.0f} · {rate(1):.0f}, **{ratio:.2f}**"


if __name__ == "__main__":
    main()
