//! The scripting engine's border: what a script may ask of the server that runs it.
