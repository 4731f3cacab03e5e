//! The table `redis` that scripts call the server through.

mod api;
mod from_reply;
mod to_reply;

pub(crate) use api::{Api, Version, install};
pub(crate) use to_reply::write_reply;
