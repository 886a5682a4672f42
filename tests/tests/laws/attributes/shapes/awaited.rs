//! `async` functions: recorded when they end, on whatever thread, and when they are dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use arrakis::__private::block_on;

use super::super::*;

/// Pending once, so that its caller is polled again.
#[derive(Default)]
struct Pause(bool);

impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[log_experiment]
async fn parsed(bench: &Bench, text: &str) -> Result<u32> {
    Pause::default().await;
    let value = text.parse().map_err(|_| Error::Tool { tool: "parsed", problem: format!("`{text}`") })?;
    Ok(inside(bench, value).await)
}

#[log_experiment]
async fn inside(_bench: &Bench, value: u32) -> u32 {
    Pause::default().await;
    value + 1
}

#[log_experiment(seed = 5)]
#[use_tools]
#[plot_results]
#[profile_model]
#[test_hypothesis(claim = "there are layers", null = |_bench, seed| seed as f64 * 1e-30, alternative = Greater, bench = bench().1, args(1.0))]
async fn drawn(bench: &Bench, scale: f64, #[tool] depth: Depth, #[figure] fig: &mut Figure) -> Result<f64> {
    fig.push(plot::Heatmap::new([[scale, 2.0]]));
    Pause::default().await;
    bench.model().forward([1, 2, 3])?;
    Ok(scale * depth.n_layers as f64)
}

struct Steps(u32);

impl Steps {
    #[log_experiment]
    async fn step(&mut self, _bench: &Bench, by: u32) -> &mut u32 {
        Pause::default().await;
        self.0 += by;
        &mut self.0
    }
}

#[log_experiment]
async fn panics(_bench: &Bench) {
    Pause::default().await;
    panic!("after a pause")
}

/// Polls once.
fn begin<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> bool {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn an_awaited_call_is_recorded_when_it_ends() {
    let (_folder, bench) = bench();
    assert_eq!(block_on(parsed(&bench, "3")).unwrap(), 4);
    assert!(block_on(parsed(&bench, "x")).is_err());
    let runs = bench.store().runs("parsed").unwrap().records;
    assert_eq!(runs[0].outcome, Outcome::Ok(4.into()));
    assert_eq!(message(&runs[1].outcome), "parsed: `x`");
    assert_eq!(only_run(&bench, "inside").parents, [runs[0].id.clone()]);
    let mut steps = Steps(1);
    *block_on(steps.step(&bench, 2)) += 1;
    assert_eq!((steps.0, only_run(&bench, "step").outcome), (4, Outcome::Ok(3.into())));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(panics(&bench)))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"after a pause"));
    assert_eq!(only_run(&bench, "panics").outcome, Outcome::Panic("after a pause".into()));
}

#[test]
fn an_awaited_call_has_its_figure_profile_and_verdict() {
    let (_folder, bench) = bench();
    assert_eq!(block_on(drawn(&bench, 1.5)).unwrap(), 3.0);
    let record = only_run(&bench, "drawn");
    assert_eq!((record.seed, record.figures.is_empty(), record.problems.len()), (5, false, 0));
    assert!(record.verdict.unwrap().holds);
    assert!(record.profile.unwrap().sites.iter().any(|site| site.site == "embed" && site.passes == 1));
}

#[test]
fn a_dropped_call_is_recorded_and_one_that_never_began_is_not() {
    let (_folder, bench) = bench();
    drop(inside(&bench, 1));
    assert!(bench.list_versions("inside").is_err());
    let mut begun = Box::pin(inside(&bench, 2));
    assert!(!begin(&mut begun));
    drop(begun);
    assert_eq!(message(&only_run(&bench, "inside").outcome), "the future was dropped before it ended");
}

#[test]
fn calls_that_take_turns_do_not_become_each_others_parents() {
    let (_folder, bench) = bench();
    let (mut first, mut second) = (Box::pin(inside(&bench, 1)), Box::pin(inside(&bench, 2)));
    assert!(!begin(&mut first) && !begin(&mut second));
    assert!(begin(&mut first) && begin(&mut second));
    let runs = bench.store().runs("inside").unwrap().records;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.parents.is_empty()));
}

#[test]
fn a_call_may_move_between_threads() {
    let (_folder, bench) = bench();
    thread::scope(|scope| {
        let mut future: Pin<Box<dyn Future<Output = Result<f64>> + Send + '_>> = Box::pin(drawn(&bench, 1.0));
        assert!(!begin(&mut future));
        let value = scope.spawn(move || block_on(future)).join().unwrap();
        assert_eq!(value.unwrap(), 2.0);
    });
    let record = only_run(&bench, "drawn");
    assert!(record.parents.is_empty() && record.verdict.is_some());
}
