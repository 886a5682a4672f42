//! What an expression denotes, as far as the path of a site is concerned.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Expr, Member};

/// What the receiver of a `forward` is.
#[derive(Clone)]
pub(crate) enum Place {
    /// `self`: its sites have no segment of their own.
    Own,
    /// A part of `self`, by its path.
    Part(Segment),
    /// A new value that is not part of `self`: `Relu::new()`.
    Fresh,
    /// A part of `self` whose path is not known.
    Lost(Lost),
    /// Anything else. `skippable` if nothing of `self` leads to it, so that `skip(..)` may be advised.
    Unknown { skippable: bool },
}

/// Why a path is not known, and the code that says so.
#[derive(Clone)]
pub(crate) struct Lost {
    pub(crate) why: String,
    pub(crate) at: TokenStream,
}

/// A path such as `blocks.{}.attn`, with the values for its holes.
#[derive(Clone)]
pub(crate) struct Segment {
    text: String,
    pub(crate) holes: Vec<Expr>,
}

impl Segment {
    /// As the argument of `hooks::enter`.
    pub(crate) fn tokens(&self) -> TokenStream {
        let (text, holes) = (&self.text, &self.holes);
        quote!(::std::format_args!(#text #(, #holes)*))
    }

    /// The path as the user writes it.
    pub(crate) fn shown(&self) -> String {
        self.text.replace(".{}", "[..]")
    }

    fn then(mut self, name: &str) -> Self {
        self.text = format!("{}.{name}", self.text);
        self
    }

    /// The item of a list that `index` counts.
    pub(crate) fn item(mut self, index: Expr) -> Self {
        self.holes.push(index);
        self.then("{}")
    }
}

impl Place {
    /// A path that is not known.
    pub(crate) fn lost(why: impl Into<String>, at: impl ToTokens) -> Self {
        Self::Lost(Lost { why: why.into(), at: at.into_token_stream() })
    }

    /// A field of it.
    pub(crate) fn part(self, name: &str) -> Self {
        match self {
            Self::Own => Self::Part(Segment { text: name.to_owned(), holes: Vec::new() }),
            Self::Part(segment) => Self::Part(segment.then(name)),
            other => other,
        }
    }

    pub(crate) fn member(self, member: &Member) -> Self {
        self.part(&match member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        })
    }

    /// Whether it is `self` or in it.
    pub(crate) fn is_of_self(&self) -> bool {
        matches!(self, Self::Own | Self::Part(_) | Self::Lost(_))
    }

    /// Whether two variables of one name denote the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Part(one), Self::Part(other)) => one.tokens().to_string() == other.tokens().to_string(),
            (Self::Lost(one), Self::Lost(other)) => one.why == other.why,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}
