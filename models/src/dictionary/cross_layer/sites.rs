//! Where a cross-layer dictionary reads and writes.

use std::path::Path;

use serde_json::Value;

use super::layout::Layout;
use crate::dictionary::formats::{site_of, yaml_value};
use crate::error::Result;
use crate::ground::files;
use crate::site::Site;

/// Limit on the bytes of a config.
const CONFIG: u64 = 1 << 20;

/// The sites of each layer that are read and written, as the config beside the files names them; `None` if it does not.
pub(super) fn sites(folder: &Path, layout: Layout, layers: usize) -> Result<Option<Vec<[Site; 2]>>> {
    let path = folder.join(layout.config());
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let text = files::text(&path, CONFIG)?;
    let hooks = match layout {
        Layout::Pairs => ["feature_input_hook", "feature_output_hook"]
            .map(|key| yaml_value(&text, key).map(|hook| format!("blocks.{{all}}.{hook}"))),
        Layout::Whole => {
            let config: Value = serde_json::from_str(&text).unwrap_or_default();
            ["hf_hook_point_in", "hf_hook_point_out"].map(|key| config[key].as_str().map(str::to_owned))
        }
    };
    let [Some(input), Some(output)] = hooks else { return Ok(None) };
    let of_layer = |layer: usize| -> Result<Option<[Site; 2]>> {
        let (Some(input), Some(output)) = (of_layer(&input, layer), of_layer(&output, layer)) else { return Ok(None) };
        Ok(Some([site_of(&input)?, site_of(&output)?]))
    };
    (0..layers).map(of_layer).collect()
}

/// A hook whose layer is written `{all}`, or as the list of those that are read, `{5,9,12,15}`.
fn of_layer(hook: &str, layer: usize) -> Option<String> {
    let (before, rest) = hook.split_once('{')?;
    let (layers, after) = rest.split_once('}')?;
    let own = if layers == "all" { layer.to_string() } else { layers.split(',').nth(layer)?.trim().to_owned() };
    Some(format!("{before}{own}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_by_hand() {
        let all = "model.layers.{all}.pre_feedforward_layernorm.output";
        assert_eq!(of_layer(all, 3).as_deref(), Some("model.layers.3.pre_feedforward_layernorm.output"));
        assert_eq!(of_layer("model.layers.{5,9, 12}.output", 2).as_deref(), Some("model.layers.12.output"));
        assert_eq!(of_layer("model.layers.{5,9}.output", 2), None);
        assert_eq!(of_layer("model.layers.5.output", 0), None);
    }
}
