use arrakis::prelude::*;

struct Norm;

impl Norm {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Block {
    norms: Vec<Norm>,
}

impl Block {
    #[hooked]
    fn forward(&self, x: Tensor<2>, norm: &Norm) -> Tensor<2> {
        let y = norm.forward(x);
        let z = self.norms.first().unwrap().forward(y);
        self.norms.iter().fold(z, |x, norm| norm.forward(x))
    }
}

fn main() {}
