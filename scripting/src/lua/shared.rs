//! What belongs to a virtual machine beside the Lua state: reachable from every callback.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use mlua::ffi;
use protocol::{OwnedArgs, Reply, Resp};

use crate::functions::Loading;
use crate::host::{Flow, Host};
use crate::random::Random;

/// Why a script must end, whatever it does to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SCRIPT KILL, FUNCTION KILL, or FUNCTION LOAD takes too long.
    Killed,
    /// The host wants nothing to come of this run.
    Abandoned,
    /// A callback has panicked; the panic goes on once Lua has returned.
    Panicked,
}

/// Functions of Lua's own library that have guards in front of them.
#[derive(Clone, Copy)]
pub(crate) struct Originals {
    pub(super) next: ffi::lua_CFunction,
    pub(super) rawget: ffi::lua_CFunction,
    pub(super) rawset: ffi::lua_CFunction,
    pub(super) getmetatable: ffi::lua_CFunction,
    pub(super) setmetatable: ffi::lua_CFunction,
    pub(super) insert: ffi::lua_CFunction,
    pub(super) remove: ffi::lua_CFunction,
    pub(super) sort: ffi::lua_CFunction,
    pub(super) concat: ffi::lua_CFunction,
    pub(super) maxn: ffi::lua_CFunction,
    pub(super) foreach: ffi::lua_CFunction,
    pub(super) resume: ffi::lua_CFunction,
    pub(super) collectgarbage: ffi::lua_CFunction,
    pub(super) load: ffi::lua_CFunction,
    pub(super) tonumber: ffi::lua_CFunction,
}

/// Work between two looks at whether to go on. A unit is about what a byte takes to be copied, so that is a matter of
/// milliseconds.
const WORK_PER_LOOK: usize = 16 << 20;

/// Buffers for redis.call, kept from call to call.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) args: OwnedArgs,
    pub(crate) reply: Reply,
}

/// State of one virtual machine that Lua does not hold. Has a fixed address for as long as the Lua state lives.
pub(crate) struct Shared {
    /// Bytes that Lua has allocated.
    pub(super) used: Cell<usize>,
    /// Bytes that it may allocate.
    pub(super) limit: Cell<usize>,
    /// Bytes that were left when all garbage was last collected.
    pub(super) live: Cell<usize>,
    /// Bytes that were freed in large amounts.
    freed: Cell<usize>,
    /// Whether the allocator refuses what goes beyond the limit.
    pub(super) strict: Cell<bool>,
    /// Work that may still be done before the host is asked whether to go on.
    work_left: Cell<usize>,
    ending: Cell<Option<Ending>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
    host: Cell<Option<NonNull<dyn Host>>>,
    pub(super) originals: Cell<Option<Originals>>,
    /// The metatable of strings, which scripts see only through its read-only view.
    pub(super) string_metatable: Cell<*const c_void>,
    /// The protocol's version that `redis.setresp` has chosen.
    pub(crate) resp: Cell<Resp>,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) random: RefCell<Random>,
    /// The library whose code is being run by FUNCTION LOAD.
    pub(crate) loading: RefCell<Option<Loading>>,
}

