//! `dictionary_learning`'s own files: `ae.pt`, a pickle, and `config.json`.

use super::dictionary_learning::of_file;
use super::format::Found;
use super::place::Place;
use crate::error::Result;

pub(super) fn read(place: &Place) -> Result<Found> {
    of_file(place, "ae.pt")
}
