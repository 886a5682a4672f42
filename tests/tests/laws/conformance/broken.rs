//! A family that is broken on purpose fails the suite.

use arrakis::models::HookedTransformer;
use arrakis::models::transformer::Transformer;

use super::load;
use super::sites::{axes_of_the_table, each_edit_moves_the_output};

/// A check of the suite on one model.
type Check = fn(&HookedTransformer) -> Result<(), String>;

/// What a family could do wrong, and the check that reports it.
#[test]
fn a_deliberately_broken_family_fails_the_suite() {
    let model = load("gpt2", "cpu");
    let broken = |change: fn(&mut Transformer)| {
        let mut net = model.net().clone();
        change(&mut net);
        model.with_net(net)
    };
    let without_norm = broken(|net| net.ln_final = None);
    let split_otherwise = broken(|net| {
        net.blocks[0].attn.n_heads *= 2;
        net.blocks[0].attn.n_kv_heads *= 2;
    });
    let unheard = broken(|net| {
        let weight = &mut net.blocks[0].attn.w_o.weight;
        *weight = weight.clone().map(|weight| weight.zeros_like());
    });
    let no_number = broken(|net| {
        let weight = &mut net.blocks[1].attn.w_q.weight;
        *weight = weight.clone().map(|weight| weight * f32::NAN);
    });
    let checks: [(&str, HookedTransformer, Check, &str); 4] = [
        ("a norm the config has", without_norm, axes_of_the_table, "the table and the run differ"),
        ("heads of another width", split_otherwise, axes_of_the_table, "the table says"),
        ("heads that nothing reads", unheard, each_edit_moves_the_output, "moved nothing"),
        ("weights that are not numbers", no_number, each_edit_moves_the_output, "moved nothing (NaN)"),
    ];
    for (what, model, check, said) in checks {
        let found = check(&model).expect_err(what);
        assert!(found.contains(said), "{what}: {found}");
    }
}
