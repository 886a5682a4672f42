//! The function of an experiment, as it is in its file.

/// A function under an attribute, as it is in its file.
#[derive(Debug)]
pub struct Function {
    /// `module_path!()`.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its package.
    pub package: &'static str,
    /// That package's version.
    pub package_version: &'static str,
    /// That package's folder.
    pub folder: &'static str,
    /// Its file.
    pub file: &'static str,
    /// The line of its `fn`.
    pub line: u32,
    /// Its text.
    pub source: &'static str,
    /// Its tokens.
    pub tokens: &'static str,
}
