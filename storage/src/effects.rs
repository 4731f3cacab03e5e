//! What a command changed: the record from which notifications, invalidations, wake-ups and the journal are made.

/// The class of an event, one bit each, as in the `notify-keyspace-events` directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Class {
    Generic = 1 << 0,
    String = 1 << 1,
    List = 1 << 2,
    Set = 1 << 3,
    Hash = 1 << 4,
    Zset = 1 << 5,
    Stream = 1 << 6,
    Expired = 1 << 7,
    New = 1 << 8,
    /// A key was looked for and not found.
    Miss = 1 << 9,
    Overwritten = 1 << 10,
    TypeChanged = 1 << 11,
    Evicted = 1 << 12,
    /// The value of a key has become another one, whatever else the event is called.
    Change = 1 << 13,
}

/// One thing that can happen to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    pub class: Class,
    pub name: &'static str,
}

impl Event {
    /// Whether it is the value that has changed. What happens to the groups of a stream is no change to those who watch
    /// the key.
    #[inline]
    pub(crate) fn modifies(self) -> bool {
        self.class != Class::Stream || matches!(self, Event::XADD | Event::XDEL | Event::XTRIM)
    }

    /// What it is to those who keep copies of the value, if [`Event::modifies`].
    #[inline]
    pub(crate) fn change(self) -> Event {
        if matches!(self.class, Class::Expired | Class::Evicted) { Event::LAPSED } else { Event::CHANGED }
    }

    /// Whether it can be what somebody waits for: not if something was taken away and the key is still there, nor if
    /// it tells of no elements at all.
    pub(crate) fn helps_waiters(self) -> bool {
        match self.class {
            Class::Hash => false,
            Class::List => !matches!(self, Event::LPOP | Event::RPOP | Event::LSET | Event::LREM | Event::LTRIM),
            Class::Set => !matches!(self, Event::SADD | Event::SREM | Event::SPOP),
            Class::Zset => !matches!(
                self,
                Event::ZREM
                    | Event::ZPOPMIN
                    | Event::ZPOPMAX
                    | Event::ZREMRANGEBYRANK
                    | Event::ZREMRANGEBYSCORE
                    | Event::ZREMRANGEBYLEX
            ),
            Class::Stream => matches!(self, Event::XADD | Event::XGROUP_DESTROY),
            Class::Generic => !matches!(self, Event::EXPIRE | Event::PERSIST),
            _ => true,
        }
    }
}

macro_rules! events {
    ($($id:ident = $class:ident $name:literal),* $(,)?) => {
        impl Event {
            $(pub const $id: Event = Event { class: Class::$class, name: $name };)*
        }
    };
}

events! {
    SET = String "set",
    APPEND = String "append",
    SETRANGE = String "setrange",
    SETBIT = String "setbit",
    PFADD = String "pfadd",
    INCRBY = String "incrby",
    INCRBYFLOAT = String "incrbyfloat",
    DEL = Generic "del",
    RESTORE = Generic "restore",
    EXPIRE = Generic "expire",
    PERSIST = Generic "persist",
    RENAME_FROM = Generic "rename_from",
    RENAME_TO = Generic "rename_to",
    COPY_TO = Generic "copy_to",
    MOVE_FROM = Generic "move_from",
    MOVE_TO = Generic "move_to",
    LPUSH = List "lpush",
    RPUSH = List "rpush",
    LPOP = List "lpop",
    RPOP = List "rpop",
    LINSERT = List "linsert",
    LSET = List "lset",
    LREM = List "lrem",
    LTRIM = List "ltrim",
    SORTSTORE = List "sortstore",
    SADD = Set "sadd",
    SREM = Set "srem",
    SPOP = Set "spop",
    SINTERSTORE = Set "sinterstore",
    SUNIONSTORE = Set "sunionstore",
    SDIFFSTORE = Set "sdiffstore",
    ZADD = Zset "zadd",
    ZINCR = Zset "zincr",
    ZREM = Zset "zrem",
    ZPOPMIN = Zset "zpopmin",
    ZPOPMAX = Zset "zpopmax",
    ZREMRANGEBYRANK = Zset "zremrangebyrank",
    ZREMRANGEBYSCORE = Zset "zremrangebyscore",
    ZREMRANGEBYLEX = Zset "zremrangebylex",
    ZRANGESTORE = Zset "zrangestore",
    ZUNIONSTORE = Zset "zunionstore",
    ZINTERSTORE = Zset "zinterstore",
    ZDIFFSTORE = Zset "zdiffstore",
    GEOSEARCHSTORE = Zset "geosearchstore",
    GEORADIUSSTORE = Zset "georadiusstore",
    HSET = Hash "hset",
    HDEL = Hash "hdel",
    HINCRBY = Hash "hincrby",
    HINCRBYFLOAT = Hash "hincrbyfloat",
    HEXPIRE = Hash "hexpire",
    HPERSIST = Hash "hpersist",
    HEXPIRED = Hash "hexpired",
    XADD = Stream "xadd",
    XDEL = Stream "xdel",
    XTRIM = Stream "xtrim",
    XSETID = Stream "xsetid",
    XGROUP_CREATE = Stream "xgroup-create",
    XGROUP_SETID = Stream "xgroup-setid",
    XGROUP_DESTROY = Stream "xgroup-destroy",
    XGROUP_CREATECONSUMER = Stream "xgroup-createconsumer",
    XGROUP_DELCONSUMER = Stream "xgroup-delconsumer",
    EXPIRED = Expired "expired",
    EVICTED = Evicted "evicted",
    NEW = New "new",
    KEY_MISS = Miss "keymiss",
    OVERWRITTEN = Overwritten "overwritten",
    TYPE_CHANGED = TypeChanged "type_changed",
    CHANGED = Change "changed",
    LAPSED = Change "lapsed",
    FLUSHED = Change "flushed",
}

/// For whom a view is used: nobody by default. One word, because every request says it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Actor(u64);

impl Actor {
    const SCRIPT: u64 = 1 << 63;

    /// A client, by its number.
    #[inline]
    pub fn client(id: u64) -> Actor {
        Actor(id)
    }

    /// A script of a client's.
    pub fn script(client: u64) -> Actor {
        Actor(client | Actor::SCRIPT)
    }

    /// The number of the client; 0 is nobody.
    pub fn id(self) -> u64 {
        self.0 & !Actor::SCRIPT
    }

    pub fn is_script(self) -> bool {
        self.0 & Actor::SCRIPT != 0
    }
}

/// An event as the observer hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    pub db: usize,
    /// Empty for [`Event::FLUSHED`], which is about all keys.
    pub key: &'a [u8],
    pub event: Event,
    pub actor: Actor,
}

/// Hears of events as they happen, in their order, while the key's shard is locked. Must not touch the keyspace.
pub type Observer = Box<dyn Fn(&Happening<'_>) + Send + Sync>;

/// What one command did.
#[derive(Default)]
pub struct Effects {
    /// Changes, as `rdb_changes_since_last_save` counts them: what expires or is evicted is none.
    pub dirty: u64,
    /// So many of these are written down, or need not be: see [`crate::Journal`].
    pub written: u64,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Fields of hashes that have expired.
    pub expired_fields: u64,
    /// Keys that were removed because memory was short.
    pub evicted: u64,
}

impl Effects {
    /// Adds what was done through another view.
    pub fn absorb(&mut self, other: Effects) {
        self.dirty += other.dirty;
        self.written += other.written;
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.expired_fields += other.expired_fields;
        self.evicted += other.evicted;
    }
}
