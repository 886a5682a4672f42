//! An experiment that is the `#[hooked]` forward of a module.

use arrakis::models::device::{cpu, read};

use super::super::*;

struct Layer {
    bench: Bench,
    scale: f32,
}

impl Layer {
    #[hooked]
    #[log_experiment(bench = &self.bench)]
    #[profile_model]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = x * self.scale;
        let y = h + 1.0;
        y
    }

    #[log_experiment(bench = &self.bench)]
    #[hooked]
    #[profile_model]
    fn forward_between(&self, x: Tensor<2>) -> Tensor<2> {
        let h = x * self.scale;
        let y = h + 1.0;
        y
    }

    #[profile_model]
    #[log_experiment(bench = &self.bench)]
    #[hooked(skip(y))]
    fn forward_above(&self, x: Tensor<2>) -> Tensor<2> {
        let h = x * self.scale;
        let y = h + 1.0;
        y
    }
}

#[test]
fn hooked_sees_the_body_and_the_record_its_text_in_any_order() {
    let (_folder, bench) = bench();
    let layer = Layer { bench: bench.clone(), scale: 2.0 };
    let input = || Tensor::from_floats([[1.0, 2.0]], &cpu().device);
    let outputs = [layer.forward(input()), layer.forward_between(input()), layer.forward_above(input())];
    assert!(outputs.into_iter().all(|output| read(output).unwrap() == [3.0, 5.0]));
    for (name, sites) in
        [("forward", vec!["h", "y"]), ("forward_between", vec!["h", "y"]), ("forward_above", vec!["h"])]
    {
        let record = only_run(&bench, name);
        let passed: Vec<String> = record.profile.unwrap().sites.into_iter().map(|site| site.site).collect();
        assert_eq!(passed, sites, "{name}");
        let body = "{\n    let h = x * self.scale;\n    let y = h + 1.0;\n    y\n}";
        assert!(record.source.starts_with("#[") && record.source.ends_with(body), "{}", record.source);
    }
}
