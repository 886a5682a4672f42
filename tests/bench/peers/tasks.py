"""Ten common tasks as users of TransformerLens write them, with its own functions where it has them. `tasks.rs` does the same."""
from functools import partial

import torch
from transformer_lens import patching

NEURONS = 256


def metric(logits):
    return logits[0, -1, 0] - logits[0, -1, 1]


def z(layer):
    return f"blocks.{layer}.attn.hook_z"


def each(model, tokens, edits):
    """The metric under each edit, one run at a time."""
    return torch.stack([metric(model.run_with_hooks(tokens, fwd_hooks=[edit])) for edit in edits])


def heads(model):
    return [(layer, head) for layer in range(model.cfg.n_layers) for head in range(model.cfg.n_heads)]


def zero_heads(model, tokens, other):
    def zero(value, hook, head):
        value[:, :, head] = 0
        return value
    return each(model, tokens, [(z(layer), partial(zero, head=head)) for layer, head in heads(model)])


def mean_heads(model, tokens, other):
    def mean(value, hook, head):
        value[:, :, head] = value[:, :, head].mean(1, keepdim=True)
        return value
    return each(model, tokens, [(z(layer), partial(mean, head=head)) for layer, head in heads(model)])


def patched(function, model, tokens, other):
    cache = model.run_with_cache(other)[1]
    return function(model, tokens, cache, metric).flatten()


patch_heads = partial(patched, patching.get_act_patch_attn_head_out_all_pos)
patch_resid_pre = partial(patched, patching.get_act_patch_resid_pre)
patch_attn_out = partial(patched, patching.get_act_patch_attn_out)
patch_mlp_out = partial(patched, patching.get_act_patch_mlp_out)


def cut_edges(model, tokens, other):
    def cut(scores, hook, key):
        scores[:, :, -1, key] = -torch.inf
        return scores
    edges = [(layer, key) for layer in range(model.cfg.n_layers) for key in range(tokens.shape[1])]
    return each(model, tokens, [(f"blocks.{layer}.attn.hook_attn_scores", partial(cut, key=key)) for layer, key in edges])


def zero_neurons(model, tokens, other):
    def zero(value, hook, neuron):
        value[:, :, neuron] = 0
        return value
    site = f"blocks.{model.cfg.n_layers // 2}.mlp.hook_post"
    return each(model, tokens, [(site, partial(zero, neuron=neuron)) for neuron in range(NEURONS)])


@torch.enable_grad()
def attribution_patching(model, tokens, other):
    wanted = lambda name: name.endswith("attn.hook_z")
    source = model.run_with_cache(other, names_filter=wanted)[1]
    values, gradients = {}, {}
    forward = lambda value, hook: values.__setitem__(hook.name, value.detach())
    backward = lambda value, hook: gradients.__setitem__(hook.name, value.detach())
    with model.hooks(fwd_hooks=[(wanted, forward)], bwd_hooks=[(wanted, backward)]):
        metric(model(tokens)).backward()
    model.zero_grad()
    names = [z(layer) for layer in range(model.cfg.n_layers)]
    return torch.cat([((source[name] - values[name]) * gradients[name]).sum((0, 1, 3)) for name in names])


def logit_lens(model, tokens, other):
    cache = model.run_with_cache(tokens)[1]
    streams = cache.accumulated_resid(layer=-1, incl_mid=True, apply_ln=True)
    logits = (streams @ model.W_U + model.b_U)[:, 0]
    target, log_probs, ranks = logits[..., 0], logits.log_softmax(-1)[..., 0], (logits > logits[..., :1]).sum(-1)
    assert log_probs.shape == ranks.shape
    return target.flatten()


def counted(model, task, tokens, other):
    """Forwards of a task, and the blocks that they pass, counted by token."""
    counts = [0, 0]

    def passes(module, args):
        counts[1] += args[0].shape[0] * args[0].shape[1]

    def begins(module, args):
        counts[0] += 1
    hooks = [block.register_forward_pre_hook(passes) for block in model.blocks]
    hooks.append(model.embed.register_forward_pre_hook(begins))
    globals()[task](model, tokens, other)
    for hook in hooks:
        hook.remove()
    return counts
