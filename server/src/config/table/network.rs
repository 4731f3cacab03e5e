//! Listening, connections and their buffers.

use super::{Apply, Directive, INT, LONG, UINT, bytes, directives, number, optional, port, switch};
use crate::config::value::{Addresses, Number, OutputLimits, Switch, Text, Unit};

directives! {
    /// Listening, connections and their buffers.
    Network in network {
        /// Addresses to listen on; those after a '-' may be missing.
        bind: Addresses = Directive::new("bind", Addresses::standard()).multiple().apply(Apply::Bind);
        /// Address that outgoing connections come from.
        bind_source_addr: Text = optional("bind-source-addr");
        /// TCP port; 0 listens on none.
        port: Number = port("port", 6379).apply(Apply::Port);
        /// Connections that may wait to be accepted.
        tcp_backlog: Number = number("tcp-backlog", 511, 0, INT).at_start();
        /// Seconds between probes of a silent connection; 0 sends none.
        tcp_keepalive: Number = number("tcp-keepalive", 300, 0, INT);
        /// Seconds after which an idle client is disconnected; 0 never does.
        timeout: Number = number("timeout", 0, 0, INT);
        /// Path of a Unix socket to listen on.
        unixsocket: Text = optional("unixsocket").at_start();
        /// Permissions of the Unix socket, in octal.
        unixsocketperm: Number = Directive::new("unixsocketperm", Number::new(0, 0, 0o777, Unit::Octal)).at_start();
        /// Mark that the firewall sees on the listening sockets.
        socket_mark_id: Number = number("socket-mark-id", 0, 0, UINT).at_start();
        /// Whether strangers are refused while there is no password.
        protected_mode: Switch = switch("protected-mode", true);
        /// Clients at the same time.
        maxclients: Number = number("maxclients", 10000, 1, UINT).apply(Apply::MaxClients);
        /// Connections accepted in one go.
        max_new_connections: Number = number("max-new-connections-per-cycle", 10, 1, 1000);
        /// TLS connections accepted in one go.
        max_new_tls_connections: Number = number("max-new-tls-connections-per-cycle", 1, 1, 1000);
        /// Threads that serve clients; one per core where it is not given.
        io_threads: Number = number("io-threads", 1, 1, 128).at_start();
        /// The largest single argument of a request.
        proto_max_bulk_len: Number = bytes("proto-max-bulk-len", 512 << 20, 1 << 20, LONG);
        /// What a client may have sent without its being processed.
        query_buffer_limit: Number = bytes("client-query-buffer-limit", 1 << 30, 1 << 20, LONG);
        /// What may wait to be sent, for normal clients, replicas and subscribers.
        output_limits: OutputLimits = Directive::new("client-output-buffer-limit", OutputLimits::standard())
            .multiple();
        /// Memory of all clients together; 0 is no limit.
        /// A negative number is a share of `maxmemory` in percent.
        maxmemory_clients: Number =
            Directive::new("maxmemory-clients", Number::new(0, -100, LONG, Unit::MemoryOrPercent))
                .apply(Apply::ClientMemory);
        /// Keys that are remembered for client-side caching; 0 is no limit.
        tracking_table_max_keys: Number = number("tracking-table-max-keys", 1_000_000, 0, LONG)
            .apply(Apply::Tracking);
    }
}
