//! What a site is, in one place: a table whose rows say all that is true of each hook point, one parser of names, and
//! the sites that splices add to a model at run time.
//!
//! A new site is a `let` in a hooked forward and a row of the table in `table.rs`; everything else asks the row.

mod axis;
mod info;
mod name;
mod parse;
mod parts;
mod spelling;
mod splice;
mod table;

pub(crate) use axis::Axes;
pub use axis::{Axis, Extent};
pub use info::{Place, SiteInfo};
pub use name::Site;
pub use parts::layer_of;
pub(crate) use spelling::{Ambiguous, canonical, in_module, rows_known_as};
pub use splice::{AddedSite, SiteTable};
pub use table::*;
