//! The tokenizer class that transformers 5 registers for a `model_type` (`TOKENIZER_MAPPING_NAMES` of
//! `models/auto/tokenization_auto.py`, 5.24).

/// Classes, each with its model types: every one whose vocabulary has a form that is read here. Other types have
/// none registered.
const REGISTERED: &[(&str, &str)] = &[
    (
        "BertTokenizer",
        "bert blip chinese_clip convbert distilbert electra ernie layoutlm megatron-bert nezha nomic_bert \
         qdqbert retribert squeezebert vilt visual_bert",
    ),
    ("CodeLlamaTokenizer", "code_llama"),
    ("CohereTokenizer", "aya_vision cohere cohere2"),
    ("GPT2Tokenizer", "codegen dbrx emu3 gpt2 gpt_neo gptj jais2 opt phi starcoder2"),
    ("GPTNeoXTokenizer", "falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm"),
    (
        "GemmaTokenizer",
        "gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 t5gemma zaya",
    ),
    ("LlamaTokenizer", "idefics idefics2"),
    (
        "Qwen2Tokenizer",
        "internvl ovis2 qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe \
         qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe",
    ),
    ("Qwen3_5Tokenizer", "qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text"),
    ("RobertaTokenizer", "data2vec-text ibert lilt longformer mega mra roberta roberta-prelayernorm"),
    (
        "TokenizersBackend",
        "arctic aria bigbird_pegasus ernie4_5 ernie4_5_moe flex_olmo fuyu glm glm4 glm4_moe glm4v gpt_bigcode \
         granite granitemoe granitemoehybrid granitemoeshared hyperclovax internlm2 internlm3 jamba llava \
         llava_next mimo_v2_flash minicpm3 minimax_m2 ministral ministral3 mistral mistral3 mixtral \
         modernbert modernbert-decoder molmo nemotron olmo2 olmo3 olmo_hybrid persimmon phi3 phi3_v phimoe \
         pixtral smolvlm stablelm umt5 vipllava voxtral xlm-roberta-xl",
    ),
];

/// Types whose published `tokenizer_class` is wrong, so that the registered one is taken instead
/// (`MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS`).
const OVERRULED: &[&str] = &["qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text"];

/// The registered class of a model type.
pub(crate) fn tokenizer_class(model_type: &str) -> Option<&'static str> {
    REGISTERED.iter().find(|(_, types)| types.split(' ').any(|one| one == model_type)).map(|(class, _)| *class)
}

/// Whether the class that the files of this model type name is not to be trusted.
pub(crate) fn overrules_tokenizer_class(model_type: &str) -> bool {
    OVERRULED.contains(&model_type)
}
