//! The attributes of Arrakis.
//!
//! Each attribute is *parse → check → expand to one call* of an ordinary, tested runtime function. A mistake is
//! reported at its token. The user's item is emitted as well, so that one mistake does not become twenty.

use proc_macro::TokenStream;

mod experiment;
mod hooked;
mod krate;
mod mistakes;
mod options;
mod tracked;

use experiment::Kind;

/// Makes every named tensor in the `forward` of a Burn module readable, editable and differentiable.
///
/// Each `let name = expr;` that binds a float tensor becomes a site called `name`. A call `self.field.forward(..)` adds
/// the field to the path, so a site of a transformer is called `blocks.3.attn.pattern`. The method's name need only begin
/// with `forward`. The signature does not change. Without the attribute the plain module computes the same bits.
///
/// **Names.** A site has the name that the module binds, whatever it is. Other spellings (`z3`, `hook_z`) exist only in
/// Arrakis's own models.
///
/// **Paths.** A path is fixed where the module is bound: by a field, an index, a map's key, a `let`, `if let`, `match` or
/// `for`. The index is read there and not again. An enum variant with one module has the path of its field (`kind`);
/// tuple structs and other variants have numbers (`w.0`), `Some` and `Box` have nothing. A closure that runs a module of
/// `self` keeps the path of its method. A module that is handed to another function has the path of the caller.
///
/// **Values.** Only float tensors are sites; all other values pass. A tensor bound with `mut`, in a loop, without a value
/// or twice under one name is a compile error. If only the run can tell that two `let`s of one name both ran, the run
/// fails and names their lines. `#[cfg]` is respected everywhere.
///
/// Anything that would give a site a wrong path or two meanings is a compile error at its place, with the fix.
///
/// Options: `inputs(a, b)` makes arguments sites as well. `skip(x)` leaves a binding out, or says that `x.forward(..)`
/// is not part of `self`. A binding whose name starts with `_` is never a site.
#[proc_macro_attribute]
pub fn hooked(args: TokenStream, item: TokenStream) -> TokenStream {
    let together = |args, item| match experiment::below(&args, &item) {
        Some(below) => Ok(below),
        None => hooked::expand(args, item),
    };
    expand(together, args, item)
}

/// Keeps a record of every call: source, arguments, model, result or error.
///
/// The bench is the function's `&Bench` argument, or `bench = expr`. Options: `name = ".."` (by default the function's
/// name), `seed = 7`, `tags = ["ioi"]`, `cache`. Arguments that implement `Serialize` are stored as JSON, others as their debug
/// text or type. An argument whose name starts with `_` is left out.
///
/// With `cache`, a call returns the result of an earlier run with the same inputs, while its code and the files that it read are
/// fresh, and says so on stderr. `cache = Tracked` counts the function, its tracked helpers and the toolchain alone as code, not every source of the
/// package. `ARRAKIS_FORCE=1` and `Bench::force` run it again. A run that failed is run again.
///
/// An `async` function is recorded when its future ends. A future that is dropped before it ends is recorded with that
/// outcome; one that was never polled is not a call.
///
/// The five attributes of an experiment can be stacked in any order. If a record cannot be saved, the function returns
/// the error if its `Result` converts from `arrakis::Error`, and panics otherwise. The message says where the record
/// was saved instead.
#[proc_macro_attribute]
pub fn log_experiment(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Log, args, &item), args, item)
}

/// Fills in the arguments marked `#[tool]`, by their types. The caller does not pass them.
///
/// `#[use_tools("logit_lens", mine = MyTool)]` instead makes a variable of a registered name or a type. If a tool
/// cannot be built, the function returns the error if its `Result` converts from `arrakis::Error`, and panics
/// otherwise.
#[proc_macro_attribute]
pub fn use_tools(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Tools, args, &item), args, item)
}

/// Draws plots, passes the figure to the body, `#[figure] fig: &mut Figure`, and saves it with what the body added.
///
/// Each plot is a name, the sites that it draws, and options: `attention("blocks.1.attn.pattern", title = "..")`. Without
/// sites it draws its own. All plots are drawn from one run on the function's prompt, before the body: the argument
/// called `prompt`, `prompts`, `tokens` or `text`, or `prompt = expr`. An unknown site is an error before the run.
///
/// | plot | shows | options |
/// | --- | --- | --- |
/// | `attention` | the pattern of each head, `[query, key]` | `heads` |
/// | `qk` | the scores of each head before the softmax, in nats | `heads` |
/// | `attention_stats` | entropy, distance and weight on the first token, `[layer, head]` | `heads` |
/// | `induction` | the mean of the induction stripe, `[layer, head]` | `heads` |
/// | `neuron_activations` | the distribution of the ten strongest neurons over tokens | `neurons` |
/// | `neuron_trajectories` | the five strongest neurons from token to token | `neurons` |
/// | `residual_norms` | the norm of the stream, `[layer, pos]` | |
/// | `layer_norms` | what each norm divides by, `[norm, pos]` | |
/// | `heatmap` | the numbers of any site, which must be named | `heads` |
///
/// The bench's plotter (`bench.set_plotting_lib(..)`) draws the figure, by default as PNG, SVG and the data, into
/// `<save_dir>/<function>/figures/<record id>-<title>.*`. Options: `name = ".."` (the title), `dir = ".."`. An empty
/// figure is an error.
#[proc_macro_attribute]
pub fn plot_results(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Plot, args, &item), args, item)
}

