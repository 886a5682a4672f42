"""The peers' side of run.py: one piece of work for each line on stdin, as worker.rs."""
import importlib.metadata
import json
import sys
from functools import partial

import torch
import transformers

SHOWN = 8


def main():
    torch.set_num_threads(int(sys.argv[3]))
    torch.set_grad_enabled(False)
    kind, folder = sys.argv[1], sys.argv[2]
    peer = Lens(folder) if kind == "tl" else HuggingFace(folder, kind.removeprefix("hf-"))
    print(f"ready transformers {transformers.__version__}, torch {torch.__version__}{peer.version}", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(peer, order["work"])(order)), flush=True)


def last(logits):
    return logits[-1, -1, :SHOWN].float().tolist()


def pattern(rows, columns):
    index = torch.arange(rows * columns)
    return (((index % 1009 * 31) % 101).float() / 50 - 1).reshape(rows, columns)


class HuggingFace:
    version = ""

    def __init__(self, folder, attention):
        half = attention.endswith("-bf16")
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation=attention.removesuffix("-bf16"), dtype=torch.bfloat16 if half else torch.float32).eval()

    def forward(self, order):
        return last(self.model(torch.tensor(order["tokens"]), use_cache=False).logits)

    def last(self, order):
        return last(self.model(torch.tensor(order["tokens"]), use_cache=False, logits_to_keep=1).logits)

    made = (None, None, None)

    def product(self, order):
        rows, d_in, d_out = shape = order["shape"]
        if self.made[0] != shape:
            self.made = (shape, pattern(d_out, d_in), pattern(rows, d_in))
        for _ in range(order["times"]):
            out = torch.nn.functional.linear(self.made[2], self.made[1])
        return out[-1, :SHOWN].tolist()

    def generate(self, order):
        tokens = torch.tensor(order["tokens"])
        new = order["new_tokens"]
        out = self.model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=new, min_new_tokens=new,
                                  do_sample=False, pad_token_id=0, eos_token_id=None)
        return out[0].flip(0)[:SHOWN].float().tolist()


class Lens:
    version = f", TransformerLens {importlib.metadata.version('transformer-lens')}" if sys.argv[1:2] == ["tl"] else ""

    def __init__(self, folder):
        from transformer_lens import HookedTransformer, HookedTransformerConfig
        from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
        hf = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
        c = hf.config
        self.model = HookedTransformer(HookedTransformerConfig(
            use_attn_scale=True, d_vocab=c.vocab_size, original_architecture=c.architectures[0], device="cpu", dtype=torch.float32,
            default_prepend_bos=False, d_model=c.n_embd, d_head=c.n_embd // c.n_head, n_heads=c.n_head, d_mlp=4 * c.n_embd,
            n_layers=c.n_layer, n_ctx=c.n_positions, eps=c.layer_norm_epsilon, act_fn=c.activation_function,
            normalization_type="LN"))
        self.model.load_and_process_state_dict(convert_gpt2_weights(hf.eval(), self.model.cfg), fold_ln=False,
                                               center_writing_weights=False, center_unembed=False, fold_value_biases=False)
        self.model.eval()

    def forward(self, order):
        return last(self.model(torch.tensor(order["tokens"])))

    def cache(self, order):
        logits, cache = self.model.run_with_cache(torch.tensor(order["tokens"]))
        assert len(cache) > 12
        return last(logits)

    def zero_heads(self, order):
        tokens = torch.tensor(order["tokens"])

        def zero(z, hook, head):
            z[:, :, head] = 0
            return z

        values = []
        for layer in range(self.model.cfg.n_layers):
            for head in range(self.model.cfg.n_heads):
                hook = (f"blocks.{layer}.attn.hook_z", partial(zero, head=head))
                logits = self.model.run_with_hooks(tokens, fwd_hooks=[hook])[0, -1]
                values.append((logits[0] - logits[1]).item())
        return values[:SHOWN]

    def task(self, order):
        import tasks
        tokens, other = torch.tensor(order["tokens"]), torch.tensor(order["other"])
        if order["count"]:
            return tasks.counted(self.model, order["task"], tokens, other)
        return getattr(tasks, order["task"])(self.model, tokens, other).float().tolist()


main()
