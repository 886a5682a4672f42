//! Which axis of a tensor is the position and which the head, by the name of its site.

/// Which axis of a site is which.
pub(crate) struct Axes {
    /// The (query) position.
    pub(crate) position: usize,
    /// The head, where there is one.
    pub(crate) head: Option<usize>,
}

impl Axes {
    /// By the site's name: `scores` and `pattern` are `[batch, head, query, key]`, all else `[batch, pos, ..]`.
    pub(crate) fn of(site: &str, dims: &[usize]) -> Self {
        if site.ends_with("scores") || site.ends_with("pattern") {
            return Self { position: 2, head: Some(1) };
        }
        Self { position: 1, head: (dims.len() == 4).then_some(2) }
    }

    /// Lengths before, at and after the position axis.
    pub(crate) fn around_position(&self, dims: &[usize]) -> (usize, usize, usize) {
        (dims[..self.position].iter().product(), dims[self.position], dims[self.position + 1..].iter().product())
    }
}
