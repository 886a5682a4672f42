"""Times Arrakis in turn with the packages people use now: the same weights, tokens and machine, one process each.

    python tests/bench/peers/run.py                 # makes an environment and models in --folder, runs every row
    python tests/bench/peers/run.py gpt2 -n 7       # rows whose name contains gpt2, 7 rounds

A row's work is done by ours, then by theirs, then by ours .. . Wall time is the time to the answer; CPU time and peak memory are
what Linux has in /proc for the process. Answers are compared: a row whose answers differ is not timed.
"""
import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
# An environment each, because they ask for different versions of transformers. TransformerLens 4 has no HookedTransformer.
ENVIRONMENTS = {
    "hf": (["torch", "transformers", "numpy"], "import torch, transformers"),
    "tl": (["torch", "transformer-lens==2.18.0", "pyarrow<22"], "from transformer_lens import HookedTransformer"),
}
# d_model, layers, heads, key-value heads, d_mlp, vocabulary: SmolLM2-135M, and two wider ones.
LLAMAS = {
    "llama-135M": (576, 30, 9, 3, 1536, 49152),
    "llama-358M": (1024, 24, 16, 8, 2816, 32000),
    "llama-1.1B": (2048, 22, 32, 4, 5632, 32000),
}
# Llama 2's smaller shape: float32 weights of it fill 27 GB, so it is made and run in bfloat16.
LARGE = {"llama-6.7B": (4096, 32, 32, 32, 11008, 32000)}
# name, model, work, batch, positions, peers
ROWS = [
    ("gpt2 forward 8x128", "gpt2", dict(work="forward"), 8, 128, ["hf-eager", "hf-sdpa"]),
    ("gpt2 forward 1x128", "gpt2", dict(work="forward"), 1, 128, ["hf-eager", "hf-sdpa"]),
    ("gpt2 forward 1x1024", "gpt2", dict(work="forward"), 1, 1024, ["hf-eager", "hf-sdpa"]),
    ("gpt2 cache of everything 1x128", "gpt2", dict(work="cache"), 1, 128, ["tl"]),
    ("gpt2 144 heads zeroed 1x15", "gpt2", dict(work="zero_heads"), 1, 15, ["tl"]),
    ("gpt2 64 tokens generated after 16", "gpt2", dict(work="generate", new_tokens=64), 1, 16, ["hf-sdpa"]),
    *[(f"{name} forward 1x{pos}", name, dict(work="forward"), 1, pos, ["hf-eager", "candle-mi"]) for name in LLAMAS for pos in (64, 512)],
    *[(f"llama-1.1B bfloat16 {what}", "llama-1.1B", work, 1, 16, ["hf-sdpa-bf16"])
      for what, work in [("forward 1x16", dict(work="forward")), ("16 tokens generated after 16", dict(work="generate", new_tokens=16))]],
    ("llama-135M forward 1x4096", "llama-135M", dict(work="forward"), 1, 4096, ["hf-eager"]),
]


def main():
    options = parse()
    folder, ours = options.folder, build()
    hf = environment(folder, "hf")
    rows = [row for row in ROWS if all(word in row[0] for word in options.rows)]
    print(machine(), "\n")
    print("| work | ours, ms (CPU ms; MB) | theirs | ms (CPU ms; MB) | theirs ÷ ours, wall | lowest to highest | CPU |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        model_folder = model(hf, folder, row[1])
        for peer in row[5]:
            half = peer.endswith("-bf16")
            weights = halved(hf, model_folder) if half else model_folder
            with Worker([ours, weights, *["half"] * half]) as a, Worker(command(folder, peer, weights)) as b:
                print(line(row, f"{peer} ({b.versions})", *rounds(a, b, row, options.n, not half)), flush=True)


def command(folder, peer, model_folder):
    """What starts a peer."""
    if peer == "candle-mi":
        return [candle_mi(folder), model_folder]
    python = environment(folder, peer.split("-")[0])
    return [python, HERE / "theirs.py", peer, model_folder, os.cpu_count()]


def candle_mi(folder):
    """The Rust peer, built for release in a folder of its own."""
    target = folder / "candle-mi"
    build = [os.environ.get("CARGO", "cargo"), "build", "--release", "--target-dir", target]
    subprocess.run(build, cwd=HERE / "candle_mi", check=True)
    return target / "release/candle-mi-peer"


def parse(doc=__doc__):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="words that the names of rows contain")
    parser.add_argument("-n", type=int, default=5, help="rounds of each row, after one that is not counted")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache/arrakis/peers",
                        help="for the Python environment and the models, outside the repository")
    return parser.parse_args()


