#!/usr/bin/env python3
"""Write keys.txt: the keys of config.json that the code of some language model in transformers reads.

    python keys.py

A key is in the list if a configuration class of a causal or masked language model has it, or had it in transformers 4,
and the code of such a model reads it as `config.<key>`. A key that is not in the list changes no number of any
architecture. Keys of training (dropout, initialisation, losses), of generation and of outputs are left out.
Needs: transformers 5.
"""

import dataclasses
import importlib
import re
from pathlib import Path

import transformers
from transformers import PretrainedConfig
from transformers.models.auto import configuration_auto as auto
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

HERE = Path(__file__).parent
MODELS = Path(transformers.__file__).parent / "models"

# Read by transformers 4, under names that transformers 5 turns into others before its models read them.
BEFORE = """
alibi original_max_position_embeddings partial_rotary_factor position_embedding_type rope_interleaved rope_local_base_freq rope_pct
rope_scaling rope_theta rotary_emb_base rotary_pct rotary_dim rotary_emb_fraction rotary_emb_interleaved sliding_window_pattern
use_mrope
""".split()

# Read by code, but not by the forward pass at inference of a model of one stream.
LEFT_OUT = re.compile(
    r"dropout|_pdrop$|token_id|initializer|init_std|aux_loss|z_loss|layerdrop|jitter|^use_cache$|^output_|^return_|problem_type|num_labels"
    r"|vision|audio|image|video|speech|gradient_checkpointing|loss|summary_|classifier|pretraining_tp|reduction|label|chunk_size_feed"
    r"|_attn_implementation|^dtype$|tie_word_embeddings|transformers_version|is_decoder|decoder_start"
)


def classes():
    """Configuration classes of language models, with those of their text parts, and the folders of their code."""
    names = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) | set(MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    for model_type in sorted(names):
        module = auto.model_type_to_module_name(model_type)
        try:
            code = importlib.import_module(f"transformers.models.{module}.configuration_{module}")
        except ModuleNotFoundError:
            continue
        for held in vars(code).values():
            if isinstance(held, type) and issubclass(held, PretrainedConfig) and held.__module__ == code.__name__:
                yield held, MODELS / module


def main() -> None:
    keys, folders = set(BEFORE), set()
    for held, folder in classes():
        keys |= {field.name for field in dataclasses.fields(held)} if dataclasses.is_dataclass(held) else set()
        keys |= set(held.attribute_map)
        folders.add(folder)
    code = "\n".join(path.read_text() for folder in sorted(folders) for path in sorted(folder.glob("mod*.py")))
    read = set(re.findall(r"(?:config|cfg)\.([a-z_0-9]+)", code))
    read |= set(re.findall(r"getattr\((?:self\.)?config, \"([a-z_0-9]+)\"", code))
    # A name of the config that stands for another.
    for held, _ in classes():
        read |= {old for old, new in held.attribute_map.items() if new in read}
    listed = sorted(key for key in keys & read | set(BEFORE) if not LEFT_OUT.search(key))
    (HERE / "keys.txt").write_text("\n".join(listed) + "\n")
    print(len(listed), "keys, from transformers", transformers.__version__)


if __name__ == "__main__":
    main()
