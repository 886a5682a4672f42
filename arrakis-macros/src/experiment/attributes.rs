//! Which of our attributes a function has, and the options of each.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, Meta, Path};

use super::carried;
use super::kind::{ALL, Kind};
use super::options::Options;
use super::tools::Tools;
use crate::mistakes::Mistakes;

/// All our attributes of one function.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) log: Option<Options>,
    pub(crate) tools: Option<Tools>,
    pub(crate) plot: Option<Options>,
    pub(crate) profile: Option<Options>,
    pub(crate) hypothesis: Option<Options>,
    /// The paths of the removed attributes. Without a use of them, rustc would call their imports unused.
    pub(crate) taken: Vec<Path>,
    /// `#[ignore]`, `#[should_panic]` and `#[cfg(..)]`, for the generated test.
    pub(crate) on_test: Vec<Attribute>,
    /// The attribute that was expanded first, for messages.
    pub(crate) first: Option<Kind>,
}

impl Attributes {
    /// The expanded attribute and all others of ours, which are removed from `attrs`.
    pub(crate) fn take(first: Kind, args: TokenStream, attrs: &mut Vec<Attribute>, mistakes: &mut Mistakes) -> Self {
        let mut attributes = Self { first: Some(first), ..Self::default() };
        attributes.add(first, args, mistakes);
        for attr in std::mem::take(attrs) {
            let Some(kind) = Kind::of(attr.path()) else {
                attrs.push(attr);
                continue;
            };
            if attributes.has(kind) {
                let message = format!("`#[{}]` is given twice; merge the two", kind.name());
                mistakes.at(attr.path().span(), message);
                continue;
            }
            let args = mistakes.catch(written_inside(&attr)).unwrap_or_default();
            attributes.add(kind, args, mistakes);
            attributes.taken.push(attr.path().clone());
        }
        if let Some(hypothesis) = &attributes.hypothesis {
            attributes.on_test = carried::take(hypothesis, attrs, mistakes);
        }
        attributes
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Log => self.log.is_some(),
            Kind::Tools => self.tools.is_some(),
            Kind::Plot => self.plot.is_some(),
            Kind::Profile => self.profile.is_some(),
            Kind::Hypothesis => self.hypothesis.is_some(),
        }
    }

    /// A bit for each attribute.
    pub(crate) fn bits(&self) -> u8 {
        ALL.into_iter().filter(|kind| self.has(*kind)).map(Kind::bit).sum()
    }

    fn add(&mut self, kind: Kind, args: TokenStream, mistakes: &mut Mistakes) {
        let slot = match kind {
            Kind::Tools => {
                self.tools = Some(Tools::read(args, mistakes));
                return;
            }
            Kind::Log => &mut self.log,
            Kind::Plot => &mut self.plot,
            Kind::Profile => &mut self.profile,
            Kind::Hypothesis => &mut self.hypothesis,
        };
        *slot = Some(Options::read(kind, args, mistakes));
    }

    /// Everything that the attributes read when the function is called.
    pub(crate) fn read(&self) -> TokenStream {
        let options = [&self.log, &self.plot, &self.profile, &self.hypothesis].into_iter().flatten();
        let values = options.flat_map(Options::values);
        let bench = self.tools.iter().filter_map(|tools| tools.bench.as_ref()).map(|(_, bench)| bench);
        values.chain(bench).map(ToTokens::to_token_stream).collect()
    }

    /// The expression after `bench =`, in whichever attribute gives it.
    pub(crate) fn bench(&self) -> syn::Result<Option<&Expr>> {
        let mut given = self.benches();
        let first = given.next();
        match given.next() {
            Some((_, second, _)) => {
                Err(syn::Error::new(second.span(), "`bench` is given in two attributes; keep one, it applies to all"))
            }
            None => Ok(first.map(|(_, _, bench)| bench)),
        }
    }

    /// Every `bench = expr`, with its attribute and the word `bench`.
    fn benches(&self) -> impl Iterator<Item = (Kind, &Ident, &Expr)> {
        let options = [
            (Kind::Log, &self.log),
            (Kind::Plot, &self.plot),
            (Kind::Profile, &self.profile),
            (Kind::Hypothesis, &self.hypothesis),
        ];
        let given = options.into_iter().filter_map(|(kind, options)| {
            let options = options.as_ref()?;
            Some((kind, options.key("bench")?, options.get("bench")?))
        });
        let tools = self.tools.iter().filter_map(|tools| tools.bench.as_ref());
        given.chain(tools.map(|(key, bench)| (Kind::Tools, key, bench)))
    }

    /// Refuses a `bench = expr` that is not used, because the function has a bench as an argument. The one of
    /// `#[test_hypothesis]` is used by the generated test.
    pub(crate) fn check_bench(&self, argument: &Ident, mistakes: &mut Mistakes) {
        for (_, key, _) in self.benches().filter(|(kind, ..)| *kind != Kind::Hypothesis) {
            let message = format!(
                "this bench would not be used, because the function has the argument `{argument}`: remove it here, or remove the argument"
            );
            mistakes.at(key.span(), message);
        }
    }
}

