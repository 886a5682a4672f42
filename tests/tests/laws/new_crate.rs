//! The question and the claim that `arrakis new` writes, compiled and judged with these tests.

#[path = "../../../arrakis/src/cli/new/main.rs"]
#[allow(dead_code, reason = "it is a program of its own")]
mod main;
