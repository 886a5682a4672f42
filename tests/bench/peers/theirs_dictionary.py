"""SAELens's side of dictionaries.py: one training for each line on stdin, as dictionary.rs."""
import contextlib
import importlib.metadata
import io
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from sae_lens import (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, GatedTrainingSAE, GatedTrainingSAEConfig,
                      JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, LoggingConfig, StandardTrainingSAE,
                      StandardTrainingSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig)
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

KINDS = {
    "standard": (StandardTrainingSAE, StandardTrainingSAEConfig, dict(l1_coefficient=1.0, l1_warm_up_steps=0)),
    "gated": (GatedTrainingSAE, GatedTrainingSAEConfig, dict(l1_coefficient=1.0, l1_warm_up_steps=0)),
    "topk": (TopKTrainingSAE, TopKTrainingSAEConfig, dict()),
    "topk-sparse": (TopKTrainingSAE, TopKTrainingSAEConfig, dict(use_sparse_activations=True, rescale_acts_by_decoder_norm=False)),
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, dict()),
    "jumprelu": (JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, dict(l0_coefficient=1.0, l0_warm_up_steps=0)),
}


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    start = load_file(folder / "start.safetensors")
    batches = load_file(folder / "activations.safetensors")["x"]
    print(f"ready SAELens {importlib.metadata.version('sae-lens')}, torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        print(json.dumps(trained(json.loads(line), start, batches)), flush=True)


def trained(order, start, batches):
    """The squared error of the first step, and squared error and L0 of the last."""
    kind, config, settings = KINDS[order["architecture"]]
    d_in, d_sae = start["w_enc"].shape
    if "topk" in order["architecture"]:
        settings = dict(settings, k=order["k"])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        sae = kind(config(d_in=d_in, d_sae=d_sae, dtype="float32", device="cpu", **settings))
    with torch.no_grad():
        sae.W_enc.copy_(start["w_enc"])
        sae.W_dec.copy_(start["w_dec"])
    rows = batches.shape[1]
    trainer = SAETrainer(
        SAETrainerConfig(
            total_training_samples=order["steps"] * rows, train_batch_size_samples=rows, device="cpu", autocast=False, lr=3e-4,
            lr_end=3e-4, lr_scheduler_name="constant", lr_warm_up_steps=0, lr_decay_steps=0, n_restart_cycles=1, adam_beta1=0.9,
            adam_beta2=0.999, dead_feature_window=1000, feature_sampling_window=2000, n_checkpoints=0, checkpoint_path=None,
            save_final_checkpoint=False, logger=LoggingConfig(log_to_wandb=False)),
        sae, data_provider=(batches[step % len(batches)] for step in range(order["steps"])))
    errors = []
    step = trainer.step

    def noted(batch):
        output = step(batch)
        errors.append((output.losses["mse_loss"], output.feature_acts))
        del errors[1:-1]
        return output

    trainer.step = noted
    with contextlib.redirect_stderr(io.StringIO()):
        trainer.fit()
    (first, _), (last, acts) = errors[0], errors[-1]
    l0 = acts.coalesce().values().bool().sum() / rows if acts.is_sparse else acts.bool().sum() / rows
    return [first.item(), last.item(), l0.item()]


main()
