//! How a command is declared. One declaration beside the function that runs it; COMMAND and its subcommands, key
//! extraction, ACL categories and the locks a request takes all come from here.

use bitflags::bitflags;
use protocol::Args;

use crate::command::context::{CommandResult, Context};
use crate::command::keys::KeysAt;
use crate::scripts::Scripts;

/// Several flags of one of the types below in a constant: `set!(Flags: WRITE | FAST)`.
#[macro_export]
macro_rules! set {
    ($flags:ident: $first:ident $(| $more:ident)*) => { $flags::$first$(.union($flags::$more))* };
}

/// The function behind a command.
pub type Run = fn(&mut Context<'_>) -> CommandResult;

bitflags! {
    /// What is true of a command; the names are those that COMMAND INFO prints.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub struct Flags: u32 {
        const WRITE = 1 << 0;
        const READONLY = 1 << 1;
        const DENYOOM = 1 << 2;
        const ADMIN = 1 << 3;
        const PUBSUB = 1 << 4;
        const NOSCRIPT = 1 << 5;
        const BLOCKING = 1 << 6;
        const LOADING = 1 << 7;
        const STALE = 1 << 8;
        const SKIP_MONITOR = 1 << 9;
        const SKIP_SLOWLOG = 1 << 10;
        const FAST = 1 << 11;
        const NO_AUTH = 1 << 12;
        const MAY_REPLICATE = 1 << 13;
        const NO_ASYNC_LOADING = 1 << 14;
        const NO_MULTI = 1 << 15;
        const MOVABLE_KEYS = 1 << 16;
        const ALLOW_BUSY = 1 << 17;
        const NO_MANDATORY_KEYS = 1 << 18;
    }
}

impl Flags {
    /// The names of the flags that are set, in the order that Redis lists them. `MAY_REPLICATE` is not shown.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Flags, &str); 18] = [
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENYOOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NOSCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLE_KEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
        ];
        NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }

    /// The flags of a command that runs a script which says this of itself.
    pub fn of_script(self, script: scripting::Flags) -> Flags {
        use scripting::Flags as Says;
        let writes = !script.contains(Says::NO_WRITES);
        let mut flags = self.difference(Flags::STALE | Flags::DENYOOM | Flags::WRITE | Flags::MAY_REPLICATE);
        flags.set(Flags::WRITE, writes);
        flags.set(Flags::READONLY, !writes);
        flags.set(Flags::DENYOOM, writes && !script.contains(Says::ALLOW_OOM));
        flags.set(Flags::STALE, script.contains(Says::ALLOW_STALE));
        flags
    }
}

bitflags! {
    /// ACL categories.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Categories: u32 {
        const KEYSPACE = 1 << 0;
        const READ = 1 << 1;
        const WRITE = 1 << 2;
        const SET = 1 << 3;
        const SORTEDSET = 1 << 4;
        const LIST = 1 << 5;
        const HASH = 1 << 6;
        const STRING = 1 << 7;
        const BITMAP = 1 << 8;
        const HYPERLOGLOG = 1 << 9;
        const GEO = 1 << 10;
        const STREAM = 1 << 11;
        const PUBSUB = 1 << 12;
        const ADMIN = 1 << 13;
        const FAST = 1 << 14;
        const SLOW = 1 << 15;
        const BLOCKING = 1 << 16;
        const DANGEROUS = 1 << 17;
        const CONNECTION = 1 << 18;
        const TRANSACTION = 1 << 19;
        const SCRIPTING = 1 << 20;
    }
}

impl Categories {
    /// The names of the categories that are set, in the order that Redis lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CATEGORY_NAMES.into_iter().filter(move |(category, _)| self.contains(*category)).map(|(_, name)| name)
    }
}

/// Every category with its name, in the order that Redis lists them.
pub const CATEGORY_NAMES: [(Categories, &str); 21] = [
    (Categories::KEYSPACE, "keyspace"),
    (Categories::READ, "read"),
    (Categories::WRITE, "write"),
    (Categories::SET, "set"),
    (Categories::SORTEDSET, "sortedset"),
    (Categories::LIST, "list"),
    (Categories::HASH, "hash"),
    (Categories::STRING, "string"),
    (Categories::BITMAP, "bitmap"),
    (Categories::HYPERLOGLOG, "hyperloglog"),
    (Categories::GEO, "geo"),
    (Categories::STREAM, "stream"),
    (Categories::PUBSUB, "pubsub"),
    (Categories::ADMIN, "admin"),
    (Categories::FAST, "fast"),
    (Categories::SLOW, "slow"),
    (Categories::BLOCKING, "blocking"),
    (Categories::DANGEROUS, "dangerous"),
    (Categories::CONNECTION, "connection"),
    (Categories::TRANSACTION, "transaction"),
    (Categories::SCRIPTING, "scripting"),
];

