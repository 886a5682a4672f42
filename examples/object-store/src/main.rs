//! Brings the records of a folder into an object store, or back.

use std::path::Path;
use std::process::ExitCode;

use arrakis_object_store::{Bucket, Copied, Result};

const USAGE: &str = "usage: arrakis-object-store push FOLDER URL\n       arrakis-object-store pull URL FOLDER\n\
                     URL: s3://BUCKET/FOLDER or file:///FOLDER\n\
                     exit status: 0 if all is there, 1 if files differ, 2 for errors";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["push", folder, url] => Bucket::open(url).and_then(|bucket| bucket.push(Path::new(folder))),
        ["pull", url, folder] => Bucket::open(url).and_then(|bucket| bucket.pull(Path::new(folder))),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    said(&done)
}

fn said(done: &Result<Copied>) -> ExitCode {
    match done {
        Ok(copied) => {
            println!("{copied}");
            ExitCode::from(u8::from(!copied.differ.is_empty()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
