//! Which values are sites: float tensors alone, each name once in a run.

use arrakis::models::hooks::Plan;
use arrakis::prelude::*;

use super::{Net, input, meets, net};

impl Net {
    /// Literals, lengths, references, closures, strings, ranges and numbers of the configuration.
    #[hooked]
    fn no_tensors(&self, x: Tensor<2>) -> Tensor<2> {
        let n = 2;
        let n = n + 1;
        let n = n as f32;
        let size = x.dims();
        let size = size[0] * x.shape()[1];
        let part = &self.a;
        let part = [part, &self.b];
        let f = |h: Tensor<2>| h * n;
        let f = |h: Tensor<2>| f(h) + 1.0;
        let name = "scale";
        let name = name.len() + String::from(name).len();
        let range = 0..size;
        let range = range.len();
        let on = self.flag && range > 0;
        let on = on || name == 0;
        let scale = self.scale;
        let scale = if on { scale * 2.0 } else { scale };
        let y = f(x) * scale + part.len() as f32 - 2.0;
        y
    }

    /// A name that is a number first is a site where it is a tensor.
    #[hooked]
    fn number_then_tensor(&self, x: Tensor<2>) -> Tensor<2> {
        let k = self.scale;
        let k = k * 3.0;
        let k = x + k;
        k
    }

    #[hooked]
    fn tensor_then_number(&self, x: Tensor<2>) -> Tensor<2> {
        let k = x + 1.0;
        let y = k.clone() * 2.0;
        let k = k.dims().len() as f32;
        let [k, _] = [k, 0.0];
        y + k
    }

    #[hooked]
    fn variables_that_change(&self, x: Tensor<2>) -> Tensor<2> {
        let mut count = 0;
        let mut steps = Vec::new();
        let mut best = None;
        let mut name = String::new();
        for i in 0..3 {
            let j = i * 2;
            let scale = self.scale + j as f32;
            count += j;
            steps.push(scale);
            name.push('x');
            best = Some(scale);
        }
        #[allow(clippy::needless_late_init, reason = "what is tested")]
        let total;
        if count > 3 {
            total = steps.iter().sum::<f32>();
        } else {
            total = 0.0;
        }
        #[allow(clippy::needless_late_init, reason = "what is tested")]
        let late: usize;
        late = name.len();
        let y = x + total + best.unwrap() + late as f32;
        y
    }

    #[hooked]
    fn other_tensors(&self, x: Tensor<2>) -> Tensor<2> {
        let mask = x.clone().greater_elem(1.0);
        let mask = mask.bool_not();
        let ids = mask.clone().int();
        let ids = ids + 1;
        let y = x.mask_fill(mask, 4.0) * ids.float();
        y
    }

    #[hooked]
    fn one_of_two_branches(&self, x: Tensor<2>) -> Tensor<2> {
        if !self.flag {
            let y = x * 2.0;
            return y;
        }
        let y = x + 3.0;
        y
    }

    /// Only one of the two runs, which no type says.
    #[hooked]
    fn never_both(&self, x: Tensor<2>) -> Tensor<2> {
        let mut parts = Vec::new();
        if self.flag {
            let y = x.clone() + 1.0;
            parts.push(y);
        }
        if !self.flag {
            let y = x.clone() + 2.0;
            parts.push(y);
        }
        x + parts.remove(0)
    }

    #[hooked(skip(t))]
    fn after_the_change(&self, x: Tensor<2>) -> Tensor<2> {
        let mut t = x;
        t = self.a.forward(t);
        t.inplace(|h| h * 3.0);
        let empty = t.zeros_like() - 1.0;
        let h = std::mem::replace(&mut t, empty);
        h + t
    }

    #[hooked(inputs(x))]
    fn an_input(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x + 1.0;
        y
    }

    #[hooked]
    fn both_in_one_run(&self, x: Tensor<2>) -> Tensor<2> {
        let mut parts = vec![x.clone()];
        if self.flag {
            let y = x.clone() + 7.0;
            parts.push(y);
        }
        let y = x + 9.0;
        parts.remove(0) + y
    }

    #[hooked]
    fn closure_that_runs_twice(&self, x: Tensor<2>) -> Tensor<2> {
        let double = |h: Tensor<2>| {
            let doubled = h * 2.0;
            doubled
        };
        double(double(x))
    }
}

#[test]
fn float_tensors_are_sites_and_nothing_else_is() {
    let net = net();
    meets! { net =>
        no_tensors ["y": 4]
        number_then_tensor ["k": 6]
        tensor_then_number ["k": 1, "y": 2]
        variables_that_change ["y": 21]
        other_tensors ["y": 8]
        one_of_two_branches ["y": 3]
        never_both ["y": 1]
        after_the_change ["a.h": 1, "empty": -1, "h": 3]
        an_input ["x": 0, "y": 1]
    }
}

/// The line of a text in this file.
fn line(text: &str) -> usize {
    let mut lines = include_str!("values.rs").lines();
    lines.position(|line| line.contains(text)).unwrap() + 1
}

/// What only a run can tell is an error of the run, at the lines of both.
#[test]
fn two_tensors_of_one_name_in_one_run_are_an_error_that_names_the_lines() {
    let net = net();
    let said = |body: &dyn Fn() -> Tensor<2>| Plan::new().run(body).unwrap_err().to_string();
    let file = file!();
    let (first, second) = (line("let y = x.clone() + 7.0;"), line("let y = x + 9.0;"));
    let error = said(&|| net.both_in_one_run(input()));
    assert_eq!(
        error,
        format!(
            "two tensors are bound to the site `y`, at {file}:{first}:17 and at {file}:{second}:13: rename one, or list it in `#[hooked(skip(y))]`"
        )
    );
    let twice = line("fn closure_that_runs_twice") + 2;
    assert_eq!(
        said(&|| net.closure_that_runs_twice(input())),
        format!(
            "two tensors are bound to the site `doubled`, at {file}:{twice}:17 and at {file}:{twice}:17: rename one, or list it in `#[hooked(skip(doubled))]`"
        )
    );
    let other = super::Net { flag: false, ..super::net() };
    assert_eq!(super::met(|x| other.both_in_one_run(x)), [("y".to_owned(), 9.0)]);
}

/// Two calls of one method in one run bind each name once a call.
#[test]
fn a_method_that_is_called_twice_binds_its_names_in_each_call() {
    let net = net();
    let run = Plan::new().capture("y").run(|| net.never_both(net.never_both(input()))).unwrap();
    assert_eq!(run.fired, [2]);
}
