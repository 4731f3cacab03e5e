//! The libraries of functions that the server has.

use std::collections::BTreeMap;
use std::sync::Arc;

use scripting::{Function, Library};

use super::Conduct;

/// A library, as all workers have it.
pub struct LibraryCode {
    pub name: String,
    pub code: Vec<u8>,
    pub functions: Vec<Function>,
    /// Of each function.
    pub conducts: Vec<Conduct>,
}

impl From<&Library> for LibraryCode {
    fn from(library: &Library) -> LibraryCode {
        LibraryCode {
            name: library.name.clone(),
            code: library.code.clone(),
            functions: library.functions.clone(),
            conducts: library.functions.iter().map(|_| Conduct::default()).collect(),
        }
    }
}

/// The libraries by their names.
pub type Libraries = BTreeMap<String, Arc<LibraryCode>>;