impl Shared {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: Cell::new(0),
            limit: Cell::new(limit),
            live: Cell::new(0),
            freed: Cell::new(0),
            strict: Cell::new(false),
            work_left: Cell::new(WORK_PER_LOOK),
            ending: Cell::new(None),
            panic: Cell::new(None),
            host: Cell::new(None),
            originals: Cell::new(None),
            string_metatable: Cell::new(std::ptr::null()),
            resp: Cell::new(Resp::V2),
            scratch: RefCell::default(),
            random: RefCell::default(),
            loading: RefCell::default(),
        }
    }

    /// Bytes that Lua has allocated.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Bytes that may still be allocated.
    pub(super) fn room(&self) -> usize {
        self.limit.get().saturating_sub(self.used.get())
    }

    /// Whether there is room for so many bytes, which a callback has built, and for Lua's copy of them.
    #[inline]
    pub(crate) fn has_room(&self, built: usize) -> bool {
        self.used.get().saturating_add(built.saturating_mul(2)) <= self.limit.get()
    }

    /// Bytes that were allocated since all garbage was last collected: there is no more garbage than that.
    pub(super) fn grown(&self) -> usize {
        self.used.get().saturating_sub(self.live.get())
    }

    /// Notes that so many bytes are free again, or will be when a callback returns.
    pub(super) fn note_freed(&self, bytes: usize) {
        self.freed.set(self.freed.get().max(bytes));
    }

    /// Bytes that were freed at once since this was last asked.
    #[inline]
    pub(crate) fn take_freed(&self) -> usize {
        self.freed.take()
    }

    /// Counts work that is over and done with.
    pub(super) fn add_work(&self, units: usize) {
        self.work_left.set(self.work_left.get().saturating_sub(units));
    }

    /// Counts work, and tells whether it is time to ask the host whether to go on.
    #[inline]
    pub(crate) fn has_worked(&self, units: usize) -> bool {
        let left = self.work_left.get().checked_sub(units);
        self.work_left.set(left.unwrap_or(WORK_PER_LOOK));
        left.is_none()
    }

    /// Why the script must end, if it must.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    /// From now on every protected call fails.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.set(Some(ending));
    }

    /// As [`poll`](Self::poll), where nothing may unwind.
    pub(super) fn poll_caught(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.poll())).unwrap_or_else(|panic| {
            self.keep_panic(panic);
            false
        })
    }

    pub(super) fn keep_panic(&self, panic: Box<dyn Any + Send>) {
        self.panic.set(Some(panic));
        self.end(Ending::Panicked);
    }

    /// Lets a host be called while `body` runs, and says afterwards why the script was ended.
    ///
    /// A panic that came up in a callback goes on here.
    pub(crate) fn with_run<R>(&self, host: &mut (dyn Host + '_), body: impl FnOnce() -> R) -> (R, Option<Ending>) {
        /// Takes the host back, on unwinding too.
        struct Lease<'a>(&'a Shared);
        impl Drop for Lease<'_> {
            fn drop(&mut self) {
                self.0.host.set(None);
            }
        }

        let host: NonNull<dyn Host + '_> = NonNull::from(host);
        // SAFETY: only the lifetime changes. The pointer is removed by the lease before `host` ends, and `with_host`
        // makes one reference of it at a time.
        let host = unsafe { std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host + 'static>>(host) };
        self.ending.set(None);
        self.host.set(Some(host));
        self.resp.set(Resp::V2);
        let lease = Lease(self);
        let result = body();
        drop(lease);
        let ending = self.ending.take();
        if let Some(panic) = self.panic.take() {
            std::panic::resume_unwind(panic);
        }
        (result, ending)
    }

    /// Gives back what the buffers for redis.call hold, if that is much.
    pub(crate) fn trim_scratch(&self) {
        /// What is kept for the next run.
        const LITTLE: usize = 64 * 1024;
        if let Ok(mut scratch) = self.scratch.try_borrow_mut()
            && scratch.args.memory() > LITTLE
        {
            *scratch = Scratch::default();
        }
    }

    /// Calls the host; `None` outside a run.
    pub(crate) fn with_host<R>(&self, call: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
        let mut host = self.host.take()?;
        // SAFETY: `with_run` keeps the host borrowed; and as it is taken out meanwhile, there is no second reference.
        let result = call(unsafe { host.as_mut() });
        self.host.set(Some(host));
        Some(result)
    }

    /// Whether a script is running.
    pub(crate) fn is_running(&self) -> bool {
        let host = self.host.take();
        self.host.set(host);
        host.is_some()
    }

    /// Asks the host whether to go on; `false` if the script must end.
    pub(crate) fn poll(&self) -> bool {
        if self.ending.get().is_none() {
            match self.with_host(|host| host.interrupted()) {
                Some(Flow::Kill) => self.end(Ending::Killed),
                Some(Flow::Abandon) => self.end(Ending::Abandoned),
                Some(Flow::Continue) | None => {}
            }
        }
        self.ending.get().is_none()
    }
}
