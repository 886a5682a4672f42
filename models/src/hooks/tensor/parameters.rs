//! The parameters of a module by path.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::activation::Activation;

/// Every parameter by path, in path order.
pub(crate) fn parameters(module: &impl Module) -> Vec<(String, Activation)> {
    let mut visitor = Parameters::default();
    module.visit(&mut visitor);
    visitor.found.sort_by(|a, b| a.0.cmp(&b.0));
    visitor.found
}

/// Collects parameters with their paths.
#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    found: Vec<(String, Activation)>,
}

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), Activation::new(param.val())));
    }

    /// An enum's variant is not part of the path: it is `blocks.0.mlp.w_in` for every kind of MLP.
    fn enter_module(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }
}
