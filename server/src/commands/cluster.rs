//! CLUSTER and its kin. This server is in no cluster and says so, in the words by which clients tell such a server from one
//! that does not know these commands.

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("asking", 1, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Lets the next command have keys of a slot that is being taken over.")
        .flags(Flags::FAST)
        .acl(Categories::CONNECTION),
    Spec::container("cluster", SUBCOMMANDS).doc(
        Group::Cluster,
        "3.0.0",
        "Depends on subcommand.",
        "Commands about a cluster of servers.",
    ),
    Spec::new("readonly", 1, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Lets a replica in a cluster answer this connection's reads.")
        .flags(set!(Flags: LOADING | STALE | FAST))
        .acl(Categories::CONNECTION),
    Spec::new("readwrite", 1, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Has a replica in a cluster answer no reads any more.")
        .flags(set!(Flags: LOADING | STALE | FAST))
        .acl(Categories::CONNECTION),
];

const SUBCOMMANDS: &[Spec] = &[
    Spec::new("keyslot", 3, disabled)
        .doc(
            Group::Cluster,
            "3.0.0",
            "O(N) where N is the number of bytes in the key",
            "Tells the slot that a key belongs to.",
        )
        .flags(Flags::STALE)
        .args(&[Arg::new("key", ArgKind::String)]),
    Spec::new("set-config-epoch", 3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Gives a new node its first epoch.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::new("config-epoch", ArgKind::Integer)]),
    Spec::new("addslots", -3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of slots", "Puts this node in charge of slots.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::new("slot", ArgKind::Integer).multiple()]),
    Spec::new("getkeysinslot", 4, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of requested keys", "Lists keys of a slot.")
        .flags(Flags::STALE)
        .tips(&["nondeterministic_output"])
        .args(&[Arg::new("slot", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]),
    Spec::new("setslot", -4, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Says who is in charge of a slot, or that it is being moved.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[
            Arg::new("slot", ArgKind::Integer),
            Arg::one_of(
                "subcommand",
                &[
                    Arg::new("importing", ArgKind::String).token("IMPORTING").display("node-id"),
                    Arg::new("migrating", ArgKind::String).token("MIGRATING").display("node-id"),
                    Arg::new("node", ArgKind::String).token("NODE").display("node-id"),
                    Arg::flag("stable", "STABLE"),
                ],
            ),
        ]),
    Spec::new("replicate", 3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Makes this node the replica of another.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::new("node-id", ArgKind::String)]),
    Spec::new("info", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Tells how the cluster is.")
        .flags(Flags::STALE)
        .tips(&["nondeterministic_output"]),
    Spec::new("flushslots", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Takes all slots from this node.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING)),
    Spec::new("links", 2, disabled)
        .doc(Group::Cluster, "7.0.0", "O(N) where N is the number of nodes", "Lists this node's connections to others.")
        .flags(Flags::STALE)
        .tips(&["nondeterministic_output"]),
    Spec::new("replicas", 3, disabled)
        .doc(Group::Cluster, "5.0.0", "O(N) where N is the number of replicas", "Lists the replicas of a node.")
        .flags(set!(Flags: ADMIN | STALE))
        .tips(&["nondeterministic_output"])
        .args(&[Arg::new("node-id", ArgKind::String)]),
    Spec::new("forget", 3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Forgets a node.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::new("node-id", ArgKind::String)]),
    Spec::new("addslotsrange", -4, disabled)
        .doc(
            Group::Cluster,
            "7.0.0",
            "O(N) where N is the number of slots in the ranges",
            "Puts this node in charge of ranges of slots.",
        )
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::block(
            "range",
            &[Arg::new("start-slot", ArgKind::Integer), Arg::new("end-slot", ArgKind::Integer)],
        )
        .multiple()]),
    Spec::new("bumpepoch", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Advances the epoch of the cluster's configuration.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .tips(&["nondeterministic_output"]),
    Spec::new("shards", 2, disabled)
        .doc(
            Group::Cluster,
            "7.0.0",
            "O(N) where N is the number of nodes",
            "Lists who serves which slots, with all replicas.",
        )
        .flags(set!(Flags: LOADING | STALE))
        .tips(&["nondeterministic_output"]),
    Spec::new("nodes", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of nodes", "Lists all nodes, a line each.")
        .flags(Flags::STALE)
        .tips(&["nondeterministic_output"]),
    Spec::new("delslots", -3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of slots", "Has nobody in charge of slots.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::new("slot", ArgKind::Integer).multiple()]),
    Spec::new("delslotsrange", -4, disabled)
        .doc(
            Group::Cluster,
            "7.0.0",
            "O(N) where N is the number of slots in the ranges",
            "Has nobody in charge of ranges of slots.",
        )
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::block(
            "range",
            &[Arg::new("start-slot", ArgKind::Integer), Arg::new("end-slot", ArgKind::Integer)],
        )
        .multiple()]),
    Spec::new("countkeysinslot", 3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Counts the keys of a slot.")
        .flags(Flags::STALE)
        .args(&[Arg::new("slot", ArgKind::Integer)]),
    Spec::new("myshardid", 2, disabled)
        .doc(Group::Cluster, "7.2.0", "O(1)", "Tells the id of this node's shard.")
        .flags(Flags::STALE)
        .tips(&["nondeterministic_output"]),
    Spec::new("saveconfig", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Writes the cluster's configuration to disk.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING)),
    Spec::new("failover", -2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Has a replica take its master's place.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .args(&[Arg::one_of("options", &[Arg::flag("force", "FORCE"), Arg::flag("takeover", "TAKEOVER")]).optional()]),
    Spec::new("count-failure-reports", 3, disabled)
        .doc(
            Group::Cluster,
            "3.0.0",
            "O(N) where N is the number of failure reports",
            "Counts who says that a node has failed.",
        )
        .flags(set!(Flags: ADMIN | STALE))
        .tips(&["nondeterministic_output"])
        .args(&[Arg::new("node-id", ArgKind::String)]),
    Spec::new("help", 2, disabled)
        .doc(Group::Cluster, "5.0.0", "O(1)", "Lists the subcommands.")
        .flags(set!(Flags: LOADING | STALE)),
    Spec::new("slaves", 3, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of replicas", "Lists the replicas of a node.")
        .flags(set!(Flags: ADMIN | STALE))
        .tips(&["nondeterministic_output"])
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .args(&[Arg::new("node-id", ArgKind::String)]),
    Spec::new("meet", -4, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Has this node join another one's cluster.")
        .flags(set!(Flags: ADMIN | STALE | NO_ASYNC_LOADING))
        .history(&[("4.0.0", "`cluster_bus_port` was added.")])
        .args(&[
            Arg::new("ip", ArgKind::String),
            Arg::new("port", ArgKind::Integer),
            Arg::new("cluster-bus-port", ArgKind::Integer).optional().since("4.0.0"),
        ]),
    Spec::new("reset", -2, disabled)
        .doc(
            Group::Cluster,
            "3.0.0",
            "O(N) where N is the number of nodes, and of keys where they are removed",
            "Has this node leave its cluster.",
        )
        .flags(set!(Flags: ADMIN | NOSCRIPT | STALE))
        .args(&[Arg::one_of("reset-type", &[Arg::flag("hard", "HARD"), Arg::flag("soft", "SOFT")]).optional()]),
    Spec::new("slots", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(N) where N is the number of nodes", "Lists who serves which slots.")
        .flags(set!(Flags: LOADING | STALE))
        .tips(&["nondeterministic_output"])
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .history(&[("4.0.0", "IDs of nodes were added."), ("7.0.0", "Metadata of the network was added.")]),
    Spec::new("myid", 2, disabled)
        .doc(Group::Cluster, "3.0.0", "O(1)", "Tells the id of this node.")
        .flags(Flags::STALE),
];

fn disabled(_: &mut Context<'_>) -> CommandResult {
    Err(Error::fixed("ERR This instance has cluster support disabled"))
}
