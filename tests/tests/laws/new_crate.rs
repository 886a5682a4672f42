//! The experiment and the claim that `arrakis new` writes, compiled and tested here.

#[path = "../../../arrakis/src/cli/new/main.rs"]
#[allow(dead_code, reason = "it is a separate program")]
mod main;
