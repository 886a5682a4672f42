//! One call of an experiment: what its attributes ask for, and the body.

use arrakis_models::IntoTokens;

use super::asked::{Asked, PlotOptions};
use super::describe::{Described, Seen, Success};
use super::fail::Fail;
use super::held::BenchSource;
use super::hypothesis::{Against, DrawNull, NoNull};
use super::running::Running;
use super::show::Shown;
use super::specs::{PlotSpec, Plots};
use super::stop::{Stop, caught};
use super::used::Noted;
use crate::bench::Bench;
use crate::context;
use crate::error::{Error, Result};
use crate::experiment::{Function, Record};
use crate::hypothesis::Claim;
use crate::plot::Figure;
use crate::tools::Tool;

/// A claim, and what the result is compared with.
pub(super) type Claimed<N> = (Claim, Against<N>);

/// A call that has not begun: its bench, its inputs, and what its attributes ask for.
///
/// Everything is computed when it is given, before the body exists, because the body may move the arguments.
pub struct Call<N = NoNull> {
    /// The bench, or the first reason why the call cannot begin.
    bench: Result<Bench>,
    asked: Asked,
    claim: Option<Claimed<N>>,
}

impl Call {
    /// A call of this function on this bench, with a bit for each of its attributes.
    pub fn of(function: &'static Function, bench: impl BenchSource, attributes: u8) -> Self {
        let mut record = Record::of(function);
        let bench = bench.hold().and_then(|bench| {
            (record.model, record.seed) = (bench.facts()?, bench.seed_for(context::seed_here()));
            Ok(bench)
        });
        let asked = Asked {
            function,
            attributes,
            record,
            plot: PlotOptions::default(),
            plots: None,
            constants: Noted::default(),
        };
        Self { bench, asked, claim: None }
    }
}

impl<N> Call<N> {
    pub(super) fn bench(&self) -> Option<&Bench> {
        self.bench.as_ref().ok()
    }