def environment(folder, kind):
    """This Python if it has what the peer needs, else an environment in the folder."""
    packages, needs = ENVIRONMENTS[kind]
    if subprocess.run([sys.executable, "-c", needs], capture_output=True).returncode == 0:
        return sys.executable
    python = folder / kind / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / kind], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def build():
    """The worker in the workspace's dev profile, which is what people run."""
    command = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--workspace", "--bench", "peers", "--message-format", "json"]
    out = subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, out.splitlines())
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "peers")


def model(python, folder, name):
    """A folder with random weights, made once. They are drawn larger than at initialisation, so that logits differ."""
    out = folder / "models" / name
    if not any((out / file).exists() for file in ("model.safetensors", "model.safetensors.index.json")):
        large = name in LARGE
        if name == "gpt2":
            config = "transformers.GPT2Config(initializer_range=0.05)"
        else:
            d, layers, heads, kv, mlp, vocab = (LARGE if large else LLAMAS)[name]
            config = (f"transformers.LlamaConfig(hidden_size={d}, num_hidden_layers={layers}, num_attention_heads={heads}, "
                      f"num_key_value_heads={kv}, intermediate_size={mlp}, vocab_size={vocab}, max_position_embeddings=8192, "
                      f"tie_word_embeddings={not large}, initializer_range=0.04)")
        dtype, shard = ("bfloat16", "2GB") if large else ("float32", "20GB")
        make = (f"import torch, transformers; torch.manual_seed(0); c = {config}; m = transformers.AutoModelForCausalLM"
                f".from_config(c, dtype=torch.{dtype}); m.save_pretrained({str(out)!r}, max_shard_size={shard!r})")
        subprocess.run([python, "-c", make], check=True, stdout=subprocess.DEVNULL)
    return out


def halved(python, folder):
    """The same checkpoint in bfloat16."""
    out = folder.with_name(folder.name + "-bf16")
    if not (out / "model.safetensors").exists():
        make = (f"import torch, transformers; transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r}, dtype=torch.bfloat16)"
                f".save_pretrained({str(out)!r}, max_shard_size='20GB')")
        subprocess.run([python, "-c", make], check=True, stdout=subprocess.DEVNULL)
    return out


class Worker:
    """A process that answers one line with one line, after a line that says which versions it has."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not (line := self.process.stdout.readline()).startswith("ready"):
            assert line, "the worker ended; its error is above"
        self.versions = line.removeprefix("ready").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def proc(self, name):
        return Path(f"/proc/{self.process.pid}/{name}")

    def cpu(self):
        fields = self.proc("stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        status = self.proc("status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024

    def do(self, order):
        """The answer, wall ms, CPU ms and the highest resident MB."""
        self.proc("clear_refs").write_text("5")
        cpu, start = self.cpu(), time.perf_counter()
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the worker ended; its error is above"
        wall = time.perf_counter() - start
        return json.loads(answer), 1000 * wall, 1000 * (self.cpu() - cpu), self.peak()


def rounds(a, b, row, n, compare=True):
    """Pairs of (wall, CPU, peak), ours and theirs in turn, after a round that is not counted. In bfloat16 theirs rounds activations
    too, so answers are not compared."""
    draw = random.Random(0)
    tokens = [[draw.randrange(30000) for _ in range(row[4])] for _ in range(row[3])]
    order = dict(row[2], tokens=tokens)
    (ours, *_), (theirs, *_) = a.do(order), b.do(order)
    assert not compare or same(ours, theirs), f"{row[0]}: the answers differ: {ours} and {theirs}"
    pairs = [(a.do(order)[1:], b.do(order)[1:]) for _ in range(n)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def same(ours, theirs):
    return len(ours) == len(theirs) and all(abs(x - y) <= 1e-3 * max(1, abs(y)) for x, y in zip(ours, theirs))


def line(row, peer, ours, theirs):
    middle = lambda side, k: statistics.median(measured[k] for measured in side)
    cell = lambda side: f"{middle(side, 0):.0f} ({middle(side, 1):.0f}; {middle(side, 2):.0f})"
    ratios = sorted(theirs[0] / ours[0] for ours, theirs in zip(ours, theirs))
    cpu = statistics.median(theirs[1] / max(ours[1], 1) for ours, theirs in zip(ours, theirs))
    return (f"| {row[0]} | {cell(ours)} | {peer} | {cell(theirs)} | **{statistics.median(ratios):.2f}** | "
            f"{ratios[0]:.2f} to {ratios[-1]:.2f} | {cpu:.2f} |")


def machine():
    text = Path("/proc/cpuinfo").read_text()
    name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    simd = "AVX-512" if "avx512f" in text else "AVX2" if "avx2" in text else "neither AVX2 nor AVX-512"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    return f"{name}, {os.cpu_count()} cores, {simd}, {platform.system()}; commit {commit}; medians of rounds in turn."


if __name__ == "__main__":
    main()
