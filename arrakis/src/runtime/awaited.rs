//! A call of an `async` function: its body is polled, on any thread, and may be dropped before it ends.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::call::{Call, end};
use super::describe::{Described, Success};
use super::fail::Fail;
use super::hypothesis::DrawNull;
use super::running::Running;
use super::stop::Stop;
use crate::bench::Bench;
use crate::error::{Error, Result};
use crate::experiment::Outcome;
use crate::plot::Figure;

/// The outcome of a call whose future was dropped.
const DROPPED: &str = "the future was dropped before it ended";

impl<N: DrawNull> Call<N> {
    /// As [`Call::run`], for a body that is awaited. Its frame is on a thread only while the body is polled there.
    ///
    /// # Errors
    ///
    /// Those of [`Call::run`].
    pub async fn run_async<T, R, S: Success>(
        self,
        tools: impl FnOnce(&Bench) -> Result<T>,
        body: impl AsyncFnOnce(T, &mut Figure) -> R,
        see: impl FnOnce(&R) -> Described<S>,
    ) -> Result<R, (Fail<R>, Error)> {
        let begun = self.begin(tools, std::any::type_name_of_val(&body)).map_err(Fail::with)?;
        let (mut running, claim, tools, mut figure) = begun;
        running.leave();
        let mut unfinished = Unfinished(Some(running));
        let value = {
            let mut future = pin!(body(tools, &mut figure));
            poll_fn(|context| unfinished.poll(|| future.as_mut().poll(context))).await
        };
        let running = unfinished.0.take().expect("BUG: a call ends once");
        let _inside = running.inside();
        end(running, value, figure, claim, see).map_err(Fail::with)
    }
}

/// A call whose body has not ended. If it is dropped, the record says so.
struct Unfinished(Option<Running>);

impl Unfinished {
    /// Polls the body inside the frame of the call.
    fn poll<R>(&mut self, body: impl FnOnce() -> Poll<R>) -> Poll<Result<R, Stop>> {
        let running = self.0.as_mut().expect("BUG: a call that has ended is not polled");
        let _inside = running.inside();
        match running.step(body) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.ended_early(Outcome::Error(DROPPED.into()));
        }
    }
}

/// Runs a future to its end on this thread, for the generated tests.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
