//! The `arrakis` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    arrakis::cli::main()
}
