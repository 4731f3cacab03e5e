//! Scripts: EVAL, EVALSHA and SCRIPT.

use std::collections::HashMap;
use std::ffi::c_int;

use ahash::RandomState;
use protocol::Reply;

use crate::Options;
use crate::host::Host;
use crate::script::{Flags, Header, Sha};
use crate::vm::{Compiled, End, Purpose, Vm};

/// A script that has been compiled.
struct Script {
    function: c_int,
    flags: Option<Flags>,
}

/// The scripts of one thread, and the virtual machine that runs them.
pub struct Engine {
    scripts: HashMap<Sha, Script, RandomState>,
    vm: Vm,
}

impl Engine {
    /// An engine without scripts.
    pub fn new(options: &Options) -> Self {
        Self { scripts: HashMap::default(), vm: Vm::new(Purpose::Scripts, options) }
    }

    /// Compiles a script, unless that has been done. The error is a text without a code.
    pub fn load(&mut self, script: &[u8]) -> Result<Sha, Vec<u8>> {
        let sha = Sha::of(script);
        self.load_as(sha, script)?;
        Ok(sha)
    }

    /// As [`load`](Self::load), for a caller that has the digest already.
    pub fn load_as(&mut self, sha: Sha, script: &[u8]) -> Result<(), Vec<u8>> {
        if self.scripts.contains_key(&sha) {
            return Ok(());
        }
        let header = Header::parse(script)?;
        let state = self.vm.state();
        state.set_top(0);
        let code = script.get(header.length..).unwrap_or_default();
        if let Err(message) = state.compile(code, c"@user_script") {
            return Err([b"Error compiling script (new function): ", &message[..]].concat());
        }
        self.scripts.insert(sha, Script { function: self.vm.keep_script(), flags: header.flags });
        Ok(())
    }

    /// Whether a script has been compiled.
    pub fn contains(&self, sha: &Sha) -> bool {
        self.scripts.contains_key(sha)
    }

    /// What a script that has been compiled says in its first line; the inner `None` if it has no such line.
    pub fn flags(&self, sha: &Sha) -> Option<Option<Flags>> {
        self.scripts.get(sha).map(|script| script.flags)
    }

    /// Runs a script and appends its reply, or its error; `None`, with nothing appended, if it has not been compiled.
    pub fn run<'a>(
        &mut self,
        sha: &Sha,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Option<End> {
        self.compiled(sha).map(|compiled| self.run_compiled(compiled, sha, keys, args, host, reply))
    }

    /// A script that has been compiled, for [`run_compiled`](Self::run_compiled).
    pub fn compiled(&self, sha: &Sha) -> Option<Compiled> {
        self.scripts.get(sha).map(|script| Compiled(script.function))
    }

    /// As [`run`](Self::run), for a caller that remembers what is compiled.
    pub fn run_compiled<'a>(
        &mut self,
        Compiled(function): Compiled,
        sha: &Sha,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> End {
        self.vm.run(function, sha, keys, args, host, reply)
    }

    /// Forgets a script.
    pub fn remove(&mut self, sha: &Sha) -> bool {
        let removed = self.scripts.remove(sha);
        if let Some(script) = &removed {
            self.vm.state().forget(script.function);
        }
        removed.is_some()
    }

    /// Frees what scripts that were forgotten have left.
    pub fn collect_garbage(&mut self) {
        self.vm.state().collect_garbage();
    }

    /// How many scripts have been compiled.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Whether no script has been compiled.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Bytes of memory that were freed at once since this was last asked: whether it is worth while to give some back to
    /// the system.
    pub fn take_freed(&mut self) -> usize {
        self.vm.take_freed()
    }

    /// Bytes of memory that the virtual machine holds (`used_memory_vm_eval`).
    pub fn vm_memory(&self) -> usize {
        self.vm.memory()
    }
}
