//! Everything there is to know about sites: a table with one row per hook point, one parser of names, and the sites
//! that splices add at run time.
//!
//! A new site is a `let` in a hooked forward and a row of the table in `table.rs`. All other code reads the row.

mod axis;
mod info;
mod name;
mod parse;
mod parts;
mod sharing;
mod spelling;
mod splice;
mod table;

pub(crate) use axis::{Axes, list};
pub use axis::{Axis, Extent};
pub use info::{Place, SiteInfo};
pub use name::Site;
pub use parts::layer_of;
pub(crate) use sharing::same_memory;
pub(crate) use spelling::{Ambiguous, canonical, in_module, rows_known_as};
pub(crate) use splice::BUILT_IN;
pub use splice::{AddedSite, SiteTable};
pub use table::*;
