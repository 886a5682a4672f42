//! `SAELens`'s names of architectures.

use crate::dictionary::architectures::{Architecture, BatchTopK, Gated, JumpRelu, Matryoshka, Standard, TopK};
use crate::ground::nearest::nearest;

/// What the name of an architecture in `cfg.json` says, apart from its settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) architecture: Architecture,
    pub(super) transcodes: bool,
    pub(super) skip: bool,
}

const NAMES: [&str; 10] = [
    "standard",
    "gated",
    "topk",
    "batchtopk",
    "matryoshka_batchtopk",
    "jumprelu",
    "transcoder",
    "skip_transcoder",
    "jumprelu_transcoder",
    "jumprelu_skip_transcoder",
];

/// The architecture of a name, with default settings.
///
/// # Errors
///
/// What is wrong with the name, and the nearest known one.
pub(super) fn named(name: &str) -> Result<Named, String> {
    let plain = |architecture: Architecture| Named { architecture, transcodes: false, skip: false };
    let transcoder = |architecture: Architecture, skip| Named { architecture, transcodes: true, skip };
    let matryoshka = || Matryoshka { top: BatchTopK::default(), widths: Vec::new() };
    Ok(match name {
        "standard" => plain(Standard.into()),
        "gated" => plain(Gated.into()),
        "topk" => plain(TopK::default().into()),
        "batchtopk" => plain(BatchTopK::default().into()),
        "matryoshka_batchtopk" => plain(matryoshka().into()),
        "jumprelu" => plain(JumpRelu::default().into()),
        "transcoder" => transcoder(Standard.into(), false),
        "skip_transcoder" => transcoder(Standard.into(), true),
        "jumprelu_transcoder" => transcoder(JumpRelu::default().into(), false),
        "jumprelu_skip_transcoder" => transcoder(JumpRelu::default().into(), true),
        other => {
            let near = nearest(other, &NAMES).unwrap_or_default();
            return Err(format!(
                "`architecture` is \"{other}\", which is not read; did you mean `{near}`? Known are {}",
                NAMES.join(", ")
            ));
        }
    })
}

/// The name that `SAELens` runs a dictionary under.
///
/// # Errors
///
/// Why it has none.
pub(super) fn name_of(named: &Named) -> Result<&'static str, String> {
    let (transcodes, skip) = (named.transcodes, named.skip);
    Ok(match (&named.architecture, transcodes, skip) {
        (Architecture::Standard(_), false, _) => "standard",
        (Architecture::Gated(_), false, _) => "gated",
        (Architecture::TopK(_), false, _) => "topk",
        (Architecture::JumpRelu(_) | Architecture::BatchTopK(_) | Architecture::Matryoshka(_), false, _) => "jumprelu",
        (Architecture::Standard(_), true, false) => "transcoder",
        (Architecture::Standard(_), true, true) => "skip_transcoder",
        (Architecture::JumpRelu(_) | Architecture::BatchTopK(_) | Architecture::Matryoshka(_), true, false) => {
            "jumprelu_transcoder"
        }
        (Architecture::JumpRelu(_) | Architecture::BatchTopK(_) | Architecture::Matryoshka(_), true, true) => {
            "jumprelu_skip_transcoder"
        }
        (other, true, _) => return Err(format!("SAELens has no transcoder of the architecture `{}`", other.name())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in NAMES.into_iter().filter(|name| !name.contains("batchtopk")) {
            assert_eq!(name_of(&named(name).unwrap()), Ok(name));
        }
        assert_eq!(name_of(&named("batchtopk").unwrap()), Ok("jumprelu"), "as it is saved");
        let error = named("jump_relu").unwrap_err();
        assert!(
            error.starts_with("`architecture` is \"jump_relu\", which is not read; did you mean `jumprelu`?"),
            "{error}"
        );
        let top = Named { transcodes: true, ..named("topk").unwrap() };
        assert_eq!(name_of(&top), Err("SAELens has no transcoder of the architecture `topk`".into()));
    }
}