bitflags! {
    /// What a command does with the keys of a key specification.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct KeyFlags: u16 {
        const RO = 1 << 0;
        const RW = 1 << 1;
        const OW = 1 << 2;
        const RM = 1 << 3;
        const ACCESS = 1 << 4;
        const UPDATE = 1 << 5;
        const INSERT = 1 << 6;
        const DELETE = 1 << 7;
        const NOT_KEY = 1 << 8;
        const INCOMPLETE = 1 << 9;
        const VARIABLE_FLAGS = 1 << 10;
    }
}

impl KeyFlags {
    /// The names of the flags that are set, as COMMAND INFO and COMMAND GETKEYSANDFLAGS print them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(KeyFlags, &str); 11] = [
            (KeyFlags::RO, "RO"),
            (KeyFlags::RW, "RW"),
            (KeyFlags::OW, "OW"),
            (KeyFlags::RM, "RM"),
            (KeyFlags::ACCESS, "access"),
            (KeyFlags::UPDATE, "update"),
            (KeyFlags::INSERT, "insert"),
            (KeyFlags::DELETE, "delete"),
            (KeyFlags::NOT_KEY, "not_key"),
            (KeyFlags::INCOMPLETE, "incomplete"),
            (KeyFlags::VARIABLE_FLAGS, "variable_flags"),
        ];
        NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

/// Where a key specification's first key stands.
#[derive(Clone, Copy, Debug)]
pub enum BeginSearch {
    Index(i32),
    /// Behind a keyword, looked for from an argument on (from the end when negative).
    Keyword(&'static str, i32),
    /// Where only [`Spec::find_keys`] can tell, or nowhere in the request.
    Unknown,
}

/// How the keys go on from the first one.
#[derive(Clone, Copy, Debug)]
pub enum FindKeys {
    /// To the argument `last` counted from the first key (negative: from the end), every `step`th, and of those in the
    /// last case only one part in `limit`.
    Range {
        last: i32,
        step: i32,
        limit: i32,
    },
    /// A count stands at `count` and the first key at `first`, both counted from the beginning.
    KeyNum {
        count: i32,
        first: i32,
        step: i32,
    },
    Unknown,
}

/// One group of keys among a command's arguments.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub begin: BeginSearch,
    pub find: FindKeys,
    pub flags: KeyFlags,
    pub notes: Option<&'static str>,
}

impl KeySpec {
    /// Exactly the argument at `index`.
    pub const fn at(index: i32, flags: KeyFlags) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// From `first` to `last` (counted from the first; -1 is the last argument), every `step`th.
    pub const fn range(first: i32, last: i32, step: i32, flags: KeyFlags) -> KeySpec {
        KeySpec { begin: BeginSearch::Index(first), find: FindKeys::Range { last, step, limit: 0 }, flags, notes: None }
    }

    /// As many as the argument at `index` says, from the one behind it on.
    pub const fn counted(index: i32, step: i32, flags: KeyFlags) -> KeySpec {
        KeySpec {
            begin: BeginSearch::Index(index),
            find: FindKeys::KeyNum { count: 0, first: 1, step },
            flags,
            notes: None,
        }
    }

    /// Keys that no specification can find.
    pub const fn unknown(flags: KeyFlags) -> KeySpec {
        KeySpec { begin: BeginSearch::Unknown, find: FindKeys::Unknown, flags, notes: None }
    }

    /// The argument behind a keyword, which is looked for from the argument at `from` on.
    pub const fn behind(keyword: &'static str, from: i32, flags: KeyFlags) -> KeySpec {
        KeySpec { begin: BeginSearch::Keyword(keyword, from), ..KeySpec::at(0, flags) }
    }

    /// The first half of the arguments behind a keyword, which is looked for from the argument at `from` on.
    pub const fn first_half(keyword: &'static str, from: i32, flags: KeyFlags) -> KeySpec {
        let find = FindKeys::Range { last: -1, step: 1, limit: 2 };
        KeySpec { find, ..KeySpec::behind(keyword, from, flags) }
    }

