//! Which shard this is: as asked for, or as the engine that started it says.

use arrakis_models::Error;
use arrakis_models::ground::shard::{SHARD_VARIABLE, Shard};

use crate::error::Result;

const TASK: &str = "SLURM_ARRAY_TASK_ID";
const FIRST: &str = "SLURM_ARRAY_TASK_MIN";
const LAST: &str = "SLURM_ARRAY_TASK_MAX";
const COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const STEP: &str = "SLURM_ARRAY_TASK_STEP";
const INDEX: &str = "JOB_COMPLETION_INDEX";
const COMPLETIONS: &str = "JOB_COMPLETIONS";

#[derive(Debug, clap::Args)]
pub(super) struct ShardArgs {
    /// The shard, from 0, and their number, such as 2/4. Without it: `ARRAKIS_SHARD`, then the job array of Slurm, then the index
    /// of a Kubernetes job
    #[arg(long, value_name = "I/N", num_args = 0..=1, default_missing_value = "")]
    shard: Option<String>,
    /// The number of shards, where the engine tells only the index. Then one task of an array can be run alone
    #[arg(long, value_name = "N")]
    of: Option<usize>,
}

impl ShardArgs {
    /// The shard, with the variables of this process.
    pub(super) fn read(&self) -> Result<Shard> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let asked = self.shard.as_deref().filter(|shard| !shard.is_empty());
        Ok(found(asked, self.of, &variable)?)
    }
}

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

fn found(asked: Option<&str>, of: Option<usize>, variable: Variable) -> Result<Shard, Error> {
    if let Some(shard) = asked.map(str::to_owned).or_else(|| variable(SHARD_VARIABLE)) {
        return agreed(shard.parse()?, of);
    }
    if variable(TASK).is_some() {
        return slurm(of, variable);
    }
    if variable(INDEX).is_some() {
        return kubernetes(of, variable);
    }
    let fix = format!(
        "give --shard I/N, or set {SHARD_VARIABLE}, or run it in a job array of Slurm or an indexed job of Kubernetes"
    );
    Err(Error::Setting { setting: "shard", value: "not given".into(), fix })
}

/// The shard, unless their number was given and is another.
fn agreed(shard: Shard, of: Option<usize>) -> Result<Shard, Error> {
    match of.filter(|of| *of != shard.of) {
        Some(of) => {
            let fix = format!("the shard is {shard}; leave one of them out, or make them agree");
            Err(Error::Setting { setting: "of", value: of.to_string(), fix })
        }
        None => Ok(shard),
    }
}

/// A task of an array is the shard of its number, if it is known how many there are; otherwise of its place in the array,
/// which must then be the whole array.
fn slurm(of: Option<usize>, variable: Variable) -> Result<Shard, Error> {
    let task = number(TASK, variable)?;
    if let Some(of) = of {
        return Shard::new(task, of);
    }
    let (first, last, count) = (number(FIRST, variable)?, number(LAST, variable)?, number(COUNT, variable)?);
    let refuse = |setting: &'static str, value: usize, problem: &str| {
        let fix = format!("{problem}; number the array from 0, as in --array=0-3, and give --of 4");
        Error::Setting { setting, value: value.to_string(), fix }
    };
    let step = if variable(STEP).is_some() { number(STEP, variable)? } else { 1 };
    if step != 1 {
        return Err(refuse(STEP, step, "an array with a step does not say how many shards there are"));
    }
    if count == 1 {
        return Err(refuse(COUNT, count, "an array of one task does not say how many shards there are"));
    }
    if last.checked_sub(first).map(|more| more + 1) != Some(count) {
        return Err(refuse(COUNT, count, &format!("the tasks {first} to {last} are not as many")));
    }
    match task.checked_sub(first) {
        Some(index) => Shard::new(index, count),
        None => Err(refuse(TASK, task, &format!("the first task is {first}"))),
    }
}

fn kubernetes(of: Option<usize>, variable: Variable) -> Result<Shard, Error> {
    let index = number(INDEX, variable)?;
    let stated = if variable(COMPLETIONS).is_some() { Some(number(COMPLETIONS, variable)?) } else { None };
    match (stated, of) {
        (Some(completions), of) => agreed(Shard::new(index, completions)?, of),
        (None, Some(of)) => Shard::new(index, of),
        (None, None) => {
            let fix =
                format!("a pod is not told how many there are; give --of N, or set {COMPLETIONS} in the manifest");
            Err(Error::Setting { setting: INDEX, value: index.to_string(), fix })
        }
    }
}

