//! Names of tensors in checkpoints that read images and text: those of the language model as if it were alone.

/// Starts of the language model's names, and what they are in a model of text.
const LANGUAGE: [(&str, &str); 5] = [
    ("language_model.model.", "model."),
    ("language_model.lm_head", "lm_head"),
    ("model.language_model.lm_head", "lm_head"),
    ("model.language_model.", "model."),
    ("model.text_model.", "model."),
];

/// Starts of the names of what reads images, sound and video.
const OTHER: [&str; 9] = [
    "vision_tower.",
    "vision_model.",
    "visual.",
    "multi_modal_projector.",
    "image_newline",
    "connector.",
    "audio_tower.",
    "embed_vision.",
    "embed_audio.",
];

/// The name in a model of text alone.
pub(super) fn text_name(name: &str) -> Option<String> {
    LANGUAGE.iter().find_map(|(start, alone)| Some(format!("{alone}{}", name.strip_prefix(start)?)))
}

/// Whether a tensor belongs to what reads images, sound or video.
pub(super) fn reads_no_text(name: &str) -> bool {
    let inner = name.strip_prefix("model.").unwrap_or(name);
    OTHER.iter().any(|start| inner.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_hand() {
        for (name, alone) in [
            ("language_model.model.layers.0.mlp.up_proj.weight", Some("model.layers.0.mlp.up_proj.weight")),
            ("language_model.lm_head.weight", Some("lm_head.weight")),
            ("model.language_model.norm.weight", Some("model.norm.weight")),
            ("model.layers.0.mlp.up_proj.weight", None),
            ("lm_head.weight", None),
        ] {
            assert_eq!(text_name(name).as_deref(), alone, "{name}");
        }
        assert!(
            reads_no_text("model.visual.blocks.0.x")
                && reads_no_text("vision_tower.x")
                && !reads_no_text("model.norm.weight")
        );
    }
}
