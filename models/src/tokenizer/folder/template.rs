//! The tokens that a tokenizer puts around a text.

use tokenizers::Tokenizer as Inner;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::{Template as Pieces, TemplateProcessing};

use super::build::Built;
use super::class::Template;
use super::settings::Settings;

/// Sets the template of a class. `has_json` says whether there is a `tokenizer.json`, which overrules `add_bos_token`
/// and `add_eos_token`.
pub(super) fn set(inner: &mut Inner, template: Template, settings: &Settings, has_json: bool) -> Built<()> {
    let flag = |key: &str| !has_json && settings.flag(key) == Some(true);
    let (bos, eos) = (flag("add_bos_token"), flag("add_eos_token"));
    let processor = match template {
        Template::Given if inner.get_post_processor().is_some() => return Ok(()),
        Template::Given | Template::FromSettings => around(inner, settings, bos, eos)?,
        Template::Bos => around(inner, settings, bos || has_json || settings.flag("add_bos_token").is_none(), eos)?,
        Template::Bert => bert(inner, settings)?,
        Template::Roberta => {
            let [cls, sep] = ["cls_token", "sep_token"].map(|role| with_id(inner, settings, role));
            let trim = settings.flag("trim_offsets").unwrap_or(true);
            let prefix = settings.flag("add_prefix_space").unwrap_or(false);
            RobertaProcessing::new(sep, cls).trim_offsets(trim).add_prefix_space(prefix).into()
        }
    };
    inner.with_post_processor(Some(processor));
    Ok(())
}

/// A BOS in front and an EOS behind, each if it is wanted and there is one.
fn around(inner: &Inner, settings: &Settings, bos: bool, eos: bool) -> Built<PostProcessorWrapper> {
    let token = |role: &str, wanted: bool| settings.role(role).filter(|_| wanted).map(str::to_owned);
    let (bos, eos) = (token("bos_token", bos), token("eos_token", eos));
    let text = |name: &str, kind: u32| {
        let pieces = [bos.clone(), Some(name.to_owned()), eos.clone()];
        pieces.into_iter().flatten().map(move |piece| format!("{piece}:{kind}")).collect::<Vec<_>>()
    };
    let special = [&bos, &eos].into_iter().flatten().cloned().collect();
    join(inner, text("$A", 0), text("$B", 1), special)
}

fn bert(inner: &Inner, settings: &Settings) -> Built<PostProcessorWrapper> {
    let [(cls, _), (sep, _)] = ["cls_token", "sep_token"].map(|role| with_id(inner, settings, role));
    let first = vec![format!("{cls}:0"), "$A:0".into(), format!("{sep}:0")];
    join(inner, first, vec!["$B:1".into(), format!("{sep}:1")], vec![cls, sep])
}

/// A template of one text, continued by that of a second.
fn join(inner: &Inner, first: Vec<String>, second: Vec<String>, special: Vec<String>) -> Built<PostProcessorWrapper> {
    let pair: Vec<String> = first.iter().cloned().chain(second).collect();
    let ids = special.into_iter().map(|token| {
        let id = inner.token_to_id(&token).unwrap_or_default();
        (token, id)
    });
    let template = TemplateProcessing::builder()
        .try_single(Pieces::try_from(first)?)?
        .try_pair(Pieces::try_from(pair)?)?
        .special_tokens(ids.collect::<Vec<_>>())
        .build()?;
    Ok(template.into())
}

/// The token of a role with its id.
fn with_id(inner: &Inner, settings: &Settings, role: &str) -> (String, u32) {
    let token = settings.role(role).unwrap_or_default().to_owned();
    let id = inner.token_to_id(&token).unwrap_or_default();
    (token, id)
}
