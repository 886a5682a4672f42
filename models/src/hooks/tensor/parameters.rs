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

/// The path of the module that a visitor or a mapper is in.
///
/// An enum's variant is not part of it: it is `blocks.0.mlp.w_in` for every kind of MLP.
#[derive(Clone, Debug, Default)]
pub struct ParameterPath(Vec<String>);

impl ParameterPath {
    /// For `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_owned());
        }
    }

    /// For `exit_module`.
    pub fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    /// The path, its segments joined with dots.
    pub fn joined(&self) -> String {
        self.0.join(".")
    }
}

/// Collects parameters with their paths.
#[derive(Default)]
struct Parameters {
    path: ParameterPath,
    found: Vec<(String, Activation)>,
}

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.joined(), Activation::new(param.val())));
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }
}
