//! The table of directives. A declaration is one row and one field: the row says everything that files, CONFIG and
//! `--help` need to know, the field holds the value, and a getter of the same name on [`Config`](super::Config) reads it.

mod cluster;
mod general;
mod http;
mod memory;
mod network;
mod persistence;
mod replication;
mod tls;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(super) use cluster::Cluster;
pub use cluster::EndpointType;
pub(super) use general::General;
pub use general::{LogLevel, Permission, PubSubDefault, Supervised, SyslogFacility};
pub(super) use http::Http;
pub(super) use memory::Memory;
pub use memory::{MaxmemoryPolicy, OomAdjust};
pub(super) use network::Network;
pub(super) use persistence::Persistence;
pub use persistence::{FsyncPolicy, SanitizePayload};
pub(super) use replication::Replication;
pub use replication::{DisklessLoad, PropagationError};
pub(super) use tls::Tls;
pub use tls::TlsAuth;

use super::value::{Choice, Number, OneOf, Setting, Switch, Text, Unit, Validator};

/// What must be done, besides storing it, when a directive changes at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apply {
    AccessPolicy,
    AppendHistory,
    AppendOnly,
    AppendTime,
    Bind,
    ClientMemory,
    CrashReports,
    HttpTokens,
    Logging,
    MaxClients,
    Memory,
    Notifications,
    OomScore,
    Password,
    Port,
    SlowLog,
    Title,
    Tls,
    TlsPort,
    Tracking,
}

/// When a directive may be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutability {
    Anytime,
    /// At run time only where `enable-protected-configs` allows it.
    Protected,
    /// Only at the start.
    AtStart,
}

/// What is fixed about a directive.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    /// An older name, which works as well.
    pub alias: Option<&'static str>,
    pub summary: &'static str,
    pub mutability: Mutability,
    /// Whether it takes several words.
    pub multiple: bool,
    /// Left out of CONFIG GET with patterns.
    pub hidden: bool,
    /// Not to be shown in logs.
    pub sensitive: bool,
    /// Refused while a dataset is loaded.
    pub not_while_loading: bool,
    /// Applied even when it is set to what it is already: what it names may have changed.
    pub volatile: bool,
    pub apply: Option<Apply>,
}

/// A row with its value.
pub(super) struct Directive<V> {
    pub(super) row: Row,
    pub(super) value: V,
    given: AtomicBool,
}

/// A directive of any kind.
pub(super) trait Entry {
    fn row(&self) -> &Row;

    fn setting(&self) -> &dyn Setting;

    /// Notes that a file or the command line sets it.
    fn mark_given(&self);
}

impl<V: Setting> Entry for Directive<V> {
    fn row(&self) -> &Row {
        &self.row
    }

    fn setting(&self) -> &dyn Setting {
        &self.value
    }

    fn mark_given(&self) {
        self.given.store(true, Relaxed);
    }
}

impl<V> Directive<V> {
    fn new(name: &'static str, value: V) -> Directive<V> {
        let row = Row {
            name,
            alias: None,
            summary: "",
            mutability: Mutability::Anytime,
            multiple: false,
            hidden: false,
            sensitive: false,
            not_while_loading: false,
            volatile: false,
            apply: None,
        };
        Directive { row, value, given: AtomicBool::new(false) }
    }

    /// Whether a file or the command line set it.
    pub(super) fn given(&self) -> bool {
        self.given.load(Relaxed)
    }

    fn with(mut self, change: impl FnOnce(&mut Row)) -> Directive<V> {
        change(&mut self.row);
        self
    }

    fn summary(self, summary: &'static str) -> Directive<V> {
        self.with(|row| row.summary = summary)
    }

    fn alias(self, alias: &'static str) -> Directive<V> {
        self.with(|row| row.alias = Some(alias))
    }

    fn at_start(self) -> Directive<V> {
        self.with(|row| row.mutability = Mutability::AtStart)
    }

    fn protected(self) -> Directive<V> {
        self.with(|row| row.mutability = Mutability::Protected)
    }

    fn multiple(self) -> Directive<V> {
        self.with(|row| row.multiple = true)
    }

    fn hidden(self) -> Directive<V> {
        self.with(|row| row.hidden = true)
    }

    fn sensitive(self) -> Directive<V> {
        self.with(|row| row.sensitive = true)
    }

    fn not_while_loading(self) -> Directive<V> {
        self.with(|row| row.not_while_loading = true)
    }

    fn volatile(self) -> Directive<V> {
        self.with(|row| row.volatile = true)
    }

    fn apply(self, apply: Apply) -> Directive<V> {
        self.with(|row| row.apply = Some(apply))
    }
}

impl Directive<Text> {
    fn checked(self, validator: Validator) -> Directive<Text> {
        Directive { value: self.value.checked(validator), ..self }
    }
}

impl Directive<Number> {
    /// Keeps what is accepted but not sensible within bounds.
    fn moved_into(self, min: i64, max: i64) -> Directive<Number> {
        Directive { value: self.value.moved_into(min, max), ..self }
    }
}

/// The largest numbers that C's `int` and `unsigned int` hold: common bounds.
const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;
const LONG: i64 = i64::MAX;

fn switch(name: &'static str, default: bool) -> Directive<Switch> {
    Directive::new(name, Switch::new(default))
}

fn number(name: &'static str, default: i64, min: i64, max: i64) -> Directive<Number> {
    Directive::new(name, Number::new(default, min, max, Unit::Plain))
}

fn bytes(name: &'static str, default: i64, min: i64, max: i64) -> Directive<Number> {
    Directive::new(name, Number::new(default, min, max, Unit::Memory))
}

fn port(name: &'static str, default: i64) -> Directive<Number> {
    number(name, default, 0, 65535)
}

fn one_of<C: Choice>(name: &'static str, default: C) -> Directive<OneOf<C>> {
    Directive::new(name, OneOf::new(default))
}

/// A text that may be empty.
fn text(name: &'static str, default: &'static str) -> Directive<Text> {
    Directive::new(name, Text::new(default))
}

/// A text that is absent when it is empty.
fn optional(name: &'static str) -> Directive<Text> {
    Directive::new(name, Text::optional())
}

/// Declares the directives of a theme: a struct of them, the list of its rows, and a getter for each on `Config`. The
/// first line of a declaration's comment is its line in `--help`.
macro_rules! directives {
    ($(#[doc = $about:literal])+ $theme:ident in $place:ident {
        $(#[doc = $summary:literal] $(#[doc = $more:literal])* $field:ident: $kind:ty = $make:expr;)+
    }) => {
        $(#[doc = $about])+
        pub(in crate::config) struct $theme {
            $(pub(in crate::config) $field: $crate::config::table::Directive<$kind>,)+
        }

        impl $theme {
            pub(in crate::config) fn new() -> $theme {
                $theme { $($field: $make.summary($summary),)+ }
            }

            pub(in crate::config) fn list<'a>(&'a self, all: &mut Vec<&'a dyn $crate::config::table::Entry>) {
                $(all.push(&self.$field);)+
            }
        }

        impl $crate::config::Config {
            $(
                #[doc = $summary] $(#[doc = $more])*
                pub fn $field(&self) -> <$kind as $crate::config::value::Readable>::Output {
                    $crate::config::value::Readable::read(&self.$place.$field.value)
                }
            )+
        }
    };
}
use directives;
