//! Talks to a sandbox over real sockets, with clients that share no code with it.

mod binary;
mod delivery;
mod gate;
mod gateway;
mod http;
mod lifecycle;
mod relay;
mod support;
