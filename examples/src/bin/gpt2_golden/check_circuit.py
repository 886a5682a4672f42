"""The three numbers of the circuit as a whole, computed by PyTorch's hooks from the sentences that `gpt2_golden` drew.

    python check_circuit.py FOLDER experiments/gpt2_golden/sentences.json

FOLDER holds GPT-2 small, or random weights of its shape. Needs torch and transformers. Weights are processed as
TransformerLens 2 does for the first number (norms folded in, what writes to the stream and the unembedding centred).
"""

import collections
import json
import sys

import numpy
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

MOVERS = [(9, 9), (9, 6), (10, 0)]
BACKUP = [(9, 0), (9, 7), (10, 1), (10, 2), (10, 6), (10, 10), (11, 2), (11, 9)]
NEGATIVE = [(10, 7), (11, 10)]
INHIBITION = [(7, 3), (7, 9), (8, 6), (8, 10)]
INDUCTION = [(5, 5), (5, 8), (5, 9), (6, 9)]
DUPLICATE = [(0, 1), (0, 10), (3, 0)]
PREVIOUS = [(2, 2), (4, 11)]

folder, sentences = sys.argv[1], json.load(open(sys.argv[2]))
model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
d = model.config.n_embd // model.config.n_head
blocks = model.transformer.h
ids = lambda text: tokenizer(text)["input_ids"]


def run(rows, edit=None):
    """Logits at the end, `z` of each layer and attention patterns."""
    z = {}

    def hook(layer):
        def change(_module, inputs):
            value = inputs[0] if edit is None else edit(layer, inputs[0].clone())
            z[layer] = value
            return (value,)

        return change

    handles = [block.attn.c_proj.register_forward_pre_hook(hook(layer)) for layer, block in enumerate(blocks)]
    with torch.no_grad():
        found = model(torch.tensor(rows), output_attentions=True)
    for handle in handles:
        handle.remove()
    return found.logits[:, -1], z, found.attentions


by_template = collections.defaultdict(list)
for sentence in sentences:
    by_template[sentence["template"]].append(ids(sentence["unnamed"]))
means = {template: {k: v.mean(0) for k, v in run(rows)[1].items()} for template, rows in by_template.items()}

groups = collections.defaultdict(list)
for sentence in sentences:
    row = ids(sentence["text"])
    at = [i for i, token in enumerate(row) if token == sentence["s"]]
    groups[sentence["template"], at[0], at[-1]].append((row, sentence))


def silenced(template, is_silenced):
    def edit(layer, z):
        for head in range(model.config.n_head):
            for pos in range(z.shape[1]):
                if is_silenced(layer, head, pos):
                    z[:, pos, head * d : head * d + d] = means[template][layer][pos, head * d : head * d + d]
        return z

    return edit


# The unembedding with the last norm folded in, centred over the vocabulary, and what heads write, centred.
w_u = (model.lm_head.weight * model.transformer.ln_f.weight).detach()
w_u = w_u - w_u.mean(1, keepdim=True)
w_u = w_u - w_u.mean(0, keepdim=True)

sums, points = collections.Counter(), collections.defaultdict(list)
for (template, first, last), members in groups.items():
    rows = [row for row, _ in members]
    end = len(rows[0]) - 1
    kept = {place: end for place in MOVERS + BACKUP + NEGATIVE + INHIBITION}
    kept |= {place: last for place in INDUCTION + DUPLICATE} | {place: first + 1 for place in PREVIOUS}
    difference = lambda logits: sum((logits[i, s["io"]] - logits[i, s["s"]]).item() for i, (_, s) in enumerate(members))
    logits, z, attentions = run(rows)
    sums["model"] += difference(logits)
    knocked = silenced(template, lambda layer, head, pos: (layer, head) in MOVERS and pos == end)
    sums["without movers"] += difference(run(rows, knocked)[0])
    others = silenced(template, lambda layer, head, pos: kept.get((layer, head)) != pos)
    sums["circuit"] += difference(run(rows, others)[0])
    for layer, head in MOVERS:
        written = z[layer][:, -1, head * d : head * d + d] @ blocks[layer].attn.c_proj.weight[head * d : head * d + d].detach()
        for i, (row, sentence) in enumerate(members):
            for name in (sentence["io"], sentence["s"]):
                at = [pos for pos, token in enumerate(row) if token == name]
                points[layer, head].append((attentions[layer][i, head, -1, at].sum().item(), (written[i] @ w_u[name]).item()))

n = len(sentences)
print({key: value / n for key, value in sums.items()})
print("lost without the name movers", 1 - sums["without movers"] / sums["model"])
print("faithfulness gap", (sums["model"] - sums["circuit"]) / n, "circuit / model", sums["circuit"] / sums["model"])
correlations = {key: numpy.corrcoef(numpy.array(value).T)[0, 1] for key, value in points.items()}
print("correlations", correlations, "lowest", min(correlations.values()))
