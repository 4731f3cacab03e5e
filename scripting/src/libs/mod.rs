//! The libraries of scripts, beside those that Lua brings.

pub(crate) mod base;
pub(crate) mod bit;
pub(crate) mod cjson;
pub(crate) mod cmsgpack;
pub(crate) mod math;
pub(crate) mod strings;
pub(crate) mod structs;