    pub const fn note(self, notes: &'static str) -> KeySpec {
        KeySpec { notes: Some(notes), ..self }
    }
}

/// The part of the documentation that a command belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    Hyperloglog,
    List,
    Pubsub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::Hyperloglog => "hyperloglog",
            Group::List => "list",
            Group::Pubsub => "pubsub",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}

/// The kind of an argument, as COMMAND DOCS names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgKind {
    pub fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::PureToken => "pure-token",
            ArgKind::OneOf => "oneof",
            ArgKind::Block => "block",
        }
    }
}

/// One argument, for COMMAND DOCS.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    pub name: &'static str,
    pub kind: ArgKind,
    pub token: Option<&'static str>,
    pub key_spec: Option<i32>,
    pub optional: bool,
    pub multiple: bool,
    pub multiple_token: bool,
    pub since: Option<&'static str>,
    pub deprecated_since: Option<&'static str>,
    /// What help texts call it, where that is not its name.
    pub display: Option<&'static str>,
    pub args: &'static [Arg],
}

impl Arg {
    pub const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: None,
            key_spec: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: None,
            deprecated_since: None,
            display: None,
            args: &[],
        }
    }

    /// A key, found by the key specification with this number.
    pub const fn key(name: &'static str, key_spec: i32) -> Arg {
        Arg { key_spec: Some(key_spec), ..Arg::new(name, ArgKind::Key) }
    }

    /// A word that stands for itself.
    pub const fn flag(name: &'static str, token: &'static str) -> Arg {
        Arg::new(name, ArgKind::PureToken).token(token)
    }

    pub const fn one_of(name: &'static str, args: &'static [Arg]) -> Arg {
        Arg { args, ..Arg::new(name, ArgKind::OneOf) }
    }

    pub const fn block(name: &'static str, args: &'static [Arg]) -> Arg {
        Arg { args, ..Arg::new(name, ArgKind::Block) }
    }

    pub const fn token(self, token: &'static str) -> Arg {
        Arg { token: Some(token), ..self }
    }

    pub const fn optional(self) -> Arg {
        Arg { optional: true, ..self }
    }

    pub const fn multiple(self) -> Arg {
        Arg { multiple: true, ..self }
    }

    /// May be repeated, each time with its token.
    pub const fn multiple_token(self) -> Arg {
        Arg { multiple: true, multiple_token: true, ..self }
    }

    pub const fn since(self, version: &'static str) -> Arg {
        Arg { since: Some(version), ..self }
    }

    pub const fn deprecated_since(self, version: &'static str) -> Arg {
        Arg { deprecated_since: Some(version), ..self }
    }

    pub const fn display(self, text: &'static str) -> Arg {
        Arg { display: Some(text), ..self }
    }
}

