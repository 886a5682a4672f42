//! The attributes of Arrakis.
//!
//! Each is *parse → check → expand to one call* of an ordinary, tested runtime function. A mistake is
//! reported at the token that holds it, and the user's item is written back out so that one mistake
//! does not become twenty.

use proc_macro::TokenStream;

mod experiment;
mod hooked;
mod mistakes;
mod options;

use experiment::Kind;

/// Makes every named tensor of a Burn module's `forward` readable, editable and differentiable.
///
/// Each `let name = expr;` that binds a float tensor becomes a site called `name`; a call of a field's
/// method whose name begins with `forward` extends the path, `self.field.forward(..)` or by way of a
/// `let`, `if let`, `match` or `for` over it, so a site of a transformer reads `blocks.3.attn.pattern`.
/// The signature does not change, and without the attribute the plain module computes the same bits.
///
/// What would give a site a wrong path or two meanings is an error where it stands: a `forward` of
/// something that is no known field, in a macro or by its type's path, a name bound twice on one
/// path, in a loop or a closure, without a value, or changed after it is bound.
///
/// Options: `inputs(a, b)` makes arguments sites as well; `skip(x)` leaves a binding out, or says that
/// `x.forward(..)` is no part of `self`. A binding whose name starts with `_` is never a site.
#[proc_macro_attribute]
pub fn hooked(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(hooked::expand, args, item)
}

/// Keeps a record of every call: source, arguments, model, result or error.
///
/// The bench is the function's `&Bench` argument, or `bench = expr`. Options: `name = ".."` (the
/// function's name otherwise), `seed = 7`, `tags = ["ioi"]`. Arguments that implement `Serialize` are
/// kept as JSON, others by their type; one whose name starts with `_` is left out.
///
/// The five attributes of an experiment stack in any order. A record that cannot be saved is the
/// function's error where it returns a `Result` that `arrakis::Error` converts into, else a panic; the
/// message says where the record was kept instead.
#[proc_macro_attribute]
pub fn log_experiment(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Log, args, &item), args, item)
}

/// Fills in the arguments marked `#[tool]`, by their types; the caller does not pass them.
///
/// `#[use_tools("logit_lens", mine = MyTool)]` makes a variable of a registered name or a type instead.
/// A tool that cannot be made is the function's error where it returns a `Result` that
/// `arrakis::Error` converts into, else a panic.
#[proc_macro_attribute]
pub fn use_tools(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Tools, args, &item), args, item)
}

/// Lends the body a figure, `#[figure] fig: &mut Figure`, and saves what it drew.
///
/// PNG, SVG and the data go to `<save_dir>/<function>/figures/<record id>-<title>.*`. Options:
/// `name = ".."` (the title), `dir = ".."`. A figure left empty is an error.
#[proc_macro_attribute]
pub fn plot_results(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Plot, args, &item), args, item)
}

/// Measures where the time and memory of a call go: every scope and site of the models it runs.
///
/// The profile is in the record, beside it as a Chrome trace, and in `bench.last()`.
#[proc_macro_attribute]
pub fn profile_model(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Profile, args, &item), args, item)
}

/// Compares the result with a null, by a test named beforehand.
///
/// `claim = ".."` and `null = ..` are needed; the null is a number, a sample (`Vec<f64>`) or draws
/// (`|bench, seed| -> f64` or `-> Result<f64>`). `alternative = Greater`, `alpha = 0.05`, `test = Auto`,
/// `draws = 199`, `seed = 0`, `comparisons = 1`, `family = ".."`, `metric = ".."`, `null_name = ".."` as in
/// `hypothesis::Claim`. `statistic = |result| ..` measures a result that is not itself a number or sample.
/// `margin = 0.1` claims that the result equals the null, within that distance (`test = Tost`); `groups = [".."]` names
/// the group of each value, where values of one group are not independent (`test = ClusterBootstrap`).
///
/// With `bench = expr`, `cargo test` runs `<name>__holds`, which calls the function with `args(..)` and
/// fails where the claim does not hold. Without it no test is written: a claim is about one model.
#[proc_macro_attribute]
pub fn test_hypothesis(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Hypothesis, args, &item), args, item)
}

/// Runs one expander; on an error, writes the error and the item without anything of ours.
fn expand(
    expander: impl Fn(proc_macro2::TokenStream, proc_macro2::TokenStream) -> syn::Result<proc_macro2::TokenStream>,
    args: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    match expander(args.into(), item.clone()) {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let (item, error) = (experiment::stripped(item), error.to_compile_error());
            quote::quote!(#item #error).into()
        }
    }
}
