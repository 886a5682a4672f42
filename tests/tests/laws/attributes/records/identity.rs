//! Which functions are one experiment, and which calls of a generic one are one version.

use std::fmt::Display;

use super::*;

struct Sum;
struct Product;

impl Sum {
    /// Calls the method of the same name on the other type.
    #[test_hypothesis(claim = "sums are large", null = 0.0, alternative = Less)]
    #[log_experiment]
    fn score(bench: &Bench) -> Vec<f64> {
        Product::score(bench).iter().map(|value| value - 1.0).collect()
    }
}

impl Product {
    #[log_experiment]
    fn score(_bench: &Bench) -> Vec<f64> {
        vec![0.5, 0.75, 0.625, 0.5, 0.875, 0.5]
    }
}

trait Scan {
    fn scan(&self, bench: &Bench) -> u32;
    #[log_experiment]
    fn twice(&self, bench: &Bench) -> u32 {
        2 * self.scan(bench)
    }
}

impl Scan for Sum {
    #[log_experiment]
    fn scan(&self, _bench: &Bench) -> u32 {
        1
    }
}

impl Scan for Product {
    #[log_experiment]
    fn scan(&self, bench: &Bench) -> u32 {
        Sum.scan(bench) + 1
    }
}

#[test]
fn methods_of_one_name_on_two_types_are_two_experiments() {
    let (_folder, bench) = bench();
    Sum::score(&bench);
    let (sum, product) = (only_run(&bench, "Sum::score"), only_run(&bench, "Product::score"));
    assert_eq!(sum.function, "laws::attributes::records::identity::Sum::score");
    assert_eq!(only_run(&bench, &product.function), product);
    assert!(sum.verdict.is_some() && product.verdict.is_none());
    assert_eq!(product.parents, [sum.id]);
    assert_eq!(
        bench.list_versions("score").unwrap_err().to_string(),
        "`score` names 2 functions: laws::attributes::records::identity::Product::score, \
         laws::attributes::records::identity::Sum::score; ask for one by its full path"
    );
}

#[test]
fn the_methods_of_a_trait_have_its_name_and_their_type() {
    let (_folder, bench) = bench();
    assert_eq!(Product.twice(&bench), 4);
    let (product, sum) = (only_run(&bench, "<Product as Scan>::scan"), only_run(&bench, "Sum::scan"));
    assert_eq!(product.function, "laws::attributes::records::identity::<Product as Scan>::scan");
    assert_eq!(sum.parents.len(), 2);
    Sum.twice(&bench);
    assert_eq!(only_run(&bench, "Sum::twice").function, "laws::attributes::records::identity::<Sum as Scan>::twice");
}

#[test]
fn a_call_of_the_same_function_by_way_of_another_is_a_call_of_its_own() {
    #[log_experiment]
    fn down(bench: &Bench, n: u32) -> u32 {
        if n == 0 { 0 } else { by_way_of(bench, n - 1) + 1 }
    }
    #[use_tools]
    fn by_way_of(bench: &Bench, n: u32) -> u32 {
        down(bench, n)
    }
    let (_folder, bench) = bench();
    assert_eq!(down(&bench, 2), 2);
    assert_eq!(bench.list_versions("down").unwrap().len(), 3);
}

struct Held<T>(std::marker::PhantomData<T>);

impl<T> Held<T> {
    #[log_experiment]
    fn size(_bench: &Bench) -> usize {
        size_of::<T>()
    }
}

#[log_experiment]
fn constant<const N: usize>(_bench: &Bench) -> usize {
    N
}

#[log_experiment]
fn typed<T: Default + Display>(_bench: &Bench) -> String {
    T::default().to_string()
}

#[log_experiment]
fn taken(_bench: &Bench, value: impl Into<f64> + serde::Serialize) -> f64 {
    value.into()
}

#[test]
fn generic_arguments_are_inputs() {
    let (_folder, bench) = bench();
    for _ in 0..2 {
        let _ = [constant::<1>(&bench), constant::<2>(&bench)];
        let _ = [typed::<u8>(&bench), typed::<u64>(&bench)];
        let _ = [taken(&bench, 1_u8), taken(&bench, 1_u32)];
        let _ = [Held::<u8>::size(&bench), Held::<char>::size(&bench)];
    }
    for name in ["constant", "typed", "taken", "size"] {
        assert_eq!(bench.list_versions(name).unwrap().len(), 2, "{name}");
    }
    let versions = bench.list_versions("Held::size").unwrap();
    let char = bench.get_version("Held::size", &versions[1]).unwrap();
    assert_eq!(char.function, "laws::attributes::records::identity::Held::size");
    assert_eq!(char.instance.unwrap(), "laws::attributes::records::identity::Held<char>::size");
    add(&bench, 0);
    assert_eq!(only_run(&bench, "add").instance, None);
}
