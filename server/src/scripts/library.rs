//! The libraries of functions that the server has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use scripting::{Function, Functions, Library};

use super::worker::{Loading, options};
use super::{Conduct, Scripts};
use crate::command::Error;

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

/// What becomes of the libraries that are there when others are restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// They stay; none may have the name of a restored one.
    Append,
    /// Those go that have the names of restored ones.
    Replace,
    /// All go.
    Flush,
}

impl Scripts {
    /// Removes all libraries.
    pub fn forget_libraries(&self) {
        let mut libraries = self.libraries.lock();
        libraries.clear();
        self.library_flushes.fetch_add(1, Relaxed);
        self.libraries_version.fetch_add(1, Relaxed);
    }

    /// Adds libraries that were serialized: all, or none.
    pub fn restore_libraries(&self, codes: &[Vec<u8>], policy: Policy) -> Result<(), Error> {
        let restored = compile(codes)?;
        let mut current = self.libraries.lock();
        let mut all = match policy {
            Policy::Flush => Libraries::new(),
            Policy::Append | Policy::Replace => current.clone(),
        };
        for name in restored.keys() {
            if all.remove(name).is_some() && policy == Policy::Append {
                return Err(Error::new(format!("ERR Library {name} already exists")));
            }
        }
        let kept = || all.values().flat_map(|library| &library.functions);
        for function in restored.values().flat_map(|library| &library.functions) {
            if kept().any(|other| other.name.eq_ignore_ascii_case(&function.name)) {
                return Err(Error::new(format!("ERR Function {} already exists", function.name)));
            }
        }
        all.extend(restored);
        *current = all;
        self.libraries_version.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// The libraries with these texts, as they come out of a virtual machine that has no others.
fn compile(codes: &[Vec<u8>]) -> Result<Libraries, Error> {
    let mut machine = Functions::new(&options());
    for code in codes {
        let loaded = machine.load(code, false, None, &mut Loading);
        loaded.map_err(|text| Error::new([b"ERR ", &text[..]].concat()))?;
    }
    Ok(machine.libraries().map(|library| (library.name.clone(), Arc::new(library.into()))).collect())
}