fn written_inside(attr: &Attribute) -> syn::Result<TokenStream> {
    match &attr.meta {
        Meta::Path(_) => Ok(TokenStream::new()),
        Meta::List(list) => Ok(list.tokens.clone()),
        Meta::NameValue(pair) => {
            Err(syn::Error::new(pair.eq_token.span, "write the options in brackets: `(key = value)`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::function::Function;
    use crate::mistakes::tests::messages;

    /// The attributes of a function whose first one is `#[log_experiment(..)]`, the remaining attributes, and the
    /// mistakes.
    fn take(args: &str, item: &str) -> (Attributes, usize, Vec<String>) {
        let mut function = Function::parse(Kind::Log, &item.parse().unwrap()).unwrap();
        let mut mistakes = Mistakes::default();
        let attributes = Attributes::take(Kind::Log, args.parse().unwrap(), &mut function.attrs, &mut mistakes);
        let messages = mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new());
        (attributes, function.attrs.len(), messages)
    }

    #[test]
    fn ours_are_taken_by_their_last_segment_and_others_stay() {
        let (attributes, left, mistakes) = take(
            "",
            "/// Docs.\n#[arrakis::use_tools(\"logit_lens\")] #[inline] #[profile_model] fn f(bench: &Bench) {}",
        );
        assert_eq!((left, mistakes.len(), attributes.taken.len()), (2, 0, 2));
        assert!(attributes.log.is_some() && attributes.profile.is_some() && attributes.plot.is_none());
        assert_eq!(attributes.tools.unwrap().tools.len(), 1);
    }

    #[test]
    fn mistakes_in_several_attributes_are_all_reported() {
        let item = "#[plot_results(nam = 1)] #[log_experiment] #[profile_model = 3] fn f(bench: &Bench) {}";
        assert_eq!(
            take("sed = 1", item).2,
            [
                "`sed` is not an option of `#[log_experiment]`; did you mean `seed = ..`?",
                "`nam` is not an option of `#[plot_results]`; did you mean `name = ..`?",
                "`#[log_experiment]` is given twice; merge the two",
                "write the options in brackets: `(key = value)`",
            ]
        );
    }

    #[test]
    fn a_bench_that_would_not_be_used_is_refused() {
        let unused = |args, item| {
            let mut mistakes = Mistakes::default();
            take(args, item).0.check_bench(&quote::format_ident!("b"), &mut mistakes);
            mistakes.finish().map_or_else(|error| messages(&error).len(), |()| 0)
        };
        let item = "#[use_tools(bench = a)] #[test_hypothesis(bench = c)] fn f(b: &Bench) {}";
        assert_eq!((unused("bench = a", item), unused("", item), unused("", "fn f(b: &Bench) {}")), (2, 1, 0));
    }

    #[test]
    fn one_bench_serves_all_attributes() {
        let bench = |args, item| take(args, item).0.bench().map(|bench| bench.is_some()).map_err(|e| e.to_string());
        assert_eq!(bench("", "#[use_tools(bench = b)] fn f() {}"), Ok(true));
        assert_eq!(bench("", "fn f() {}"), Ok(false));
        assert_eq!(
            bench("bench = a", "#[plot_results(bench = b)] fn f() {}"),
            Err("`bench` is given in two attributes; keep one, it applies to all".into())
        );
    }
}
