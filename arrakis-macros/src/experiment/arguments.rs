//! What each argument of a function is: the bench, a tool, the figure, or an input of the experiment.

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, FnArg, Ident, Pat, PatIdent, PatType, Type};

use super::attributes::Attributes;
use super::function::Function;
use super::inputs::{Input, is_condition};
use super::kind::Kind;
use super::plots;
use crate::mistakes::Mistakes;

/// The arguments by kind. Those that the caller does not pass are removed from the signature.
pub(crate) struct Arguments {
    /// Where the bench comes from.
    pub(crate) bench: BenchFrom,
    /// `#[tool]` arguments.
    pub(crate) tools: Vec<(Pat, Type)>,
    /// The `#[figure]` argument.
    pub(crate) figure: Option<(Pat, Type)>,
    /// What the plots of `#[plot_results(..)]` are drawn on, if there are any.
    pub(crate) prompt: Option<Expr>,
    /// The inputs that a record keeps, besides `self`.
    pub(crate) inputs: Vec<Input>,
    /// How many arguments a caller passes besides the bench.
    pub(crate) passed: usize,
    /// Their names; those that are patterns have none.
    pub(crate) names: Vec<Option<Ident>>,
    /// How many of them come before the bench.
    pub(crate) before_bench: usize,
    /// Whether there is a `self`.
    pub(crate) method: bool,
}

/// The function's own `&Bench` argument, or else the expression after `bench =`.
pub(crate) enum BenchFrom {
    Argument(Ident),
    Expression(Box<Expr>),
}

/// Whether an attribute of an argument is ours.
pub(crate) fn is_helper(attr: &Attribute) -> bool {
    attr.path().is_ident("tool") || attr.path().is_ident("figure")
}

impl Arguments {
    /// Sorts the arguments; `None` if there is no bench.
    pub(crate) fn of(function: &mut Function, attributes: &Attributes, mistakes: &mut Mistakes) -> Option<Self> {
        let mut sorted = Sorted::default();
        let inputs = std::mem::take(&mut function.sig.inputs);
        for arg in inputs {
            if let Some(Some(kept)) = mistakes.catch(sorted.sort(arg, attributes)) {
                function.sig.inputs.push(kept);
            }
        }
        let nothing_drawn = attributes.plot.as_ref().is_some_and(|plot| plot.specs().is_empty());
        if nothing_drawn && sorted.figure.is_none() && mistakes.is_empty() {
            let message = "`#[plot_results]` needs something to draw: name plots, such as `heatmap(\"blocks.*.resid_post\")`, or add an argument `#[figure] fig: &mut Figure` that the body draws on; the caller does not pass it";
            mistakes.at(function.sig.ident.span(), message);
        }
        let prompt = attributes.plot.as_ref().and_then(|plot| plots::prompt(plot, function, mistakes));
        let bench = match (sorted.bench, mistakes.catch(attributes.bench())?) {
            (Some(argument), _) => BenchFrom::Argument(argument),
            (None, Some(expression)) => BenchFrom::Expression(Box::new(expression.clone())),
            (None, None) => {
                // A misspelt `bench = ..` or a wrong argument is already reported.
                if mistakes.is_empty() {
                    mistakes.add(no_bench(function, attributes));
                }
                return None;
            }
        };
        Some(Self {
            bench,
            tools: sorted.tools,
            figure: sorted.figure,
            prompt,
            inputs: sorted.inputs,
            passed: sorted.passed,
            names: sorted.names,
            before_bench: sorted.before_bench,
            method: sorted.method,
        })
    }
}

fn no_bench(function: &Function, attributes: &Attributes) -> syn::Error {
    let name = attributes.first.map_or("log_experiment", Kind::name);
    let message =
        format!("`#[{name}]` needs a bench: add an argument `bench: &Bench`, or name one with `#[{name}(bench = ..)]`");
    syn::Error::new(function.sig.ident.span(), message)
}

