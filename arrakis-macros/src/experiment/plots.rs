//! The plots of `#[plot_results(..)]` and their prompt.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, FnArg, Ident, Pat};

use super::function::Function;
use super::inputs::{Input, with_own};
use super::options::Options;
use super::spec::Spec;
use crate::mistakes::Mistakes;

/// Arguments of these names are the prompt if no other is named.
const PROMPTS: [&str; 4] = ["prompt", "prompts", "tokens", "text"];

/// The prompt of the plots: `prompt = ..`, or else the argument with the name of a prompt. `None` without plots.
pub(crate) fn prompt(options: &Options, function: &Function, mistakes: &mut Mistakes) -> Option<Expr> {
    let given = options.get("prompt");
    let Some(first) = options.specs().first() else {
        if let Some(key) = options.key("prompt") {
            let fix = "name a plot, such as `attention(\"blocks.*.attn.pattern\")`, or remove it";
            mistakes.at(key.span(), format!("`prompt` is what plots are drawn on, and there is none: {fix}"));
        }
        return None;
    };
    if let Some(prompt) = given {
        return Some(prompt.clone());
    }
    let named: Vec<Ident> = function.sig.inputs.iter().filter_map(argument).filter(is_a_prompt).collect();
    if let [only] = &named[..] {
        return Some(syn::parse_quote!(#only));
    }
    let which = if named.is_empty() { "no argument is called `prompt`" } else { "several arguments may be the prompt" };
    let message = format!("`{}` is drawn on a prompt, and {which}: say which it is with `prompt = ..`", first.name);
    mistakes.at(first.name.span(), message);
    None
}

fn argument(arg: &FnArg) -> Option<Ident> {
    match arg {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pat) => Some(pat.ident.clone()),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}

fn is_a_prompt(name: &Ident) -> bool {
    PROMPTS.iter().any(|prompt| name == prompt)
}

/// `.plots([..], &prompt)`
pub(crate) fn step(options: &Options, prompt: &Expr, inputs: &[Input]) -> TokenStream {
    let specs = options.specs().iter().map(Spec::made);
    let specs = with_own(inputs, quote!([#(#specs),*]));
    quote_spanned!(prompt.span()=> .plots(#specs, &#prompt))
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;
    use crate::mistakes::tests::messages;

    /// The step of the runtime, and the mistakes.
    fn plots(options: &str, arguments: &str) -> (String, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let options = Options::read(Kind::Plot, options.parse().unwrap(), &mut mistakes);
        let function = Function::parse(Kind::Plot, &format!("fn f({arguments}) {{}}").parse().unwrap()).unwrap();
        let prompt = prompt(&options, &function, &mut mistakes);
        let step = prompt.map(|prompt| step(&options, &prompt, &[]).to_string()).unwrap_or_default();
        (step, mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new()))
    }

    #[test]
    fn plots_are_built_in_order_on_the_argument_with_the_name_of_a_prompt() {
        let text = "attention(\"a\", heads = [0]), name = \"n\", residual_norms(), heatmap(SITE, \"b\", title = \"t\")";
        let expected = quote! {
            .plots([
                __arrakis::plots::attention().site("a").heads([0]),
                __arrakis::plots::residual_norms(),
                __arrakis::plots::heatmap().site(SITE).site("b").title("t")
            ], &tokens)
        };
        assert_eq!(plots(text, "bench: &Bench, layer: usize, tokens: &Tokens"), (expected.to_string(), vec![]));
        assert!(plots("qk(), prompt = words", "words: &str, prompt: u8").0.ends_with("& words)"));
        assert_eq!(plots("name = \"n\"", "prompt: &str"), (String::new(), vec![]));
    }

    #[test]
    fn a_prompt_that_is_missing_or_unclear_or_unused_is_refused() {
        let fix = "say which it is with `prompt = ..`";
        assert_eq!(
            plots("qk()", "bench: &Bench, words: &str").1,
            [format!("`qk` is drawn on a prompt, and no argument is called `prompt`: {fix}")]
        );
        assert_eq!(
            plots("qk()", "prompt: &str, tokens: &str").1,
            [format!("`qk` is drawn on a prompt, and several arguments may be the prompt: {fix}")]
        );
        assert_eq!(
            plots("prompt = words", "words: &str").1,
            [
                "`prompt` is what plots are drawn on, and there is none: name a plot, such as `attention(\"blocks.*.attn.pattern\")`, or remove it"
            ]
        );
        assert_eq!(plots("qk(3)", "prompt: u8").1, ["a site is a text, such as `\"blocks.*.attn.pattern\"`"]);
    }
}