    pub(super) fn function(&self) -> &'static Function {
        self.asked.function
    }

    /// The record with its inputs. `body` is the type name of a closure in the function's body.
    pub(super) fn record_so_far(&self, body: &str) -> Record {
        self.asked.record.clone().located(self.asked.function, body)
    }

    /// The arguments by name.
    #[must_use]
    pub fn inputs<const COUNT: usize>(mut self, inputs: impl FnOnce() -> [(&'static str, Shown); COUNT]) -> Self {
        self.take(Vec::from(inputs()));
        self
    }

    fn take(&mut self, inputs: Vec<(&'static str, Shown)>) {
        let record = &mut self.asked.record;
        for (name, shown) in inputs {
            record.problems.extend(shown.hidden.as_ref().map(|hidden| hidden.of_argument(name)));
            record.arguments.insert(name.to_owned(), shown.value);
            record.blobs.extend(shown.blobs);
        }
    }

    /// The tracked constants that the body names.
    #[must_use]
    pub fn constants(mut self, constants: impl FnOnce(&mut Noted)) -> Self {
        constants(&mut self.asked.constants);
        self
    }

    /// The options of `#[log_experiment(..)]`.
    #[must_use]
    pub fn log(mut self, options: impl FnOnce(&mut Record)) -> Self {
        options(&mut self.asked.record);
        self
    }

    /// The plots of `#[plot_results(..)]`, drawn on a copy of the prompt, because the body may move it.
    #[must_use]
    pub fn plots<P: IntoTokens + Clone>(mut self, plots: impl IntoIterator<Item = PlotSpec>, prompt: &P) -> Self {
        if let Ok(bench) = &self.bench {
            self.asked.plots = Some(Plots::new(plots, prompt, bench.model()));
        }
        self
    }

    /// The options of `#[plot_results(..)]`.
    #[must_use]
    pub fn plot(mut self, options: impl FnOnce(&mut PlotOptions)) -> Self {
        options(&mut self.asked.plot);
        self
    }

    /// `#[test_hypothesis(..)]`. `options` fills the claim in and returns what the result is compared with, in words and
    /// as it is.
    #[must_use]
    pub fn claim<D>(self, options: impl FnOnce(&mut Claim) -> (&'static str, Result<Against<D>>)) -> Call<D> {
        let Self { bench, asked, .. } = self;
        let mut claim = Claim { metric: asked.function.name.into(), ..Claim::default() };
        let (words, against) = options(&mut claim);
        if claim.null.is_empty() {
            words.clone_into(&mut claim.null);
        }
        let against = claim.validate().and(against).and_then(|against| match against {
            // The draws are passes of the model: too few are refused before the first.
            Against::Draws(_) => claim.check_drawn().map(|()| against),
            Against::Value(_) | Against::Sample(_) => Ok(against),
        });
        let (bench, claim) = match (bench, against) {
            (Ok(bench), Ok(against)) => (Ok(bench), Some((claim, against))),
            (Err(error), _) | (_, Err(error)) => (Err(error), None),
        };
        Call { bench, asked, claim }
    }
}

impl<N: DrawNull> Call<N> {
    /// Runs the body with its tools and figure, and keeps what the attributes ask for.
    ///
    /// A body that returns an error or panics is recorded, and its error or panic goes on. So is a panic in a tool and
    /// in what is done with the result. After the body, an empty figure, a claim that cannot be judged and a record
    /// that cannot be saved are errors. If the body itself failed, they are reported on stderr and the body's error
    /// goes on.
    ///
    /// # Errors
    ///
    /// No bench, a tool that cannot be built, and failures after the body.
    pub fn run<T, R, S: Success>(
        self,
        tools: impl FnOnce(&Bench) -> Result<T>,
        body: impl FnOnce(T, &mut Figure) -> R,
        see: impl FnOnce(&R) -> Described<S>,
    ) -> Result<R, (Fail<R>, Error)> {
        self.recorded(tools, body, see).map_err(Fail::with)
    }

    fn recorded<T, R, S: Success>(
        self,
        tools: impl FnOnce(&Bench) -> Result<T>,
        body: impl FnOnce(T, &mut Figure) -> R,
        see: impl FnOnce(&R) -> Described<S>,
    ) -> Result<R> {
        let (mut running, claim, tools, mut figure) = self.begin(tools, std::any::type_name_of_val(&body))?;
        let value = running.step(|| body(tools, &mut figure));
        end(running, value, figure, claim, see)
    }

    /// Opens the call, builds the tools and draws the plots of the attribute. `body` is the type name of the body.
    pub(super) fn begin<T>(
        self,
        tools: impl FnOnce(&Bench) -> Result<T>,
        body: &'static str,
    ) -> Result<(Running, Option<Claimed<N>>, T, Figure)> {
        let Self { bench, asked, claim } = self;
        let mut running = Running::begin(bench?, asked, body);
        let registered = claim.as_ref().map_or(Ok(()), |(claim, _)| running.register(claim));
        match registered.and_then(|()| running.tools(tools)).and_then(|tools| Ok((tools, running.figure()?))) {
            Ok((tools, figure)) => Ok((running, claim, tools, figure)),
            Err(stop) => Err(running.stopped(stop)),
        }
    }
}

/// Looks at the result of the body, judges it and closes the call.
pub(super) fn end<N: DrawNull, R, S: Success>(
    running: Running,
    value: Result<R, Stop>,
    figure: Figure,
    claim: Option<Claimed<N>>,
    see: impl FnOnce(&R) -> Described<S>,
) -> Result<R> {
    match value.and_then(|value| caught(|| Seen::of(see(&value))).map(|seen| (seen, value))) {
        Ok((seen, value)) => {
            let bench = running.bench().clone();
            let claim = claim.map(|(claim, against)| (claim, against.on(&bench)));
            running.finish(seen, figure, claim).map(|()| value)
        }
        Err(stop) => Err(running.stopped(stop)),
    }
}

/// The tools of a function without tools.
///
/// # Errors
///
/// None.
pub fn no_tools(_bench: &Bench) -> Result<()> {
    Ok(())
}

/// Builds a tool.
///
/// # Errors
///
/// Those of [`Bench::tool`].
pub fn tool<T: Tool>(bench: &Bench) -> Result<T> {
    bench.tool()
}

/// The place of the code around it.
#[doc(hidden)]
#[macro_export]
macro_rules! __here {
    () => {
        $crate::__private::Here::of(
            ::core::module_path!(),
            ::core::file!(),
            [::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"), ::core::env!("CARGO_MANIFEST_DIR")],
        )
    };
}

/// The call of the function around it, from its name, line, text and tokens, its bench and attributes, and the features of its
/// package. It is
/// used where `__arrakis` is this crate's `__private`.
#[doc(hidden)]
#[macro_export]
macro_rules! __call {
    ($name:expr, $line:expr, $source:expr, $tokens:expr, $bench:expr, $attributes:expr $(, $features:expr)?) => {
        __arrakis::Call::of(
            const {
                &__arrakis::Function::new(
                    $crate::__here!(),
                    $name,
                    $line,
                    $source,
                    $tokens,
                )$(.with_features($features))?
            },
            $bench,
            $attributes,
        )
    };
}