#[derive(Default)]
struct Sorted {
    bench: Option<Ident>,
    tools: Vec<(Pat, Type)>,
    figure: Option<(Pat, Type)>,
    inputs: Vec<Input>,
    passed: usize,
    names: Vec<Option<Ident>>,
    before_bench: usize,
    method: bool,
}

impl Sorted {
    /// Records the kind of an argument; returns it if the caller passes it.
    fn sort(&mut self, arg: FnArg, attributes: &Attributes) -> syn::Result<Option<FnArg>> {
        let FnArg::Typed(mut typed) = arg else {
            self.method = true;
            return Ok(Some(arg));
        };
        let helpers: Vec<Attribute> = typed.attrs.iter().filter(|attr| is_helper(attr)).cloned().collect();
        typed.attrs.retain(|attr| !is_helper(attr));
        if let (Some(_), Some(condition)) = (helpers.first(), typed.attrs.iter().find(|attr| is_condition(attr))) {
            let message = "a tool and the figure are always made: put the condition on the function";
            return Err(syn::Error::new_spanned(condition, message));
        }
        match helpers.as_slice() {
            [] => self.plain(&mut typed)?,
            [helper] if helper.path().is_ident("tool") => return self.tool(helper, typed, attributes).map(|()| None),
            [helper] => return self.figure(helper, typed, attributes).map(|()| None),
            [_, second, ..] => {
                return Err(syn::Error::new_spanned(
                    second,
                    "an argument is either a tool or the figure: remove one of the two marks",
                ));
            }
        }
        Ok(Some(FnArg::Typed(typed)))
    }

    fn tool(&mut self, helper: &Attribute, typed: PatType, attributes: &Attributes) -> syn::Result<()> {
        if attributes.tools.is_none() {
            return Err(syn::Error::new_spanned(
                helper,
                "`#[tool]` is filled in by `#[use_tools]`: add that attribute to the function",
            ));
        }
        self.tools.push((*typed.pat, *typed.ty));
        Ok(())
    }

    fn figure(&mut self, helper: &Attribute, typed: PatType, attributes: &Attributes) -> syn::Result<()> {
        if attributes.plot.is_none() {
            return Err(syn::Error::new_spanned(
                helper,
                "`#[figure]` is filled in by `#[plot_results]`: add that attribute to the function",
            ));
        }
        if self.figure.is_some() {
            return Err(syn::Error::new_spanned(helper, "a function draws one figure; push more panels to it"));
        }
        if !matches!(&*typed.ty, Type::Reference(reference) if reference.mutability.is_some()) {
            return Err(syn::Error::new_spanned(&typed.ty, "the figure is borrowed mutably: take `&mut Figure`"));
        }
        self.figure = Some((*typed.pat, *typed.ty));
        Ok(())
    }

    /// An argument that the caller passes: the bench, or an input. Every bench but the first is an input.
    fn plain(&mut self, typed: &mut PatType) -> syn::Result<()> {
        if self.bench.is_some() || !is_bench(&typed.ty) {
            self.passed += 1;
            self.names.push(name(&typed.pat));
            self.inputs.extend(Input::take(&mut typed.pat, &mut typed.attrs));
            return Ok(());
        }
        if !matches!(&*typed.ty, Type::Reference(reference) if reference.mutability.is_none()) {
            return Err(syn::Error::new_spanned(&typed.ty, "the bench is borrowed: take `&Bench`"));
        }
        let Pat::Ident(pat) = &*typed.pat else {
            return Err(syn::Error::new_spanned(&typed.pat, "give the bench a name: `bench: &Bench`"));
        };
        self.bench = Some(pat.ident.clone());
        self.before_bench = self.passed;
        Ok(())
    }
}

/// The name that a pattern binds, if it is a name.
fn name(pat: &Pat) -> Option<Ident> {
    if let Pat::Ident(pat) = pat { Some(pat.ident.clone()) } else { None }
}

/// `Bench`, `&Bench`, `&'a arrakis::Bench`.
fn is_bench(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_bench(&reference.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Bench"),
        _ => false,
    }
}