/// A command's declaration.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case; a subcommand's without its parent's.
    pub name: &'static str,
    pub run: Run,
    /// Arguments with the name: exactly so many, or at least so many when negative.
    pub arity: i32,
    pub flags: Flags,
    pub categories: Categories,
    pub keys: &'static [KeySpec],
    /// What a call does with its keys where that depends on the arguments.
    pub key_flags: Option<fn(Args<'_>) -> KeyFlags>,
    /// Finds the keys that are arguments, where the specifications do not tell them all.
    pub find_keys: Option<fn(Args<'_>) -> KeysAt>,
    /// Whether an argument is a secret, which MONITOR and the logs do not show.
    pub is_secret: Option<fn(Args<'_>, usize) -> bool>,
    /// What the script or function of a call says of itself, which goes before the command's flags.
    pub script_flags: Option<fn(&Scripts, Args<'_>) -> Option<scripting::Flags>>,
    /// Whether it locks the keys itself that it declares.
    pub locks_itself: bool,
    /// Whether it is carried out at once while the client is queuing a transaction.
    pub immediate: bool,
    /// Whether a request takes every shard: it is about the whole keyspace, or about keys that are no arguments.
    pub all_shards: Option<fn(Args<'_>) -> bool>,
    pub tips: &'static [&'static str],
    pub group: Group,
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    /// Version and words of what changed since.
    pub history: &'static [(&'static str, &'static str)],
    /// Since when and in favour of what the command is deprecated.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// For Redis's own use rather than for applications.
    pub internal: bool,
    pub args: &'static [Arg],
    pub subcommands: &'static [Spec],
}

impl Spec {
    pub const fn new(name: &'static str, arity: i32, run: Run) -> Spec {
        Spec {
            name,
            run,
            arity,
            flags: Flags::empty(),
            categories: Categories::empty(),
            keys: &[],
            key_flags: None,
            find_keys: None,
            is_secret: None,
            script_flags: None,
            locks_itself: false,
            immediate: false,
            all_shards: None,
            tips: &[],
            group: Group::Generic,
            since: "1.0.0",
            summary: "",
            complexity: "",
            history: &[],
            deprecated: None,
            internal: false,
            args: &[],
            subcommands: &[],
        }
    }

    /// A command that is only the root of its subcommands.
    pub const fn container(name: &'static str, subcommands: &'static [Spec]) -> Spec {
        Spec { subcommands, ..Spec::new(name, -2, super::context::unreachable_container) }
    }

    /// Group, version, complexity and summary for the documentation.
    pub const fn doc(self, group: Group, since: &'static str, complexity: &'static str, summary: &'static str) -> Spec {
        Spec { group, since, complexity, summary, ..self }
    }

    pub const fn flags(self, flags: Flags) -> Spec {
        Spec { flags, ..self }
    }

    /// ACL categories beyond those that follow from the flags.
    pub const fn acl(self, categories: Categories) -> Spec {
        Spec { categories, ..self }
    }

    pub const fn keys(self, keys: &'static [KeySpec]) -> Spec {
        Spec { keys, ..self }
    }

    pub const fn find_keys(self, find: fn(Args<'_>) -> KeysAt) -> Spec {
        Spec { find_keys: Some(find), ..self }
    }

    pub const fn key_flags(self, flags: fn(Args<'_>) -> KeyFlags) -> Spec {
        Spec { key_flags: Some(flags), ..self }
    }

    /// Arguments of which `is_secret` says so are not shown to others.
    pub const fn secrets(self, is_secret: fn(Args<'_>, usize) -> bool) -> Spec {
        Spec { is_secret: Some(is_secret), ..self }
    }

    /// Runs a script, whose own flags are found by `flags`. Locks the keys itself that it declares.
    pub const fn runs_script(self, flags: fn(&Scripts, Args<'_>) -> Option<scripting::Flags>) -> Spec {
        Spec { script_flags: Some(flags), locks_itself: true, ..self }
    }

    pub const fn immediate(self) -> Spec {
        Spec { immediate: true, ..self }
    }

    /// Whether this is the command with a name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Every request takes all shards.
    pub const fn all_shards(self) -> Spec {
        self.all_shards_if(|_| true)
    }

    /// Requests of which `wanted` says so take all shards, others those of their keys.
    pub const fn all_shards_if(self, wanted: fn(Args<'_>) -> bool) -> Spec {
        Spec { all_shards: Some(wanted), ..self }
    }

    pub const fn tips(self, tips: &'static [&'static str]) -> Spec {
        Spec { tips, ..self }
    }

    pub const fn history(self, history: &'static [(&'static str, &'static str)]) -> Spec {
        Spec { history, ..self }
    }

    /// Marks a command that is not for applications.
    pub const fn internal(self) -> Spec {
        Spec { internal: true, ..self }
    }

    pub const fn deprecated(self, since: &'static str, replaced_by: &'static str) -> Spec {
        Spec { deprecated: Some((since, replaced_by)), ..self }
    }

    pub const fn args(self, args: &'static [Arg]) -> Spec {
        Spec { args, ..self }
    }

    /// Whether a request with so many arguments, the name included, fits.
    #[inline]
    pub fn accepts(&self, argc: usize) -> bool {
        if self.arity >= 0 { argc == self.arity as usize } else { argc >= self.arity.unsigned_abs() as usize }
    }

    /// The declared categories and those that follow from the flags.
    pub fn all_categories(&self) -> Categories {
        let mut all = self.categories;
        all.set(Categories::WRITE, all.contains(Categories::WRITE) || self.flags.contains(Flags::WRITE));
        let reads = self.flags.contains(Flags::READONLY) && !all.contains(Categories::SCRIPTING);
        all.set(Categories::READ, all.contains(Categories::READ) || reads);
        if self.flags.contains(Flags::ADMIN) {
            all |= Categories::ADMIN | Categories::DANGEROUS;
        }
        if self.flags.contains(Flags::PUBSUB) {
            all |= Categories::PUBSUB;
        }
        if self.flags.contains(Flags::BLOCKING) {
            all |= Categories::BLOCKING;
        }
        all | if self.flags.contains(Flags::FAST) { Categories::FAST } else { Categories::SLOW }
    }
}
