//! Cluster mode.

use super::{Directive, INT, LONG, directives, number, one_of, optional, port, switch, text};
use crate::config::value::{Number, OneOf, Switch, Text, Unit, choices};

choices! {
    /// What redirections name.
    EndpointType { Ip = "ip", Hostname = "hostname", Unknown = "unknown-endpoint", }
}

directives! {
    /// Cluster mode.
    Cluster in cluster {
        /// Whether the server is a node of a cluster.
        cluster_enabled: Switch = switch("cluster-enabled", false).at_start();
        /// File of what the node knows of the cluster.
        cluster_config_file: Text = text("cluster-config-file", "nodes.conf").at_start();
        /// Milliseconds of silence after which a node counts as lost.
        cluster_node_timeout: Number = number("cluster-node-timeout", 15000, 0, LONG);
        /// Milliseconds between pings of nodes; 0 follows the timeout.
        cluster_ping_interval: Number = number("cluster-ping-interval", 0, 0, LONG).hidden();
        /// Port of the bus; 0 is 10000 above the other.
        cluster_port: Number = port("cluster-port", 0).at_start();
        /// How stale a replica's data may be when it takes over.
        cluster_replica_validity_factor: Number = number("cluster-replica-validity-factor", 10, 0, INT)
            .alias("cluster-slave-validity-factor");
        /// Replicas that a primary keeps when others migrate.
        cluster_migration_barrier: Number = number("cluster-migration-barrier", 1, 0, INT);
        /// Whether replicas migrate to primaries that have none.
        cluster_allow_replica_migration: Switch = switch("cluster-allow-replica-migration", true);
        /// Whether all slots must be served for any to be.
        cluster_require_full_coverage: Switch = switch("cluster-require-full-coverage", true);
        /// Whether a replica never takes over by itself.
        cluster_replica_no_failover: Switch = switch("cluster-replica-no-failover", false)
            .alias("cluster-slave-no-failover");
        /// Whether reads are served while the cluster is down.
        cluster_allow_reads_when_down: Switch = switch("cluster-allow-reads-when-down", false);
        /// Whether sharded channels work while the cluster is down.
        cluster_allow_pubsubshard_when_down: Switch = switch("cluster-allow-pubsubshard-when-down", true);
        /// What may wait to be sent to a node; 0 is no limit.
        cluster_link_sendbuf_limit: Number =
            Directive::new("cluster-link-sendbuf-limit", Number::unsigned(0, Unit::Memory));
        /// Address by which the node is known.
        cluster_announce_ip: Text = optional("cluster-announce-ip");
        /// Host name by which the node is known.
        cluster_announce_hostname: Text = optional("cluster-announce-hostname").checked(valid_hostname);
        /// Name of the node for people.
        cluster_announce_human_nodename: Text = optional("cluster-announce-human-nodename").checked(valid_nodename);
        /// Port by which the node is known.
        cluster_announce_port: Number = port("cluster-announce-port", 0);
        /// TLS port by which the node is known.
        cluster_announce_tls_port: Number = port("cluster-announce-tls-port", 0);
        /// Port of the bus by which the node is known.
        cluster_announce_bus_port: Number = port("cluster-announce-bus-port", 0);
        /// What redirections name.
        cluster_preferred_endpoint_type: OneOf<EndpointType> =
            one_of("cluster-preferred-endpoint-type", EndpointType::Ip);
        /// Percentage of commands that are checked for use in a cluster.
        cluster_compatibility_sample_ratio: Number = number("cluster-compatibility-sample-ratio", 0, 0, 100);
    }
}

const MAX_HOSTNAME: usize = 256;

fn valid_hostname(name: &[u8]) -> Result<(), String> {
    if name.len() >= MAX_HOSTNAME {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte)) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(())
}

fn valid_nodename(name: &[u8]) -> Result<(), String> {
    if name.iter().any(|byte| b"!#$%&()*+:;<>?@[]^{|}~".contains(byte)) {
        return Err("Announced human node name contained invalid character".into());
    }
    Ok(())
}