/// The names a pattern binds, without those that begin with `_`.
pub(super) fn names(pat: &Pat) -> Vec<Ident> {
    #[derive(Default)]
    struct Names(Vec<Ident>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, node: &'ast PatIdent) {
            if !node.ident.to_string().starts_with('_') {
                self.0.push(node.ident.clone());
            }
            visit::visit_pat_ident(self, node);
        }
    }
    let mut found = Names::default();
    found.visit_pat(pat);
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mistakes::tests::messages;

    /// The arguments of a function under the attributes in its text, and what is left of its signature.
    fn of(text: &str) -> Result<(Arguments, String), Vec<String>> {
        let mut function = Function::parse(Kind::Log, &text.parse().unwrap()).unwrap();
        let mut mistakes = Mistakes::default();
        let attributes = Attributes::take(Kind::Log, "".parse().unwrap(), &mut function.attrs, &mut mistakes);
        let arguments = Arguments::of(&mut function, &attributes, &mut mistakes);
        mistakes.finish().map_err(|error| messages(&error))?;
        let inputs = &function.sig.inputs;
        Ok((arguments.unwrap(), quote::quote!(#inputs).to_string()))
    }

    #[test]
    fn tools_and_the_figure_leave_the_signature_and_inputs_are_named() {
        let (arguments, signature) = of(
            "#[use_tools] #[plot_results] fn f(&self, bench: &arrakis::Bench, #[tool] lens: LogitLens, (a, _b): (u8, u8), #[figure] fig: &mut Figure, mut c: u8) {}",
        )
        .unwrap();
        assert!(matches!(&arguments.bench, BenchFrom::Argument(name) if name == "bench"));
        assert_eq!((arguments.tools.len(), arguments.figure.is_some(), arguments.method), (1, true, true));
        assert_eq!(
            (arguments.inputs.iter().map(|input| input.name.to_string()).collect(), arguments.passed),
            (vec!["a".to_owned(), "c".to_owned()], 2)
        );
        assert_eq!(signature, "& self , bench : & arrakis :: Bench , (a , _b) : (u8 , u8) , c : u8");
    }

    #[test]
    fn every_bench_but_the_first_is_an_input() {
        let (arguments, _) = of("fn f(x: u8, bench: &Bench, other: &Bench, _hidden: &Bench, owned: Bench) {}").unwrap();
        assert!(matches!(&arguments.bench, BenchFrom::Argument(name) if name == "bench"));
        let shown: Vec<String> = arguments.inputs.iter().map(|input| input.name.to_string()).collect();
        assert_eq!(
            (shown, arguments.passed, arguments.before_bench),
            (vec!["x".into(), "other".into(), "owned".into()], 4, 1)
        );
    }

    #[test]
    fn the_bench_can_be_an_expression() {
        let (arguments, _) = of("#[use_tools(bench = shared())] fn f(x: u8) {}").unwrap();
        assert!(matches!(arguments.bench, BenchFrom::Expression(_)));
    }

    #[test]
    fn a_tool_has_no_condition() {
        assert_eq!(
            of("#[use_tools] fn f(bench: &Bench, #[cfg(a)] #[tool] lens: LogitLens) {}").err().unwrap(),
            ["a tool and the figure are always made: put the condition on the function"]
        );
    }

    #[test]
    fn wrong_arguments_are_all_reported() {
        assert_eq!(
            of("fn f(bench: Bench, #[tool] lens: LogitLens, #[figure] fig: &mut Figure) {}").err().unwrap(),
            [
                "the bench is borrowed: take `&Bench`",
                "`#[tool]` is filled in by `#[use_tools]`: add that attribute to the function",
                "`#[figure]` is filled in by `#[plot_results]`: add that attribute to the function",
            ]
        );
        assert_eq!(
            of("fn f(x: u8) {}").err().unwrap(),
            [
                "`#[log_experiment]` needs a bench: add an argument `bench: &Bench`, or name one with `#[log_experiment(bench = ..)]`"
            ]
        );
    }
}
