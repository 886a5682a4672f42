//! The function of an experiment, as it is in its file.

/// A function under an attribute, as it is in its file.
#[derive(Debug)]
pub struct Function {
    /// The crate and file it is in.
    pub here: Here,
    /// Its name.
    pub name: &'static str,
    /// The line of its `fn`.
    pub line: u32,
    /// Its text.
    pub source: &'static str,
    /// Its tokens.
    pub tokens: &'static str,
    /// The cargo features of its package, with spaces between them.
    pub features: &'static str,
}

impl Function {
    /// What an attribute knows about a function.
    pub const fn new(here: Here, name: &'static str, line: u32, source: &'static str, tokens: &'static str) -> Self {
        Self { here, name, line, source, tokens, features: "" }
    }

    /// With the cargo features of its package.
    #[must_use]
    pub const fn with_features(self, features: &'static str) -> Self {
        Self { features, ..self }
    }
}

/// A place in a crate.
#[derive(Debug)]
pub struct Here {
    /// `module_path!()`.
    pub module: &'static str,
    /// The file.
    pub file: &'static str,
    /// The package.
    pub package: &'static str,
    /// The package's version.
    pub package_version: &'static str,
    /// The package's folder.
    pub folder: &'static str,
}

impl Here {
    /// A module, its file, and name, version and folder of its package.
    pub const fn of(module: &'static str, file: &'static str, package: [&'static str; 3]) -> Self {
        let [package, package_version, folder] = package;
        Self { module, file, package, package_version, folder }
    }
}
