//! RESP2 and RESP3 as bytes: requests in, replies out. Knows nothing of sockets or keys.
//!
//! - [`RequestReader`] holds the input of one connection and parses it into batches of [`Args`].
//! - [`Reply`] is the output of one connection: it knows how each reply looks in either version of the protocol.
//! - [`log`] reads the append-only log.
//! - [`encode`] writes requests, [`decode`] reads replies: for the places where the server itself is the client.
//!
//! Requests have a parser of their own because it is several times as quick as the `redis-protocol` crate, which reads
//! replies here: a GET of a 14-byte key took 11 ns against 52 (borrowed) and 108 (counted buffers), a SET of 64 bytes
//! 15 against 70 and 151, in pipelines of 16 (`cargo run --release -p spinel-protocol --example parse_speed`).

mod number;

pub mod decode;
pub mod encode;
pub mod log;
pub mod reply;
pub mod request;

pub use decode::{ReplyDecoder, ReplyFrame};
pub use encode::encode_command;
pub use number::parse_integer as parse_i64;
pub use reply::{Deferred, DoubleText, Mark, Reply, Resp};
pub use request::{Args, ArgsIter, BIG_ARG, Limits, OwnedArgs, ProtocolError, RequestReader, split_words};
