//! A module of the user's own may bind any names: each is the site, whatever spelling of the table it looks like.

use burn::tensor::{Device, Tensor};

use super::path::enter;
use super::plan::Plan;
use super::slot::Slot;
use crate::device::read;
use crate::hooks::edit::edit::Edit;
use crate::site::{SITES, canonical};

/// Names and modules that mean something in the table, in Hugging Face's models or in TransformerLens.
const KNOWN: [&str; 24] = [
    "q1",
    "z2",
    "q12",
    "scale4ln1",
    "k6a",
    "hook_x",
    "x_hook",
    "hook_z3",
    "hook_resid_pre",
    "blocks",
    "block",
    "h",
    "layers",
    "transformer",
    "ln_f",
    "wte",
    "model",
    "attn",
    "mlp",
    "experts",
    "self_attn",
    "r#type",
    "größe",
    "_7",
];

/// A small generator: the same names in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn identifier(&mut self) -> String {
        let row = &SITES[self.below(SITES.len())];
        let aliases = [row.name.rsplit('.').next().unwrap(), row.aliases.first().unwrap_or(&"out")];
        let name = aliases[self.below(2)].replace('.', "_");
        match self.below(6) {
            0 => KNOWN[self.below(KNOWN.len())].trim_start_matches("r#").to_owned(),
            1 => format!("hook_{name}"),
            2 => format!("{name}{}", self.below(13)),
            3 => format!("{name}{}ln1", self.below(3)),
            4 => (0..=self.below(4)).map(|_| char::from(b'a' + self.below(26) as u8)).collect(),
            _ => name,
        }
    }

    fn path(&mut self) -> String {
        let first = if self.below(2) == 0 { "blocks".to_owned() } else { self.identifier() };
        let mut path = vec![first];
        for _ in 0..self.below(4) {
            let next = if self.below(2) == 0 { self.below(12).to_string() } else { self.identifier() };
            path.push(next);
        }
        path.join(".")
    }
}

/// What `#[hooked]` expands to: the site `name` in a module at `path`.
fn site(path: &str, name: &'static str, tensor: Tensor<1>) -> Tensor<1> {
    let _scope = (!path.is_empty()).then(|| enter(format_args!("{path}")));
    Slot(tensor).arrakis_pass(name)
}

/// Captures, edits and differentiates `full`, next to a site that a spelling of it would lead to.
fn check(path: &str, name: &'static str) {
    let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let other: &'static str = canonical(&full).ok().filter(|other| *other != full).unwrap_or_default().leak();
    let tensor = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
    let forward = || {
        let decoy = if other.is_empty() { tensor(5.0) } else { site("", other, tensor(5.0)) };
        site(path, name, tensor(2.0)) * 3.0 + decoy
    };
    let run = Plan::new().capture(&full).grad(&full).run(forward).unwrap();
    assert_eq!(run.cache.sites().collect::<Vec<_>>(), [full.as_str()]);
    assert_eq!(read(run.cache.get::<1>(&full).unwrap()).unwrap(), [2.0], "{full}");
    let gradients = run.gradients(run.output.clone()).unwrap();
    assert_eq!(read(gradients.get::<1>(full.as_str()).unwrap()).unwrap(), [3.0], "{full}");
    let edited = Plan::new().edit(&full, Edit::new(|x: Tensor<1>| x + 1.0)).run(forward).unwrap();
    assert_eq!(read(edited.output).unwrap(), [14.0], "{full}");
    let all = Plan::new().capture("*").run(forward).unwrap().cache;
    assert_eq!(read(all.get::<1>(&full).unwrap()).unwrap(), [2.0], "{full}");
    assert_eq!(all.select(&full).unwrap().sites().collect::<Vec<_>>(), [full.as_str()]);
    if let Some((modules, last)) = full.split_once('.') {
        let any_module = format!("{}*.{last}", &modules[..modules.len().min(1)]);
        let selected = Plan::new().capture(any_module.as_str()).run(forward).unwrap().cache;
        assert!(selected.sites().any(|site| site == full), "{any_module} selects {full}");
    }
}

#[test]
fn any_name_on_any_path_is_captured_edited_and_differentiated_under_exactly_that_name() {
    for name in KNOWN {
        for path in ["", "blocks.0", "blocks.3.attn", "transformer.h.2", "layers.0", "h.1.ln_1"] {
            check(path, name.trim_start_matches("r#"));
        }
    }
    let mut draw = Draw(7);
    let mut spelled = 0;
    for _ in 0..300 {
        let path = if draw.below(5) == 0 { String::new() } else { draw.path() };
        let name: &'static str = draw.identifier().leak();
        let full = format!("{path}.{name}");
        spelled +=
            usize::from(canonical(full.trim_start_matches('.')).ok().as_deref() != Some(full.trim_start_matches('.')));
        check(&path, name);
    }
    assert!(spelled > 60, "only {spelled} names look like another spelling");
}

/// The short form of a model's site is nothing in a module of the user's own.
#[test]
fn a_spelling_of_another_site_is_not_met() {
    let forward = || site("blocks.1.attn", "q", Tensor::<1>::from_floats([1.0], &Device::flex()));
    for spelling in ["q1", "blocks.1.q", "blocks.1.attn.hook_q", "hook_q1"] {
        let error = Plan::new().capture(spelling).run(forward).unwrap_err().to_string();
        assert!(error.contains(&format!("`{spelling}`")), "{error}");
        let cache = Plan::new().capture("*").run(forward).unwrap().cache;
        assert!(cache.activation(spelling).is_err(), "{spelling}");
    }
    let cache = Plan::new().capture("*").run(forward).unwrap().cache;
    assert!(cache.activation(("q", 1, "attn")).is_ok() && cache.activation(("q", 1)).is_err());
}
