//! A bench that is inside `self`, which the body may change or move.

use std::sync::Arc;

use super::super::*;

struct Study {
    bench: Bench,
    steps: u32,
}

impl Study {
    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn advance(&mut self) -> u32 {
        self.steps += 1;
        self.steps
    }

    #[log_experiment(bench = self.bench())]
    fn step(&mut self) -> u32 {
        self.advance()
    }

    #[log_experiment(bench = &self.bench)]
    fn lent(&mut self) -> &mut u32 {
        &mut self.steps
    }

    #[log_experiment(bench = &self.bench)]
    fn boxed(self: Box<Self>) -> Self {
        *self
    }

    #[log_experiment(bench = self.bench())]
    fn shared(self: Arc<Self>) -> u32 {
        self.steps
    }

    #[log_experiment(bench = &self.bench)]
    fn moved(mut self, to: (Bench,)) -> Self {
        self.bench = to.0;
        self.advance();
        self
    }
}

#[test]
fn a_body_may_change_and_move_what_holds_its_bench() {
    let ((_folder, first), (_other, second)) = (bench(), bench());
    let mut study = Study { bench: first.clone(), steps: 0 };
    assert_eq!(study.step(), 1);
    *study.lent() += 2;
    let study = Box::new(study).boxed().moved((second.clone(),));
    assert_eq!(Arc::new(study).shared(), 4);
    for name in ["step", "lent", "boxed", "moved"] {
        assert!(matches!(only_run(&first, name).outcome, Outcome::Ok(_)), "{name}");
    }
    assert_eq!(only_run(&second, "shared").outcome, Outcome::Ok(4.into()));
    assert_eq!(first.last().unwrap().record.unwrap().name, "moved");
}
