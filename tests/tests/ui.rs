//! Mistakes with the attributes: each is reported at the token that holds it, saying how to fix it.
//!
//! One file a mistake, named for it. Accept new words with `TRYBUILD=overwrite cargo test -p arrakis-tests --test ui`
//! and read the diff: the `.stderr` files are what a person sees.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
