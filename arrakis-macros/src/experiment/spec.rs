//! One plot inside `#[plot_results(attention("blocks.*.attn.pattern", title = ".."))]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Lit};

use crate::mistakes::Mistakes;
use crate::options::{Content, Form, Given, OF_A_PLOT, read_call};

/// One plot.
pub(crate) struct Spec {
    pub(super) name: Ident,
    /// The sites that it draws.
    sites: Vec<Expr>,
    /// Methods of the runtime's `PlotSpec`, and their arguments.
    options: Vec<(Ident, Expr)>,
}

impl Spec {
    /// Reads what is inside the bracket.
    pub(crate) fn read(name: Ident, inside: TokenStream, mistakes: &mut Mistakes) -> Self {
        let (sites, given) = read_call(&OF_A_PLOT, inside, mistakes);
        for site in &sites {
            if matches!(site, Expr::Lit(literal) if !matches!(literal.lit, Lit::Str(_))) {
                mistakes.at(site.span(), "a site is a text, such as `\"blocks.*.attn.pattern\"`");
            }
        }
        Self { name, sites, options: given.into_iter().filter_map(method).collect() }
    }

    /// Every expression of the user's.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Expr> {
        self.sites.iter().chain(self.options.iter().map(|(_, value)| value))
    }

    /// `plots::attention().site("..").title("..")`
    pub(crate) fn made(&self) -> TokenStream {
        let Self { name, sites, options } = self;
        let at = Span::mixed_site().located_at(name.span());
        let sites = sites.iter().map(|site| quote_spanned!(site.span()=> .site(#site)));
        let options = options.iter().map(|(method, value)| quote!(.#method(#value)));
        let plot = quote_spanned!(at=> __arrakis::plots::#name());
        quote!(#plot #(#sites)* #(#options)*)
    }
}

fn method(given: Given) -> Option<(Ident, Expr)> {
    let (Form::Sets(field), Content::Value(value)) = (given.known.form, given.content) else { return None };
    Some((Ident::new(field, given.key.span()), *value))
}
