//! Up to where collections are small, as it is configured.

use std::sync::atomic::Ordering::Relaxed;

use storage::PackLimits;
use storage::list::NodeLimit;
use storage::rdb::Limits;
use storage::set::SetLimits;

use crate::server::Server;

impl Server {
    /// How large the nodes of lists get.
    pub fn list_limit(&self) -> NodeLimit {
        NodeLimit::new(self.config.list_max_listpack_size()).with_long_from(self.long_elements.load(Relaxed))
    }

    pub fn set_limits(&self) -> SetLimits {
        SetLimits {
            ints: count(self.config.set_max_intset_entries()),
            packed: pack_limits(self.config.set_max_listpack_entries(), self.config.set_max_listpack_value()),
        }
    }

    pub fn zset_limits(&self) -> PackLimits {
        pack_limits(self.config.zset_max_listpack_entries(), self.config.zset_max_listpack_value())
    }

    pub fn hash_limits(&self) -> PackLimits {
        pack_limits(self.config.hash_max_listpack_entries(), self.config.hash_max_listpack_value())
    }

    /// Those of all types.
    pub fn limits(&self) -> Limits {
        Limits { list: self.list_limit(), set: self.set_limits(), zset: self.zset_limits(), hash: self.hash_limits() }
    }
}

fn pack_limits(entries: i64, value: i64) -> PackLimits {
    PackLimits { entries: count(entries), value: count(value) }
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}