/// Measures where the time and memory of a call go, for every scope and site of the models it runs.
///
/// The profile is in the record, in a Chrome trace next to it, and in `bench.last()`.
#[proc_macro_attribute]
pub fn profile_model(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Profile, args, &item), args, item)
}

/// Compares the result with a null, by a test chosen beforehand.
///
/// `claim = ".."` and `null = ..` are required. The null is a number, a sample (`Vec<f64>`) or draws (`|bench, seed| ->
/// f64` or `-> Result<f64>`). The options `alternative = Greater`, `alpha = 0.05`, `test = Auto`, `draws = 999`, `seed
/// = 0`, `comparisons = 1`, `family = ".."`, `metric = ".."` and `null_name = ".."` are those of `hypothesis::Claim`.
/// `statistic = |result| ..` measures a result that is not itself a number or sample. `margin = 0.1` claims that the
/// result equals the null within that distance (`test = Tost`). `groups = templates(..)` names the group of each value, if
/// values of one group are not independent (of two independent samples, those of the null after those of the result);
/// `crossed = ..` names a second grouping across it, such as seeds, and `nested =
/// ..` a finer one within it, for the variance components. `paired = true` says that value i of the result and of the null
/// belong together, `paired = false` that they do not; two samples of one length need one of them. `estimand = Median`
/// chooses a test of the median. `selected = true` says that the place was chosen among `comparisons` on these same values.
/// `minimum_effect = 0.1` claims a difference beyond that, and `looks = [20, 40, 60]` with `spending = Pocock` judges on the
/// way, each look with a share of α. In the values of `test`, `alternative`, `estimand` and `spending`, the variants of the
/// enums of `arrakis::hypothesis` come before other names that are in scope.
///
/// With `bench = expr`, `cargo test` runs `<name>__holds`, which calls the function with `args(..)` and fails if the
/// claim does not hold. Without it no test is generated, because a claim is about one model. The test has the
/// function's `#[ignore]`, `#[should_panic]` and `#[cfg(..)]`. It needs a function in a module, whose type parameters
/// its arguments determine. `seeds = 20` repeats the claim under as many seeds of the bench, and `resample = pairs` on
/// resamples of that argument: the test prints both distributions. `hypothesis_suite!` runs claims together.
#[proc_macro_attribute]
pub fn test_hypothesis(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(|args, item| experiment::expand(Kind::Hypothesis, args, &item), args, item)
}

/// Counts a helper as an input of the experiments that use it.
///
/// Each call of a tracked function inside an experiment adds the function, by the hash of its tokens, to the records of the
/// running calls: exactly the helpers that a run used are a part of its version, and a changed helper makes the record stale
/// (`arrakis log --stale`). Outside an experiment a call costs one read of a thread-local.
///
/// It goes on a function, a method, an `impl`, a trait (its methods with a body), a module in braces, and a `const` or
/// `static`. Constants cannot say that they are used; a tracked function or an experiment that names a tracked constant
/// counts it, also through imports and in formats (`format!("{WIDTH}")`). With an `impl` or a module, so do its `const` functions and associated constants.
///
/// On other threads, carry the experiment with `bench.handle().within(..)`: a helper that runs there without it is not counted, and
/// the digest of the package's sources is what is left (`fresh?`). On the threads of rayon, helpers are counted also without it,
/// while one experiment runs in the program. With `#[hooked]` on the same method, this is the upper one.
#[proc_macro_attribute]
pub fn tracked(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(tracked::expand, args, item)
}

/// The `main` of a test target with `harness = false` that runs these claims as one suite, corrected within families.
///
/// `arrakis::hypothesis_suite!(names::moves, names::copies);` lists the functions with `#[test_hypothesis(bench = ..)]` by
/// their paths in the same target. `arrakis::harness` has the details.
#[proc_macro]
pub fn hypothesis_suite(paths: TokenStream) -> TokenStream {
    // Without a `main`, rustc would report that as well.
    let refused = |error: syn::Error| {
        error
            .into_compile_error()
            .into_iter()
            .chain(quote::quote!(
                fn main() {}
            ))
            .collect()
    };
    experiment::suite(paths.into()).unwrap_or_else(refused).into()
}

/// Runs one expander. On an error, emits the error and the item without our attributes.
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
