//! Which of our attributes sit on a function, and what was written inside each.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Meta, Path};

use super::options::{Options, Tools};

/// One of the five attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Log,
    Tools,
    Plot,
    Profile,
    Hypothesis,
}

const ALL: [Kind; 5] = [Kind::Log, Kind::Tools, Kind::Plot, Kind::Profile, Kind::Hypothesis];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "log_experiment",
            Self::Tools => "use_tools",
            Self::Plot => "plot_results",
            Self::Profile => "profile_model",
            Self::Hypothesis => "test_hypothesis",
        }
    }

    /// The attribute a path names, by its last segment.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let last = &path.segments.last()?.ident;
        ALL.into_iter().find(|kind| last == kind.name())
    }
}

/// All our attributes of one function.
#[derive(Default)]
pub(crate) struct Layers {
    pub(crate) log: Option<Options>,
    pub(crate) tools: Option<Tools>,
    pub(crate) plot: Option<Options>,
    pub(crate) profile: Option<Options>,
    pub(crate) hypothesis: Option<Options>,
    /// What stands in for the attributes taken off: without it rustc would call their imports unused.
    pub(crate) taken: Vec<TokenStream>,
    /// The attribute that was expanded first, for messages.
    pub(crate) first: Option<Kind>,
}

impl Layers {
    /// The attribute being expanded and all others of ours, which leave `attrs`.
    pub(crate) fn take(first: Kind, args: TokenStream, attrs: &mut Vec<Attribute>) -> syn::Result<Self> {
        let mut layers = Self { first: Some(first), ..Self::default() };
        layers.add(first, args)?;
        let (ours, others): (Vec<Attribute>, Vec<Attribute>) =
            attrs.drain(..).partition(|attr| Kind::of(attr.path()).is_some());
        *attrs = others;
        for attr in ours {
            let Some(kind) = Kind::of(attr.path()) else { continue };
            if layers.has(kind) {
                return Err(syn::Error::new(
                    attr.path().span(),
                    format!("`#[{}]` is given twice; write all of it in one", kind.name()),
                ));
            }
            layers.add(kind, written_inside(&attr)?)?;
            let path = attr.path();
            layers.taken.push(quote!(#[#path(__arrakis_taken)] const _: () = ();));
        }
        Ok(layers)
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

    fn add(&mut self, kind: Kind, args: TokenStream) -> syn::Result<()> {
        match kind {
            Kind::Log => self.log = Some(syn::parse2(args)?),
            Kind::Tools => self.tools = Some(syn::parse2(args)?),
            Kind::Plot => self.plot = Some(syn::parse2(args)?),
            Kind::Profile => self.profile = Some(syn::parse2(args)?),
            Kind::Hypothesis => self.hypothesis = Some(syn::parse2(args)?),
        }
        Ok(())
    }

    /// The expression after `bench =`, in whichever attribute has it.
    pub(crate) fn bench(&self) -> syn::Result<Option<&Expr>> {
        let tools = self.tools.as_ref().and_then(|tools| tools.bench.as_ref());
        let options = [&self.log, &self.plot, &self.profile, &self.hypothesis];
        let mut given = options.into_iter().flatten().filter_map(|options| options.get("bench")).chain(tools);
        let first = given.next();
        match given.next() {
            Some(second) => {
                Err(syn::Error::new(second.span(), "`bench` is given in two attributes; one serves them all"))
            }
            None => Ok(first),
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
