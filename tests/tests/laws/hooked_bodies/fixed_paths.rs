//! A path is fixed where the module is bound, whatever happens to its index afterwards.

use arrakis::prelude::*;

use super::{Net, meets, net};

const LAST: usize = 2;

/// Counts its calls.
fn next(count: &mut usize) -> usize {
    *count += 1;
    *count - 1
}

impl Net {
    #[hooked]
    fn index_changes_after_the_let(&self, x: Tensor<2>) -> Tensor<2> {
        let mut i = 0;
        let l = &self.d[i];
        i += 1;
        let y = l.forward(x);
        self.d[i].forward(y)
    }

    #[hooked]
    fn expression_as_index(&self, x: Tensor<2>) -> Tensor<2> {
        let mut i = 0;
        let l = &self.d[i + 1];
        let m = &self.d[self.d.len() - 1 - i];
        i = 2;
        m.forward(l.forward(x)) * (i as f32 / 2.0)
    }

    #[hooked]
    fn index_from_a_table(&self, x: Tensor<2>) -> Tensor<2> {
        let mut j = 0;
        let l = &self.d[self.order[j]];
        j = 1;
        let y = l.forward(x);
        self.d[self.order[j]].forward(y)
    }

    #[hooked]
    fn constant_index(&self, x: Tensor<2>) -> Tensor<2> {
        let l = &self.d[LAST];
        l.forward(self.d[LAST - 1].forward(x))
    }

    /// Rust evaluates the index of the outer module first.
    #[hooked]
    fn index_with_a_side_effect(&self, x: Tensor<2>) -> Tensor<2> {
        let mut count = 0;
        self.d[next(&mut count)].forward(self.d[next(&mut count)].forward(x))
    }

    #[hooked]
    fn argument_changes_the_index(&self, x: Tensor<2>) -> Tensor<2> {
        let mut i = 0;
        self.d[i].forward({
            i += 1;
            self.d[i].forward(x)
        })
    }

    #[hooked]
    fn same_index_twice(&self, x: Tensor<2>) -> Tensor<2> {
        let i = 1;
        self.d[i].forward(self.d[i].forward(x))
    }

    #[hooked]
    fn matched_list(&self, x: Tensor<2>) -> Tensor<2> {
        let mut g = 0;
        match &self.groups[g] {
            list => {
                g += 1;
                let y = list[1].forward(x);
                self.groups[g][0].forward(y)
            }
        }
    }

    #[hooked]
    fn matched_item(&self, x: Tensor<2>) -> Tensor<2> {
        let mut i = 0;
        let y = if let Some(m) = &self.maybe[i] {
            i += 1;
            m.forward(x)
        } else {
            x
        };
        let Some(m) = &self.maybe[i] else { return y };
        i += 1;
        let z = m.forward(y);
        if self.maybe[i].is_some() { z * 2.0 } else { z }
    }

    #[hooked(skip(y))]
    fn while_there_is_one(&self, x: Tensor<2>) -> Tensor<2> {
        let (mut y, mut i) = (x, 0);
        while let Some(m) = &self.maybe[i] {
            i += 1;
            y = m.forward(y);
        }
        y
    }

    #[hooked(skip(y))]
    fn list_of_a_loop(&self, x: Tensor<2>) -> Tensor<2> {
        let (mut y, mut g) = (x, 0);
        for m in &self.groups[g] {
            g = 1;
            y = m.forward(y);
        }
        y * g as f32
    }

    #[hooked(skip(y))]
    fn index_of_a_loop(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for i in 0..2 {
            let l = &self.d[i];
            let i = i + 5;
            y = l.forward(y) * f32::from(i > 4);
        }
        y
    }

    #[hooked]
    fn keys_of_a_map(&self, x: Tensor<2>) -> Tensor<2> {
        let mut key = String::from("enc");
        let l = &self.named[&key];
        key.push('!');
        let y = l.forward(x);
        let z = self.named["dec"].forward(y);
        self.hashed["left"].forward(z)
    }

    #[hooked]
    fn moved_list(&self, x: Tensor<2>) -> Tensor<2> {
        let l = &self.outer.list;
        let m = &l[1];
        let l = &l[0];
        l.forward(m.forward(x))
    }
}

#[test]
fn a_path_is_fixed_where_the_module_is_bound() {
    let net = net();
    meets! { net =>
        index_changes_after_the_let ["d.0.h": 10, "y": 10, "d.1.h": 30]
        expression_as_index ["d.1.h": 20, "d.2.h": 60]
        index_from_a_table ["d.2.h": 40, "y": 40, "d.0.h": 50]
        constant_index ["d.1.h": 20, "d.2.h": 60]
        index_with_a_side_effect ["d.1.h": 20, "d.0.h": 30]
        argument_changes_the_index ["d.1.h": 20, "d.0.h": 30]
        same_index_twice ["d.1.h": 40]
        matched_list ["groups.0.1.h": 22, "y": 22, "groups.1.0.h": 45]
        matched_item ["maybe.0.h": 31, "y": 31, "maybe.1.h": 63, "z": 63]
        while_there_is_one ["maybe.0.h": 31, "maybe.1.h": 63]
        list_of_a_loop ["groups.0.0.h": 21, "groups.0.1.h": 43]
        index_of_a_loop ["d.0.h": 10, "d.1.h": 30]
        keys_of_a_map ["named.enc.h": 52, "y": 52, "named.dec.h": 103, "z": 103, "hashed.left.h": 164]
        moved_list ["outer.list.1.h": 600, "outer.list.0.h": 1100]
    }
}