fn number(name: &'static str, variable: Variable) -> Result<usize, Error> {
    let value = variable(name);
    let said = value.as_ref().map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
    let refuse = || Error::Setting {
        setting: name,
        value: said,
        fix: "it should be a whole number; or give --shard I/N".into(),
    };
    value.and_then(|value| value.parse().ok()).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found with these variables: `NAME=value NAME=value`.
    fn around(asked: Option<&str>, of: Option<usize>, variables: &str) -> Result<String, String> {
        let variable = |name: &str| {
            let pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
        };
        found(asked, of, &variable).map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    /// The variables of a job array of Slurm.
    fn array(task: &str, first: usize, last: usize, count: usize, step: usize) -> String {
        format!("{TASK}={task} {FIRST}={first} {LAST}={last} {COUNT}={count} {STEP}={step}")
    }

    #[test]
    fn the_nearest_source_counts() {
        let all = format!("{SHARD_VARIABLE}=1/5 {} {INDEX}=2 {COMPLETIONS}=9", array("3", 0, 6, 7, 1));
        assert_eq!(around(Some("0/2"), None, &all).unwrap(), "0/2");
        assert_eq!(around(None, None, &all).unwrap(), "1/5");
        assert_eq!(around(None, None, all.split_once(' ').unwrap().1).unwrap(), "3/7");
        assert_eq!(around(None, None, &format!("{INDEX}=2 {COMPLETIONS}=9")).unwrap(), "2/9");
        let said = around(None, None, "").unwrap_err();
        assert!(said.starts_with("`shard` is not given: give --shard I/N, or set ARRAKIS_SHARD"), "{said}");
    }

    #[test]
    fn a_task_is_its_place_in_the_array_or_its_number_of_so_many() {
        assert_eq!(around(None, None, &array("8", 5, 8, 4, 1)).unwrap(), "3/4");
        // One task of four, run alone.
        assert_eq!(around(None, Some(4), &array("2", 2, 2, 1, 1)).unwrap(), "2/4");
        assert_eq!(around(None, Some(4), &format!("{INDEX}=2")).unwrap(), "2/4");
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let said = |of: Option<usize>, variables: &str| around(None, of, variables).unwrap_err();
        let end = "number the array from 0, as in --array=0-3, and give --of 4";
        assert_eq!(
            said(None, &array("4", 0, 6, 4, 2)),
            format!("`{STEP}` is 2: an array with a step does not say how many shards there are; {end}")
        );
        assert_eq!(
            said(None, &array("2", 2, 2, 1, 1)),
            format!("`{COUNT}` is 1: an array of one task does not say how many shards there are; {end}")
        );
        assert_eq!(
            said(None, &array("0", 0, 6, 2, 1)),
            format!("`{COUNT}` is 2: the tasks 0 to 6 are not as many; {end}")
        );
        assert_eq!(said(None, &array("9", 0, 3, 4, 1)), "shard 9 is out of range: there are 4, numbered from 0");
        assert_eq!(said(Some(4), &array("4", 0, 4, 5, 1)), "shard 4 is out of range: there are 4, numbered from 0");
        assert_eq!(
            said(None, &array("x", 0, 3, 4, 1)),
            format!("`{TASK}` is `x`: it should be a whole number; or give --shard I/N")
        );
        assert_eq!(
            said(None, &format!("{TASK}=1")),
            format!("`{FIRST}` is not set: it should be a whole number; or give --shard I/N")
        );
        assert_eq!(
            said(None, &format!("{INDEX}=1")),
            format!(
                "`{INDEX}` is 1: a pod is not told how many there are; give --of N, or set {COMPLETIONS} in the manifest"
            )
        );
        assert_eq!(
            said(Some(3), &format!("{INDEX}=1 {COMPLETIONS}=4")),
            "`of` is 3: the shard is 1/4; leave one of them out, or make them agree"
        );
        assert!(around(Some("4/4"), None, "").is_err() && around(Some("1/4"), Some(5), "").is_err());
    }
}
